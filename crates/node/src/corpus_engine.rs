//! The engine that is the records of datasets: it joins a language model of `corpus` to the trait
//! of `compute`.
//!
//! One word is one token, in prompts and in answers. What is gone on from is the last thing that a
//! user says, or the text. It draws from the datasets as they are served when a job begins, all
//! of them or none, so that what is attributed is what was drawn from.
//!
//! **Invariant**: records, prompt, parameters and seed determine the answer; without a seed one is
//! drawn from the system.

use ambar_attribution::CorpusModelParameters;
use ambar_base::Cid;
use ambar_compute::deliver::deliver;
use ambar_compute::text::StopFilter;
use ambar_compute::{
    CorpusOptions, Count, Engine, EngineError, EngineInfo, Event, Failure, Finish, GenerateJob,
    Generation, Prompt, Usage,
};
use ambar_corpus::{Choice, Corpus, CorpusError, Language, Next, Random, Together, count_words};
use ambar_gateway::compose::question;
use ambar_gateway::{Offer, Serving};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The engine's kind.
const KIND: &str = "corpus";
/// Words that are drawn before somebody takes them: a job that nobody reads stops here.
const WORDS_AHEAD_MAX: usize = 4;

/// A model that is the records of datasets that this node serves.
pub(crate) struct CorpusEngine {
    /// Weak, because what is served has this.
    serving: Weak<Serving>,
    datasets: Vec<Cid>,
    parameters: CorpusModelParameters,
}

/// How a spec says that the model looks back.
pub(crate) fn parameters(options: CorpusOptions) -> CorpusModelParameters {
    CorpusModelParameters { context_words_max: options.context, count_min: options.count }
}

/// Words of a prompt, all that is said in it.
fn prompt_words(prompt: &Prompt) -> u64 {
    match prompt {
        Prompt::Chat(messages) => messages.iter().map(|said| count_words(&said.content)).sum(),
        Prompt::Text(text) => count_words(text),
    }
}

fn failed(error: &CorpusError) -> Failure {
    Failure::Inference { reason: error.to_string() }
}

/// How words are chosen: as often as they stand there, or the most frequent. Another temperature
/// would give words that no place in the records has drawn.
fn choice(job: &GenerateJob) -> Result<Choice, Failure> {
    let unsupported = |field: &str| Failure::UnsupportedField { kind: KIND, field: field.into() };
    if job.temperature <= 0.0 {
        return Ok(Choice::MostFrequent);
    }
    if job.temperature.to_bits() != 1f32.to_bits() {
        return Err(unsupported("temperature"));
    }
    if job.top_p.to_bits() != 1f32.to_bits() {
        return Err(unsupported("top_p"));
    }
    let seed = job.seed.map_or_else(drawn_seed, Ok)?;
    Ok(Choice::Drawn(Random::of(seed)))
}

fn drawn_seed() -> Result<u64, Failure> {
    let mut bytes = [0; size_of::<u64>()];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Inference { reason: error.to_string() })?;
    Ok(u64::from_le_bytes(bytes))
}

/// Draws words until the end, or nobody takes them.
fn write(
    corpora: &[Arc<Corpus>],
    parameters: CorpusModelParameters,
    prompt: &str,
    choice: Choice,
    words: &mpsc::Sender<Next>,
) -> Result<(), CorpusError> {
    let together = Together::of(corpora.iter().map(|corpus| &**corpus).collect())?;
    let language = Language::of(&together, parameters)?;
    for next in language.write(prompt, choice) {
        let ended = matches!(next, Next::End(_));
        if words.blocking_send(next).is_err() || ended {
            break;
        }
    }
    Ok(())
}

/// What is sent of an answer.
struct Outlet {
    filter: StopFilter,
    usage: Usage,
    words: u32,
    words_max: u32,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
}

impl Outlet {
    /// Sends what came; why the answer ends, if it does. Nothing more comes after nothing.
    async fn take(&mut self, next: Option<Next>) -> Option<Finish> {
        let (mut text, mut finish) = match next {
            Some(Next::Word(text)) => {
                self.words += 1;
                self.usage.tokens_out = Some(u64::from(self.words));
                let last = self.words == self.words_max;
                (self.filter.push(&text), last.then_some(Finish::Length))
            }
            Some(Next::End(text)) => (self.filter.push(&text), Some(Finish::Stop)),
            None => (String::new(), Some(Finish::Stop)),
        };
        if self.filter.stopped() {
            finish = Some(Finish::Stop);
        } else if finish.is_some() {
            text.push_str(&self.filter.finish());
        }
        let sent = deliver(text, &mut self.usage, &self.events, &self.cancel).await;
        if sent { finish } else { Some(Finish::Cancelled) }
    }

