//! What changes for a licensee between two terms, clause by clause.
//!
//! It compares what clauses allow, not what a licensee makes of them: a longer list of
//! territories is wider even for somebody who needs one.
//!
//! **Invariant**: there are no changes exactly where terms are equal, and the changes from
//! `b` to `a` are those from `a` to `b` mirrored.

use crate::calendar;
use crate::print::listed;
use crate::quota::{Period, Quota};
use crate::rate::{Rate, RateUnit};
use crate::terms::{LegalText, PriceRule, Term, Terms};
use crate::tier::PriceTier;
use ambar_base::Price;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

/// What a change means for a licensee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// More is allowed.
    Wider,
    /// Less is allowed.
    Narrower,
    /// More is due.
    Dearer,
    /// Less is due.
    Cheaper,
    /// Neither contains the other.
    Other,
}

/// A clause that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key of the clause, such as `quota.calls`.
    pub key: &'static str,
    /// What it said, as a person reads it; nothing: it was not there.
    pub before: Option<String>,
    /// What it says now.
    pub after: Option<String>,
    /// What that means for a licensee.
    pub effect: Effect,
}

impl Effect {
    /// The word for it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Wider => "wider",
            Self::Narrower => "narrower",
            Self::Dearer => "dearer",
            Self::Cheaper => "cheaper",
            Self::Other => "other",
        }
    }

    /// The effect of the change back.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::Wider => Self::Narrower,
            Self::Narrower => Self::Wider,
            Self::Dearer => Self::Cheaper,
            Self::Cheaper => Self::Dearer,
            Self::Other => Self::Other,
        }
    }
}

impl fmt::Display for Change {
    /// One line: `quota.calls (narrower): 100 per day → 50 per day`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "not said".to_owned());
        let (before, after) = (said(&self.before), said(&self.after));
        write!(f, "{} ({}): {before} → {after}", self.key, self.effect.text())
    }
}

impl Change {
    /// The change back.
    #[must_use]
    pub fn mirrored(self) -> Self {
        let Self { key, before, after, effect } = self;
        Self { key, before: after, after: before, effect: effect.mirrored() }
    }
}

impl Terms {
    /// What changes for a licensee from these terms to `newer`, in the order of
    /// [`Terms::explain`].
    #[must_use]
    pub fn diff(&self, newer: &Self) -> Vec<Change> {
        let clauses = CLAUSES.iter().filter_map(|clause| {
            let (before, after) = ((clause.text)(self), (clause.text)(newer));
            let effect = (clause.effect)(self, newer);
            (before != after).then_some(Change { key: clause.key, before, after, effect })
        });
        clauses.collect()
    }
}

/// One clause: how a person reads it, and how two of it compare.
struct Clause {
    key: &'static str,
    /// Differs wherever the clauses differ.
    text: fn(&Terms) -> Option<String>,
    effect: fn(&Terms, &Terms) -> Effect,
}

