//! `[engines]` of `node.toml`: how the embedded language models are run.
//!
//! It deliberately knows no model: what one takes is what the engine says.
//!
//! **Invariant**: what is not said here is left to the engine, and every number
//! that is read is above zero and within the engine's limits.

use ambar_compute::EngineOptions;
use ambar_compute::gguf::{GgufOptions, Pool};
use ambar_compute::limits::STREAMS_MAX;
use serde::{Deserialize, Serialize};
use std::num::{NonZeroU32, NonZeroU64};

/// How embedded models are run, as the operator wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engines {
    /// Answers of one model that are written together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streams: Option<NonZeroU32>,
    /// Room of each of them for prompt and answer, tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<NonZeroU32>,
    /// Threads that compute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<NonZeroU32>,
    /// Memory of all models together, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<NonZeroU64>,
}

/// Why `[engines]` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnginesError {
    /// More streams than an engine has.
    #[error("streams = {0} is too many: at most {STREAMS_MAX}")]
    Streams(NonZeroU32),
}

impl Engines {
    /// What engines are opened with. Models share memory only if they are opened
    /// with the same value, so a node asks once.
    #[must_use]
    pub fn options(&self) -> EngineOptions {
        let Self { streams, context_tokens, threads, memory_mib } = *self;
        let pool = memory_mib.map(|mib| Pool::new(mib.get().saturating_mul(1 << 20)));
        EngineOptions {
            gguf: GgufOptions { threads, context_tokens, streams },
            pool: pool.unwrap_or_default(),
            ..EngineOptions::default()
        }
    }

    pub(super) fn read(written: Option<Self>) -> Result<Self, EnginesError> {
        let engines = written.unwrap_or_default();
        match engines.streams {
            Some(streams) if streams.get() > STREAMS_MAX => Err(EnginesError::Streams(streams)),
            _ => Ok(engines),
        }
    }

    pub(super) fn written(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_left_to_the_engine() {
        assert_eq!(Engines::default().options(), EngineOptions::default());
        let engines = Engines { memory_mib: NonZeroU64::new(3), ..Engines::default() };
        let options = engines.options();
        assert_eq!(options.pool.usage().budget_bytes, 3 << 20);
        assert_eq!(options.gguf, GgufOptions::default());
    }
}