    /// Waits for the next word; nothing if the job was cancelled meanwhile.
    async fn wait(&self, words: &mut mpsc::Receiver<Next>) -> Option<Option<Next>> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => None,
            () = self.events.closed() => None,
            next = words.recv() => Some(next),
        }
    }
}

impl CorpusEngine {
    /// The model over the records of these datasets, in this order.
    pub(crate) fn new(
        serving: &Arc<Serving>,
        datasets: Vec<Cid>,
        parameters: CorpusModelParameters,
    ) -> Self {
        Self { serving: Arc::downgrade(serving), datasets, parameters }
    }

    /// The records.
    pub(crate) fn corpora(&self) -> Result<Vec<Arc<Corpus>>, Failure> {
        let serving = self.serving.upgrade();
        let corpus = |version: &Cid| match serving.as_ref().and_then(|all| all.get(version)) {
            Some(Offer::Datanet(corpus)) => Ok(corpus),
            _ => {
                let reason = format!("dataset {version} is not served by this node");
                Err(Failure::NoRecords { reason })
            }
        };
        self.datasets.iter().map(corpus).collect()
    }

    async fn run(
        &self,
        job: GenerateJob,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> Result<Generation, EngineError> {
        job.validate()?;
        self.check(&job)?;
        let (corpora, choice, parameters) = (self.corpora()?, choice(&job)?, self.parameters);
        let mut outlet = Outlet {
            filter: StopFilter::new(&job.stop),
            usage: Usage::told(Some(prompt_words(&job.prompt)), Some(0), 0),
            words: 0,
            words_max: job.max_tokens,
            events,
            cancel,
        };
        let (sender, mut words) = mpsc::channel(WORDS_AHEAD_MAX);
        let prompt = question(&job.prompt).to_owned();
        let writing = tokio::task::spawn_blocking(move || {
            write(&corpora, parameters, &prompt, choice, &sender)
        });
        let finish = loop {
            let Some(next) = outlet.wait(&mut words).await else { break Finish::Cancelled };
            if next.is_none() {
                // Nobody draws any more: the records have no word, or cannot be read.
                let written = writing.await.map_err(|error| error.to_string());
                let written = written.and_then(|done| done.map_err(|error| error.to_string()));
                if let Err(reason) = written {
                    return Err(EngineError::after(Failure::Inference { reason }, outlet.usage));
                }
                break outlet.take(None).await.unwrap_or(Finish::Stop);
            }
            if let Some(finish) = outlet.take(next).await {
                break finish;
            }
        };
        Ok(Generation { usage: outlet.usage, finish })
    }
}

impl Engine for CorpusEngine {
    fn describe(&self) -> EngineInfo {
        EngineInfo {
            kind: KIND,
            model: KIND.to_owned(),
            architecture: None,
            context_tokens: None,
            embedding_width: None,
            can_generate: true,
            can_embed: false,
        }
    }

    /// Works out which places live, where not all do, before somebody waits for it.
    fn load(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        async {
            let (corpora, parameters) = (self.corpora()?, self.parameters);
            let read = move || {
                let together = Together::of(corpora.iter().map(|corpus| &**corpus).collect())?;
                Language::of(&together, parameters).map(drop)
            };
            let read = tokio::task::spawn_blocking(read).await;
            let read = read.map_err(|error| Failure::Inference { reason: error.to_string() })?;
            Ok(read.map_err(|error: CorpusError| failed(&error))?)
        }
        .boxed()
    }

    fn count<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Result<Count, EngineError>> {
        async move {
            prompt.validate()?;
            Ok(Count::Exact(prompt_words(prompt)))
        }
        .boxed()
    }

    fn check(&self, job: &GenerateJob) -> Result<(), Failure> {
        match job.beyond_text() {
            Some(field) => Err(Failure::UnsupportedField { kind: KIND, field }),
            None => choice(job).map(drop),
        }
    }

    fn generate(
        &self,
        job: GenerateJob,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Generation, EngineError>> {
        self.run(job, events, cancel).boxed()
    }
}

#[cfg(test)]
#[path = "corpus_engine_tests.rs"]
mod tests;
