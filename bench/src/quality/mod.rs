//! Quality of records: near-duplicates of the presidents' speeches with known answers, false
//! alarms on the speeches themselves, and how fast one core checks.
//!
//! Every case is made from a seed, so that a figure here can be repeated anywhere.

pub mod cases;

use crate::plan::Plan;
use crate::presidents;
use crate::table::{Table, Target};
use crate::usage::{resident_megabytes, thread_cpu};
use ambar_base::Encode;
use ambar_quality::{Check, Finding, Print, Rules, Seen, assess};
use anyhow::{Context, Result};
use cases::{Case, Class};
use std::collections::BTreeMap;

/// Checking and accepting, MB per second of one core.
const CHECK_MB_PER_S_MIN: f64 = 5.0;
/// Thresholds beside the default one, per mille.
const OTHER_THRESHOLDS: [u32; 3] = [200, 400, 600];
/// Records of the index whose memory is measured.
const MEMORY_RECORDS: usize = 4000;
/// Words of such a record.
const MEMORY_RECORD_WORDS: usize = 300;

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let place = plan.directory()?;
    presidents::unpack(place.path())?;
    let (documents, _) = presidents::documents(place.path())?;
    let records = documents.into_iter().map(|document| String::from_utf8(document.text));
    let records: Vec<String> = records.collect::<Result<_, _>>().context("speeches are UTF-8")?;
    let mut table = Table::default();
    memory(&mut table, &records)?;
    speed(&mut table, &records, plan.pick(5, 2))?;
    alarms(&mut table, &records);
    for threshold in [&[Rules::default().near_review], &OTHER_THRESHOLDS[..]].concat() {
        near(&mut table, &records, threshold);
    }
    Ok(table)
}

/// Every record checked with all checks, and accepted.
fn speed(table: &mut Table, records: &[String], rounds: usize) -> Result<()> {
    let rules: Rules = "rules = 1\n[language]\nallow = [\"en\"]".parse()?;
    let bytes: usize = records.iter().map(String::len).sum();
    let small: Vec<String> = records.iter().flat_map(|record| cases::cut(record, 200)).collect();
    for (name, records) in [("speeches", records), ("pieces of 200 words", &small[..])] {
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let (mut seen, before) = (Seen::default(), thread_cpu()?);
            for (number, record) in (0..).zip(records) {
                let assessed = assess(record.as_bytes(), &rules, &seen, &seen);
                seen.add(number, assessed.print.context("a speech is text")?)?;
            }
            let used = thread_cpu()?.saturating_sub(before);
            rates.push(bytes as f64 / 1e6 / used.as_secs_f64());
        }
        let what = format!("all checks, {name}, one core");
        table.aimed(what, "MB/s", rates, Target::AtLeast(CHECK_MB_PER_S_MIN));
    }
    table.note(format!("{} speeches, {} pieces; {bytes} bytes", records.len(), small.len()));
    Ok(())
}

/// What an index of many records takes.
fn memory(table: &mut Table, records: &[String]) -> Result<()> {
    let rules = Rules::default();
    let pieces = records.iter().flat_map(|record| cases::cut(record, MEMORY_RECORD_WORDS));
    let pieces: Vec<String> = pieces.take(MEMORY_RECORDS).collect();
    let print = |piece: &String| Print::of_record(piece.as_bytes(), &rules);
    let prints: Vec<_> = pieces.iter().filter_map(print).collect();
    let before = resident_megabytes(std::process::id())?;
    let mut seen = Seen::default();
    for (number, print) in (0..).zip(&prints) {
        seen.add(number, print.clone())?;
    }
    let used = (resident_megabytes(std::process::id())? - before) * 1e6 / seen.len() as f64;
    table.row("index in memory, a record of 300 words", "bytes", vec![used]);
    let encoded = seen.to_bytes().len() as f64 / seen.len() as f64;
    table.row("index encoded, a record of 300 words", "bytes", vec![encoded]);
    Ok(())
}

