//! What can be wrong with a rules file, and where.

use crate::place::Places;
use crate::rules::RULES_BYTES_MAX;
use ambar_base::{Coded, ErrorCode};
use std::fmt;

/// What is wrong with one key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A key that must be there.
    #[error("this key is missing")]
    Missing,
    /// A number outside its range.
    #[error("expected a number from {least} to {most}")]
    OutOfRange {
        /// Smallest allowed.
        least: u32,
        /// Largest allowed.
        most: u32,
    },
    /// Two values that exclude each other.
    #[error("expected at most `{0}`")]
    Above(&'static str),
    /// Not TOML.
    #[error("{0}")]
    Syntax(String),
    /// Longer than any rules.
    #[error("rules have at most {RULES_BYTES_MAX} bytes")]
    TooLong,
    /// No key of the language.
    #[error("no key of rules; the nearest known one is `{nearest}`")]
    UnknownKey {
        /// The nearest.
        nearest: &'static str,
    },
    /// Not one of the words.
    #[error("`{word}` is not one of {expected}")]
    UnknownWord {
        /// What stands there.
        word: String,
        /// What may.
        expected: String,
    },
    /// A value of another shape.
    #[error("expected {0}")]
    WrongType(&'static str),
}

/// A problem and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The key with its table; empty for the whole.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

impl RulesError {
    pub(crate) fn new(text: &str, at: usize, key: &str, problem: Problem) -> Self {
        let (line, column) = Places::new(text.as_bytes()).of(at);
        Self { line, column, key: key.to_owned(), problem }
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, key, problem } = self;
        let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
        write!(f, "line {line}, column {column}: {key}{problem}")
    }
}

/// Everything that is wrong with a rules file, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RulesErrors(pub Vec<RulesError>);

impl fmt::Display for RulesErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Coded for RulesErrors {
    fn code(&self) -> ErrorCode {
        ErrorCode::DocumentInvalid
    }

    fn help(&self) -> Option<String> {
        Some("correct the rules file; every error is listed".to_owned())
    }
}
