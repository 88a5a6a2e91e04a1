//! Sentence embeddings in this process: a BERT encoder (all-MiniLM-L6-v2 and
//! its kin) run by candle, from a directory with `config.json`,
//! `tokenizer.json` and `model.safetensors`.
//!
//! A text becomes the mean of its tokens' last hidden states, scaled to length
//! one, as the model's own `modules.json` says (Reimers and Gurevych 2019).
//!
//! It does not know similarity, indexes or documents.
//!
//! **Invariant**: a text's vector does not depend on its neighbours in the
//! request, up to rounding of the last bits.

mod files;
mod model;

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::engine::{Count, Engine, EngineInfo, Event, GenerateJob, Generation, Prompt};
use crate::error::{EngineError, Failure};
use crate::limits::{EMBED_INPUT_TOKENS_MAX, EMBED_JOBS_QUEUED_MAX};
use crate::vectors::{EmbedJob, Embeddings};
use files::Config;
use model::Model;

const KIND: &str = "embed";

/// An embedding model in a directory. See the [module's documentation](self).
#[derive(Debug)]
pub struct EmbedEngine {
    dir: PathBuf,
    config: Config,
    loaded: OnceCell<Arc<Model>>,
    /// Places of requests, running or waiting.
    places: Arc<Semaphore>,
    /// The right to compute; one request uses all cores.
    turn: Arc<Semaphore>,
}

impl EmbedEngine {
    /// Reads the directory's `config.json` and prepares an engine for it.
    ///
    /// # Errors
    /// [`Failure::File`], [`Failure::FileTooLarge`], [`Failure::ModelRefused`]
    /// (a configuration that is not BERT's).
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Failure> {
        let dir = dir.into();
        Ok(Self {
            config: files::read_config(&dir)?,
            dir,
            loaded: OnceCell::new(),
            places: Arc::new(Semaphore::new(EMBED_JOBS_QUEUED_MAX)),
            turn: Arc::new(Semaphore::new(1)),
        })
    }

    async fn loaded(&self) -> Result<Arc<Model>, Failure> {
        let model = self.loaded.get_or_try_init(|| async {
            let (dir, config) = (self.dir.clone(), self.config.clone());
            blocking(move || Model::load(&dir, &config)).await.map(Arc::new)
        });
        model.await.cloned()
    }

    async fn run(&self, job: EmbedJob, cancel: CancellationToken) -> Result<Embeddings, Failure> {
        job.validate()?;
        self.check_embed(&job)?;
        let busy = |_| Failure::Busy { queued_max: EMBED_JOBS_QUEUED_MAX };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(busy)?;
        let model = self.loaded().await?;
        let turn = self.turn(&cancel).await?;
        // Dropping this future cancels the work, whose thread it cannot end.
        let cancel = cancel.child_token();
        let _guard = cancel.clone().drop_guard();
        blocking(move || {
            let _held = (place, turn);
            model.embed(&job.inputs, &cancel)
        })
        .await
    }

    async fn turn(&self, cancel: &CancellationToken) -> Result<OwnedSemaphorePermit, Failure> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::Cancelled),
            turn = Arc::clone(&self.turn).acquire_owned() => turn.map_err(|_| Failure::WorkerGone),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::WorkerGone)?
}

impl Engine for EmbedEngine {
    fn describe(&self) -> EngineInfo {
        EngineInfo {
            kind: KIND,
            model: self.config.name.clone(),
            architecture: Some(files::ARCHITECTURE.to_owned()),
            context_tokens: Some(EMBED_INPUT_TOKENS_MAX as u32),
            embedding_width: u32::try_from(self.config.bert.hidden_size).ok(),
            can_generate: false,
            can_embed: true,
        }
    }

    fn load(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        async move { Ok(self.loaded().await.map(|_| ())?) }.boxed()
    }

    /// Counts as if each message, or the text, were one input to embed.
    fn count<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Result<Count, EngineError>> {
        async move {
            prompt.validate()?;
            let model = self.loaded().await?;
            let inputs: Vec<String> = match prompt {
                Prompt::Chat(messages) => messages.iter().map(|m| m.content.clone()).collect(),
                Prompt::Text(text) => vec![text.clone()],
            };
            Ok(Count::Exact(blocking(move || model.count(&inputs)).await?))
        }
        .boxed()
    }

    fn generate(
        &self,
        _job: GenerateJob,
        _events: mpsc::Sender<Event>,
        _cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Generation, EngineError>> {
        async { Err(Failure::Unsupported { kind: KIND, operation: "generate" }.into()) }.boxed()
    }

    fn embed(
        &self,
        job: EmbedJob,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Embeddings, EngineError>> {
        async move { Ok(self.run(job, cancel).await?) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(config: Option<&str>) -> Failure {
        let dir = tempfile::tempdir().unwrap();
        if let Some(config) = config {
            std::fs::write(dir.path().join("config.json"), config).unwrap();
        }
        EmbedEngine::open(dir.path()).unwrap_err()
    }

    #[test]
    fn bad_directories_are_refused() {
        assert!(matches!(open(None), Failure::File { .. }));
        assert!(matches!(open(Some("<html>")), Failure::ModelRefused { .. }));
        let error = open(Some(r#"{"model_type":"gpt2"}"#)).to_string();
        assert!(error.contains("`gpt2`"), "{error}");
        assert!(matches!(open(Some(r#"{"model_type":"bert"}"#)), Failure::ModelRefused { .. }));
    }
}
