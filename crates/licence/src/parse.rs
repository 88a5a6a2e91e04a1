//! From TOML to [`Terms`]: the grammar of the terms language, version 1.
//!
//! Clauses that are understood but that nothing enforces have their syntax checked and
//! are then refused: a licensee must be able to rely on every sentence of the terms.

use crate::calendar::Civil;
use crate::problem::{Position, Problem, TermsError, TermsErrors};
use crate::purpose::{PURPOSES_MAX, Purpose};
use crate::quota::{Period, QUOTA_CALLS_MAX, Quota};
use crate::reader::Reader;
use crate::revocation::Revocation;
use crate::terms::{
    DELEGATION_DEPTH_MAX, Delegation, Derivatives, LegalText, PriceRule, Purposes, Right,
    TERM_DAYS_MAX, TERMS_BYTES_MAX, TERMS_VERSION, Term, Terms,
};
use crate::territory::{TERRITORIES_MAX, Territories, Territory};
use crate::tier::{PriceTier, TIERS_MAX};
use ambar_base::{Moment, Price, Weight};
use std::collections::BTreeSet;
use std::str::FromStr;
use toml::de::DeTable;
use toml::value::{Datetime, Offset};

impl Terms {
    /// Reads terms from TOML. Every error is reported, with its line and column. A clause that
    /// nothing enforces is an error too: a licensee must be able to rely on every sentence.
    pub fn parse(text: &str) -> Result<Self, TermsErrors> {
        if text.len() > TERMS_BYTES_MAX {
            TermsErrors::unless_empty(vec![("", Problem::TooLong)])?;
        }
        let (root, errors) = DeTable::parse_recoverable(text);
        TermsErrors::unless_none(errors.iter().map(|error| syntax(text, error)).collect())?;
        let mut reader = Reader::new(text, root.get_ref());
        let terms = read_terms(&mut reader);
        for (key, problem) in terms.problems() {
            reader.refuse_first(key, problem);
        }
        reader.finish()?;
        Ok(terms)
    }
}

impl FromStr for Terms {
    type Err = TermsErrors;

