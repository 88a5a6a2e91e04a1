//! What a capsule of each kind says beyond what all say.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The five kinds of capsule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Works through components within a budget of steps.
    Agent,
    /// A program.
    Code,
    /// Records with contributors.
    Dataset,
    /// Weights, or a service that stands for them.
    Model,
    /// A template around components.
    Prompt,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Agent, Self::Code, Self::Dataset, Self::Model, Self::Prompt];

    /// The kind as it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Code => "code",
            Self::Dataset => "dataset",
            Self::Model => "model",
            Self::Prompt => "prompt",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// The text names no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a kind is dataset, model, code, prompt or agent")]
pub struct KindError;

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        Self::ALL.into_iter().find(|kind| kind.text() == text).ok_or(KindError)
    }
}

/// What only capsules of one kind say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Body {
    /// See [`Kind::Agent`].
    Agent(AgentBody),
    /// See [`Kind::Code`].
    Code(CodeBody),
    /// See [`Kind::Dataset`].
    Dataset(DatasetBody),
    /// See [`Kind::Model`].
    Model(ModelBody),
    /// See [`Kind::Prompt`].
    Prompt(PromptBody),
}

impl Body {
    /// The kind that the body belongs to.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Agent(_) => Kind::Agent,
            Self::Code(_) => Kind::Code,
            Self::Dataset(_) => Kind::Dataset,
            Self::Model(_) => Kind::Model,
            Self::Prompt(_) => Kind::Prompt,
        }
    }
}

/// An agent: instructions, and how many steps it may take with its components.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentBody {
    /// What the agent is told.
    pub instructions: String,
    /// Most component calls within one call.
    pub steps_max: u32,
}

/// A program: which runtime runs which file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeBody {
    /// Such as `wasm32-wasip1` or `python`.
    pub runtime: String,
    /// The file that starts, a path of the content.
    pub entry: String,
}

/// Records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetBody {
    /// How many records.
    pub records: u64,
    /// The media type of a record, such as `text/plain`.
    pub media_type: String,
}

/// What a model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Text to vector.
    Embedding,
    /// Text to text.
    Text,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelBody {
    /// Such as `llama` or `bert`; what the engine must support.
    pub architecture: String,
    /// Longest prompt and answer together, tokens.
    pub context_tokens: u32,
    /// The file format of the content: `gguf`, `safetensors`, or `service` for none.
    pub format: String,
    /// What it answers.
    pub modality: Modality,
}

/// A prompt: a template around a model and, if it retrieves, a datanet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptBody {
    /// Longest context put before the model, bytes.
    pub context_bytes_max: u32,
    /// Most passages retrieved; none means that the prompt does not retrieve.
    pub passages_max: u32,
    /// The system message.
    pub system: String,
    /// The user message: `{{question}}` and, if it retrieves, `{{passages}}`.
    pub template: String,
}

impl PromptBody {
    /// Where the caller's text goes.
    pub const QUESTION: &'static str = "{{question}}";
    /// Where what was retrieved goes.
    pub const PASSAGES: &'static str = "{{passages}}";

    /// What is wrong with the template, if anything.
    pub fn check(&self) -> Result<(), &'static str> {
        let retrieves = self.passages_max > 0;
        if !self.template.contains(Self::QUESTION) {
            return Err("a template contains {{question}}");
        }
        if retrieves != self.template.contains(Self::PASSAGES) {
            return Err("a template contains {{passages}} exactly if passages_max is above zero");
        }
        if retrieves == (self.context_bytes_max == 0) {
            return Err("context_bytes_max is above zero exactly if passages_max is");
        }
        Ok(())
    }
}
