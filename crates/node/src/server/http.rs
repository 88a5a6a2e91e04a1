//! One connection's HTTP, from its first byte to its last: version 1.1 and version 2.
//!
//! It deliberately knows no TLS: it is handed whatever carries the bytes.

use super::limits::{
    BUFFER_BYTES_MAX, CLIENT_STREAMS_MAX, CONNECTION_WINDOW_BYTES, HEAD_BYTES_MAX, HEADERS_MAX,
    LINGER, LINGER_BYTES_MAX, PEER_STREAMS_MAX, PING_INTERVAL, PING_TIMEOUT, RESET_STREAMS_MAX,
    STREAM_BUFFER_BYTES_MAX, STREAM_WINDOW_BYTES,
};
use super::pulse::Phase;
use super::refusal::Reason;
use super::service::Answering;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// A connection as the loop below drives it.
trait Conversation {
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>>;

    /// No more requests than those under way.
    fn finish(&mut self);
}

/// Drives a connection until it ends or is to end.
async fn converse(
    conversation: &mut impl Conversation,
    answering: &Answering,
    stop: &CancellationToken,
) -> Result<hyper::Result<()>, Reason> {
    let pulse = &answering.pulse;
    let mut stopped = Some(pin!(stop.cancelled()));
    poll_fn(|context| {
        pulse.register(context.waker());
        if stopped.as_mut().is_some_and(|stop| stop.as_mut().poll(context).is_ready()) {
            stopped = None;
            conversation.finish();
        }
        loop {
            if let Poll::Ready(done) = conversation.advance(context) {
                return Poll::Ready(Ok(done));
            }
            match pulse.order() {
                // It is told to go before it is left: a request may be on its way.
                Some(Reason::Idle) if answering.http2 && pulse.phase() != Phase::Closing => {
                    answering.figures.count(Reason::Idle);
                    pulse.enter(Phase::Closing);
                    conversation.finish();
                }
                Some(reason) => return Poll::Ready(Err(reason)),
                None => return Poll::Pending,
            }
        }
    })
    .await
}

struct One<S: AsyncRead + AsyncWrite + Unpin>(http1::Connection<TokioIo<S>, Answering>);

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation for One<S> {
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_without_shutdown(context)
    }

    fn finish(&mut self) {
        Pin::new(&mut self.0).graceful_shutdown();
    }
}

/// Serves HTTP/1.1.
pub(super) async fn serve1<S>(socket: S, answering: Answering, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = http1::Builder::new();
    builder.max_headers(HEADERS_MAX).max_header_size(HEAD_BYTES_MAX);
    builder.max_buf_size(BUFFER_BYTES_MAX).header_read_timeout(None);
    let connection = builder.serve_connection(TokioIo::new(socket), answering.clone());
    let mut one = One(connection);
    let ended = converse(&mut one, &answering, stop).await;
    let socket = one.0.into_parts().io.into_inner();
    let reason = match &ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) if error.is_parse_too_large() => Some(Reason::HeadSize),
        Ok(Err(error)) if error.is_parse() => Some(Reason::Malformed),
        // The other side went away, which its stream's producer learned by being dropped.
        Ok(Err(_)) => return,
        Err(reason) => Some(*reason),
    };
    if let Some(reason) = reason {
        answering.figures.count(reason);
    }
    let answer = match ended {
        Err(Reason::HeadTime) => Reason::HeadTime.bytes(),
        _ => None,
    };
    if reason != Some(Reason::Stalled) {
        farewell(socket, answer.as_deref().unwrap_or_default()).await;
    }
}

/// Says a last word and closes; reads on for a moment, because a close with bytes unread
/// takes back what was written (RFC 9112, section 9.6).
pub(super) async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S, word: &[u8]) {
    let close = async {
        socket.write_all(word).await?;
        socket.shutdown().await?;
        let (mut rest, mut buffer) = (LINGER_BYTES_MAX, [0; 1024]);
        while rest > 0 {
            match socket.read(&mut buffer).await? {
                0 => break,
                read => rest = rest.saturating_sub(read),
            }
        }
        std::io::Result::Ok(())
    };
    // Whatever happens, the connection is over.
    let _ = tokio::time::timeout(LINGER, close).await;
}

type TwoConnection<S> = http2::Connection<TokioIo<S>, Answering, TokioExecutor>;

struct Two<'a, S: AsyncRead + AsyncWrite + Unpin>(Pin<&'a mut TwoConnection<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Conversation for Two<'_, S> {
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.as_mut().poll(context)
    }

    fn finish(&mut self) {
        self.0.as_mut().graceful_shutdown();
    }
}

/// Serves HTTP/2 (RFC 9113).
pub(super) async fn serve2<S>(socket: S, answering: Answering, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let streams = if answering.peer.is_some() { PEER_STREAMS_MAX } else { CLIENT_STREAMS_MAX };
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(STREAM_BUFFER_BYTES_MAX)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    answering.pulse.enter(answering.between());
    let connection = builder.serve_connection(TokioIo::new(socket), answering.clone());
    let connection = pin!(connection);
    let ended = converse(&mut Two(connection), &answering, stop).await;
    match ended {
        // It is counted already.
        Ok(_) | Err(Reason::Idle) => {}
        Err(reason) => answering.figures.count(reason),
    }
}
