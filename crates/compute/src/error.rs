//! What can go wrong in an engine. One variant per failure, each with what a
//! caller needs to map it; plus, always, what was produced before it happened.

use std::path::PathBuf;

use crate::engine::Usage;
use crate::gguf::HeaderError;

/// A failed job: why, and what it had used and produced until then, so that a
/// meter can charge for what was delivered.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub struct EngineError {
    /// Why.
    #[source]
    pub failure: Failure,
    /// What was produced before.
    pub usage: Usage,
}

impl EngineError {
    /// A failure after `usage` had been produced.
    pub fn after(failure: Failure, usage: Usage) -> Self {
        Self { failure, usage }
    }
}

impl From<Failure> for EngineError {
    /// A failure before anything was produced.
    fn from(failure: Failure) -> Self {
        Self { failure, usage: Usage::default() }
    }
}

/// Why an engine failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The job breaks a limit that holds for every engine.
    #[error("invalid job: {reason}")]
    InvalidJob {
        /// Which limit.
        reason: String,
    },
    /// This engine has no such operation.
    #[error("engine `{kind}` cannot {operation}")]
    Unsupported {
        /// The engine's kind.
        kind: &'static str,
        /// `generate` or `embed`.
        operation: &'static str,
    },
    /// This engine cannot carry a field of the job.
    #[error("engine `{kind}` cannot carry `{field}`")]
    UnsupportedField {
        /// The engine's kind.
        kind: &'static str,
        /// The field's path, as the dialect names it.
        field: String,
    },
    /// Too many jobs wait already, of all or of this party.
    #[error("the engine is busy: {queued_max} jobs wait already")]
    Busy {
        /// The limit that was reached.
        queued_max: usize,
    },
    /// The prompt does not fit into the model's context.
    #[error("the prompt has {tokens} tokens, the context holds {context_tokens}, one to answer")]
    ContextTooLong {
        /// Tokens of the prompt.
        tokens: u64,
        /// Room of the context, prompt and answer together.
        context_tokens: u32,
    },
    /// The caller cancelled an operation that has no partial result.
    #[error("cancelled")]
    Cancelled,
    /// A model file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A model file is larger than the engine reads.
    #[error("{path} has {bytes} bytes, at most {bytes_max}")]
    FileTooLarge {
        /// Which file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// A GGUF file's header is not what it should be.
    #[error("{path} is not a usable GGUF file: {source}")]
    Header {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: HeaderError,
    },
    /// The inference library does not know the model's architecture.
    #[error("{path}: architecture `{architecture}` is not supported for generation")]
    UnsupportedArchitecture {
        /// Which file.
        path: PathBuf,
        /// What its header says.
        architecture: String,
    },
    /// The inference library refused the model.
    #[error("{path} cannot be loaded: {reason}")]
    ModelRefused {
        /// Which file or directory.
        path: PathBuf,
        /// What the library said.
        reason: String,
    },
    /// A model needs more memory than all models together may have.
    #[error(
        "{path} needs {} MiB of memory with its context, the budget for models is {} MiB",
        mebibytes(.needed_bytes),
        .budget_bytes >> 20
    )]
    ModelTooLarge {
        /// Which file.
        path: PathBuf,
        /// Its weights and its context, in bytes.
        needed_bytes: u64,
        /// What there is, in bytes.
        budget_bytes: u64,
    },
    /// The model has no chat template, or one that its library cannot apply.
    #[error("the model's chat template cannot be applied: {reason}")]
    ChatTemplate {
        /// What the library said.
        reason: String,
    },
    /// The records that a model consists of are not all at hand.
    #[error("the records that the model draws from are not here: {reason}")]
    NoRecords {
        /// Which, or where they are.
        reason: String,
    },
    /// The inference library failed while it worked.
    #[error("the inference library failed: {reason}")]
    Inference {
        /// What it said.
        reason: String,
    },
    /// The engine's worker has ended; the engine cannot work any more.
    #[error("the engine's worker has ended")]
    WorkerGone,
    /// The upstream's URL or the HTTP client's settings are not usable.
    #[error("upstream `{url}` cannot be used: {reason}")]
    UpstreamConfig {
        /// The URL as it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The upstream cannot be reached.
    #[error("upstream cannot be reached: {reason}")]
    UpstreamUnreachable {
        /// What the HTTP client said.
        reason: String,
    },
    /// The upstream was silent for too long.
    #[error("upstream was silent for too long")]
    UpstreamTimeout,
    /// The upstream answered with an error status.
    #[error("upstream answered {status}: {message}")]
    UpstreamStatus {
        /// HTTP status.
        status: u16,
        /// The upstream's own message, shortened.
        message: String,
    },
    /// The upstream has too much to do, or has nothing loaded yet.
    #[error("upstream is busy ({status}): {message}")]
    UpstreamBusy {
        /// HTTP status: 429 or 503.
        status: u16,
        /// The upstream's own message, shortened.
        message: String,
        /// When it may be asked again, milliseconds from now, if it says so.
        retry_after_ms: Option<u64>,
    },
    /// The upstream refused what the caller asked for, who can mend it.
    #[error("upstream refused the request: {message}")]
    UpstreamRefused {
        /// The upstream's own message, shortened.
        message: String,
        /// The field that is wrong, if the upstream says which.
        param: Option<String>,
    },
    /// The upstream reported an error inside its stream.
    #[error("upstream reported: {message}")]
    UpstreamReported {
        /// The upstream's own message, shortened.
        message: String,
    },
    /// The upstream's answer is not what its dialect says (HTML, say).
    #[error("upstream answered in an unexpected form: {reason}")]
    UpstreamForm {
        /// What was found.
        reason: String,
    },
    /// The upstream's answer breaks a limit.
    #[error("upstream sent more than {bytes_max} bytes in one {unit}")]
    UpstreamTooLong {
        /// `line`, `event` or `answer`.
        unit: &'static str,
        /// The limit.
        bytes_max: usize,
    },
    /// The upstream's stream ended before its answer did.
    #[error("upstream closed before its answer was complete")]
    UpstreamClosed,
}

/// In MiB, rounded up: what is needed is never told as less.
fn mebibytes(bytes: &u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

impl Failure {
    /// An [`Failure::InvalidJob`] for `reason`.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::InvalidJob { reason: reason.into() }
    }
}
