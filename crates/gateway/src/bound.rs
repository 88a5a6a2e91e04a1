//! The most that a call can use, known before anything runs: exact where the tokenizer is at
//! hand, else bounded by bytes, so that what is held is never overrun, whoever serves it.

use crate::call::{CallError, Job};
use crate::compose::Work;
use crate::gateway::{ANSWER_TOKENS_DEFAULT, ANSWER_TOKENS_MAX};
use crate::local::failed;
use crate::route::{Part, Place, Route};
use crate::serving::Offer;
use crate::supply::Supply;
use ambar_base::ErrorCode;
use ambar_compute::limits::{
    UPSTREAM_TEMPLATE_TOKENS_MAX, UPSTREAM_TEMPLATE_TOKENS_PER_MESSAGE_MAX,
};
use ambar_compute::vectors::DIMENSIONS;
use ambar_compute::{EmbedJob, EngineError, Failure, GenerateJob, Prompt};
use ambar_receipt::{Counter, Counters};

/// The longest answer that a job may get, tokens.
pub fn max_tokens(job: &Job) -> Result<u32, CallError> {
    let Job::Generate(options) = job else { return Ok(0) };
    let asked = options.max_tokens.unwrap_or(ANSWER_TOKENS_DEFAULT);
    if (1..=ANSWER_TOKENS_MAX).contains(&asked) {
        return Ok(asked);
    }
    let message = format!("max_tokens is 1 to {ANSWER_TOKENS_MAX}");
    Err(CallError::new(ErrorCode::RequestInvalid, message).at("max_tokens"))
}

/// This node's engine for a part, if it serves it.
fn own(part: &Part) -> Option<&Supply> {
    match part.here() {
        Some(Offer::Engine(supply)) => Some(supply),
        _ => None,
    }
}

/// Prompt tokens at most. This node's engine counts for itself; another node's may count
/// otherwise, but never more than bytes and what a template adds. Messages as they were written
/// are counted by their bytes, those of fields come on top: what becomes a prompt is for the
/// engine to know.
async fn tokens_in_max(part: &Part, job: &GenerateJob) -> Result<u64, EngineError> {
    job.validate()?;
    let beside = job.extras.tokens_max();
    if job.extras.messages.is_some() {
        return Ok(beside);
    }
    let counted = match own(part) {
        Some(supply) => Some(supply.count(&job.prompt).await?.at_most()),
        None => None,
    };
    let away = part.servers.iter().any(|server| matches!(server.place, Place::There(_)));
    let bytes = if away || counted.is_none() { by_bytes(&job.prompt) } else { 0 };
    Ok(counted.unwrap_or_default().max(bytes).saturating_add(beside))
}

/// A token is at least one byte long.
fn by_bytes(prompt: &Prompt) -> u64 {
    let messages = match prompt {
        Prompt::Chat(messages) => messages.len() as u64,
        Prompt::Text(_) => 0,
    };
    let template = messages * UPSTREAM_TEMPLATE_TOKENS_PER_MESSAGE_MAX;
    prompt.bytes() as u64 + UPSTREAM_TEMPLATE_TOKENS_MAX + template
}

/// A capsule that puts texts together has no room for more.
fn text_only(field: &str) -> CallError {
    let message = format!("this capsule is asked by text: it cannot carry `{field}`");
    CallError::new(ErrorCode::RequestInvalid, message).at(field)
}

/// Most that each part of the route can use.
pub async fn bound(
    route: &Route,
    work: &Work,
    job: &Job,
    max_tokens: u32,
) -> Result<Vec<Counters>, CallError> {
    match job {
        Job::Generate(options) => {
            let job = options.job(work.prompt(&options.prompt, None), max_tokens);
            let Some(model) = work.model() else {
                let beyond = job.beyond_text().map_or(Ok(()), |field| Err(text_only(&field)));
                return beyond.map(|()| work.bound(route, 0, 0));
            };
            if job.extras.messages.is_some() && matches!(work, Work::Prompt { .. }) {
                return Err(text_only(&job.beyond_text().unwrap_or_default()));
            }
            let part = &route.parts[model];
            if let Some(supply) = own(part) {
                supply.check(&job).map_err(|failure| failed(&failure))?;
            }
            let counted = tokens_in_max(part, &job).await;
            let counted = counted.map_err(|error| failed(&error.failure))?;
            let tokens_in = counted.saturating_add(work.context_bytes_max());
            Ok(work.bound(route, tokens_in, job.tokens_out_max()))
        }
        Job::Embed(job) => {
            let Work::Model { part } = work else {
                let message = "only an embedding model embeds";
                return Err(CallError::new(ErrorCode::RequestInvalid, message).at("model"));
            };
            check_texts(&route.parts[*part], job)?;
            let mut bound = vec![Counters::default(); route.parts.len()];
            bound[*part] = Counters::new([(Counter::EmbeddingTokens, job.tokens_max())]);
            Ok(bound)
        }
    }
}

/// Whether this node's engine, if it may serve, can embed what is asked; other nodes look for
/// themselves.
fn check_texts(part: &Part, job: &EmbedJob) -> Result<(), CallError> {
    job.validate().map_err(|failure| failed(&failure))?;
    let Some(supply) = own(part) else { return Ok(()) };
    let refused = supply.check_embed(job);
    let width = supply.describe().embedding_width;
    refused.map_err(|failure| match (&failure, width) {
        (Failure::UnsupportedField { field, .. }, Some(width)) if field == DIMENSIONS => {
            let message = format!("this model has {width} dimensions, which cannot be changed");
            CallError::new(ErrorCode::RequestInvalid, message).at(DIMENSIONS)
        }
        _ => failed(&failure),
    })
}
