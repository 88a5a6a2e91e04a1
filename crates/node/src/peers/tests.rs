//! Two nodes over a real port.

use super::*;
use crate::server::tests::{PATIENCE, Port, fed, node_key, routes, short, until};
use crate::server::{Exposure, Limits, Peer, Reason};
use axum::Router;
use axum::extract::Request as Asked;
use axum::routing::{any, get};
use futures::StreamExt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use std::sync::atomic::AtomicBool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

fn caller_key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

fn peers(change: impl FnOnce(&mut PeerLimits)) -> Peers {
    let mut limits = PeerLimits::default();
    change(&mut limits);
    Peers::new(caller_key(), limits)
}

async fn port(peer_routes: Router, limits: Limits) -> Port {
    Port::open(routes(), peer_routes, Exposure::Network, limits).await
}

fn ask(path: &str) -> Request<Bytes> {
    Request::get(path).body(Bytes::new()).unwrap()
}

async fn text(response: Response<PeerBody>) -> String {
    let pieces: Vec<_> = response.into_body().map(Result::unwrap).collect().await;
    String::from_utf8(pieces.concat()).unwrap()
}

/// Who asks, and what.
async fn who(request: Asked) -> String {
    let peer = request.extensions().get::<Peer>().copied();
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let note = head.headers.get("note").map_or("", |note| note.to_str().unwrap());
    let peer = peer.map(|Peer(key)| key.did()).unwrap_or_default();
    format!("{} {} {note} {} {peer}", head.method, head.uri.path(), body.len())
}

fn asking() -> Router {
    Router::new().route("/who", any(who))
}

