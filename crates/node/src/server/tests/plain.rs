//! Plain HTTP/1.1: kept connections, several requests at once, streams without delay.

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn connections_are_kept_and_requests_may_come_at_once() {
    let port = Port::plain(routes(), Limits::default()).await;
    let mut stream = port.connect().await;
    for _ in 0..3 {
        send(&mut stream, GET).await;
        assert!(until(&mut stream, "hello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    // Three in one packet are answered in their order.
    let post = |body: &str| {
        format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    send(&mut stream, &[post("one"), post("two"), GET.to_owned()].concat()).await;
    until(&mut stream, "\r\n\r\none").await;
    until(&mut stream, "\r\n\r\ntwo").await;
    until(&mut stream, "\r\n\r\nhello").await;
    send(&mut stream, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(rest(&mut stream).await.ends_with("\r\n\r\nhello"));
    assert_eq!(port.figures.accepted.load(Ordering::Relaxed), 1);
    port.close().await;
}

#[tokio::test]
async fn each_event_of_a_stream_goes_out_alone() {
    let (feed, body) = fed();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let take = move || {
        let body = body.lock().unwrap().take().unwrap();
        async { body }
    };
    let port = Port::plain(Router::new().route("/events", get(take)), Limits::default()).await;
    let mut stream = port.connect().await;
    send(&mut stream, "GET /events HTTP/1.1\r\nhost: x\r\n\r\n").await;
    for event in ["data: one\n\n", "data: two\n\n"] {
        // Nothing follows until this one was read: a port that waited for more would wait for
        // ever.
        feed.send(event).await.unwrap();
        until(&mut stream, event).await;
    }
    // Whoever leaves ends whatever produces the stream.
    drop(stream);
    tokio::time::timeout(PATIENCE, feed.closed()).await.unwrap();
    port.close().await;
}

#[tokio::test]
async fn every_accepted_socket_sends_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (socket, _client) = (accepted.unwrap().0, client.unwrap());
    assert!(!socket.nodelay().unwrap());
    super::super::tune(&socket);
    assert!(socket.nodelay().unwrap());
}

#[tokio::test]
async fn a_port_that_stops_finishes_what_is_under_way() {
    let (feed, body) = fed();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let take = move || {
        let body = body.lock().unwrap().take().unwrap();
        async { body }
    };
    let port = Port::plain(routes().route("/events", get(take)), Limits::default()).await;
    let (mut idle, mut silent, mut busy) =
        (port.connect().await, port.connect().await, port.connect().await);
    send(&mut idle, GET).await;
    until(&mut idle, "hello").await;
    send(&mut busy, "GET /events HTTP/1.1\r\nhost: x\r\n\r\n").await;
    feed.send("first").await.unwrap();
    until(&mut busy, "first").await;
    let address = port.address;
    let closing = tokio::spawn(port.close());
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut silent).await, "");
    assert!(TcpStream::connect(address).await.is_err());
    feed.send("last").await.unwrap();
    drop(feed);
    until(&mut busy, "last").await;
    closing.await.unwrap();
}
