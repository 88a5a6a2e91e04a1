//! The same null engine behind a bare axum route: what a call costs without Ambar. It is
//! this program started again, so that its CPU time is counted like a node's.

use crate::server::Server;
use ambar_compute::null::NullEngine;
use ambar_compute::{Engine, Event, GenerateJob, Message, Prompt, Role};
use anyhow::Result;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use futures::stream;
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::process::Command;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What this program is started with to become the server.
pub const ARGUMENT: &str = "--serve-bare";
/// Events between engine and answer.
const EVENTS_MAX: usize = 64;

/// The parts of a chat request that the route reads.
#[derive(Deserialize)]
struct Asked {
    model: String,
    messages: Vec<Turn>,
    max_tokens: u32,
    #[serde(default)]
    stream: bool,
}

#[derive(Deserialize)]
struct Turn {
    content: String,
}

/// Starts it.
pub fn start() -> Result<Server> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(ARGUMENT);
    Server::telling(command)
}

/// Serves until it is killed; prints its address first.
pub fn serve() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let listener = listener.tap_io(|stream| {
            // As a node does; a connection that is gone says so when it is read.
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new().route("/v1/chat/completions", post(chat));
        Ok(axum::serve(listener, router).await?)
    })
}

async fn chat(Json(asked): Json<Asked>) -> Response {
    let turns = asked.messages.into_iter().map(|turn| Message::new(Role::User, turn.content));
    let job = GenerateJob::greedy(Prompt::Chat(turns.collect()), asked.max_tokens);
    let (events, incoming) = mpsc::channel(EVENTS_MAX);
    let engine = NullEngine::default();
    let running = tokio::spawn(async move {
        engine.generate(job, events, CancellationToken::new()).await.is_ok()
    });
    if asked.stream {
        return streamed(asked.model, incoming);
    }
    let text = collect(incoming).await;
    match running.await {
        Ok(true) => Json(whole(&asked.model, &text)).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn collect(mut incoming: mpsc::Receiver<Event>) -> String {
    let mut text = String::new();
    while let Some(Event::Text(piece)) = incoming.recv().await {
        text += &piece;
    }
    text
}

fn whole(model: &str, text: &str) -> serde_json::Value {
    json!({
        "id": "bare", "object": "chat.completion", "created": 0, "model": model,
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": text },
        }],
    })
}

/// Server-sent events, as many at once as are there.
fn streamed(model: String, incoming: mpsc::Receiver<Event>) -> Response {
    let frames = stream::unfold(Some((model, incoming)), |state| async {
        let (model, mut incoming) = state?;
        let mut events = Vec::new();
        if incoming.recv_many(&mut events, EVENTS_MAX).await == 0 {
            return Some((Ok::<_, Infallible>("data: [DONE]\n\n".to_owned()), None));
        }
        let texts = events.into_iter().filter_map(|event| match event {
            Event::Text(text) => Some(text),
            // The null engine writes text only.
            Event::Piece(_) => None,
        });
        let text = texts.map(|text| frame(&model, &text)).collect();
        Some((Ok(text), Some((model, incoming))))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames)).into_response()
}

fn frame(model: &str, piece: &str) -> String {
    let chunk = json!({
        "id": "bare", "object": "chat.completion.chunk", "created": 0, "model": model,
        "choices": [{ "index": 0, "delta": { "content": piece } }],
    });
    format!("data: {chunk}\n\n")
}
