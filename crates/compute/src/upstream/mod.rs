//! Any server that speaks the `OpenAI` dialect (vLLM, llama.cpp, Ollama, a
//! hosted service) as an engine: chat and text completions, streamed if the caller
//! wants a stream, and embeddings.
//!
//! Usage is what the upstream reports, and `None` where it reports nothing; beside
//! it stands what the model's own tokenizer counts, if it is at hand. It never retries what may
//! have run: whether a job may run twice is not for an engine to decide. One refusal it answers
//! itself: a service that wants the limit of an answer under its newer name is asked once more,
//! and by that name from then on.
//!
//! **Invariant**: an answer is complete only if the upstream said why it ended.

mod answer;
mod client;
mod dialect;
mod request;
mod said;
mod sse;
mod tokens;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::{OnceCell, mpsc};
use tokio_util::sync::CancellationToken;

pub use sse::SseDecoder;

use crate::engine::{
    Count, Engine, EngineInfo, Event, Finish, GenerateJob, Generation, Prompt, Usage,
};
use crate::error::{EngineError, Failure};
use crate::limits::{
    UPSTREAM_BODY_BYTES_MAX, UPSTREAM_BYTES_PER_TOKEN_MAX, UPSTREAM_FRAME_BYTES_MAX,
    UPSTREAM_TEMPLATE_TOKENS_MAX, UPSTREAM_TEMPLATE_TOKENS_PER_MESSAGE_MAX,
};
use crate::vectors::{EmbedJob, Embeddings};
use answer::{Answer, Passed};
use client::{Client, Place};
use dialect::DONE;
use request::Limit;
use tokens::Tokens;

const KIND: &str = "upstream";
const STREAM_MEDIA_TYPE: &str = "text/event-stream";
const JSON_MEDIA_TYPE: &str = "application/json";

/// A secret that is not shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `secret`.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Which upstream, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamOptions {
    /// Base URL, http or https; `/v1` is added to one without a path.
    pub url: String,
    /// The upstream's name of the model; the first that it lists, unless given.
    pub model: Option<String>,
    /// Sent as `Authorization: Bearer`.
    pub bearer: Option<Secret>,
    /// The model's own `tokenizer.json`, by which this side checks what the upstream counts.
    pub tokenizer: Option<PathBuf>,
}

/// An upstream service. See the [module's documentation](self).
#[derive(Debug)]
pub struct UpstreamEngine {
    client: Client,
    model: OnceCell<String>,
    tokenizer: Option<Tokens>,
    /// The service has refused the limit's older name, and taken the newer one.
    newer_limit: AtomicBool,
}

