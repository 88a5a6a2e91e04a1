//! Language models in GGUF files, run in this process by llama.cpp through
//! `llama-cpp-2`, on the CPU.
//!
//! Opening reads and checks the file's header only. The model is mapped into
//! memory at the first use, or by [`Engine::load`], and stays until a [`Pool`]
//! needs its room for another. One worker thread runs the jobs of all models of
//! the process, step by step; the jobs of one model share its steps
//! (`session.rs`). Tokenizer and chat template are the file's own.
//!
//! It does not know conversations or what a party is: a job that begins as an
//! earlier one of its party did finds that beginning read, or not.
//!
//! **Invariant**: the worker never waits for a reader, and no job waits for the
//! end of another as long as a sequence is free.

mod architecture;
mod backend;
mod bare;
mod header;
mod lane;
mod memory;
mod model;
mod outlet;
mod places;
mod pool;
mod queue;
mod score;
mod session;
mod settings;
mod slots;
mod task;
mod tensor_bytes;
mod worker;

use std::fs::File;
use std::io::BufReader;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::{BoxFuture, FutureExt};
use llama_cpp_2::token::LlamaToken;
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use bare::{BareModel, Speed, bare_decode};
pub use header::{Header, HeaderError, Shape, read_header};
pub use pool::{Pool, PoolUse};
pub use score::Likelihood;

use crate::deliver::deliver;
use crate::engine::{
    Count, Engine, EngineInfo, Event, Finish, GenerateJob, Generation, Prompt, Usage,
};
use crate::error::{EngineError, Failure};
use lane::Lane;
use places::Places;
use pool::{Lease, Member, blocking};
use settings::Settings;
use task::{Caller, Ended, Task};

const KIND: &str = "gguf";

/// How a GGUF model is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GgufOptions {
    /// Threads of the worker. Unless given, all cores read a prompt and all
    /// but one write the answer: an answer is made in many short steps, at whose
    /// barriers a thread without a core of its own holds up all others, and
    /// a node has other work to do. `examples/engine_speed.rs` measures it.
    pub threads: Option<NonZeroU32>,
    /// Room of each stream for prompt and answer together, in tokens;
    /// [`CONTEXT_TOKENS_DEFAULT`](crate::limits::CONTEXT_TOKENS_DEFAULT) unless
    /// given, and never more than the model was trained for.
    pub context_tokens: Option<NonZeroU32>,
    /// Answers that are written together;
    /// [`STREAMS_DEFAULT`](crate::limits::STREAMS_DEFAULT) unless given, at most
    /// [`STREAMS_MAX`](crate::limits::STREAMS_MAX). With 1, answers are written
    /// one after the other, and a greedy job gives the same text whatever else is
    /// asked: several are computed together in another order of rounding.
    pub streams: Option<NonZeroU32>,
}

/// A model in a GGUF file. See the [module's documentation](self).
#[derive(Debug)]
pub struct GgufEngine {
    path: PathBuf,
    header: Header,
    settings: Settings,
    member: Member,
    /// Places of jobs, running or waiting.
    places: Arc<Places>,
    /// Held by whoever scores a text.
    scoring: Mutex<()>,
}

impl GgufEngine {
    /// Checks the file's header and prepares an engine for it in the pool of the
    /// process.
    ///
    /// # Errors
    /// [`Failure::File`], [`Failure::Header`] (not GGUF, truncated, beyond a
    /// limit), [`Failure::UnsupportedArchitecture`].
    pub fn open(path: impl Into<PathBuf>, options: GgufOptions) -> Result<Self, Failure> {
        Self::open_in(Pool::of_process(), path, options)
    }

    /// The same in another pool.
    ///
    /// # Errors
    /// As [`GgufEngine::open`].
    pub fn open_in(
        pool: Pool,
        path: impl Into<PathBuf>,
        options: GgufOptions,
    ) -> Result<Self, Failure> {
        let path = path.into();
        let header = open_header(&path)?;
        if !architecture::can_generate(&header.architecture) {
            return Err(Failure::UnsupportedArchitecture {
                path,
                architecture: header.architecture,
            });
        }
        let settings = Settings::new(&options, header.context_tokens);
        let context = memory::context_bytes(&header.shape, header.embedding_width, settings);
        let member = Member::new(pool, &path, context, settings);
        let (places, scoring) = (Arc::default(), Mutex::default());
        Ok(Self { path, header, settings, member, places, scoring })
    }

