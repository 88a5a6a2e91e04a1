//! The port of a whole node: TLS for clients, keys for nodes, figures for operators.

mod support;

use ambar_base::{Coded, ErrorCode};
use ambar_node::client::{Client, Trust};
use ambar_node::config::{Config, TlsConfig};
use ambar_node::home::CONFIG_FILE;
use ambar_node::keys::random_key;
use ambar_node::peers::{PeerError, PeerLimits, Peers};
use ambar_node::server::Reason;
use ambar_node::server::certificate::CertificateFiles;
use ambar_node::{Home, Node, NodeError, NodeSettings};
use axum::body::Bytes;
use axum::http::Request;
use futures::TryStreamExt;
use std::path::Path;
use support::{get, settings, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Treats the loopback like any other address.
fn require_tls(home: &Path, tls: TlsConfig) -> Result<(), NodeError> {
    let tls = TlsConfig { required: true, ..tls };
    Config { tls, ..Config::default() }.write(&home.join(CONFIG_FILE))
}

#[tokio::test(flavor = "multi_thread")]
async fn off_the_loopback_nothing_but_tls_is_spoken() {
    let home = tempfile::tempdir().unwrap();
    let everywhere = Some(([0, 0, 0, 0], 0).into());
    let open = NodeSettings { listen: everywhere, ..settings(home.path()) };
    let node = Node::start(open).await.unwrap();
    assert!(node.base_url.starts_with("https://0.0.0.0:"), "{}", node.base_url);
    let port = node.address.port();
    let mut plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("use https"), "{answer}");

    // The own home vouches for its node, and so does whoever was given its certificate.
    let (files, fingerprint) = node.certificate();
    let own = Trust::default().with_home(home.path());
    let given = Trust::default().with_roots(&files.certificate);
    let [named, other_name] = ["127.0.0.1", "127.0.0.2"].map(|at| format!("https://{at}:{port}"));
    for (url, trust) in [(&named, &own), (&other_name, &own), (&named, &given)] {
        let status = Client::trusting(url, trust).unwrap().status().await.unwrap();
        assert_eq!(status.certificate, Some(fingerprint.to_string()), "{url}");
    }
    // A name that the certificate has not, and another node's certificate.
    let other_home = tempfile::tempdir().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let other = ambar_node::server::certificate::own(other_home.path(), &names).unwrap();
    let others = Trust::default().with_roots(&other.certificate);
    for (url, trust) in [(&other_name, &given), (&named, &others)] {
        let refused = Client::trusting(url, trust).unwrap().status().await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::NodeUnreachable, "{url}: {refused}");
    }
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_tls_is_required_the_loopback_is_like_any_address() {
    let home = tempfile::tempdir().unwrap();
    require_tls(home.path(), TlsConfig::default()).unwrap();
    let node = start(home.path()).await;
    assert!(node.base_url.starts_with("https://127.0.0.1:"), "{}", node.base_url);
    let (status, _, body) = get(&node, "/healthz").await;
    assert!(status == 400 && body.contains("use https"), "{status} {body}");
    let own = Trust::default().with_home(home.path());
    assert!(Client::trusting(&node.base_url, &own).unwrap().status().await.is_ok());
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_shown_stops_the_start() {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("missing.pem");
    let files = CertificateFiles { certificate: missing.clone(), key: missing };
    require_tls(home.path(), TlsConfig { files: Some(files), ..TlsConfig::default() }).unwrap();
    let error = Node::start(settings(home.path())).await.err().unwrap();
    assert_eq!(error.code(), ErrorCode::FileUnreadable);
    assert!(error.to_string().contains("cannot speak TLS"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_ask_each_other_by_their_keys() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = start(home.path()).await;
    let address = node.address.to_string();
    let key = node.app().home.node_key.public();
    let peers = Peers::new(Home::open(other.path(), None).unwrap().node_key, PeerLimits::default());
    let ask = |path: &str| Request::get(path).body(Bytes::new()).unwrap();
    let answer = peers.request(&address, key, ask("/readyz")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Vec<Bytes> = answer.into_body().try_collect().await.unwrap();
    assert_eq!(body.concat(), b"ready\n");
    // What is for clients is not there.
    let answer = peers.request(&address, key, ask("/api/v1/status")).await.unwrap();
    assert_eq!(answer.status(), 404);
    let stranger = random_key().unwrap().public();
    let error = peers.request(&address, stranger, ask("/readyz")).await.unwrap_err();
    assert!(matches!(error, PeerError::WrongKey { .. }), "{error}");
    // The node learns that its caller hung up a moment after the caller knows.
    while node.app().figures.ended(Reason::Opening) == 0 {
        tokio::task::yield_now().await;
    }
    let (_, _, figures) = get(&node, "/metrics").await;
    let check = |line: &str| {
        assert!(figures.lines().any(|printed| printed == line), "{line} in {figures}");
    };
    check("ambar_connections_of_nodes_total 1");
    check("ambar_port_refused_total{reason=\"opening\"} 1");
    check("ambar_port_refused_total{reason=\"stalled\"} 0");
    check("ambar_call_stage_seconds_count{stage=\"admit\"} 0");
    node.shutdown().await;
}
