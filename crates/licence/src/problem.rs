//! What can be wrong with terms, where, and how it is said.
//!
//! All errors of a text are reported at once, in the order of their positions.

use crate::calendar;
use crate::purpose::{Purpose, PurposeError};
use crate::rate::RateError;
use crate::terms::{TERMS_BYTES_MAX, TERMS_VERSION};
use crate::territory::{Territory, TerritoryError};
use ambar_base::amount::MoneyError;
use ambar_base::{Coded, ErrorCode, Moment, Price};
use std::fmt;

/// Most errors reported for one text; the rest are counted by nobody.
pub const ERRORS_MAX: usize = 100;

/// A place in a text, both from 1. Columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Position {
    /// The position of a byte offset; past the end it is the end.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// What is wrong with one clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A purpose is in both lists.
    #[error("the purpose `{0}` is both allowed and denied")]
    AllowedAndDenied(Purpose),
    /// A clause about calls where neither `call` nor `compose` is granted.
    #[error("binds nothing: neither `call` nor `compose` is granted")]
    BindsNothing,
    /// `days` and `until` exclude each other.
    #[error("a term has either `days` or `until`, not both")]
    DaysAndUntil,
    /// A share or floor of derivatives that are forbidden.
    #[error("derivatives are not allowed, so nothing can be due from them")]
    DerivativesForbidden,
    /// Not the SHA-256 of anything.
    #[error("expected 64 lower-case hexadecimal digits")]
    Digest,
    /// An instant without zone, or outside 1970 to 9999.
    #[error(
        "expected an instant with its zone, such as 2027-01-31T00:00:00Z, before the year 10000"
    )]
    Instant,
    /// A clause that must be there.
    #[error("this key is missing")]
    Missing,
    /// Not an amount of money.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A clause that is understood and that nothing here enforces.
    #[error("understood, but not yet enforced by this version, so it is refused")]
    NotEnforced,
    /// No right at all.
    #[error("at least one right must be granted")]
    NothingGranted,
    /// A number outside its range.
    #[error("expected a number from {least} to {most}")]
    OutOfRange {
        /// Smallest allowed.
        least: u64,
        /// Largest allowed.
        most: u64,
    },
    /// A term that is over.
    #[error("the term ended at {}", calendar::print(*.until))]
    Over {
        /// When it ended.
        until: Moment,
    },
    /// `per` says nothing without `calls` or `spend`.
    #[error("`per` needs `calls` or `spend` beside it")]
    PerWithoutCount,
    /// Not a purpose.
    #[error(transparent)]
    Purpose(#[from] PurposeError),
    /// A quota without any limit.
    #[error("a quota needs `calls`, `spend` or `rate`")]
    QuotaEmpty,
    /// Not a rate.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// Named twice in one list.
    #[error("`{0}` is named twice")]
    Repeated(String),
    /// Not a share, or more than the whole.
    #[error("expected a share from 0% to 100% with at most 7 decimals, such as \"15%\"")]
    Share,
    /// Not an SPDX expression.
    #[error("expected an SPDX licence expression, such as \"CC-BY-4.0\"")]
    Spdx,
    /// Two legal texts, or none.
    #[error("a legal text is named by exactly one of `spdx` and `sha256`")]
    OneText,
    /// A spend that no call fits into.
    #[error("no call would fit: expected at least {least} credits, what the cheapest call costs")]
    SpendTooLow {
        /// Smallest that a call fits into.
        least: Price,
    },
    /// Not TOML.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// Neither `days` nor `until`.
    #[error("a term needs `days` or `until`")]
    TermEmpty,
    /// A tier with a price above the one before.
    #[error("dearer than the tier before, which asks {before}")]
    TierDearer {
        /// What the tier before asks.
        before: Price,
    },
    /// Tiers that do not ascend.
    #[error("tiers ascend: expected more than {before}")]
    TierOrder {
        /// From how many calls on the tier before holds.
        before: u64,
    },
    /// Not a territory.
    #[error(transparent)]
    Territory(#[from] TerritoryError),
    /// A territory is in both lists.
    #[error("the territory `{0}` is both allowed and denied")]
    TerritoryAllowedAndDenied(Territory),
    /// Longer than the limit.
    #[error("longer than {TERMS_BYTES_MAX} bytes")]
    TooLong,
    /// More items than the limit.
    #[error("more than {most} items")]
    TooMany {
        /// Most allowed.
        most: usize,
    },
    /// A key that the language does not have.
    #[error("unknown key; the nearest known one is `{nearest}`")]
    UnknownKey {
        /// The known key most like it.
        nearest: &'static str,
    },
    /// A word that the clause does not have.
    #[error("unknown word `{word}`; expected {expected}")]
    UnknownWord {
        /// The word found.
        word: String,
        /// The words there are.
        expected: &'static str,
    },
    /// A version that this crate does not speak.
    #[error("expected terms = {TERMS_VERSION}, the version of the language spoken here")]
    Version,
    /// A value of another type.
    #[error("expected {expected}")]
    WrongType {
        /// What was expected.
        expected: &'static str,
    },
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermsError {
    /// Where in the text, if there is one.
    pub position: Option<Position>,
    /// The key with its table, such as `quota.calls`; empty for the whole text.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for TermsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        self.problem.fmt(f)
    }
}

/// Everything that is wrong with terms; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines().join("\n"))]
pub struct TermsErrors(Vec<TermsError>);

impl TermsErrors {
    /// The errors, in the order of the text, at most [`ERRORS_MAX`].
    #[must_use]
    pub fn errors(&self) -> &[TermsError] {
        &self.0
    }

    fn lines(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn unless_empty(problems: Vec<(&'static str, Problem)>) -> Result<(), Self> {
        let error = |(key, problem): (&str, Problem)| TermsError {
            position: None,
            key: key.to_owned(),
            problem,
        };
        Self::unless_none(problems.into_iter().map(error).collect())
    }

    pub(crate) fn unless_none(mut errors: Vec<TermsError>) -> Result<(), Self> {
        errors.sort_by_key(|error| error.position);
        errors.truncate(ERRORS_MAX);
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }
}

impl Coded for TermsErrors {
    /// `not_enforced` when that is all that is wrong.
    fn code(&self) -> ErrorCode {
        let only = |problem: &Problem| self.0.iter().all(|error| error.problem == *problem);
        if only(&Problem::NotEnforced) {
            ErrorCode::NotEnforced
        } else if only(&Problem::TooLong) {
            ErrorCode::LimitExceeded
        } else {
            ErrorCode::TermsInvalid
        }
    }
}
