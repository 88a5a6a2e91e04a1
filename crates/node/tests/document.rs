//! The document and the port do not drift apart: each path takes the methods that it is described
//! with, and no others.

mod support;

use ambar_node::api::openapi_document;
use std::collections::BTreeSet;
use support::{get, http, start};

/// A method that nothing takes.
const NONE: &str = "PURGE";

#[tokio::test(flavor = "multi_thread")]
async fn every_path_takes_the_methods_that_it_is_described_with() {
    let home = tempfile::tempdir().unwrap();
    let node = start(home.path()).await;
    for (path, item) in openapi_document()["paths"].as_object().unwrap() {
        let mut described: BTreeSet<String> =
            item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        // The HTTP library answers the head of whatever can be got.
        if described.contains("GET") {
            described.insert("HEAD".into());
        }
        let target = path.replace(['{', '}'], "");
        let request = format!("{NONE} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let (status, head, body) = http(&node, request).await;
        assert_eq!(status, 405, "{path}: {body}");
        assert!(body.contains("\"method_not_allowed\""), "{path}: {body}");
        let allowed = head.lines().find_map(|line| line.strip_prefix("allow: "));
        let allowed = allowed.unwrap_or_else(|| panic!("{path}: {head}"));
        let allowed: BTreeSet<String> = allowed.split(',').map(str::to_uppercase).collect();
        assert_eq!(allowed, described, "{path}");
    }
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_known_is_told_how_to_say_who_asks() {
    let home = tempfile::tempdir().unwrap();
    let node = start(home.path()).await;
    for path in ["/v1/models", "/api/v1/grants?account=nobody"] {
        let (status, head, _) = get(&node, path).await;
        assert_eq!(status, 401, "{path}");
        assert!(head.contains("www-authenticate: bearer"), "{path}: {head}");
    }
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_height_of_the_chain_is_answered() {
    let home = tempfile::tempdir().unwrap();
    let node = start(home.path()).await;
    for from in [1_000_000, u64::MAX - 1, u64::MAX] {
        let (status, _, body) = get(&node, &format!("/api/v1/chain?from={from}")).await;
        assert_eq!((status, body.as_str()), (200, ""), "{from}");
        let (status, ..) = get(&node, &format!("/api/v1/blocks?after={from}&limit=1000")).await;
        assert_eq!(status, 200, "{from}");
        let (status, ..) = get(&node, &format!("/api/v1/blocks/{from}")).await;
        assert_eq!(status, 404, "{from}");
    }
    for limit in ["0", "1001", "-1", "4294967296"] {
        let (status, _, body) = get(&node, &format!("/api/v1/capsules?limit={limit}")).await;
        assert_eq!(status, 400, "{limit}: {body}");
    }
    node.shutdown().await;
}
