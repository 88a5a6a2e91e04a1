//! A node starts, answers, refuses what it must, and stops.

mod support;

use ambar_base::{Coded, ErrorCode};
use ambar_node::client::Client;
use ambar_node::{Node, NodeSettings};
use support::{Person, get, settings, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_home_becomes_a_network() {
    let home = tempfile::tempdir().unwrap();
    let node = start(home.path()).await;
    let client = Client::new(&node.base_url).unwrap();
    let status = client.status().await.unwrap();
    assert!(status.development);
    assert_eq!(status.consensus, "running");
    assert_eq!((status.node.number.as_str(), status.peers), ("0", 0));
    let (network, did) = (status.network, status.node.did);
    assert_eq!(get(&node, "/healthz").await.0, 200);
    assert_eq!(get(&node, "/readyz").await.0, 200);
    assert!(client.audit().await.unwrap().ok);
    let code = Node::start(settings(home.path())).await.err().map(|error| error.code());
    assert_eq!(code, Some(ErrorCode::HomeInUse));
    node.shutdown().await;

    // The same home again: the same network, node and height at least.
    let node = start(home.path()).await;
    let again = Client::new(&node.base_url).unwrap().status().await.unwrap();
    assert_eq!((again.network, again.node.did), (network, did));
    assert!(again.height >= status.height);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_checked() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = start(one.path()).await;
    let taken = NodeSettings { listen: Some(node.address), ..settings(two.path()) };
    let code = |result: Result<_, ambar_node::NodeError>| result.err().map(|error| error.code());
    assert_eq!(code(Node::start(taken).await.map(drop)), Some(ErrorCode::AddressInUse));
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_codes() {
    let home = tempfile::tempdir().unwrap();
    let node = start(home.path()).await;
    let check = async |path: &str, status: u16, code: &str| {
        let (found, _, body) = get(&node, path).await;
        assert_eq!(found, status, "{path}: {body}");
        assert!(body.contains(&format!("\"code\":\"{code}\"")), "{path}: {body}");
    };
    check("/api/v1/nothing", 404, "not_found").await;
    check("/api/v1/capsules/nothing", 404, "model_not_found").await;
    check("/api/v1/accounts/nobody", 404, "account_unknown").await;
    check("/api/v1/receipts/1-1", 404, "not_found").await;
    check("/api/v1/receipts/x", 400, "invalid_request").await;
    check("/api/v1/terms/x", 400, "invalid_request").await;
    check("/api/v1/blocks/999999", 404, "not_found").await;
    check("/api/v1/blocks/x", 400, "invalid_request").await;
    check("/api/v1/blocks?after=x", 400, "invalid_request").await;
    check("/api/v1/search", 400, "invalid_request").await;
    check("/v1/models", 401, "unauthenticated").await;
    let alice = Person::new(&node, "10").await;
    let bob = Person::new(&node, "10").await;
    check(&format!("/api/v1/accounts/{}/statement", alice.id), 401, "unauthenticated").await;
    let other = bob.client.statement(&alice.id.to_string(), None, None).await.unwrap_err();
    assert_eq!(other.code(), ErrorCode::NotAuthorised);
    let strange = bob.client.blob("nothing", &"00".repeat(32)).await.unwrap_err();
    assert_eq!(strange.code(), ErrorCode::CapsuleUnknown);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_route() {
    let home = tempfile::tempdir().unwrap();
    let node = start(home.path()).await;
    let (status, _, body) = get(&node, "/api/v1/openapi.json").await;
    assert_eq!(status, 200);
    let document: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for path in [
        "capsules",
        "receipts/{receipt}/proof",
        "catalogue/changes",
        "trace",
        "status",
        "audit/progress",
        "capsules/{capsule}/build",
    ] {
        assert!(document["paths"][format!("/api/v1/{path}")].is_object(), "{path}");
    }
    let (status, _, figures) = get(&node, "/metrics").await;
    assert_eq!(status, 200);
    for name in ["ambar_ledger_height", "ambar_process_memory_bytes", "ambar_http_seconds_bucket"] {
        assert!(figures.contains(name), "{name}: {figures}");
    }
    node.shutdown().await;
}