    /// The checked header of the file.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The prompt's tokens, made off the runtime's threads and off the worker:
    /// a long one takes a while.
    async fn tokens(
        lane: &Lane,
        lease: &Lease,
        prompt: Prompt,
    ) -> Result<Vec<LlamaToken>, Failure> {
        let (model, held) = (Arc::clone(lane.model()), lease.again());
        blocking(move || {
            let tokens = model.tokens(&prompt);
            drop((model, held));
            tokens
        })
        .await
    }

    async fn run(
        &self,
        mut job: GenerateJob,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> Result<Generation, EngineError> {
        job.validate()?;
        let place = self.places.take(job.party)?;
        let begun = tokio::select! {
            biased;
            () = given_up(&events, &cancel) => return Ok(NOT_BEGUN),
            begun = self.begin(&mut job) => begun?,
        };
        let (lane, lease, tokens) = begun;
        let room = self.settings.context_tokens().get() as usize;
        let (reply, ended) = oneshot::channel();
        let paused = Arc::new(Notify::new());
        let number = next_number();
        let (to, until, told) = (events.clone(), cancel.clone(), Arc::clone(&paused));
        let caller = Caller { events: to, cancel: until, reply, paused: told, place, lease };
        let (party, task) = (job.party, Task::new(&job, number, tokens, room, caller));
        lane.push(task)?;
        let waiting = Waiting { lane, party, number, paused, over: false };
        let ended = waiting.end(ended, &events, &cancel).await?;
        let Ended { unsent, mut usage, result } = ended;
        let delivered = deliver(unsent, &mut usage, &events, &cancel).await;
        match result {
            Ok(finish) => {
                let finish = if delivered { finish } else { Finish::Cancelled };
                Ok(Generation { usage, finish })
            }
            Err(failure) => Err(EngineError::after(failure, usage)),
        }
    }

    /// The loaded model and the prompt's tokens, which fit.
    async fn begin(
        &self,
        job: &mut GenerateJob,
    ) -> Result<(Arc<Lane>, Lease, Vec<LlamaToken>), Failure> {
        let (lane, lease) = self.member.lease().await?;
        let prompt = std::mem::replace(&mut job.prompt, Prompt::Text(String::new()));
        let tokens = Self::tokens(&lane, &lease, prompt).await?;
        let context_tokens = self.settings.context_tokens().get();
        if tokens.len() >= context_tokens as usize {
            let tokens = tokens.len() as u64;
            return Err(Failure::ContextTooLong { tokens, context_tokens });
        }
        Ok((lane, lease, tokens))
    }
}

/// A job that was cancelled while it waited for its model.
const NOT_BEGUN: Generation =
    Generation { usage: Usage::told(Some(0), Some(0), 0), finish: Finish::Cancelled };

/// The number of the next job of the process.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Completes when nobody wants a job any more.
async fn given_up(events: &mpsc::Sender<Event>, cancel: &CancellationToken) {
    tokio::select! {
        () = cancel.cancelled() => {}
        () = events.closed() => {}
    }
}

/// A job that was handed to a lane. Dropping this gives the job up.
struct Waiting {
    lane: Arc<Lane>,
    party: u64,
    number: u64,
    paused: Arc<Notify>,
    over: bool,
}

impl Waiting {
    /// Waits for the job's end.
    async fn end(
        mut self,
        ended: oneshot::Receiver<Ended>,
        events: &mpsc::Sender<Event>,
        cancel: &CancellationToken,
    ) -> Result<Ended, Failure> {
        let ended = self.watch(ended, events, cancel).await;
        self.over = true;
        ended
    }

