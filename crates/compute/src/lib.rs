//! Engines: what turns a prompt into text and a text into a vector.
//!
//! Every engine stands behind one trait, [`Engine`], so that a caller never
//! knows whether a model runs in this process or behind a URL. This is the
//! only crate of the house that names an inference library.
//!
//! What it deliberately does not know: money, receipts, licences, capsules and
//! the HTTP dialects that a node offers. It maps nothing to public error codes;
//! its errors are typed and the caller maps them.
//!
//! **Invariant**: whatever ends a job (an answer, a cancellation, a failure),
//! the caller learns how much was produced up to then, and text that was sent
//! is always whole UTF-8.

pub mod deliver;
pub mod embed;
pub mod engine;
pub mod error;
pub mod extras;
pub mod gguf;
pub mod limits;
pub mod null;
pub mod spec;
pub mod text;
pub mod upstream;
pub mod vectors;

pub use engine::{
    Count, Engine, EngineInfo, Event, Finish, GenerateJob, Generation, Message, Prompt, Role, Usage,
};
pub use error::{EngineError, Failure};
pub use extras::{Extras, Piece};
pub use spec::{CorpusOptions, EngineOptions, EngineSpec, SpecError};
pub use vectors::{EmbedJob, Embeddings};