impl UpstreamEngine {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`Failure::UpstreamConfig`], and a tokenizer that cannot be read.
    pub fn new(options: UpstreamOptions) -> Result<Self, Failure> {
        let client = Client::new(&options.url, options.bearer.as_ref())?;
        let tokenizer = options.tokenizer.as_deref().map(Tokens::open).transpose()?;
        let (model, newer_limit) = (OnceCell::new_with(options.model), AtomicBool::new(false));
        Ok(Self { client, model, tokenizer, newer_limit })
    }

    async fn model(&self) -> Result<&str, Failure> {
        let ask = || async { dialect::read_first_model(&self.client.get(Place::Models).await?) };
        self.model.get_or_try_init(ask).await.map(String::as_str)
    }

    async fn run(
        &self,
        job: GenerateJob,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> Result<Generation, EngineError> {
        job.validate()?;
        let mut answer = Answer::new(&job, self.tokenizer.is_some());
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => Ok(Finish::Cancelled),
            () = events.closed() => Ok(Finish::Cancelled),
            result = self.answer(&job, &mut answer, &events, &cancel) => result,
        };
        let usage = self.counted(&job, answer).await;
        match result {
            Ok(finish) => Ok(Generation { usage, finish }),
            Err(failure) => Err(EngineError::after(failure, usage)),
        }
    }

    async fn answer(
        &self,
        job: &GenerateJob,
        answer: &mut Answer,
        events: &mpsc::Sender<Event>,
        cancel: &CancellationToken,
    ) -> Result<Finish, Failure> {
        let mut response = self.ask(job).await?;
        let media_type = client::media_type(&response);
        if media_type == JSON_MEDIA_TYPE {
            // Asked for or not: some servers answer whole where a stream was asked for.
            let body = client::read_body(response, bytes_max(job)).await?;
            let body = std::str::from_utf8(&body);
            let body = body.map_err(|_| dialect::form("the answer is not UTF-8"))?;
            let said = dialect::read_chunk(body, job.choices)?;
            return match answer.pass(said, events, cancel).await {
                Passed::On => answer.end(),
                Passed::Unwanted => Ok(Finish::Cancelled),
                Passed::Beyond => Ok(Finish::Length),
            };
        }
        if media_type != STREAM_MEDIA_TYPE {
            let asked = if job.stream { STREAM_MEDIA_TYPE } else { JSON_MEDIA_TYPE };
            return Err(dialect::form(format!("`{media_type}` where `{asked}` was asked for")));
        }
        let mut received = 0;
        while let Some(bytes) = client::next_bytes(&mut response).await? {
            received += bytes.len();
            if received > bytes_max(job) {
                let bytes_max = bytes_max(job);
                return Err(Failure::UpstreamTooLong { unit: "answer", bytes_max });
            }
            for data in answer.decoder.push(&bytes)? {
                if data.trim() == DONE {
                    return answer.end();
                }
                let said = dialect::read_chunk(&data, job.choices)?;
                match answer.pass(said, events, cancel).await {
                    Passed::On => {}
                    Passed::Unwanted => return Ok(Finish::Cancelled),
                    Passed::Beyond => return Ok(Finish::Length),
                }
            }
        }
        // Some servers close without the last event; a reason to end is enough.
        answer.end()
    }

    /// Asks for an answer; its head. Who is refused has not been answered, so that asking again
    /// runs nothing twice.
    async fn ask(&self, job: &GenerateJob) -> Result<client::Answer, Failure> {
        // Texts to continue have one name for it.
        let chat = matches!(job.prompt, Prompt::Chat(_));
        let newer = chat && self.newer_limit.load(Ordering::Relaxed);
        let limit = if newer { Limit::Newer } else { Limit::Older };
        match self.ask_by(job, limit).await {
            Err(failure) if chat && !newer && request::wants_newer(&failure) => {
                let response = self.ask_by(job, Limit::Newer).await?;
                self.newer_limit.store(true, Ordering::Relaxed);
                Ok(response)
            }
            asked => asked,
        }
    }

    async fn ask_by(&self, job: &GenerateJob, limit: Limit) -> Result<client::Answer, Failure> {
        let request = request::Generate::new(job, self.model().await?, limit);
        self.client.post(request.place(), request::body(&request)?).await
    }

    /// What was used, with what this side counts itself where it has the model's tokenizer.
    async fn counted(&self, job: &GenerateJob, answer: Answer) -> Usage {
        let Some(tokenizer) = &self.tokenizer else { return answer.usage };
        let asked = job.extras.is_empty().then(|| job.prompt.clone());
        let said = answer.said.filter(|_| !answer.untold);
        let (counted_in, counted_out) = tokenizer.count(asked, said).await;
        Usage { counted_in, counted_out, ..answer.usage }
    }

    async fn embed_inputs(&self, job: &EmbedJob) -> Result<Embeddings, Failure> {
        let request = request::Embed { job, model: self.model().await? };
        let response = self.client.post(Place::Embeddings, request::body(&request)?).await?;
        let body = client::read_body(response, UPSTREAM_BODY_BYTES_MAX).await?;
        dialect::read_embeddings(&body, job.inputs.len())
    }
}

/// Longest answer to a job, bytes as the upstream writes them.
fn bytes_max(job: &GenerateJob) -> usize {
    let tokens = usize::try_from(job.tokens_out_max()).unwrap_or(usize::MAX);
    let bytes = tokens.saturating_mul(UPSTREAM_BYTES_PER_TOKEN_MAX);
    bytes.saturating_add(UPSTREAM_FRAME_BYTES_MAX).min(UPSTREAM_BODY_BYTES_MAX)
}

/// A token is at least one byte long, so a prompt has no more tokens than
/// bytes, and those that a chat template adds.
fn tokens_upper_bound(prompt: &Prompt) -> u64 {
    prompt.bytes() as u64 + template_tokens_max(prompt)
}

/// Tokens that an upstream's chat template adds to a prompt at most.
fn template_tokens_max(prompt: &Prompt) -> u64 {
    let messages = match prompt {
        Prompt::Chat(messages) => messages.len() as u64,
        Prompt::Text(_) => 0,
    };
    UPSTREAM_TEMPLATE_TOKENS_MAX + messages * UPSTREAM_TEMPLATE_TOKENS_PER_MESSAGE_MAX
}

impl Engine for UpstreamEngine {
    fn describe(&self) -> EngineInfo {
        EngineInfo {
            kind: KIND,
            model: self.model.get().cloned().unwrap_or_default(),
            architecture: None,
            context_tokens: None,
            embedding_width: None,
            can_generate: true,
            can_embed: true,
        }
    }

    /// Asks the upstream for its model's name, unless it was configured.
    fn load(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        async move { Ok(self.model().await.map(|_| ())?) }.boxed()
    }

    fn count<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Result<Count, EngineError>> {
        async move {
            prompt.validate()?;
            Ok(Count::UpperBound(tokens_upper_bound(prompt)))
        }
        .boxed()
    }

    /// The upstream says itself what it cannot do.
    fn check(&self, _job: &GenerateJob) -> Result<(), Failure> {
        Ok(())
    }

    /// As for what it writes.
    fn check_embed(&self, _job: &EmbedJob) -> Result<(), Failure> {
        Ok(())
    }

    fn generate(
        &self,
        job: GenerateJob,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Generation, EngineError>> {
        self.run(job, events, cancel).boxed()
    }

    fn embed(
        &self,
        job: EmbedJob,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Embeddings, EngineError>> {
        async move {
            job.validate()?;
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(Failure::Cancelled.into()),
                result = self.embed_inputs(&job) => Ok(result?),
            }
        }
        .boxed()
    }
}