    fn from_str(text: &str) -> Result<Self, TermsErrors> {
        Self::parse(text)
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> TermsError {
    let offset = error.span().map_or(0, |span| span.start);
    TermsError {
        position: Some(Position::of(text, offset)),
        key: String::new(),
        problem: Problem::Syntax(error.message().to_owned()),
    }
}

fn read_terms(reader: &mut Reader<'_>) -> Terms {
    for key in ["terms", "grants"] {
        if !reader.has(key) {
            reader.refuse(key, Problem::Missing);
        }
    }
    refuse_unenforced(reader);
    let version = reader.integer("terms", 0, u16::MAX.into());
    let base = PriceRule {
        per_mu: price(reader, "price.per_mu"),
        per_call: price(reader, "price.per_call"),
        minimum: price(reader, "price.minimum"),
    };
    Terms {
        terms: version.map_or(TERMS_VERSION, |version| version as u16),
        grants: reader.list("grants", Right::ALL.len(), right).into_iter().collect(),
        term: term(reader),
        quota: quota(reader),
        purposes: Purposes {
            allow: purposes(reader, "purposes.allow"),
            deny: purposes(reader, "purposes.deny"),
        },
        territories: Territories {
            allow: territories(reader, "territories.allow"),
            deny: territories(reader, "territories.deny"),
        },
        delegation: delegation(reader),
        price: base,
        tiers: tiers(reader, base),
        derivatives: Derivatives {
            allowed: reader.boolean("derivatives.allowed").unwrap_or_default(),
            share: reader.parsed("derivatives.share", share).unwrap_or_default(),
            floor_per_call: price(reader, "derivatives.floor_per_call"),
        },
        revoke_if: revocations(reader),
        text: legal_text(reader),
    }
}

fn word<T: Copy>(
    word: &str,
    all: &[T],
    text: impl Fn(T) -> &'static str,
    expected: &'static str,
) -> Result<T, Problem> {
    let found = all.iter().copied().find(|item| text(*item) == word);
    found.ok_or_else(|| Problem::UnknownWord { word: word.to_owned(), expected })
}

fn right(text: &str) -> Result<Right, Problem> {
    word(text, &Right::ALL, Right::text, "call, compose, fetch, derive, train or compute")
}

fn share(text: &str) -> Result<Weight, Problem> {
    text.parse().map_err(|_| Problem::Share)
}

fn purposes(reader: &mut Reader<'_>, key: &str) -> BTreeSet<Purpose> {
    let read = |text: &str| text.parse::<Purpose>().map_err(Problem::from);
    reader.list(key, PURPOSES_MAX, read).into_iter().collect()
}

fn price(reader: &mut Reader<'_>, key: &str) -> Price {
    reader.parsed(key, |text| text.parse().map_err(Problem::Money)).unwrap_or_default()
}

/// Tiers after the first price. What a tier does not say is as in the tier before. What is wrong
/// with one after the one before has its place in the text here.
fn tiers(reader: &mut Reader<'_>, base: PriceRule) -> Vec<PriceTier> {
    let mut before: (u64, PriceRule) = (0, base);
    let mut tiers = Vec::new();
    reader.each("price.tier", TIERS_MAX, |reader| {
        let (calls, price) = before;
        if !reader.has("price.tier.from_calls") {
            reader.refuse("price.tier.from_calls", Problem::Missing);
        }
        let mut part = |key, before| {
            reader.parsed(key, |text| text.parse().map_err(Problem::Money)).unwrap_or(before)
        };
        let rule = PriceRule {
            per_mu: part("price.tier.per_mu", price.per_mu),
            per_call: part("price.tier.per_call", price.per_call),
            minimum: part("price.tier.minimum", price.minimum),
        };
        let from_calls = reader.integer("price.tier.from_calls", 1, QUOTA_CALLS_MAX);
        // A number that could not be read has its error; an order is not looked for then.
        let tier =
            PriceTier { from_calls: from_calls.unwrap_or(calls.saturating_add(1)), price: rule };
        for (key, problem) in tier.problems(calls, &price) {
            reader.refuse_first(key, problem);
        }
        before = (tier.from_calls, tier.price);
        tiers.push(tier);
    });
    tiers
}

fn term(reader: &mut Reader<'_>) -> Option<Term> {
    let days = reader.integer("term.days", 1, TERM_DAYS_MAX.into()).map(|days| days as u32);
    let until = reader.datetime("term.until");
    let until = until.map(|until| instant(until).ok_or(Problem::Instant));
    match (reader.has("term.days"), until) {
        (true, Some(_)) => reader.refuse("term.until", Problem::DaysAndUntil),
        (false, Some(Ok(until))) => return Some(Term::Until(until)),
        (false, Some(Err(problem))) => reader.refuse("term.until", problem),
        (true, None) => return days.map(Term::Days),
        (false, None) if reader.has("term") => reader.refuse_first("term", Problem::TermEmpty),
        (false, None) => {}
    }
    None
}

fn instant(from: &Datetime) -> Option<Moment> {
    let (date, time, offset) = (from.date?, from.time?, from.offset?);
    // Consensus time has no leap seconds.
    if time.second > 59 {
        return None;
    }
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let seconds =
        (u64::from(time.hour) * 60 + u64::from(time.minute)) * 60 + u64::from(time.second);
    let ms = seconds * 1_000 + u64::from(time.nanosecond / 1_000_000);
    let local = Civil { year: date.year, month: date.month, day: date.day, ms }.moment()?;
    local.0.checked_add_signed(-minutes * 60_000).map(Moment)
}

fn quota(reader: &mut Reader<'_>) -> Option<Quota> {
    let calls = reader.integer("quota.calls", 1, QUOTA_CALLS_MAX);
    let spend = reader.parsed("quota.spend", |text| text.parse().map_err(Problem::Money));
    let rate = reader.parsed("quota.rate", |text| text.parse().map_err(Problem::Rate));
    let per = reader
        .parsed("quota.per", |text| word(text, &Period::ALL, Period::text, "day, month or term"));
    if reader.has("quota.per") && !reader.has("quota.calls") && !reader.has("quota.spend") {
        // Also where it says `term`, which is what a quota without counts holds.
        reader.refuse_first("quota.per", Problem::PerWithoutCount);
        return None;
    }
    let limits = ["quota.calls", "quota.spend", "quota.rate"];
    if reader.has("quota") && !limits.iter().any(|key| reader.has(key)) {
        reader.refuse_first("quota", Problem::QuotaEmpty);
    }
    // A limit that could not be read has its error; nothing is said of the rest then.
    let read = [calls.is_some(), spend.is_some(), rate.is_some()];
    let whole = limits.iter().zip(read).all(|(key, read)| read || !reader.has(key));
    let quota = Quota { per: per.unwrap_or(Period::Term), calls, spend, rate };
    (whole && read.contains(&true)).then_some(quota)
}

fn territories(reader: &mut Reader<'_>, key: &str) -> BTreeSet<Territory> {
    let read = |text: &str| text.parse::<Territory>().map_err(Problem::from);
    reader.list(key, TERRITORIES_MAX, read).into_iter().collect()
}

fn revocations(reader: &mut Reader<'_>) -> BTreeSet<Revocation> {
    let read =
        |text: &str| word(text, &Revocation::ALL, Revocation::text, "breach, non_payment or owner");
    reader.list("revoke_if", Revocation::ALL.len(), read).into_iter().collect()
}

fn delegation(reader: &mut Reader<'_>) -> Delegation {
    let depth = reader.integer("delegation.depth", 0, DELEGATION_DEPTH_MAX.into());
    depth.map_or(Delegation::default(), |depth| Delegation { depth: depth as u16 })
}

fn legal_text(reader: &mut Reader<'_>) -> Option<LegalText> {
    let spdx = reader.text("text.spdx").map(str::to_owned).map(LegalText::Spdx);
    let digest = |text: &str| text.parse().map_err(|_| Problem::Digest);
    let sha256 = reader.parsed("text.sha256", digest).map(LegalText::Sha256);
    let named = ["text.spdx", "text.sha256"].iter().filter(|key| reader.has(key)).count();
    if reader.has("text") && named != 1 {
        reader.refuse_first("text", Problem::OneText);
    }
    spdx.or(sha256)
}

/// A runtime that can be attested is understood; no node can prove one, so it is refused.
fn refuse_unenforced(reader: &mut Reader<'_>) {
    reader.list("runtime.require", 1, |text| word(text, &["tee"], |word| word, "tee"));
    if reader.has("runtime") {
        reader.refuse("runtime", Problem::NotEnforced);
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
