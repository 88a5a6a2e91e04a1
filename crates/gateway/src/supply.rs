//! Engines, which nobody gets without something set aside for the call.
//!
//! **Invariant**: an engine leaves a [`Supply`] only for a [`Permit`], and only a reservation
//! of this gateway or an errand of another one makes permits: no route, no dialect and no
//! passthrough can let an engine work for free, because it does not compile.

use crate::flow::{Turnstile, WAITING_PER_PAYER_DEFAULT};
use ambar_attribution::CorpusModelParameters;
use ambar_compute::{
    Count, EmbedJob, Engine, EngineError, EngineInfo, Failure, GenerateJob, Prompt,
};
use std::marker::PhantomData;
use std::sync::Arc;

/// Calls that an engine in this process works on or has in its own queue, which shares its cores
/// between them.
pub const SLOTS_HERE: usize = 32;
/// Calls that are under way at an upstream, which has cores of its own, unless the operator says
/// otherwise.
pub const SLOTS_UPSTREAM_DEFAULT: usize = 1_024;

/// How many calls an engine has at once, and how many wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Calls that are under way at an upstream; at least one.
    pub upstream_calls: usize,
    /// Calls of one payer that wait for one engine; at least one.
    pub waiting_per_payer: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            upstream_calls: SLOTS_UPSTREAM_DEFAULT,
            waiting_per_payer: WAITING_PER_PAYER_DEFAULT,
        }
    }
}

/// An engine that this node has, what may be asked of it before anything is set aside, and the
/// queue before it.
#[derive(Clone)]
pub struct Supply {
    engine: Arc<dyn Engine>,
    turnstile: Turnstile,
    records: Option<CorpusModelParameters>,
}

/// That somebody answers for what an engine is about to use.
#[derive(Clone, Copy)]
pub(crate) struct Permit<'a>(PhantomData<&'a ()>);

/// Whoever answers for what an engine uses.
pub(crate) trait Answers {
    /// The permit that this gives, for as long as it lasts.
    fn permit(&self) -> Permit<'_> {
        Permit(PhantomData)
    }
}

impl Supply {
    /// Keeps an engine, with a queue before it.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, limits: QueueLimits) -> Self {
        let slots = match engine.describe().kind {
            "gguf" | "embed" | "corpus" => SLOTS_HERE,
            _ => limits.upstream_calls,
        };
        let turnstile = Turnstile::new(slots, limits.waiting_per_payer);
        Self { engine, turnstile, records: None }
    }

    /// The same of an engine that is the records of the datasets that its capsule is built on.
    #[must_use]
    pub fn drawing(self, parameters: CorpusModelParameters) -> Self {
        Self { records: Some(parameters), ..self }
    }

    /// How the engine looks back in records, if it is records.
    #[must_use]
    pub fn records(&self) -> Option<CorpusModelParameters> {
        self.records
    }

    /// The queue before the engine.
    #[must_use]
    pub fn turnstile(&self) -> &Turnstile {
        &self.turnstile
    }

    /// What the engine is.
    #[must_use]
    pub fn describe(&self) -> EngineInfo {
        self.engine.describe()
    }

    /// Whether it can carry all that a job says.
    ///
    /// # Errors
    /// What it would refuse for good.
    pub fn check(&self, job: &GenerateJob) -> Result<(), Failure> {
        self.engine.check(job)
    }

    /// Whether it can carry all that a job to embed says.
    ///
    /// # Errors
    /// What it would refuse for good.
    pub fn check_embed(&self, job: &EmbedJob) -> Result<(), Failure> {
        self.engine.check_embed(job)
    }

    /// Counts a prompt's tokens.
    ///
    /// # Errors
    /// What keeps the engine from counting.
    pub async fn count(&self, prompt: &Prompt) -> Result<Count, EngineError> {
        self.engine.count(prompt).await
    }

    /// The engine itself.
    pub(crate) fn engine(&self, _: Permit<'_>) -> &Arc<dyn Engine> {
        &self.engine
    }
}
