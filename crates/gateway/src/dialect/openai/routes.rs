//! The handlers: read, call, answer. Everything they decide is decided elsewhere.

use super::chunks::Chunks;
use super::refusal::Refusal;
use super::request::{Generation, Incoming, chat, completion, embedding, headers};
use super::responses::stream::Events;
use super::wire::{Head, Shape};
use super::{CHAT, COMPLETIONS, Calls, EMBEDDINGS, RESPONSES};
use super::{answer, models as catalogue, responses, stream};
use crate::call::{CallError, Job};
use ambar_base::ErrorCode;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use std::sync::Arc;

type Reply = Result<Response, Refusal>;
type Gateway = State<Arc<dyn Calls>>;

/// `GET /v1/models`
pub async fn models(State(calls): Gateway, headers: HeaderMap) -> Reply {
    let callable = calls.callable(headers::bearer(&headers)?).await?;
    Ok(catalogue::list(&callable))
}

/// `GET /v1/models/{id}`
pub async fn model(
    State(calls): Gateway,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Reply {
    let certificate = headers::bearer(&headers)?;
    let Path(id) = id.map_err(|error| {
        CallError::new(ErrorCode::RequestInvalid, error.body_text()).at("model")
    })?;
    let callable = calls.callable(certificate).await?;
    Ok(catalogue::one(&callable, &id)?)
}

/// `POST /v1/chat/completions`
pub async fn chat(State(calls): Gateway, request: Request) -> Reply {
    let mut incoming = Incoming::read(CHAT, request).await?;
    let generation = chat::parse(incoming.take_fields())?;
    generate(&*calls, incoming, generation, Shape::Chat).await
}

/// `POST /v1/completions`
pub async fn completions(State(calls): Gateway, request: Request) -> Reply {
    let mut incoming = Incoming::read(COMPLETIONS, request).await?;
    let generation = completion::parse(incoming.take_fields())?;
    generate(&*calls, incoming, generation, Shape::Text).await
}

async fn generate(
    calls: &dyn Calls,
    incoming: Incoming,
    generation: Generation,
    shape: Shape,
) -> Reply {
    let Generation { model, options, stream } = generation;
    let accepted = calls.call(incoming.into_call(model, Job::Generate(options))).await?;
    let head = Head::new(shape, &accepted);
    Ok(match stream {
        Some(options) => stream::reply(Chunks::new(head, options), accepted).await?,
        None => answer::generated(&head, accepted).await?,
    })
}

/// `POST /v1/responses`
pub async fn responses(State(calls): Gateway, request: Request) -> Reply {
    let mut incoming = Incoming::read(RESPONSES, request).await?;
    let (generation, echo) = responses::request::parse(incoming.take_fields())?;
    let Generation { model, options, stream } = generation;
    let mut accepted = calls.call(incoming.into_call(model, Job::Generate(options))).await?;
    let head = Head::new(Shape::Response, &accepted);
    let events = Events::new(head, echo, accepted.receipt.to_string());
    if stream.is_some() {
        return Ok(stream::reply(events, accepted).await?);
    }
    let collected = answer::collect(&mut accepted).await?;
    if !collected.vectors.is_empty() {
        return Err(answer::misshapen(&accepted).into());
    }
    let body = events.whole(collected.transcript, &collected.summary);
    Ok(answer::respond(&accepted, &collected.summary, body))
}

/// `POST /v1/embeddings`
pub async fn embeddings(State(calls): Gateway, request: Request) -> Reply {
    let mut incoming = Incoming::read(EMBEDDINGS, request).await?;
    let embedding::Embedding { model, job, wanted } = embedding::parse(incoming.take_fields())?;
    let accepted = calls.call(incoming.into_call(model, Job::Embed(job))).await?;
    Ok(answer::embedded(accepted, &wanted).await?)
}

/// A path under `/v1` that the dialect does not have.
pub async fn unknown(uri: Uri) -> Refusal {
    let message = format!("there is nothing at {}", uri.path());
    CallError::new(ErrorCode::NotFound, message).into()
}

/// A path that the dialect has, with another method.
pub async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let message = format!("{} does not take {method}", uri.path());
    CallError::new(ErrorCode::MethodNotAllowed, message).into()
}
