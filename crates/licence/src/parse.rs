//! From TOML to [`Terms`]: the grammar of the terms language, version 1.
//!
//! Clauses that are understood but that nothing enforces have their syntax checked and
//! are then refused: a licensee must be able to rely on every sentence of the terms.

use crate::calendar::Civil;
use crate::problem::{Position, Problem, TermsError, TermsErrors};
use crate::purpose::{PURPOSES_MAX, Purpose};
use crate::reader::Reader;
use crate::terms::{
    DELEGATION_DEPTH_MAX, Delegation, Derivatives, LegalText, Period, PriceRule, Purposes,
    QUOTA_CALLS_MAX, Quota, Right, TERM_DAYS_MAX, TERMS_BYTES_MAX, TERMS_VERSION, Term, Terms,
};
use ambar_base::{Moment, Price, Weight};
use std::collections::BTreeSet;
use std::str::FromStr;
use toml::de::DeTable;
use toml::value::{Datetime, Offset};

/// Longest list of territories, items.
const TERRITORIES_MAX: usize = 300;

impl Terms {
    /// Reads terms from TOML. Every error is reported, with its line and column.
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
    Terms {
        terms: version.map_or(TERMS_VERSION, |version| version as u16),
        grants: reader.list("grants", Right::ALL.len(), right).into_iter().collect(),
        term: term(reader),
        quota: quota(reader),
        purposes: Purposes {
            allow: purposes(reader, "purposes.allow"),
            deny: purposes(reader, "purposes.deny"),
        },
        delegation: delegation(reader),
        price: PriceRule {
            per_mu: price(reader, "price.per_mu"),
            per_call: price(reader, "price.per_call"),
            minimum: price(reader, "price.minimum"),
        },
        derivatives: Derivatives {
            allowed: reader.boolean("derivatives.allowed").unwrap_or_default(),
            share: reader.parsed("derivatives.share", share).unwrap_or_default(),
            floor_per_call: price(reader, "derivatives.floor_per_call"),
        },
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
    let per = reader
        .parsed("quota.per", |text| word(text, &Period::ALL, Period::text, "day, month or term"));
    if !reader.has("quota.calls") {
        let other = reader.has("quota.rate") || reader.has("quota.spend");
        if reader.has("quota.per") {
            reader.refuse("quota.per", Problem::PerWithoutCalls);
        } else if reader.has("quota") && !other {
            reader.refuse_first("quota.calls", Problem::Missing);
        }
    }
    Some(Quota { calls: calls?, per: per.unwrap_or(Period::Term) })
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

/// Checks the syntax of the clauses that nothing enforces yet, then refuses them.
fn refuse_unenforced(reader: &mut Reader<'_>) {
    for key in ["territories.allow", "territories.deny"] {
        reader.list(key, TERRITORIES_MAX, territory);
    }
    let revocations = ["breach", "non_payment", "owner"];
    reader.list("revoke_if", revocations.len(), |text| {
        word(text, &revocations, |word| word, "breach, non_payment or owner")
    });
    reader.list("runtime.require", 1, |text| word(text, &["tee"], |word| word, "tee"));
    reader.parsed("quota.rate", rate);
    reader.parsed("quota.spend", |text| text.parse::<Price>().map_err(Problem::Money));
    for key in ["territories", "revoke_if", "runtime", "quota.rate", "quota.spend"] {
        if reader.has(key) {
            reader.refuse(key, Problem::NotEnforced);
        }
    }
}

/// An ISO 3166-1 alpha-2 code.
fn territory(text: &str) -> Result<String, Problem> {
    let code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let expected = "a two-letter country code such as PT";
    let problem = || Problem::UnknownWord { word: text.to_owned(), expected };
    code.then(|| text.to_owned()).ok_or_else(problem)
}

/// Calls per second, minute or hour, such as `5/s`.
fn rate(text: &str) -> Result<(u64, char), Problem> {
    let expected = "a rate such as 5/s, 300/m or 1000/h";
    let problem = || Problem::UnknownWord { word: text.to_owned(), expected };
    let (count, unit) = text.split_once('/').ok_or_else(problem)?;
    let unit = ["s", "m", "h"].iter().find(|known| **known == unit).ok_or_else(problem)?;
    let digits = count.bytes().all(|byte| byte.is_ascii_digit());
    let count = count.parse().ok().filter(|count| digits && *count > 0).ok_or_else(problem)?;
    Ok((count, unit.chars().next().ok_or_else(problem)?))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
