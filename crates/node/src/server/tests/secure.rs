//! TLS on the port: beside plain HTTP on the loopback, alone elsewhere.

use super::super::limits;
use super::*;
use rustls::ProtocolVersion;

#[tokio::test]
async fn the_loopback_speaks_both() {
    let port = Port::plain(routes(), Limits::default()).await;
    let mut plain = port.connect().await;
    send(&mut plain, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(rest(&mut plain).await.ends_with("hello"));
    let mut secure = port.secure(&["http/1.1"]).await;
    assert_eq!(secure.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    send(&mut secure, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(rest(&mut secure).await.ends_with("hello"));
    // A client that names no protocol speaks HTTP/1.1.
    let mut secure = port.secure(&[]).await;
    send(&mut secure, "GET /peer HTTP/1.0\r\nambar-peer: did:key:z\r\n\r\n").await;
    assert!(rest(&mut secure).await.ends_with("nobody"));
    port.close().await;
}

#[tokio::test]
async fn an_address_that_others_reach_speaks_tls_alone() {
    let port = Port::open(routes(), Router::new(), Exposure::Network, Limits::default()).await;
    let mut plain = port.connect().await;
    send(&mut plain, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = rest(&mut plain).await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("use https") && !answer.contains("hello"), "{answer}");
    port.ended(Reason::Plain, 1).await;
    let mut secure = port.secure(&["http/1.1"]).await;
    send(&mut secure, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(rest(&mut secure).await.ends_with("hello"));
    port.close().await;
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_to_the_next_client() {
    let port = Port::plain(routes(), Limits::default()).await;
    let stop = CancellationToken::new();
    let follow = port.tls.clone().follow(Duration::from_millis(5), stop.clone());
    let follow = tokio::spawn(follow);
    let before = port.tls.shown().fingerprint();
    let kept = port.secure(&["http/1.1"]).await;
    let other = tempfile::tempdir().unwrap();
    let new = certificate::own(other.path(), &["localhost".to_owned()]).unwrap();
    std::fs::copy(&new.key, &port.files.key).unwrap();
    std::fs::copy(&new.certificate, &port.files.certificate).unwrap();
    let replaced = async {
        while port.tls.shown().fingerprint() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, replaced).await.unwrap();
    // A client that trusts the new certificate alone.
    let mut secure = port.secure(&["http/1.1"]).await;
    send(&mut secure, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(rest(&mut secure).await.ends_with("hello"));
    // A connection from before goes on.
    let mut kept = kept;
    send(&mut kept, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(rest(&mut kept).await.ends_with("hello"));
    stop.cancel();
    follow.await.unwrap();
    port.close().await;
}

#[tokio::test]
async fn clients_may_speak_http2_and_are_no_nodes() {
    let port = Port::plain(routes(), Limits::default()).await;
    let secure = port.secure(&["h2"]).await;
    let executor = hyper_util::rt::TokioExecutor::new();
    let socket = hyper_util::rt::TokioIo::new(secure);
    let opened = hyper::client::conn::http2::handshake::<_, _, Body>(executor, socket).await;
    let (mut sender, connection) = opened.unwrap();
    let connection = tokio::spawn(connection);
    let ask = |path: &str, headers: usize| {
        let mut request = axum::http::Request::get(format!("https://localhost{path}"));
        for number in 0..headers {
            request = request.header(format!("x-{number}"), "ambar-node/1");
        }
        request.body(Body::empty()).unwrap()
    };
    let response = sender.send_request(ask("/peer", 1)).await.unwrap();
    let body = axum::body::to_bytes(Body::new(response.into_body()), 1024).await.unwrap();
    assert_eq!(body, "nobody");
    let response = sender.send_request(ask("/", limits::HEADERS_MAX + 1)).await.unwrap();
    assert_eq!(response.status(), 431);
    port.ended(Reason::HeadSize, 1).await;
    drop(sender);
    connection.await.unwrap().unwrap();
    port.close().await;
}
