//! What terms owe to the terms of what the capsule is built on: they are not wider.
//!
//! A clause is inherited where a derivative would otherwise give away what its ancestor kept:
//! what for, where, whether the content is handed on, whether more may be built on it and for
//! which share. Price, quota, term, delegation and revocation are about calls and grants of the
//! derivative itself: its owner is free in them.
//!
//! **Invariant**: "not wider" is transitive. Terms that are accepted under their parent's are
//! accepted under those of every ancestor that the parent's were accepted under.

use crate::print::listed;
use crate::purpose::Purpose;
use crate::terms::{Right, Terms};
use crate::territory::Territory;
use ambar_base::{Coded, ErrorCode, Weight};
use std::collections::BTreeSet;
use std::fmt;

/// Rights that hand content on, or what was made of it. To call or to compose shows an answer.
const HANDING_ON: [Right; 4] = [Right::Fetch, Right::Derive, Right::Train, Right::Compute];

/// How terms are wider than those of an ancestor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Nothing may be built on the ancestor.
    #[error("nothing built on it may be published")]
    Forbidden,
    /// A right that the ancestor does not grant.
    #[error("it does not grant to {0}")]
    Right(&'static str),
    /// Any purpose, where the ancestor names those it allows.
    #[error("any purpose is allowed; it allows only {0}")]
    AnyPurpose(String),
    /// A purpose that the ancestor does not allow.
    #[error("it does not allow the purpose `{0}`")]
    Purpose(Purpose),
    /// A purpose that the ancestor denies.
    #[error("it denies the purpose `{0}`, which has to be denied here too")]
    PurposeNotDenied(Purpose),
    /// Everywhere, where the ancestor names the territories it allows.
    #[error("every territory is allowed; it allows only {0}")]
    AnyTerritory(String),
    /// A territory that the ancestor does not allow.
    #[error("it does not allow the territory `{0}`")]
    Territory(Territory),
    /// A territory that the ancestor denies.
    #[error("it denies the territory `{0}`, which has to be denied here too")]
    TerritoryNotDenied(Territory),
    /// A smaller share of what is built in turn.
    #[error("it asks a share of {least} of what is built on it, not {found}")]
    Share {
        /// The ancestor's.
        least: Weight,
        /// The terms' own.
        found: Weight,
    },
}

/// A clause that is wider than an ancestor's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Wider {
    /// The key of the clause, such as `purposes.deny`.
    pub key: &'static str,
    /// In what it is wider.
    pub excess: Excess,
}

impl fmt::Display for Wider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.excess)
    }
}

impl Coded for Wider {
    /// The terms can be corrected, unless nothing may be built at all.
    fn code(&self) -> ErrorCode {
        match self.excess {
            Excess::Forbidden => ErrorCode::NotAuthorised,
            _ => ErrorCode::TermsInvalid,
        }
    }
}

/// Every clause in which the terms of a derivative are wider than those of an ancestor that
/// somebody else owns. Nothing: they are accepted under it.
#[must_use]
pub fn check(child: &Terms, ancestor: &Terms) -> Vec<Wider> {
    let mut found = Vec::new();
    let mut refuse = |key, excess| found.push(Wider { key, excess });
    if !ancestor.derivatives.allowed {
        refuse("derivatives.allowed", Excess::Forbidden);
    }
    for right in HANDING_ON {
        if child.grants.contains(&right) && !ancestor.grants.contains(&right) {
            refuse("grants", Excess::Right(right.text()));
        }
    }
    purposes(child, ancestor, &mut refuse);
    territories(child, ancestor, &mut refuse);
    let (found_share, least) = (child.derivatives.share, ancestor.derivatives.share);
    if child.derivatives.allowed && found_share < least {
        refuse("derivatives.share", Excess::Share { least, found: found_share });
    }
    found
}

fn purposes(child: &Terms, ancestor: &Terms, refuse: &mut impl FnMut(&'static str, Excess)) {
    let (own, bound) = (&child.purposes, &ancestor.purposes);
    if own.allow.is_empty() && !bound.allow.is_empty() {
        refuse("purposes.allow", Excess::AnyPurpose(listed(&bound.allow)));
    }
    for word in own.allow.difference(&bound.allow) {
        if !bound.allow.is_empty() && !bound.deny.contains(word) {
            refuse("purposes.allow", Excess::Purpose(word.clone()));
        }
    }
    for word in &bound.deny {
        let listed = own.allow.is_empty() || own.allow.contains(word);
        if listed && !own.deny.contains(word) {
            refuse("purposes.deny", Excess::PurposeNotDenied(word.clone()));
        }
    }
}

fn territories(child: &Terms, ancestor: &Terms, refuse: &mut impl FnMut(&'static str, Excess)) {
    let (own, bound) = (&child.territories, &ancestor.territories);
    if bound.is_empty() {
        return;
    }
    let wider: BTreeSet<_> =
        Territory::all().filter(|code| own.admit(*code) && !bound.admit(*code)).collect();
    let everywhere = own.allow.is_empty() && !bound.allow.is_empty();
    // Who accepts terms without territories declares none, so none is kept.
    if own.is_empty() && wider.is_empty() || everywhere && !wider.is_empty() {
        let allowed = Territory::all().filter(|code| bound.admit(*code)).collect();
        return refuse("territories.allow", Excess::AnyTerritory(listed::<Territory>(&allowed)));
    }
    for code in wider {
        if bound.deny.contains(&code) {
            refuse("territories.deny", Excess::TerritoryNotDenied(code));
        } else {
            refuse("territories.allow", Excess::Territory(code));
        }
    }
}

#[cfg(test)]
#[path = "inherit_tests.rs"]
mod tests;
