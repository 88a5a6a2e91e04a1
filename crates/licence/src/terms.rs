//! Terms: what an owner permits, to whom it does not matter, at which price.
//!
//! A closed schema: every clause is either enforced by a rule of the ledger or of the
//! gateway, or it is refused. Terms know no capsule and no licensee; a grant binds them.
//! Their document is canonical dag-cbor, its id the *terms digest* of grants.
//!
//! **Invariant**: a value that passes [`Terms::check`] contradicts itself nowhere, and
//! `Terms::parse(&terms.print())` gives it back.

use crate::calendar;
use crate::problem::{Problem, TermsErrors};
use crate::purpose::{PURPOSES_MAX, Purpose};
use ambar_base::document::{self, DocumentError};
use ambar_base::{Cid, Coded, Digest, ErrorCode, Moment, Mu, Price, Weight};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

mod form;

/// The version of the language that this crate speaks.
pub const TERMS_VERSION: u16 = 1;
/// Longest terms, as TOML or as a document, bytes.
pub const TERMS_BYTES_MAX: usize = 16 * 1024;
/// Longest term of a grant, days (a hundred years).
pub const TERM_DAYS_MAX: u32 = 36_525;
/// Largest quota, calls per period.
pub const QUOTA_CALLS_MAX: u64 = 1_000_000_000_000;
/// How often a certificate can be passed on at most. Terms that say nothing about
/// delegation allow this: a narrowed certificate spends its licensee's money only.
pub const DELEGATION_DEPTH_MAX: u16 = 15;
/// Longest SPDX expression, bytes.
pub const SPDX_BYTES_MAX: usize = 256;

/// What a licensee may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Call it through a gateway.
    Call,
    /// Use it as a component of another capsule.
    Compose,
    /// Fetch its content.
    Fetch,
    /// Build another capsule from it.
    Derive,
    /// Train models on it.
    Train,
    /// Run own code where it lies.
    Compute,
}

/// How long a grant lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// Days of 24 hours from acceptance, 1 to [`TERM_DAYS_MAX`].
    Days(u32),
    /// Up to, and not including, a moment.
    Until(#[serde(with = "form::moment")] Moment),
}

/// What a quota counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A UTC day.
    Day,
    /// A UTC calendar month.
    Month,
    /// The whole term of the grant.
    Term,
}

/// How often a licensee may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Calls per period, 1 to [`QUOTA_CALLS_MAX`].
    pub calls: u64,
    /// The period.
    pub per: Period,
}

/// What a licensee may call for. At most [`PURPOSES_MAX`] purposes in each list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purposes {
    /// Empty: any purpose.
    pub allow: BTreeSet<Purpose>,
    /// Never for these.
    pub deny: BTreeSet<Purpose>,
}

/// Whether a certificate may be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// Blocks that a certificate may have after its first, 0 to [`DELEGATION_DEPTH_MAX`].
    pub depth: u16,
}

impl Default for Delegation {
    fn default() -> Self {
        Self { depth: DELEGATION_DEPTH_MAX }
    }
}

/// What the owner earns by a call, in nano-credit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRule {
    /// Per MU of work.
    #[serde(with = "form::price")]
    pub per_mu: Price,
    /// Per call, whatever its work.
    #[serde(with = "form::price")]
    pub per_call: Price,
    /// Least for a call.
    #[serde(with = "form::price")]
    pub minimum: Price,
}

/// What becomes of capsules built on this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derivatives {
    /// Whether they may be published.
    pub allowed: bool,
    /// The part of their royalty that is due here.
    #[serde(with = "form::weight")]
    pub share: Weight,
    /// Least due here per call of theirs, in nano-credit.
    #[serde(with = "form::price")]
    pub floor_per_call: Price,
}

/// The text that a court would read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegalText {
    /// An SPDX licence expression (SPDX 2.3, annex D), at most [`SPDX_BYTES_MAX`] bytes.
    Spdx(String),
    /// The SHA-256 of the text.
    Sha256(Digest),
}

/// Terms of version [`TERMS_VERSION`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The version of the language.
    pub terms: u16,
    /// What is permitted, at least one right.
    pub grants: BTreeSet<Right>,
    /// How long; nothing: until revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// How often; nothing: without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// What for.
    pub purposes: Purposes,
    /// Whether a certificate may be passed on.
    pub delegation: Delegation,
    /// What a call costs.
    pub price: PriceRule,
    /// What becomes of derivatives.
    pub derivatives: Derivatives,
    /// The legal text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<LegalText>,
}

impl Right {
    /// Every right, in the order of documents.
    pub const ALL: [Self; 6] =
        [Self::Call, Self::Compose, Self::Fetch, Self::Derive, Self::Train, Self::Compute];

    /// The word of the language.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Compose => "compose",
            Self::Fetch => "fetch",
            Self::Derive => "derive",
            Self::Train => "train",
            Self::Compute => "compute",
        }
    }
}

impl Period {
    /// Every period.
    pub const ALL: [Self; 3] = [Self::Day, Self::Month, Self::Term];

    /// The word of the language.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Term => "term",
        }
    }
}

impl Quota {
    /// The number of the period that `now` lies in: UTC days or months since the one of
    /// acceptance, which is 0. A term is one period.
    #[must_use]
    pub fn period_of(&self, now: Moment, accepted: Moment) -> u64 {
        match self.per {
            Period::Day => now.day().saturating_sub(accepted.day()),
            Period::Month => now.month().saturating_sub(accepted.month()),
            Period::Term => 0,
        }
    }
}

