//! Clients that are slow, too many, or too much.

use super::super::limits::{HEAD_BYTES_MAX, HEADERS_MAX};
use super::*;

const SOON: Duration = Duration::from_millis(60);

#[tokio::test]
async fn a_head_must_come_in_time() {
    let port = Port::plain(routes(), short(|limits| limits.head = SOON)).await;
    let mut drip = port.connect().await;
    send(&mut drip, "GET / HTTP/1.1\r\n").await;
    let (mut reader, mut writer) = drip.into_split();
    let dripping = tokio::spawn(async move {
        // Each piece comes in time, the head does not.
        while writer.write_all(b"x-slow: 1\r\n").await.is_ok() {
            tokio::time::sleep(SOON / 6).await;
        }
    });
    let answer = rest(&mut reader).await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    port.ended(Reason::HeadTime, 1).await;
    dripping.await.unwrap();
    // The head of a later request as well, over TLS.
    let mut secure = port.secure(&["http/1.1"]).await;
    send(&mut secure, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until(&mut secure, "hello").await;
    send(&mut secure, "GET").await;
    assert!(rest(&mut secure).await.starts_with("HTTP/1.1 408 "));
    port.ended(Reason::HeadTime, 2).await;
    port.close().await;
}

#[tokio::test]
async fn a_connection_must_begin_and_go_on() {
    let port = Port::plain(routes(), short(|limits| limits.opening = SOON)).await;
    let mut silent = port.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    let mut hello = port.connect().await;
    // The beginning of a TLS record that does not go on.
    hello.write_all(&[0x16, 3, 1, 2]).await.unwrap();
    assert_eq!(rest(&mut hello).await, "");
    port.ended(Reason::Opening, 2).await;
    port.close().await;
    let port = Port::plain(routes(), short(|limits| limits.idle = SOON)).await;
    let mut idle = port.connect().await;
    send(&mut idle, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(rest(&mut idle).await.ends_with("hello"));
    port.ended(Reason::Idle, 1).await;
    port.close().await;
}

#[tokio::test]
async fn a_body_must_come_in_time() {
    let check = async |limits: Limits, pause: Duration| {
        let port = Port::plain(routes(), limits).await;
        let mut stream = port.connect().await;
        let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
        send(&mut stream, head).await;
        let (mut reader, mut writer) = stream.into_split();
        let dripping = tokio::spawn(async move {
            while writer.write_all(b"x").await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        });
        let answer = rest(&mut reader).await;
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        assert!(answer.contains("body took too long"), "{answer}");
        port.ended(Reason::BodyTime, 1).await;
        dripping.await.unwrap();
        port.close().await;
    };
    // Between two pieces, and as a whole.
    check(short(|limits| limits.body_gap = SOON), Duration::from_secs(2)).await;
    check(short(|limits| limits.body = SOON), SOON / 6).await;
}

#[tokio::test]
async fn heads_have_a_size() {
    let port = Port::plain(routes(), Limits::default()).await;
    let check = async |head: String, status: &str| {
        let mut stream = port.connect().await;
        // The port may answer before it has all.
        let _ = stream.write_all(head.as_bytes()).await;
        let answer = rest(&mut stream).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
    };
    let head = |headers: String| format!("GET / HTTP/1.0\r\n{headers}\r\n");
    check(head(format!("x: {}\r\n", "x".repeat(HEAD_BYTES_MAX / 2))), "200").await;
    check(head(format!("x: {}\r\n", "x".repeat(2 * HEAD_BYTES_MAX))), "431").await;
    check(head((0..HEADERS_MAX).map(|n| format!("x-{n}: 1\r\n")).collect()), "200").await;
    check(head((0..=HEADERS_MAX).map(|n| format!("x-{n}: 1\r\n")).collect()), "431").await;
    port.ended(Reason::HeadSize, 2).await;
    check("what is this\r\n\r\n".to_owned(), "400").await;
    port.ended(Reason::Malformed, 1).await;
    port.close().await;
}

#[tokio::test]
async fn too_many_connections_are_told_so() {
    let port = Port::plain(routes(), short(|limits| limits.connections = 2)).await;
    let (mut one, mut two) = (port.connect().await, port.connect().await);
    for stream in [&mut one, &mut two] {
        send(stream, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        until(stream, "hello").await;
    }
    let mut three = port.connect().await;
    send(&mut three, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = rest(&mut three).await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    port.ended(Reason::Connections, 1).await;
    // A place that is given back is taken.
    drop(one);
    port.until(|figures| figures.open.load(Ordering::Relaxed) == 1).await;
    let mut four = port.connect().await;
    send(&mut four, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(rest(&mut four).await.ends_with("hello"));
    port.close().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut() {
    let port = Port::plain(routes(), short(|limits| limits.stall = SOON)).await;
    let mut deaf = port.connect().await;
    send(&mut deaf, "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    port.ended(Reason::Stalled, 1).await;
    port.until(|figures| figures.open.load(Ordering::Relaxed) == 0).await;
    let mut deaf = port.secure(&["http/1.1"]).await;
    send(&mut deaf, "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    port.ended(Reason::Stalled, 2).await;
    port.close().await;
}
