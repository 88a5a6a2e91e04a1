//! Purposes: what a call is made for, as declared.
//!
//! A purpose is a word, not a proof: it is bound into the signed receipt, and a breach is
//! a matter of dispute. Words have one spelling, so that sets of them can be compared in
//! terms, certificates and headers alike.

use ambar_base::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest purpose, bytes.
pub const PURPOSE_BYTES_MAX: usize = 64;
/// Most purposes in one list of terms, or in one block of a certificate.
pub const PURPOSES_MAX: usize = 32;

/// A purpose: 1 to [`PURPOSE_BYTES_MAX`] of `a-z 0-9 _ . -`, beginning with a letter or
/// a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Purpose(String);

/// The text is not a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a purpose is 1 to {PURPOSE_BYTES_MAX} of a-z 0-9 _ . - beginning with a letter or digit")]
pub struct PurposeError;

impl Coded for PurposeError {
    fn code(&self) -> ErrorCode {
        ErrorCode::RequestInvalid
    }
}

impl Purpose {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Purpose {
    type Error = PurposeError;

    fn try_from(text: String) -> Result<Self, PurposeError> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let starts = text.bytes().next().is_some_and(letter);
        let word = text.bytes().all(|byte| letter(byte) || b"_.-".contains(&byte));
        if starts && word && text.len() <= PURPOSE_BYTES_MAX {
            Ok(Self(text))
        } else {
            Err(PurposeError)
        }
    }
}

impl FromStr for Purpose {
    type Err = PurposeError;

    fn from_str(text: &str) -> Result<Self, PurposeError> {
        if text.len() > PURPOSE_BYTES_MAX { Err(PurposeError) } else { text.to_owned().try_into() }
    }
}

impl From<Purpose> for String {
    fn from(purpose: Purpose) -> Self {
        purpose.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling() {
        let check =
            |text: &str, ok: bool| assert_eq!(text.parse::<Purpose>().is_ok(), ok, "{text}");
        check("research", true);
        check("non-profit.eu_2", true);
        check("2026", true);
        check(&"a".repeat(64), true);
        check(&"a".repeat(65), false);
        for bad in ["", "-a", ".", "Research", "re search", "a\"b", "é", "a,b", "a}"] {
            check(bad, false);
        }
    }
}