/// What each check says of the untouched records, of which nothing is to be said.
fn alarms(table: &mut Table, records: &[String]) {
    let rules = Rules { languages: [ambar_quality::Language::English].into(), ..Rules::default() };
    let mut seen = Seen::default();
    for (number, record) in (0..).zip(records) {
        let print = Print::of_record(record.as_bytes(), &rules);
        let added = print.map(|print| seen.add(number, print));
        assert!(matches!(added, Some(Ok(()))), "a speech is text");
    }
    let mut counts: BTreeMap<Check, usize> = BTreeMap::new();
    for (number, record) in (0..).zip(records) {
        let mut others = seen.clone();
        others.remove(number);
        let findings = assess(record.as_bytes(), &rules, &others, &seen).findings;
        let mut kinds: Vec<Check> = findings.iter().map(Finding::check).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().for_each(|kind| *counts.entry(kind).or_default() += 1);
    }
    for check in Check::ALL {
        let count = counts.get(check).copied().unwrap_or_default();
        table.row(format!("false alarms, {}", check.text()), "records", vec![count as f64]);
    }
}

/// Precision and recall of near-duplicates at a threshold, and what overlaps add.
fn near(table: &mut Table, records: &[String], threshold: u32) {
    let near_reject = Rules::default().near_reject;
    let rules = Rules { near_review: threshold, near_reject, ..Rules::default() };
    // Half of the records are known; the other half is what is new.
    let known = records.iter().step_by(2);
    let mut seen = Seen::default();
    for (number, record) in (0..).step_by(2).zip(known) {
        let print = Print::of_record(record.as_bytes(), &rules);
        let added = print.map(|print| seen.add(number, print));
        assert!(matches!(added, Some(Ok(()))), "a speech is text");
    }
    let mut tallies: BTreeMap<Class, Tally> = BTreeMap::new();
    for case in cases::all(records) {
        let findings = assess(case.text.as_bytes(), &rules, &seen, &Seen::default()).findings;
        tallies.entry(case.class).or_default().count(&case, &findings);
    }
    report(table, threshold, &tallies);
}

#[derive(Default)]
struct Tally {
    cases: usize,
    /// A near-duplicate, or the same bytes, of the right record.
    near: usize,
    /// That, or an overlap with the right record.
    any: usize,
    /// A near-duplicate of a record that it is not made of.
    wrong: usize,
}

impl Tally {
    fn count(&mut self, case: &Case, findings: &[Finding]) {
        let right = |finding: &&Finding| finding.of().is_some_and(|of| case.of.contains(&of));
        let is_near = |finding: &&Finding| {
            matches!(finding, Finding::NearDuplicate { .. } | Finding::ExactDuplicate { .. })
        };
        self.cases += 1;
        self.near += usize::from(findings.iter().filter(is_near).any(|found| right(&found)));
        self.any += usize::from(findings.iter().any(|found| right(&found)));
        self.wrong += usize::from(findings.iter().filter(is_near).any(|found| !right(&found)));
    }
}

fn report(table: &mut Table, threshold: u32, tallies: &BTreeMap<Class, Tally>) {
    let is_copy = |class: &Class| matches!(class, Class::Edited(0..=10) | Class::Prefixed);
    let sum = |of: fn(&Tally) -> usize, which: &dyn Fn(&Class) -> bool| -> f64 {
        let some = tallies.iter().filter(|(class, _)| which(class));
        some.map(|(_, tally)| of(tally)).sum::<usize>() as f64
    };
    let (right, wrong) = (sum(|t| t.near, &|_| true), sum(|t| t.wrong, &|_| true));
    let share =
        |part: f64, whole: f64| if whole > 0.0 { vec![100.0 * part / whole] } else { vec![] };
    let name = |what: &str| format!("near {threshold}: {what}");
    table.row(name("precision"), "%", share(right, right + wrong));
    let (found, copies) = (sum(|t| t.near, &is_copy), sum(|t| t.cases, &is_copy));
    table.row(name("recall, copies with up to 10 % edits"), "%", share(found, copies));
    for (class, tally) in tallies {
        let part = |of: usize| share(of as f64, tally.cases as f64);
        match class {
            Class::New => table.row(name("new records, found by mistake"), "%", part(tally.wrong)),
            Class::Excerpt(_) | Class::Joined => {
                table.row(name(&format!("{class}, with overlaps")), "%", part(tally.any));
            }
            _ => table.row(name(&class.to_string()), "%", part(tally.near)),
        }
    }
}