#[tokio::test]
async fn nodes_know_each_other_by_their_keys() {
    let port = port(asking(), Limits::default()).await;
    let (peers, address) = (peers(|_| ()), port.address.to_string());
    let did = caller_key().public().did();
    let request = Request::post("/who?x=1").header("note", "n").body(Bytes::from(vec![1; 100_000]));
    let response = peers.request(&address, node_key().public(), request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(text(response).await, format!("POST /who n 100000 {did}"));
    // Many at once over the one connection.
    let ask = |_| async {
        text(peers.request(&address, node_key().public(), ask("/who")).await.unwrap()).await
    };
    let answers: Vec<_> =
        futures::stream::iter(0..50).map(ask).buffer_unordered(50).collect().await;
    assert!(answers.iter().all(|answer| *answer == format!("GET /who  0 {did}")), "{answers:?}");
    assert_eq!(port.figures.accepted.load(Ordering::Relaxed), 1);
    assert_eq!(port.figures.peers.load(Ordering::Relaxed), 1);
    // Routes for clients are not there.
    let request = Request::get("/").body(Bytes::new()).unwrap();
    let response = peers.request(&address, node_key().public(), request).await;
    assert_eq!(response.unwrap().status(), 404);
    port.close().await;
}

#[tokio::test]
async fn another_key_is_not_asked() {
    let port = port(asking(), Limits::default()).await;
    let (peers, address) = (peers(|_| ()), port.address.to_string());
    let expected = SecretKey::from_seed(&[8; 32]).public();
    let error = peers.request(&address, expected, ask("/who")).await.unwrap_err();
    let found = Some(node_key().public());
    assert_eq!(error, PeerError::WrongKey { address: address.clone(), expected, found });
    assert!(!error.may_have_begun());
    // The right one is, over a connection of its own.
    assert!(peers.request(&address, node_key().public(), ask("/who")).await.is_ok());
    port.close().await;
}

/// A TLS connection by the nodes' protocol.
async fn dial(port: &Port, config: ClientConfig) -> std::io::Result<String> {
    let name = ServerName::IpAddress(port.address.ip().into());
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, port.connect().await).await?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A caller without a key, by the nodes' protocol all the same.
#[derive(Debug)]
struct NothingToShow;

impl rustls::client::ResolvesClientCert for NothingToShow {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn nobody_is_a_node_without_a_key() {
    let port = port(asking(), Limits::default()).await;
    let expected = node_key().public();
    // With nothing to show: the server is right, the caller is nobody.
    let (known, _) = identity::client_config(&caller_key(), expected).unwrap();
    let mut config = ClientConfig::clone(&known);
    config.client_auth_cert_resolver = Arc::new(NothingToShow);
    assert!(dial(&port, config).await.is_err());
    // With a certificate of X.509, self-made.
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(identity::provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![made.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![ALPN.to_vec()];
    assert!(dial(&port, config).await.is_err());
    port.ended(Reason::Opening, 2).await;
    assert_eq!(port.figures.peers.load(Ordering::Relaxed), 0);
    port.close().await;
}

#[tokio::test]
async fn routes_of_nodes_are_reached_by_no_client() {
    let port = Port::open(routes(), asking(), Exposure::Machine, Limits::default()).await;
    let forged = "peer: 1\r\nambar-node: did:key:z\r\nalpn: ambar-node/1\r\nconnection: close";
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n{forged}\r\n\r\n");
    for (path, expect) in [("/who", "HTTP/1.1 404"), ("/peer", "nobody")] {
        let mut plain = port.connect().await;
        plain.write_all(ask(path).as_bytes()).await.unwrap();
        assert!(until(&mut plain, expect).await.ends_with(expect));
        let mut secure = port.secure(&["http/1.1"]).await;
        secure.write_all(ask(path).as_bytes()).await.unwrap();
        assert!(until(&mut secure, expect).await.ends_with(expect));
    }
    port.close().await;
}

/// Routes whose one stream a test feeds.
fn feeding() -> (mpsc::Sender<&'static str>, Router) {
    let (feed, body) = fed();
    let body = Arc::new(Mutex::new(Some(body)));
    let take = move || {
        let body = body.lock().unwrap().take().unwrap();
        async { body }
    };
    (feed, asking().route("/stream", get(take)))
}

#[tokio::test]
async fn whoever_drops_an_answer_ends_it_at_the_other_side() {
    let (feed, routes) = feeding();
    let port = port(routes, Limits::default()).await;
    let (peers, address) = (peers(|_| ()), port.address.to_string());
    let key = node_key().public();
    let mut body = peers.request(&address, key, ask("/stream")).await.unwrap().into_body();
    feed.send("one").await.unwrap();
    assert_eq!(body.next().await, Some(Ok(Bytes::from("one"))));
    drop(body);
    timeout(PATIENCE, feed.closed()).await.unwrap();
    // The connection is as it was.
    assert!(peers.request(&address, key, ask("/who")).await.is_ok());
    assert_eq!(port.figures.accepted.load(Ordering::Relaxed), 1);
    port.close().await;
}

struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[tokio::test]
async fn whoever_gives_up_before_the_head_ends_the_handler() {
    let dropped = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&dropped);
    let wait = move || {
        let guard = Dropped(Arc::clone(&seen));
        async move {
            std::future::pending::<()>().await;
            drop(guard);
        }
    };
    let port = port(asking().route("/wait", get(wait)), Limits::default()).await;
    let limits = |limits: &mut PeerLimits| limits.head = Duration::from_millis(50);
    let (peers, address) = (peers(limits), port.address.to_string());
    let error = peers.request(&address, node_key().public(), ask("/wait")).await.unwrap_err();
    assert_eq!(error, PeerError::Timeout { address: address.clone(), wait: Wait::Head });
    assert!(error.may_have_begun());
    let ended = async {
        while !dropped.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, ended).await.unwrap();
    port.close().await;
}

#[tokio::test]
async fn failures_are_told_apart() {
    let peers = peers(|limits| {
        limits.silence = Duration::from_millis(50);
        limits.connect = Duration::from_millis(500);
    });
    let key = node_key().public();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let error = peers.request(&address, key, ask("/")).await.unwrap_err();
    assert!(matches!(error, PeerError::Refused { .. }), "{error:?}");
    let error = peers.request("not an address", key, ask("/")).await.unwrap_err();
    assert!(matches!(error, PeerError::Request(_)), "{error:?}");
    // Somebody who accepts and says nothing, and somebody who speaks plain HTTP.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let error = peers.request(&address, key, ask("/")).await.unwrap_err();
    assert_eq!(error, PeerError::Timeout { address, wait: Wait::Connection });
    assert!(!error.may_have_begun());
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap().to_string();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });
    let error = peers.request(&address, key, ask("/")).await.unwrap_err();
    assert!(matches!(error, PeerError::Foreign { .. }), "{error:?}");
    drop(answering.await.unwrap());
    // A stream that says nothing more, and one that breaks.
    let (feed, routes) = feeding();
    let port = port(routes, Limits::default()).await;
    let address = port.address.to_string();
    let mut body = peers.request(&address, key, ask("/stream")).await.unwrap().into_body();
    feed.send("one").await.unwrap();
    assert_eq!(body.next().await, Some(Ok(Bytes::from("one"))));
    let late = PeerError::Timeout { address, wait: Wait::Piece };
    assert_eq!(body.next().await, Some(Err(late)));
    assert_eq!(body.next().await, None);
    port.close().await;
}

#[tokio::test]
async fn a_stream_that_breaks_is_told_from_one_that_never_began() {
    let go_on = Arc::new(tokio::sync::Notify::new());
    let seen = Arc::clone(&go_on);
    let breaking = move || {
        let last = async move {
            seen.notified().await;
            Err(std::io::Error::other("broken"))
        };
        let pieces = futures::stream::iter([Ok("one")]).chain(futures::stream::once(last));
        async { Body::from_stream(pieces) }
    };
    let panicking = || async {
        if true {
            panic!("as a fault of a handler would");
        }
    };
    let routes = asking().route("/break", get(breaking)).route("/panic", get(panicking));
    let port = port(routes, Limits::default()).await;
    let (peers, address, key) = (peers(|_| ()), port.address.to_string(), node_key().public());
    let mut body = peers.request(&address, key, ask("/break")).await.unwrap().into_body();
    assert_eq!(body.next().await, Some(Ok(Bytes::from("one"))));
    go_on.notify_one();
    let error = body.next().await.unwrap().unwrap_err();
    assert!(matches!(error, PeerError::ResetInBody { .. }), "{error:?}");
    let error = peers.request(&address, key, ask("/panic")).await.unwrap_err();
    assert!(matches!(error, PeerError::ResetBeforeHead { .. }), "{error:?}");
    assert!(error.may_have_begun());
    assert!(peers.request(&address, key, ask("/who")).await.is_ok());
    port.close().await;
}

#[tokio::test]
async fn a_connection_that_closed_is_made_again() {
    let limits = short(|limits| limits.peer_idle = Duration::from_millis(300));
    let port = port(asking(), limits).await;
    let (peers, address, key) = (peers(|_| ()), port.address.to_string(), node_key().public());
    for round in 1..=3 {
        assert!(peers.request(&address, key, ask("/who")).await.is_ok());
        port.until(|figures| figures.ended(Reason::Idle) >= round).await;
        port.until(|figures| figures.open.load(Ordering::Relaxed) == 0).await;
    }
    port.close().await;
}

#[tokio::test]
async fn connections_and_requests_have_a_limit() {
    let (feed, routes) = feeding();
    let (one, two) =
        (port(routes, Limits::default()).await, port(asking(), Limits::default()).await);
    let peers = peers(|limits| (limits.connections, limits.streams) = (1, 1));
    let (first, second, key) =
        (one.address.to_string(), two.address.to_string(), node_key().public());
    let body = peers.request(&first, key, ask("/stream")).await.unwrap().into_body();
    assert_eq!(peers.request(&first, key, ask("/who")).await.unwrap_err(), PeerError::Busy);
    assert_eq!(peers.request(&second, key, ask("/who")).await.unwrap_err(), PeerError::Busy);
    drop(body);
    // The one connection is idle: it gives way.
    assert!(peers.request(&second, key, ask("/who")).await.is_ok());
    one.until(|figures| figures.open.load(Ordering::Relaxed) == 0).await;
    drop(feed);
    one.close().await;
    two.close().await;
}

#[tokio::test]
async fn a_node_that_reads_nothing_loses_its_stream_alone() {
    let (feed, body) = fed();
    let body = Arc::new(Mutex::new(Some(body)));
    let take = move || {
        let body = body.lock().unwrap().take().unwrap();
        async { body }
    };
    let routes = asking().route("/stream", get(take));
    let limits = short(|limits| limits.stall = Duration::from_millis(60));
    let port = port(routes, limits).await;
    let (peers, address, key) = (peers(|_| ()), port.address.to_string(), node_key().public());
    let mut body = peers.request(&address, key, ask("/stream")).await.unwrap().into_body();
    // More than the window of a stream, which nobody reads.
    let piece: &'static str = Box::leak("x".repeat(64 * 1024).into_boxed_str());
    let feeding = async { while feed.send(piece).await.is_ok() {} };
    timeout(PATIENCE, feeding).await.unwrap();
    port.ended(Reason::Stalled, 1).await;
    assert!(peers.request(&address, key, ask("/who")).await.is_ok());
    let last = loop {
        if let Err(error) = body.next().await.unwrap() {
            break error;
        }
    };
    assert!(matches!(last, PeerError::ResetInBody { .. }), "{last:?}");
    assert_eq!(port.figures.accepted.load(Ordering::Relaxed), 1);
    port.close().await;
}
