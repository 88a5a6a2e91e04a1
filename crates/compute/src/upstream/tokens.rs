//! Counting by the model's own tokenizer, beside an upstream that counts for itself.
//!
//! It counts text only: what a chat template adds, and how tool calls or images are written, is
//! the upstream's knowledge.

use std::path::Path;
use std::sync::Arc;

use tokenizers::Tokenizer;

use crate::engine::Prompt;
use crate::error::Failure;
use crate::limits::EMBED_JSON_BYTES_MAX;

/// The tokenizer of an upstream's model.
#[derive(Clone)]
pub(super) struct Tokens(Arc<Tokenizer>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

impl Tokens {
    /// Reads a `tokenizer.json`.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |source| Failure::File { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(failed)?.len();
        if bytes > EMBED_JSON_BYTES_MAX {
            let bytes_max = EMBED_JSON_BYTES_MAX;
            return Err(Failure::FileTooLarge { path: path.to_owned(), bytes, bytes_max });
        }
        let read = Tokenizer::from_file(path);
        let mut tokenizer = read.map_err(|error| Failure::ModelRefused {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        // Files may ask for texts to be cut or filled up: that is no counting.
        let cut = tokenizer.with_truncation(None).map(drop);
        cut.map_err(|error| Failure::ModelRefused {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        tokenizer.with_padding(None);
        Ok(Self(Arc::new(tokenizer)))
    }

    /// Tokens of a prompt's texts and of an answer's, off the runtime's own threads.
    pub(super) async fn count(
        &self,
        asked: Option<Prompt>,
        said: Option<String>,
    ) -> (Option<u64>, Option<u64>) {
        let tokenizer = Arc::clone(&self.0);
        let counting = tokio::task::spawn_blocking(move || {
            let texts: Option<Vec<String>> = asked.map(|asked| match asked {
                Prompt::Text(text) => vec![text],
                Prompt::Chat(messages) => messages.into_iter().map(|said| said.content).collect(),
            });
            let one = |text: &String| {
                let encoded = tokenizer.encode_fast(text.as_str(), false).ok()?;
                Some(encoded.len() as u64)
            };
            let all = |texts: Vec<String>| texts.iter().map(one).sum::<Option<u64>>();
            (texts.and_then(all), said.as_ref().and_then(one))
        });
        // A tokenizer that panics counts nothing.
        counting.await.unwrap_or_default()
    }
}
