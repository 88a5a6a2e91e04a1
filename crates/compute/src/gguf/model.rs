//! A loaded model: its weights, mapped from the file, its tokenizer and its
//! chat template. Shared by the worker and by whoever counts tokens.

use std::path::Path;

use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::model::{LlamaChatMessage, LlamaChatTemplate, LlamaModel};
use llama_cpp_2::token::LlamaToken;

use crate::engine::{Message, Prompt};
use crate::error::Failure;

use super::backend::backend;

/// A model in memory.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) llama: LlamaModel,
    template: Option<LlamaChatTemplate>,
}

impl Model {
    /// Maps the file's weights into memory; takes a while, blocks.
    pub(super) fn load(path: &Path) -> Result<Self, Failure> {
        let params = LlamaModelParams::default().with_use_mmap(true);
        let llama = LlamaModel::load_from_file(backend()?, path, &params).map_err(|error| {
            Failure::ModelRefused { path: path.to_owned(), reason: error.to_string() }
        })?;
        let template = llama.chat_template(None).ok();
        Ok(Self { llama, template })
    }

    /// The prompt as the model reads it, control tokens included.
    pub(super) fn tokens(&self, prompt: &Prompt) -> Result<Vec<LlamaToken>, Failure> {
        let laid_out;
        let text = match prompt {
            Prompt::Text(text) => text,
            Prompt::Chat(messages) => {
                laid_out = self.lay_out(messages)?;
                &laid_out
            }
        };
        // Special tokens are parsed because the template spells its own that way.
        let tokens = self.llama.vocab().tokenize(text.as_bytes(), true, true);
        if tokens.is_empty() {
            return Err(Failure::invalid("the prompt has no tokens"));
        }
        Ok(tokens)
    }

    /// The conversation as one text, ending where the model's turn begins.
    fn lay_out(&self, messages: &[Message]) -> Result<String, Failure> {
        let refused = |reason: String| Failure::ChatTemplate { reason };
        let template =
            self.template.as_ref().ok_or_else(|| refused("the file has none".to_owned()))?;
        let chat: Vec<LlamaChatMessage> = messages
            .iter()
            .map(|m| LlamaChatMessage::new(m.role.as_str().to_owned(), m.content.clone()))
            .collect::<Result<_, _>>()
            .map_err(|_| Failure::invalid("a message contains a NUL character"))?;
        self.llama
            .apply_chat_template(template, &chat, true)
            .map_err(|error| refused(error.to_string()))
    }
}
