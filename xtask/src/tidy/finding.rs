//! A finding: where, what is wrong, and what to do about it, on one line that
//! editors can follow.

use std::fmt;

/// One breach of a rule of the house.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// Relative to the root of the workspace.
    pub(super) path: String,
    /// From one.
    pub(super) line: usize,
    /// What is wrong, without a full stop.
    pub(super) what: String,
    /// What to do, in the imperative.
    pub(super) instead: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, instead } = self;
        write!(f, "{path}:{line}: {what}; {instead}")
    }
}