impl PriceRule {
    /// The royalty of a call of this much work: `max(minimum, per_call + ⌊mu × per_mu⌋)`,
    /// rounded once, down, towards the payer. Nothing on overflow.
    #[must_use]
    pub fn royalty(&self, mu: Mu) -> Option<Price> {
        let metered = self.per_call.checked_add(mu.price(self.per_mu)?)?;
        Some(metered.max(self.minimum))
    }
}

impl Terms {
    /// Terms with these rights and nothing else said: free, for any purpose, without end.
    #[must_use]
    pub fn granting(grants: impl IntoIterator<Item = Right>) -> Self {
        Self {
            terms: TERMS_VERSION,
            grants: grants.into_iter().collect(),
            term: None,
            quota: None,
            purposes: Purposes::default(),
            delegation: Delegation::default(),
            price: PriceRule::default(),
            derivatives: Derivatives::default(),
            text: None,
        }
    }

    /// Reads terms from their document and checks them.
    pub fn from_document(bytes: &[u8]) -> Result<Self, TermsDocumentError> {
        let terms: Self = document::decode(bytes, TERMS_BYTES_MAX)?;
        terms.check()?;
        Ok(terms)
    }

    /// The canonical bytes of the document.
    #[must_use]
    pub fn to_document(&self) -> Vec<u8> {
        document::encode(self)
    }

    /// The id of the document: the terms digest.
    #[must_use]
    pub fn id(&self) -> Cid {
        document::id(self)
    }

    /// The first moment at which a grant accepted at `accepted` is over; nothing if it
    /// has no end.
    #[must_use]
    pub fn expires(&self, accepted: Moment) -> Option<Moment> {
        self.term.map(|term| match term {
            Term::Days(days) => accepted.after(u64::from(days) * Moment::DAY_MS),
            Term::Until(moment) => moment,
        })
    }

    /// What the cheapest possible call earns.
    #[must_use]
    pub fn minimum_price_per_call(&self) -> Price {
        self.price.minimum.max(self.price.per_call)
    }

    /// Refuses terms that contradict themselves or exceed a limit, with every reason.
    pub fn check(&self) -> Result<(), TermsErrors> {
        TermsErrors::unless_empty(self.problems())
    }

    /// Every contradiction and excess with the key it shows at: the one list of rules,
    /// for documents and for TOML.
    pub(crate) fn problems(&self) -> Vec<(&'static str, Problem)> {
        let mut found = self.purpose_problems();
        let mut refuse = |broken: bool, key, problem: Problem| {
            if broken {
                found.push((key, problem));
            }
        };
        refuse(self.terms != TERMS_VERSION, "terms", Problem::Version);
        refuse(self.grants.is_empty(), "grants", Problem::NothingGranted);
        let days = matches!(self.term, Some(Term::Days(days)) if days == 0 || days > TERM_DAYS_MAX);
        refuse(days, "term.days", Problem::OutOfRange { least: 1, most: TERM_DAYS_MAX.into() });
        let late = matches!(self.term, Some(Term::Until(moment)) if moment > calendar::MOMENT_MAX);
        refuse(late, "term.until", Problem::Instant);
        let calls = self.quota.is_some_and(|q| q.calls == 0 || q.calls > QUOTA_CALLS_MAX);
        refuse(calls, "quota.calls", Problem::OutOfRange { least: 1, most: QUOTA_CALLS_MAX });
        let depth = self.delegation.depth > DELEGATION_DEPTH_MAX;
        let most = DELEGATION_DEPTH_MAX.into();
        refuse(depth, "delegation.depth", Problem::OutOfRange { least: 0, most });
        let Derivatives { allowed, share, floor_per_call } = self.derivatives;
        refuse(share > Weight::ONE, "derivatives.share", Problem::Share);
        let due = share != Weight::ZERO || !floor_per_call.is_zero();
        refuse(!allowed && due, "derivatives.allowed", Problem::DerivativesForbidden);
        refuse(!self.spdx_is_plausible(), "text.spdx", Problem::Spdx);
        found
    }

    fn purpose_problems(&self) -> Vec<(&'static str, Problem)> {
        let Purposes { allow, deny } = &self.purposes;
        let both = allow.intersection(deny).cloned().map(Problem::AllowedAndDenied);
        let mut found: Vec<_> = both.map(|problem| ("purposes.deny", problem)).collect();
        for (key, list) in [("purposes.allow", allow), ("purposes.deny", deny)] {
            if list.len() > PURPOSES_MAX {
                found.push((key, Problem::TooMany { most: PURPOSES_MAX }));
            }
        }
        found
    }

    /// Only the letters of an expression are looked at: the SPDX list of names grows
    /// without us.
    fn spdx_is_plausible(&self) -> bool {
        let Some(LegalText::Spdx(text)) = &self.text else { return true };
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".+-:() ".contains(&byte);
        let named = text.bytes().any(|byte| byte.is_ascii_alphanumeric());
        named && text.len() <= SPDX_BYTES_MAX && text.bytes().all(letter) && text.trim() == text
    }
}

/// Why bytes are not terms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsDocumentError {
    /// Not a canonical document of this shape.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A document, but its terms contradict themselves or exceed a limit.
    #[error(transparent)]
    Terms(#[from] TermsErrors),
}

impl Coded for TermsDocumentError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Document(_) => ErrorCode::DocumentInvalid,
            Self::Terms(errors) => errors.code(),
        }
    }
}

#[cfg(test)]
#[path = "terms_tests.rs"]
pub(crate) mod tests;