    /// Tells the worker of what it does not see while it has nothing to do: room
    /// in the events channel, and that the job is given up.
    async fn watch(
        &self,
        mut ended: oneshot::Receiver<Ended>,
        events: &mpsc::Sender<Event>,
        cancel: &CancellationToken,
    ) -> Result<Ended, Failure> {
        let given_up = given_up(events, cancel);
        tokio::pin!(given_up);
        let room = self.room(events);
        tokio::pin!(room);
        loop {
            tokio::select! {
                biased;
                ended = &mut ended => return ended.map_err(|_| Failure::WorkerGone),
                () = &mut given_up => break,
                () = &mut room => {
                    self.lane.wake()?;
                    room.set(self.room(events));
                }
            }
        }
        self.give_up();
        ended.await.map_err(|_| Failure::WorkerGone)
    }

    /// Completes when the job is paused and its reader has taken something.
    async fn room(&self, events: &mpsc::Sender<Event>) {
        self.paused.notified().await;
        drop(events.reserve().await);
    }

    /// Ends the job if it waits for a sequence; if it has one, lets the worker see
    /// that nobody wants it.
    fn give_up(&self) {
        match self.lane.withdraw(self.party, self.number) {
            Some(task) => task.end(Ok(Finish::Cancelled)),
            // Without a worker the reply is dropped, which ends the waiting too.
            None => drop(self.lane.wake()),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.over {
            self.give_up();
        }
    }
}

impl Engine for GgufEngine {
    fn describe(&self) -> EngineInfo {
        let stem = || self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        EngineInfo {
            kind: KIND,
            model: self.header.name.clone().or_else(stem).unwrap_or_default(),
            architecture: Some(self.header.architecture.clone()),
            context_tokens: Some(self.settings.context_tokens().get()),
            embedding_width: None,
            can_generate: true,
            can_embed: false,
        }
    }

    fn load(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        async move { Ok(self.member.lease().await.map(|_| ())?) }.boxed()
    }

    fn count<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Result<Count, EngineError>> {
        async move {
            prompt.validate()?;
            let (lane, lease) = self.member.lease().await?;
            let tokens = Self::tokens(&lane, &lease, prompt.clone()).await?;
            Ok(Count::Exact(tokens.len() as u64))
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
}

/// Reads and checks the header of the file at `path`.
pub fn open_header(path: &Path) -> Result<Header, Failure> {
    let file_error = |source| Failure::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(file_error)?;
    let metadata = file.metadata().map_err(file_error)?;
    read_header(BufReader::new(file), metadata.len()).map_err(|error| match error {
        HeaderError::Io(source) => file_error(source),
        source => Failure::Header { path: path.to_owned(), source },
    })
}

#[cfg(test)]
mod tests {
    use super::header::tests::Builder;
    use super::*;

    fn open(bytes: &[u8]) -> Failure {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        std::fs::write(&path, bytes).unwrap();
        GgufEngine::open(&path, GgufOptions::default()).unwrap_err()
    }

    #[test]
    fn bad_files_are_refused_before_they_are_loaded() {
        let missing = GgufEngine::open("/nowhere/model.gguf", GgufOptions::default()).unwrap_err();
        assert!(matches!(missing, Failure::File { .. }), "{missing:?}");
        let dir = GgufEngine::open(tempfile::tempdir().unwrap().path(), GgufOptions::default());
        assert!(matches!(dir.unwrap_err(), Failure::File { .. }));

        let garbage = open(b"<!doctype html>");
        assert!(matches!(garbage, Failure::Header { source: HeaderError::NotGguf, .. }));

        let whole = Builder::new().text("general.architecture", "bert").build();
        let cut = open(&whole[..40]);
        assert!(matches!(cut, Failure::Header { source: HeaderError::Truncated { .. }, .. }));
        match open(&whole) {
            Failure::UnsupportedArchitecture { architecture, .. } => {
                assert_eq!(architecture, "bert");
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_model_that_the_library_refuses_is_a_typed_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.gguf");
        std::fs::write(&path, Builder::new().text("general.architecture", "llama").build())
            .unwrap();
        let engine = GgufEngine::open(&path, GgufOptions::default()).unwrap();
        let refused = engine.load().await.unwrap_err();
        assert!(matches!(refused.failure, Failure::ModelRefused { .. }), "{refused:?}");
    }
}
