//! The mock upstream: a model server that does no work, so that what is measured is the
//! gateway before it. It is this program started again.
//!
//! Each event of a stream leaves in a write of its own, as a real model's tokens do: a gateway
//! must not gain by getting them all at once.

use super::script::{Asked, EVENTS, MODELS, Tempo, WHOLE};
use crate::server::Server;
use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Sleep, sleep};

/// What this program is started with to become the mock.
pub const ARGUMENT: &str = "--serve-mock";
/// Where the mock says what became of the last slow stream.
pub const WATCHED: &str = "/watched";
/// Before each event of a slow stream.
const SLOW_PAUSE: Duration = Duration::from_millis(100);

type Answer = Response<Either<Full<Bytes>, Script>>;

/// Starts it.
pub fn start() -> Result<Server> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(ARGUMENT);
    Server::telling(command)
}

/// What became of the newest slow stream.
#[derive(Debug, Default)]
struct Watched {
    /// Slow streams that are being written.
    open: AtomicUsize,
    /// Events of the newest that were written.
    written: AtomicUsize,
}

/// Serves until it is killed; prints its address first.
pub fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let watched = Arc::new(Watched::default());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let watched = watched.clone();
            let service = service_fn(move |request| answer(request, watched.clone()));
            tokio::spawn(async move {
                // A client that leaves ends its connection with an error.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

async fn answer(request: Request<Incoming>, watched: Arc<Watched>) -> Result<Answer, hyper::Error> {
    let path = request.uri().path();
    if request.method() == Method::GET {
        return Ok(match path {
            WATCHED => whole(StatusCode::OK, watched.json()),
            path if path.ends_with("/models") => whole(StatusCode::OK, MODELS.clone()),
            _ => whole(StatusCode::NOT_FOUND, Bytes::new()),
        });
    }
    let body = request.into_body().collect().await?.to_bytes();
    Ok(match Asked::read(&body) {
        None => whole(StatusCode::BAD_REQUEST, Bytes::new()),
        Some(Asked::Whole) => whole(StatusCode::OK, WHOLE.clone()),
        Some(Asked::Stream(tempo)) => {
            let script = Script::new(tempo, watched);
            typed(Response::new(Either::Right(script)), "text/event-stream")
        }
    })
}

fn whole(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.status_mut() = status;
    typed(answer, "application/json")
}

fn typed(mut answer: Answer, media_type: &'static str) -> Answer {
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

impl Watched {
    fn json(&self) -> Bytes {
        let (open, written) =
            (self.open.load(Ordering::SeqCst), self.written.load(Ordering::SeqCst));
        json!({ "open": open, "written": written }).to_string().into()
    }
}

/// A stream being written.
struct Script {
    next: usize,
    tempo: Tempo,
    /// Whether the event before has left.
    flushed: bool,
    pause: Option<Pin<Box<Sleep>>>,
    watched: Option<Arc<Watched>>,
}

impl Script {
    fn new(tempo: Tempo, watched: Arc<Watched>) -> Self {
        let watched = (tempo == Tempo::Slow).then_some(watched);
        if let Some(watched) = &watched {
            watched.written.store(0, Ordering::SeqCst);
            watched.open.fetch_add(1, Ordering::SeqCst);
        }
        Self { next: 0, tempo, flushed: true, pause: None, watched }
    }

    /// Whether the next event may leave.
    fn poll_tempo(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.tempo {
            Tempo::Silent if self.next > 0 => Poll::Pending,
            Tempo::Slow => {
                let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(SLOW_PAUSE)));
                ready!(pause.as_mut().poll(context));
                self.pause = None;
                Poll::Ready(())
            }
            Tempo::Fast | Tempo::Silent if self.flushed => {
                self.flushed = false;
                Poll::Ready(())
            }
            Tempo::Fast | Tempo::Silent => {
                // The server writes out what it has when the body has nothing ready.
                self.flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(event) = EVENTS.get(self.next) else { return Poll::Ready(None) };
        ready!(self.poll_tempo(context));
        self.next += 1;
        if let Some(watched) = &self.watched {
            watched.written.store(self.next, Ordering::SeqCst);
        }
        Poll::Ready(Some(Ok(Frame::data(event.clone()))))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if let Some(watched) = &self.watched {
            watched.open.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
