//! The demo's model as a call of the example's prompt uses it: composed by the gateway's code,
//! answered by the engine.

use super::calls::{Found, retrieve};
use crate::presidents;
use ambar_attribution::RetrievalParameters;
use ambar_capsule::body::PromptBody;
use ambar_compute::gguf::{GgufEngine, GgufOptions, Likelihood};
use ambar_compute::{Engine, Event, GenerateJob, Prompt};
use ambar_corpus::Corpus;
use ambar_gateway::compose::{Retrieved, Work};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most tokens of an answer.
pub const ANSWER_TOKENS: u32 = 32;
/// Passages of a prompt and their bytes together: more passages than the example's prompt has, so
/// that there is something to rank, and few enough bytes for a small model.
pub const PASSAGES: u32 = 4;
pub const CONTEXT_BYTES: u32 = 1_200;
/// Room for prompt and answer.
const CONTEXT_TOKENS: u32 = 1_024;

/// How an answer is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// The likeliest token each time.
    Greedy,
    /// By a seed, at this temperature.
    Seed(u64, f32),
}

/// What of `prompt.toml` is used here.
#[derive(Deserialize)]
struct Words {
    system: String,
    template: String,
}

/// A model and the example's prompt around it.
pub struct Model {
    runtime: Runtime,
    engine: GgufEngine,
    work: Work,
    /// Greedy answers by what was asked.
    answered: RefCell<HashMap<String, String>>,
}

impl Model {
    /// Opens the model on one thread, one answer at a time.
    pub fn open(path: &Path) -> Result<Self> {
        let options = GgufOptions {
            threads: Some(NonZeroU32::MIN),
            context_tokens: NonZeroU32::new(CONTEXT_TOKENS),
            streams: Some(NonZeroU32::MIN),
        };
        let engine = GgufEngine::open(path, options)?;
        let text = fs::read_to_string(presidents::file("prompt/prompt.toml"))?;
        let Words { system, template } = toml::from_str(&text).context("the example's prompt")?;
        let (context_bytes_max, passages_max) = (CONTEXT_BYTES, PASSAGES);
        let body = PromptBody { context_bytes_max, passages_max, system, template };
        let work = Work::Prompt { body, model: 0, datanet: Some(0) };
        let answered = RefCell::default();
        Ok(Self { runtime: Runtime::new()?, engine, work, answered })
    }

    /// Within which limits the prompt retrieves.
    pub fn parameters(&self) -> RetrievalParameters {
        self.work.datanet().map(|(_, parameters)| parameters).unwrap_or_default()
    }

    /// What is retrieved for a question.
    pub fn retrieve(&self, corpus: &Corpus, question: &str) -> Result<Found> {
        retrieve(corpus, question, &self.parameters())
    }

    /// What the model is asked if these passages are given to it.
    pub fn prompt(&self, question: &str, found: &Found, passages: &[String]) -> Prompt {
        let (evidence, passages) = (found.evidence.clone(), passages.to_vec());
        let retrieved = Retrieved { part: 0, evidence, passages };
        self.work.prompt(&Prompt::user(question), Some(&retrieved))
    }

    /// An answer.
    pub fn answer(&self, prompt: &Prompt, sampling: Sampling) -> Result<String> {
        let asked = format!("{prompt:?}");
        let known = self.answered.borrow().get(&asked).cloned();
        if let (Some(known), Sampling::Greedy) = (known, sampling) {
            return Ok(known);
        }
        let greedy = GenerateJob { party: 1, ..GenerateJob::greedy(prompt.clone(), ANSWER_TOKENS) };
        let job = match sampling {
            Sampling::Greedy => greedy,
            Sampling::Seed(seed, temperature) => {
                GenerateJob { seed: Some(seed), temperature, ..greedy }
            }
        };
        let answer = self.runtime.block_on(generated(&self.engine, job))?;
        if sampling == Sampling::Greedy {
            self.answered.borrow_mut().insert(asked, answer.clone());
        }
        Ok(answer)
    }

    /// How likely an answer is after a prompt.
    pub fn likelihood(&self, prompt: &Prompt, answer: &str) -> Result<Likelihood> {
        let (prompt, answers) = (prompt.clone(), vec![answer.to_owned()]);
        let scored = self.engine.log_likelihoods(prompt, answers, CancellationToken::new());
        let scored = self.runtime.block_on(scored)?;
        scored.into_iter().next().context("an answer has a likelihood")
    }
}

async fn generated(engine: &GgufEngine, job: GenerateJob) -> Result<String> {
    let (events, mut incoming) = mpsc::channel(64);
    let read = async {
        let mut text = String::new();
        while let Some(event) = incoming.recv().await {
            if let Event::Text(piece) = event {
                text.push_str(&piece);
            }
        }
        text
    };
    let (done, text) = tokio::join!(engine.generate(job, events, CancellationToken::new()), read);
    done?;
    Ok(text)
}
