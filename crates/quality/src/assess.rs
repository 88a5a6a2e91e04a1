//! One record, looked at in every way.

use crate::addresses::addresses;
use crate::filler::filler;
use crate::finding::{Encoding, Finding, Part, Verdict};
use crate::fold::Folded;
use crate::language::language;
use crate::licences::is_licence;
use crate::personal::personal;
use crate::rules::Rules;
use crate::seen::Seen;
use crate::shingles::{Print, Shingles};

/// Most places at which one record addresses a model.
const ADDRESSES_MAX: usize = 64;
/// More control characters of a thousand bytes are no text.
const CONTROLS_PER_MILLE_MAX: usize = 10;

/// What was found in a record, what follows, and what is kept if it is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessed {
    /// In the order of the checks, then of their places.
    pub findings: Vec<Finding>,
    /// What follows from them.
    pub verdict: Verdict,
    /// For [`Seen::add`]; nothing if the record is no text or too long.
    pub print: Option<Print>,
}

/// Looks at a record. `seen` is what was accepted before it: what it may be a copy of. `whole` is
/// the datanet as far as it is known, the record itself included or not: what stands in many of
/// its records is boilerplate.
#[must_use]
pub fn assess(record: &[u8], rules: &Rules, seen: &Seen, whole: &Seen) -> Assessed {
    let (findings, print) = match text(record, rules) {
        Err(finding) => (vec![finding], None),
        Ok(text) => {
            let folded = Folded::of(text);
            let shingles = Shingles::of(&folded);
            let print = Print::of(record, &shingles);
            let mut findings = length(record, rules);
            findings.extend(duplicates(&print, rules, seen));
            findings.extend(boilerplate(&print, &shingles, rules, whole));
            findings.extend(content(text, &folded, &shingles, rules));
            (findings, Some(print))
        }
    };
    Assessed { verdict: Verdict::of(&findings, rules), findings, print }
}

impl Print {
    /// What is kept of a record, whatever else is found in it; nothing if it is no text or too
    /// long for the rules.
    #[must_use]
    pub fn of_record(record: &[u8], rules: &Rules) -> Option<Self> {
        let text = text(record, rules).ok()?;
        Some(Self::of(record, &Shingles::of(&Folded::of(text))))
    }
}

/// The record as text, or the one thing that is wrong with it.
fn text<'r>(record: &'r [u8], rules: &Rules) -> Result<&'r str, Finding> {
    let bytes = record.len() as u64;
    if record.iter().all(u8::is_ascii_whitespace) {
        return Err(Finding::Empty);
    }
    if bytes > u64::from(rules.bytes_max) {
        return Err(Finding::TooLong { bytes });
    }
    if record.starts_with(&[0xff, 0xfe]) || record.starts_with(&[0xfe, 0xff]) {
        return Err(Finding::NotText { at: 0, why: Encoding::Utf16 });
    }
    if let Some(at) = record.iter().position(|byte| *byte == 0) {
        return Err(Finding::NotText { at, why: Encoding::ZeroByte });
    }
    let text = std::str::from_utf8(record);
    let text =
        text.map_err(|error| Finding::NotText { at: error.valid_up_to(), why: Encoding::NotUtf8 })?;
    let is_control = |byte: &u8| matches!(byte, 1..=8 | 11 | 14..=26 | 28..=31 | 127);
    let controls = record.iter().filter(|byte| is_control(byte)).count();
    if controls * 1000 > record.len() * CONTROLS_PER_MILLE_MAX {
        let at = record.iter().position(is_control).unwrap_or_default();
        return Err(Finding::NotText { at, why: Encoding::Binary });
    }
    Ok(text)
}

fn length(record: &[u8], rules: &Rules) -> Vec<Finding> {
    let bytes = record.len() as u64;
    let short = bytes < u64::from(rules.bytes_min);
    short.then_some(Finding::TooShort { bytes }).into_iter().collect()
}

fn duplicates(print: &Print, rules: &Rules, seen: &Seen) -> Vec<Finding> {
    if let Some(of) = seen.exact(&print.digest) {
        return vec![Finding::ExactDuplicate { of }];
    }
    let near = seen.nearest(print).filter(|near| near.per_mille >= rules.near_review);
    if let Some(near) = near {
        return vec![Finding::NearDuplicate { of: near.of, per_mille: near.per_mille }];
    }
    let (in_it, of_it) = seen.overlaps(print);
    let parts = [(in_it, Part::This), (of_it, Part::Other)];
    let found = parts.into_iter().filter_map(|(found, part)| {
        let found = found.filter(|found| found.per_mille >= rules.overlap_share)?;
        Some(Finding::Overlap { of: found.of, per_mille: found.per_mille, part })
    });
    found.collect()
}

fn boilerplate(print: &Print, shingles: &Shingles, rules: &Rules, whole: &Seen) -> Option<Finding> {
    let records = rules.boilerplate_records as usize;
    // The record counts itself, whether it is in the index or not.
    let others = records - usize::from(whole.exact(&print.digest).is_none());
    let common = |hash: u64| is_licence(hash) || whole.standing(hash, others) >= others;
    let kept = shingles.kept();
    let found: Vec<u32> =
        kept.iter().filter(|(hash, _)| common(*hash)).map(|(_, at)| *at).collect();
    let per_mille = (found.len() * 1000 / kept.len().max(1)) as u32;
    let at = found.into_iter().min()? as usize;
    (per_mille >= rules.boilerplate_share).then_some(Finding::Boilerplate { per_mille, at })
}

fn content(text: &str, folded: &Folded, shingles: &Shingles, rules: &Rules) -> Vec<Finding> {
    let fillers = filler(text, folded, shingles, rules);
    let mut findings: Vec<_> =
        fillers.into_iter().map(|(at, why)| Finding::Filler { why, at }).collect();
    let mut addressed = addresses(text, folded);
    addressed.truncate(ADDRESSES_MAX);
    let addressed = addressed.into_iter();
    findings.extend(addressed.map(|(at, phrase)| Finding::AddressesModel { at, phrase }));
    if !rules.languages.is_empty() {
        let found = language(text, folded).filter(|found| !rules.languages.contains(found));
        findings.extend(found.map(|found| Finding::Language { found }));
    }
    let personal = personal(text.as_bytes()).into_iter();
    findings.extend(personal.map(|(at, kind)| Finding::Personal { kind, at }));
    findings
}

#[cfg(test)]
#[path = "assess_tests.rs"]
mod tests;
