//! Any server that speaks the `OpenAI` dialect (vLLM, llama.cpp, Ollama, a
//! hosted service) as an engine: chat and text completions, always streamed,
//! and embeddings.
//!
//! It does not count tokens: usage is what the upstream reports, and `None`
//! where it reports nothing. It never retries; whether a job may run twice is
//! not for an engine to decide.
//!
//! **Invariant**: an answer is complete only if the upstream said why it ended.

mod client;
mod dialect;
mod sse;

use futures::future::{BoxFuture, FutureExt};
use reqwest::Response;
use serde_json::json;
use tokio::sync::{OnceCell, mpsc};
use tokio_util::sync::CancellationToken;

pub use sse::SseDecoder;

use crate::deliver::deliver;
use crate::engine::{
    Count, Embeddings, Engine, EngineInfo, Event, Finish, GenerateJob, Generation, Prompt, Usage,
    validate_inputs,
};
use crate::error::{EngineError, Failure};
use crate::limits::{
    UPSTREAM_BODY_BYTES_MAX, UPSTREAM_TEMPLATE_TOKENS_MAX, UPSTREAM_TEMPLATE_TOKENS_PER_MESSAGE_MAX,
};
use client::Client;
use dialect::{DONE, Delta};

const KIND: &str = "upstream";
const STREAM_MEDIA_TYPE: &str = "text/event-stream";

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
}

/// An upstream service. See the [module's documentation](self).
#[derive(Debug)]
pub struct UpstreamEngine {
    client: Client,
    model: OnceCell<String>,
}

impl UpstreamEngine {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`Failure::UpstreamConfig`].
    pub fn new(options: UpstreamOptions) -> Result<Self, Failure> {
        let client = Client::new(&options.url, options.bearer.as_ref())?;
        Ok(Self { client, model: OnceCell::new_with(options.model) })
    }

    async fn model(&self) -> Result<&str, Failure> {
        let ask = || async { dialect::read_first_model(&self.client.get("models").await?) };
        self.model.get_or_try_init(ask).await.map(String::as_str)
    }

    async fn open_stream(&self, job: &GenerateJob) -> Result<Response, Failure> {
        let (path, body) = dialect::generate_request(job, self.model().await?);
        let response = self.client.post(path, &body).await?;
        let media_type = client::media_type(&response);
        if media_type != STREAM_MEDIA_TYPE {
            let reason = format!("`{media_type}` where `{STREAM_MEDIA_TYPE}` was asked for");
            return Err(dialect::form(reason));
        }
        Ok(response)
    }

    async fn run(
        &self,
        job: GenerateJob,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> Result<Generation, EngineError> {
        job.validate()?;
        let mut answer = Answer::default();
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => Ok(Finish::Cancelled),
            () = events.closed() => Ok(Finish::Cancelled),
            result = self.answer(&job, &mut answer, &events, &cancel) => result,
        };
        match result {
            Ok(finish) => Ok(Generation { usage: answer.usage, finish }),
            Err(failure) => Err(EngineError::after(failure, answer.usage)),
        }
    }

    async fn answer(
        &self,
        job: &GenerateJob,
        answer: &mut Answer,
        events: &mpsc::Sender<Event>,
        cancel: &CancellationToken,
    ) -> Result<Finish, Failure> {
        let mut response = self.open_stream(job).await?;
        let mut received = 0;
        while let Some(bytes) = client::next_bytes(&mut response).await? {
            received += bytes.len();
            if received > UPSTREAM_BODY_BYTES_MAX {
                let bytes_max = UPSTREAM_BODY_BYTES_MAX;
                return Err(Failure::UpstreamTooLong { unit: "answer", bytes_max });
            }
            for data in answer.decoder.push(&bytes)? {
                if data.trim() == DONE {
                    return answer.finish.ok_or(Failure::UpstreamClosed);
                }
                let text = answer.take(dialect::read_chunk(&data)?);
                if !deliver(text, &mut answer.usage, events, cancel).await {
                    return Ok(Finish::Cancelled);
                }
            }
        }
        // Some servers close without the last event; a reason to end is enough.
        answer.finish.ok_or(Failure::UpstreamClosed)
    }

    async fn embed_inputs(&self, inputs: &[String]) -> Result<Embeddings, Failure> {
        let body = json!({ "model": self.model().await?, "input": inputs });
        let response = self.client.post("embeddings", &body).await?;
        dialect::read_embeddings(&client::read_body(response).await?, inputs.len())
    }
}

/// What is known of an answer so far.
#[derive(Default)]
struct Answer {
    decoder: SseDecoder,
    usage: Usage,
    finish: Option<Finish>,
}

impl Answer {
    /// Notes what an event says; returns its text.
    fn take(&mut self, delta: Delta) -> String {
        self.usage.tokens_in = delta.tokens_in.or(self.usage.tokens_in);
        self.usage.tokens_out = delta.tokens_out.or(self.usage.tokens_out);
        self.finish = delta.finish.or(self.finish);
        delta.text
    }
}

/// A token is at least one byte long, so a prompt has no more tokens than
/// bytes, and those that a chat template adds.
fn tokens_upper_bound(prompt: &Prompt) -> u64 {
    let messages = match prompt {
        Prompt::Chat(messages) => messages.len() as u64,
        Prompt::Text(_) => 0,
    };
    prompt.bytes() as u64
        + UPSTREAM_TEMPLATE_TOKENS_MAX
        + messages * UPSTREAM_TEMPLATE_TOKENS_PER_MESSAGE_MAX
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
        inputs: Vec<String>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Embeddings, EngineError>> {
        async move {
            validate_inputs(&inputs)?;
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(Failure::Cancelled.into()),
                result = self.embed_inputs(&inputs) => Ok(result?),
            }
        }
        .boxed()
    }
}
