//! Turning texts into vectors: what is asked of an engine, and what comes of it.
//!
//! It does not know what a field means, but for the width of a vector, which is the one thing
//! that every engine can say of its own.
//!
//! **Invariant**: fields that change the vectors go to the engine as they were written, or are
//! refused by name; none is dropped silently.

use serde_json::Value;

use crate::error::Failure;
use crate::extras::Extras;
use crate::limits::{EMBED_INPUTS_BYTES_MAX, EMBED_INPUTS_MAX};

/// Under this name the `OpenAI` dialect says how many numbers a vector has.
pub const DIMENSIONS: &str = "dimensions";
/// Tokens that a model puts around a text: where it begins and where it ends.
const MARKERS: u64 = 2;

/// Texts to turn into vectors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmbedJob {
    /// The texts.
    pub inputs: Vec<String>,
    /// What is asked besides; there are no messages in it.
    pub extras: Extras,
}

impl EmbedJob {
    /// Texts, and nothing besides.
    pub fn of(inputs: Vec<String>) -> Self {
        Self { inputs, extras: Extras::default() }
    }

    /// Numbers that each vector must have, if the job says so.
    pub fn dimensions(&self) -> Option<u64> {
        self.extras.fields.get(DIMENSIONS)?.as_u64()
    }

    /// What an engine cannot carry whose vectors have `width` numbers and depend on the text
    /// alone: a field, by its name in the dialect.
    pub fn beyond_text(&self, width: Option<u32>) -> Option<String> {
        let own = |name: &str, value: &Value| {
            name == DIMENSIONS && width.is_some() && value.as_u64() == width.map(u64::from)
        };
        let mut fields = self.extras.fields.iter();
        fields.find(|(name, value)| !own(name, value)).map(|(name, _)| name.clone())
    }

    /// Tokens at most: a token has at least one byte, and what a field says, such as an
    /// instruction, may be put before each text.
    pub fn tokens_max(&self) -> u64 {
        let beside = self.extras.tokens_max().saturating_add(MARKERS);
        let of = |text: &String| (text.len() as u64).saturating_add(beside);
        self.inputs.iter().map(of).fold(0, u64::saturating_add)
    }

    /// Checks the job against the limits that hold for every engine.
    ///
    /// # Errors
    /// [`Failure::InvalidJob`].
    pub fn validate(&self) -> Result<(), Failure> {
        let inputs = self.inputs.len();
        if !(1..=EMBED_INPUTS_MAX).contains(&inputs) {
            return Err(Failure::invalid(format!("{inputs} inputs, 1 to {EMBED_INPUTS_MAX}")));
        }
        let bytes: usize = self.inputs.iter().map(String::len).sum();
        if bytes > EMBED_INPUTS_BYTES_MAX {
            return Err(Failure::invalid(format!(
                "the inputs have {bytes} bytes, at most {EMBED_INPUTS_BYTES_MAX}"
            )));
        }
        self.extras.validate()
    }
}

/// Vectors for a list of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// One vector per input, in the order of the inputs, all of one width.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens that the model read; `None` if nobody counted them.
    pub tokens: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(fields: &Value) -> EmbedJob {
        let mut job = EmbedJob::of(vec!["é".into(), "abc".into()]);
        job.extras.fields = fields.as_object().cloned().unwrap();
        job
    }

    #[test]
    fn only_an_engine_s_own_width_is_carried_by_all() {
        let check = |fields: Value, width, expect: Option<&str>| {
            assert_eq!(job(&fields).beyond_text(width).as_deref(), expect, "{fields}");
        };
        check(json!({}), None, None);
        check(json!({"dimensions": 64}), Some(64), None);
        check(json!({"dimensions": 63}), Some(64), Some("dimensions"));
        check(json!({"dimensions": "64"}), Some(64), Some("dimensions"));
        check(json!({"dimensions": 64}), None, Some("dimensions"));
        check(json!({"dimensions": 64, "task": "query"}), Some(64), Some("task"));
        assert_eq!(job(&json!({"dimensions": 3})).dimensions(), Some(3));
        assert_eq!(job(&json!({})).dimensions(), None);
    }

    #[test]
    fn everything_that_may_become_a_prompt_is_bounded() {
        assert_eq!(job(&json!({})).tokens_max(), 2 + 2 + 3 + 2);
        let instructed = job(&json!({"instruction": "find"}));
        let each = instructed.extras.tokens_max();
        assert!(each > "find".len() as u64);
        assert_eq!(instructed.tokens_max(), 2 + 2 + 3 + 2 + 2 * each);
    }

    #[test]
    fn jobs_are_checked() {
        let valid = |inputs| EmbedJob::of(inputs).validate().is_ok();
        assert!(valid(vec![String::new()]));
        assert!(!valid(vec![]));
        assert!(!valid(vec!["x".into(); EMBED_INPUTS_MAX + 1]));
        assert!(!valid(vec!["x".repeat(EMBED_INPUTS_BYTES_MAX + 1)]));
    }
}
