//! Language models in GGUF files, run in this process by llama.cpp through
//! `llama-cpp-2`, on the CPU.
//!
//! Opening reads and checks the file's header only. The model is mapped into
//! memory at the first use, or by [`Engine::load`], and gets one context for all
//! its jobs. One worker thread runs the jobs of all models of the process, one
//! after the other. Tokenizer and chat template are the file's own.
//!
//! It does not know sessions: each job starts from an empty context.
//!
//! **Invariant**: the worker never waits for a reader. Text that nobody takes
//! yet is joined and handed over later, so that one slow reader does not hold
//! up the next job.

mod architecture;
mod backend;
mod bare;
mod header;
mod model;
mod outlet;
mod session;
mod tensor_bytes;
mod worker;

use std::fs::File;
use std::io::BufReader;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::{OnceCell, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use bare::{BareModel, Speed, bare_decode};
pub use header::{Header, HeaderError, read_header};

use crate::deliver::deliver;
use crate::engine::{
    Count, Embeddings, Engine, EngineInfo, Event, Finish, GenerateJob, Generation, Prompt, Usage,
};
use crate::error::{EngineError, Failure};
use crate::limits::{CONTEXT_TOKENS_DEFAULT, GENERATE_JOBS_QUEUED_MAX};
use model::Model;
use session::{OwnedSession, Session, Settings};
use worker::{Ended, Job, Ticket};

const KIND: &str = "gguf";

/// How a GGUF model is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GgufOptions {
    /// Threads of the worker. Unless given, all cores read a prompt and all
    /// but one write the answer: an answer is made in many short steps, at whose
    /// barriers a thread without a core of its own holds up all others, and
    /// a node has other work to do. `examples/engine_speed.rs` measures it.
    pub threads: Option<NonZeroU32>,
    /// Room for prompt and answer together, in tokens;
    /// [`CONTEXT_TOKENS_DEFAULT`] unless given, and never more than the model
    /// was trained for.
    pub context_tokens: Option<NonZeroU32>,
}

/// A model in a GGUF file. See the [module's documentation](self).
#[derive(Debug)]
pub struct GgufEngine {
    path: PathBuf,
    header: Header,
    settings: Settings,
    loaded: OnceCell<Loaded>,
    /// Places of jobs, running or waiting.
    places: Arc<Semaphore>,
}

/// What exists once the model is in memory.
#[derive(Debug, Clone)]
struct Loaded {
    model: Arc<Model>,
    session: Arc<Mutex<OwnedSession>>,
}

impl Loaded {
    /// Maps the file and makes the context; takes a while, blocks.
    fn load(path: &Path, settings: Settings) -> Result<Self, Failure> {
        let model = Arc::new(Model::load(path)?);
        let session =
            OwnedSession::try_new(Arc::clone(&model), |model| Session::new(model, settings))?;
        Ok(Self { model, session: Arc::new(Mutex::new(session)) })
    }
}

impl GgufEngine {
    /// Checks the file's header and prepares an engine for it.
    ///
    /// # Errors
    /// [`Failure::File`], [`Failure::Header`] (not GGUF, truncated, beyond a
    /// limit), [`Failure::UnsupportedArchitecture`].
    pub fn open(path: impl Into<PathBuf>, options: GgufOptions) -> Result<Self, Failure> {
        let path = path.into();
        let header = open_header(&path)?;
        if !architecture::can_generate(&header.architecture) {
            return Err(Failure::UnsupportedArchitecture {
                path,
                architecture: header.architecture,
            });
        }
        let wanted = options.context_tokens.map_or(CONTEXT_TOKENS_DEFAULT, NonZeroU32::get);
        let context_tokens = wanted.min(header.context_tokens.unwrap_or(wanted));
        let context_tokens = NonZeroU32::new(context_tokens).unwrap_or(NonZeroU32::MIN);
        let settings = Settings::new(options.threads, context_tokens);
        let places = Arc::new(Semaphore::new(GENERATE_JOBS_QUEUED_MAX));
        Ok(Self { path, header, settings, loaded: OnceCell::new(), places })
    }

    /// The checked header of the file.
    pub fn header(&self) -> &Header {
        &self.header
    }

    async fn loaded(&self) -> Result<&Loaded, Failure> {
        let load = || async {
            let (path, settings) = (self.path.clone(), self.settings);
            tokio::task::spawn_blocking(move || Loaded::load(&path, settings))
                .await
                .map_err(|_| Failure::WorkerGone)?
        };
        self.loaded.get_or_try_init(load).await
    }

    async fn run(
        &self,
        job: GenerateJob,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> Result<Generation, EngineError> {
        job.validate()?;
        let busy = |_| Failure::Busy { queued_max: GENERATE_JOBS_QUEUED_MAX };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(busy)?;
        let session = Arc::clone(&self.loaded().await?.session);
        let (reply, ended) = oneshot::channel();
        let job = Job { job, events: events.clone(), cancel: cancel.clone(), reply, place };
        let ticket = worker::submit(move || run_job(&session, job))?;
        let ended = tokio::select! {
            biased;
            ended = ended => ended.map_err(|_| Failure::WorkerGone)?,
            () = given_up(&ticket, &events, &cancel) => return Ok(NOT_BEGUN),
        };
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
}

/// A job that was cancelled while it waited.
const NOT_BEGUN: Generation =
    Generation { usage: Usage::told(Some(0), Some(0), 0), finish: Finish::Cancelled };

/// Completes when a job that still waits is cancelled. One that has begun is
/// left to the worker, which sees the same and tells what it has done.
async fn given_up(ticket: &Ticket, events: &mpsc::Sender<Event>, cancel: &CancellationToken) {
    tokio::select! {
        () = cancel.cancelled() => {}
        () = events.closed() => {}
    }
    if !ticket.withdraw() {
        std::future::pending::<()>().await;
    }
}

/// Runs a job on the worker.
fn run_job(session: &Mutex<OwnedSession>, job: Job) {
    // A poisoned session is in an unknown state; the dropped reply says so.
    if let Ok(mut session) = session.lock() {
        let ended = session.with_dependent_mut(|_, session| session.run(&job));
        let Job { reply, place, .. } = job;
        // Before the reply, so that whoever gets it finds the place free.
        drop(place);
        // Whoever dropped the receiver does not ask how it ended.
        drop(reply.send(ended));
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
        async move { Ok(self.loaded().await.map(|_| ())?) }.boxed()
    }

    fn count<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Result<Count, EngineError>> {
        async move {
            prompt.validate()?;
            let model = Arc::clone(&self.loaded().await?.model);
            let prompt = prompt.clone();
            let tokens = tokio::task::spawn_blocking(move || model.tokens(&prompt))
                .await
                .map_err(|_| Failure::WorkerGone)??;
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

    fn embed(
        &self,
        _inputs: Vec<String>,
        _cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Embeddings, EngineError>> {
        async { Err(Failure::Unsupported { kind: KIND, operation: "embed" }.into()) }.boxed()
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