/// Every clause, in the order of the sentences that explain it.
const CLAUSES: [Clause; 20] = [
    Clause { key: "terms", text: |t| Some(t.terms.to_string()), effect: |_, _| Effect::Other },
    Clause {
        key: "grants",
        text: |t| Some(t.grants.iter().map(|right| right.text()).collect::<Vec<_>>().join(", ")),
        effect: |a, b| permits(b.grants.is_superset(&a.grants), a.grants.is_superset(&b.grants)),
    },
    Clause {
        key: "purposes.allow",
        text: |t| list(&t.purposes.allow),
        effect: |a, b| allow(&a.purposes.allow, &b.purposes.allow),
    },
    Clause {
        key: "purposes.deny",
        text: |t| list(&t.purposes.deny),
        effect: |a, b| deny(&a.purposes.deny, &b.purposes.deny),
    },
    Clause {
        key: "territories.allow",
        text: |t| list(&t.territories.allow),
        effect: |a, b| allow(&a.territories.allow, &b.territories.allow),
    },
    Clause {
        key: "territories.deny",
        text: |t| list(&t.territories.deny),
        effect: |a, b| deny(&a.territories.deny, &b.territories.deny),
    },
    Clause { key: "term", text: |t| t.term.map(term), effect: |a, b| term_effect(a.term, b.term) },
    Clause {
        key: "quota.calls",
        text: |t| count(t, |quota| quota.calls.map(|calls| format!("{calls} calls"))),
        effect: |a, b| counted(a, b, |quota| quota.calls),
    },
    Clause {
        key: "quota.rate",
        text: |t| t.quota.and_then(|quota| quota.rate).map(|rate| rate.to_string()),
        effect: rate,
    },
    Clause {
        key: "quota.spend",
        text: |t| count(t, |quota| quota.spend.map(|spend| format!("{spend} credits"))),
        effect: |a, b| counted(a, b, |quota| quota.spend.map(|spend| spend.0)),
    },
    Clause {
        key: "price.per_mu",
        text: |t| money(t.price.per_mu, "per MU of work"),
        effect: |a, b| due(a.price.per_mu, b.price.per_mu),
    },
    Clause {
        key: "price.per_call",
        text: |t| money(t.price.per_call, "per call"),
        effect: |a, b| due(a.price.per_call, b.price.per_call),
    },
    Clause {
        key: "price.minimum",
        text: |t| money(t.price.minimum, "per call at least"),
        effect: |a, b| due(a.price.minimum, b.price.minimum),
    },
    Clause { key: "price.tier", text: tiers, effect: tier_effect },
    Clause {
        key: "delegation.depth",
        text: |t| Some(t.delegation.depth.to_string()),
        effect: |a, b| more(a.delegation.depth, b.delegation.depth),
    },
    Clause {
        key: "derivatives.allowed",
        text: |t| Some(t.derivatives.allowed.to_string()),
        effect: |a, b| more(a.derivatives.allowed, b.derivatives.allowed),
    },
    Clause {
        key: "derivatives.share",
        text: |t| {
            Some(t.derivatives.share).filter(|share| share.0 != 0).map(|share| share.to_string())
        },
        effect: |a, b| due(a.derivatives.share, b.derivatives.share),
    },
    Clause {
        key: "derivatives.floor_per_call",
        text: |t| money(t.derivatives.floor_per_call, "per call at least"),
        effect: |a, b| due(a.derivatives.floor_per_call, b.derivatives.floor_per_call),
    },
    Clause {
        key: "revoke_if",
        text: |t| list(&t.revoke_if.iter().map(|reason| reason.text()).collect()),
        effect: |a, b| deny(&a.revoke_if, &b.revoke_if),
    },
    Clause { key: "text", text: |t| t.text.as_ref().map(legal), effect: |_, _| Effect::Other },
];

/// From two facts: the newer permits all that the older does, and the reverse.
fn permits(newer: bool, older: bool) -> Effect {
    match (newer, older) {
        (true, false) => Effect::Wider,
        (false, true) => Effect::Narrower,
        _ => Effect::Other,
    }
}

fn more<T: Ord + Copy>(before: T, after: T) -> Effect {
    permits(after >= before, before >= after)
}

fn due<T: Ord + Copy>(before: T, after: T) -> Effect {
    match after.cmp(&before) {
        Ordering::Greater => Effect::Dearer,
        Ordering::Less => Effect::Cheaper,
        Ordering::Equal => Effect::Other,
    }
}

/// Of lists where an empty one allows everything.
fn allow<T: Ord>(before: &BTreeSet<T>, after: &BTreeSet<T>) -> Effect {
    let covers = |wide: &BTreeSet<T>, narrow: &BTreeSet<T>| {
        wide.is_empty() || (!narrow.is_empty() && wide.is_superset(narrow))
    };
    permits(covers(after, before), covers(before, after))
}

/// Of lists that each take something away.
fn deny<T: Ord>(before: &BTreeSet<T>, after: &BTreeSet<T>) -> Effect {
    permits(after.is_subset(before), before.is_subset(after))
}

