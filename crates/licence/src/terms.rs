//! Terms: what an owner permits, to whom it does not matter, at which price.
//!
//! A closed schema: every clause is either enforced by a rule of the ledger or of the
//! gateway, or it is refused. Terms know no capsule and no licensee; a grant binds them.
//! Their document is canonical dag-cbor, its id the *terms digest* of grants.
//!
//! **Invariant**: a value that passes [`Terms::check`] contradicts itself nowhere, and
//! `Terms::parse(&terms.print())` gives it back.

use crate::problem::TermsErrors;
use crate::purpose::Purpose;
use crate::quota::Quota;
use crate::revocation::Revocation;
use crate::territory::Territories;
use crate::tier::PriceTier;
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

/// What a licensee may call for. At most [`PURPOSES_MAX`](crate::purpose::PURPOSES_MAX) purposes in each list.
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
    /// How often, how fast and for how much; nothing: without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// What for.
    pub purposes: Purposes,
    /// Where.
    #[serde(default, skip_serializing_if = "Territories::is_empty")]
    pub territories: Territories,
    /// Whether a certificate may be passed on.
    pub delegation: Delegation,
    /// What a call costs, from the first one on.
    pub price: PriceRule,
    /// What it costs once many have settled, ascending, no price above the one before; at most
    /// [`TIERS_MAX`](crate::tier::TIERS_MAX).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<PriceTier>,
    /// What becomes of derivatives.
    pub derivatives: Derivatives,
    /// When the owner may end a grant; nothing: never.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub revoke_if: BTreeSet<Revocation>,
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

impl PriceRule {
    /// What the smallest call earns.
    #[must_use]
    pub fn least(&self) -> Price {
        self.minimum.max(self.per_call)
    }

    /// The royalty of a call of this much work: `max(minimum, per_call + ⌊mu × per_mu⌋)`,
    /// rounded once, down, towards the payer. Nothing on overflow.
    #[must_use]
    pub fn royalty(&self, mu: Mu) -> Option<Price> {
        let metered = self.per_call.checked_add(mu.price(self.per_mu)?)?;
        Some(metered.max(self.minimum))
    }
}

impl Terms {
    /// Terms with these rights and nothing else said: free, for any purpose, anywhere,
    /// without end, for the owner not to revoke.
    #[must_use]
    pub fn granting(grants: impl IntoIterator<Item = Right>) -> Self {
        Self {
            terms: TERMS_VERSION,
            grants: grants.into_iter().collect(),
            term: None,
            quota: None,
            purposes: Purposes::default(),
            territories: Territories::default(),
            delegation: Delegation::default(),
            price: PriceRule::default(),
            tiers: Vec::new(),
            derivatives: Derivatives::default(),
            revoke_if: BTreeSet::new(),
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

    /// What the cheapest possible call earns, in the cheapest tier.
    #[must_use]
    pub fn minimum_price_per_call(&self) -> Price {
        let least = self.prices().map(|(_, price)| price.least()).min();
        least.unwrap_or_default()
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
