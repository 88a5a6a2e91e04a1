//! One call, from its request to its end: what is logged of it, and what it adds to figures.
//!
//! It deliberately knows no prompt and no answer: there is no way to give it one.
//!
//! **Invariant**: a call is told exactly once, whoever forgets it: one that is dropped before
//! it ended is told as abandoned.

use super::stages::Stage;
use super::{Telemetry, names};
use ambar_base::{ErrorCode, Price};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a call does, as the conventions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A conversation.
    Chat,
    /// A text that goes on.
    TextCompletion,
    /// Vectors of texts.
    Embeddings,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chat, Self::TextCompletion, Self::Embeddings];

    /// Its name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
            Self::Embeddings => "embeddings",
        }
    }
}

/// What a call used and cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Tokens of the prompt that were not computed again, where anybody knows.
    pub cached_tokens: Option<u64>,
    /// Why the answer ended.
    pub finish_reason: Option<&'static str>,
    /// What it cost.
    pub price: Price,
}

/// A call under way.
#[derive(Debug)]
pub struct CallSpan {
    telemetry: Arc<Telemetry>,
    operation: Operation,
    model: String,
    stream: bool,
    begin: Instant,
    first: Option<Duration>,
    capsule: Option<String>,
    node: Option<u64>,
    receipt: Option<String>,
    response: Option<String>,
    told: bool,
}

impl CallSpan {
    pub(super) fn new(
        telemetry: Arc<Telemetry>,
        operation: Operation,
        model: String,
        stream: bool,
    ) -> Self {
        Self {
            telemetry,
            operation,
            model,
            stream,
            begin: Instant::now(),
            first: None,
            capsule: None,
            node: None,
            receipt: None,
            response: None,
            told: false,
        }
    }

    /// It was routed: to this capsule, served by the node with this number.
    pub fn routed(&mut self, capsule: String, node: u64) {
        (self.capsule, self.node) = (Some(capsule), Some(node));
    }

    /// It was admitted: its hold is taken, and its receipt will have this id.
    pub fn admitted(&mut self, receipt: String) {
        self.receipt = Some(receipt);
        self.telemetry.stages.record(Stage::Admit, self.begin.elapsed());
    }

    /// The answer has this id.
    pub fn answering(&mut self, response: String) {
        self.response = Some(response);
    }

    /// The first piece of the answer came then.
    pub fn first(&mut self, came: Instant) {
        if self.first.is_none() {
            let took = came.saturating_duration_since(self.begin);
            self.first = Some(took);
            self.telemetry.stages.record(Stage::FirstPiece, took);
        }
    }

    /// It is the answer to an earlier request, which was told then.
    pub fn replayed(mut self) {
        self.tell(None, None);
    }

    /// It ended well.
    pub fn done(mut self, usage: &Usage) {
        self.tell(Some(usage), None);
    }

    /// It failed; what was used until then, if it was charged.
    pub fn failed(mut self, code: ErrorCode, usage: Option<&Usage>) {
        self.tell(usage, Some(code.text()));
    }

    fn tell(&mut self, usage: Option<&Usage>, error: Option<&'static str>) {
        self.told = true;
        let took = self.begin.elapsed();
        self.telemetry.ended(self.operation, error, took, usage);
        tracing::event!(
            target: super::CALLS_TARGET,
            tracing::Level::INFO,
            {
                { names::OPERATION } = self.operation.label(),
                { names::PROVIDER } = names::PROVIDER_AMBAR,
                { names::REQUEST_MODEL } = self.model.as_str(),
                { names::REQUEST_STREAM } = self.stream,
                { names::RESPONSE_ID } = self.response.as_deref(),
                { names::FINISH_REASONS } = usage.and_then(|usage| usage.finish_reason),
                { names::TIME_TO_FIRST_CHUNK } = self.first.map(|first| first.as_secs_f64()),
                { names::INPUT_TOKENS } = usage.map(|usage| usage.input_tokens),
                { names::OUTPUT_TOKENS } = usage.map(|usage| usage.output_tokens),
                { names::CACHED_TOKENS } = usage.and_then(|usage| usage.cached_tokens),
                { names::ERROR_TYPE } = error,
                { names::RECEIPT } = self.receipt.as_deref(),
                { names::CAPSULE } = self.capsule.as_deref(),
                { names::PRICE } = usage.map(|usage| usage.price.to_string()),
                { names::NODE } = self.node,
                { names::OPERATION_DURATION } = took.as_secs_f64(),
            },
            "a call ended"
        );
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        if !self.told {
            self.tell(None, Some(names::ERROR_ABANDONED));
        }
    }
}