/// Days and an instant compare only with their like: when terms are accepted is not known.
fn term_effect(before: Option<Term>, after: Option<Term>) -> Effect {
    match (before, after) {
        (Some(Term::Days(before)), Some(Term::Days(after))) => more(before, after),
        (Some(Term::Until(before)), Some(Term::Until(after))) => more(before, after),
        (before, after) => permits(after.is_none(), before.is_none()),
    }
}

/// How many of the shorter periods the longer one holds at most; nothing: no end of them.
fn periods(short: Period, long: Period) -> Option<u64> {
    match (short, long) {
        _ if short >= long => Some(1),
        (Period::Day, Period::Month) => Some(31),
        _ => None,
    }
}

fn counted(before: &Terms, after: &Terms, of: impl Fn(&Quota) -> Option<u64>) -> Effect {
    let limit = |terms: &Terms| terms.quota.and_then(|q| of(&q).map(|limit| (limit, q.per)));
    let covers = |wide: Option<(u64, Period)>, narrow: Option<(u64, Period)>| {
        let Some((wide, long)) = wide else { return true };
        let most = narrow.and_then(|(most, short)| periods(short, long)?.checked_mul(most));
        most.is_some_and(|most| wide >= most)
    };
    let (before, after) = (limit(before), limit(after));
    permits(covers(after, before), covers(before, after))
}

fn rate(before: &Terms, after: &Terms) -> Effect {
    let limit = |terms: &Terms| terms.quota.and_then(|quota| quota.rate);
    let times = |short: RateUnit, long: RateUnit| (long.ms() / short.ms()).max(1);
    let (before, after) = (limit(before), limit(after));
    let covers = |wide: Option<Rate>, narrow: Option<Rate>| {
        let Some(wide) = wide else { return true };
        narrow.is_some_and(|narrow| {
            u64::from(wide.calls) >= u64::from(narrow.calls) * times(narrow.per, wide.per)
        })
    };
    permits(covers(after, before), covers(before, after))
}

fn tiers(terms: &Terms) -> Option<String> {
    let tier = |tier: &PriceTier| {
        let PriceTier { from_calls, price: PriceRule { per_mu, per_call, minimum } } = tier;
        format!("from {from_calls} calls {per_mu} per MU, {per_call} per call, at least {minimum}")
    };
    let told: Vec<_> = terms.tiers.iter().map(tier).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// By the price after every number of calls at which a tier of either begins.
fn tier_effect(before: &Terms, after: &Terms) -> Effect {
    let at = |terms: &Terms, calls: u64| {
        let price = terms.price_of(terms.tier_after(calls)).copied().unwrap_or_default();
        [price.per_mu, price.per_call, price.minimum]
    };
    let begins = before.tiers.iter().chain(&after.tiers).map(|tier| tier.from_calls);
    let pairs = begins.flat_map(|calls| at(before, calls).into_iter().zip(at(after, calls)));
    let (mut dearer, mut cheaper) = (false, false);
    for (before, after) in pairs {
        dearer |= after > before;
        cheaper |= after < before;
    }
    match (dearer, cheaper) {
        (true, false) => Effect::Dearer,
        (false, true) => Effect::Cheaper,
        _ => Effect::Other,
    }
}

fn list<T: Ord + fmt::Display>(words: &BTreeSet<T>) -> Option<String> {
    (!words.is_empty()).then(|| listed(words))
}

fn money(price: Price, per: &str) -> Option<String> {
    (!price.is_zero()).then(|| format!("{price} credits {per}"))
}

fn count(terms: &Terms, text: impl Fn(&Quota) -> Option<String>) -> Option<String> {
    let quota = terms.quota.as_ref()?;
    text(quota).map(|limit| format!("{limit} {}", quota.per.phrase()))
}

fn term(term: Term) -> String {
    match term {
        Term::Days(days) => format!("{days} days"),
        Term::Until(until) => format!("until {}", calendar::print(until)),
    }
}

fn legal(text: &LegalText) -> String {
    match text {
        LegalText::Spdx(text) => format!("{text} (SPDX)"),
        LegalText::Sha256(digest) => format!("SHA-256 {digest}"),
    }
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
