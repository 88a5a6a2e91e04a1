//! The most that a call can use, known before anything runs: exact where the tokenizer is at
//! hand, else bounded by bytes, so that what is held is never overrun.

use crate::call::{CallError, Job};
use crate::compose::Work;
use crate::gateway::{ANSWER_TOKENS_DEFAULT, ANSWER_TOKENS_MAX};
use crate::route::Route;
use crate::run;
use ambar_base::ErrorCode;
use ambar_compute::Count;
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

/// Most that each part of the route can use.
pub async fn bound(
    route: &Route,
    work: &Work,
    job: &Job,
    max_tokens: u32,
) -> Result<Vec<Counters>, CallError> {
    match job {
        Job::Generate(options) => {
            let Some(engine) = work.engine() else { return Ok(work.bound(route, 0, 0)) };
            let job = options.job(work.prompt(&options.prompt, None), max_tokens);
            engine.check(&job).map_err(|failure| run::failed(&failure))?;
            let counted = engine.count(&job.prompt).await;
            let count: Count = counted.map_err(|error| run::failed(&error.failure))?;
            let tokens_in = count.at_most().saturating_add(work.context_bytes_max());
            Ok(work.bound(route, tokens_in, job.tokens_out_max()))
        }
        Job::Embed { inputs, width } => {
            let Work::Model { part, engine } = work else {
                let message = "only an embedding model embeds";
                return Err(CallError::new(ErrorCode::RequestInvalid, message).at("model"));
            };
            let own = engine.describe().embedding_width;
            if let (Some(asked), Some(own)) = (*width, own)
                && u32::try_from(asked) != Ok(own)
            {
                let message = format!("this model has {own} dimensions, which cannot be changed");
                return Err(CallError::new(ErrorCode::RequestInvalid, message).at("dimensions"));
            }
            // A token has at least one byte, and each text two markers.
            let bytes = inputs.iter().map(|text| text.len() as u64 + 2).sum();
            let mut bound = vec![Counters::default(); route.parts.len()];
            bound[*part] = Counters::new([(Counter::EmbeddingTokens, bytes)]);
            Ok(bound)
        }
    }
}
