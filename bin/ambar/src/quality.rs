//! Records of a directory, checked as they would be published: `ambar datanet check`, and the
//! warning of `ambar publish`.
//!
//! The directory is read twice: what stands in many of its records is boilerplate in the first of
//! them too. A record is compared with those whose names come before it.

use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use crate::paint::line;
use crate::publish::tree::{self, SourceFile};
use crate::table::{Side, Table};
use ambar_base::ErrorCode;
use ambar_node::files::CONTRIBUTORS_FILE;
use ambar_quality::{
    FillerKind, Finding, Part, Places, Print, Rules, Seen, VERSION, Verdict, assess,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Longest rules file that is read, bytes.
pub const RULES_BYTES_MAX: u64 = 64 * 1024;
/// Findings of one record that the table shows.
const FINDINGS_SHOWN_MAX: usize = 5;
/// Longest path in the table, characters.
const PATH_CHARS_MAX: usize = 48;

/// What was found in a record.
pub struct Looked {
    /// With line and column, if a finding is at one place.
    findings: Vec<(Finding, Option<(usize, usize)>)>,
    pub verdict: Verdict,
}

/// A record and what was found in it.
struct Record {
    path: String,
    looked: Looked,
}

impl Looked {
    /// What was found in these bytes.
    pub fn at(bytes: &[u8], findings: Vec<Finding>, verdict: Verdict) -> Self {
        let mut places = Places::new(bytes);
        let place = |finding: Finding| (finding, finding.at().map(|at| places.of(at)));
        Self { findings: findings.into_iter().map(place).collect(), verdict }
    }

    /// As scripts read it; `name` says what another record is called.
    pub fn documents(&self, name: impl Fn(u32) -> String) -> Vec<Value> {
        let document = |(finding, place): &(Finding, Option<(usize, usize)>)| {
            json!({
                "check": finding.check().text(),
                "says": says(finding),
                "of": finding.of().map(&name),
                "byte": finding.at(),
                "line": place.map(|(line, _)| line),
                "column": place.map(|(_, column)| column),
            })
        };
        self.findings.iter().map(document).collect()
    }

    /// Where each is, and what it says.
    pub fn rows(&self, name: impl Fn(u32) -> String) -> Vec<[String; 2]> {
        let row = |(finding, place): &(Finding, Option<(usize, usize)>)| {
            let place = place.map(|(line, column)| format!("{line}:{column}"));
            let of = finding.of().map(|of| format!(" {}", line(&name(of), PATH_CHARS_MAX)));
            [place.unwrap_or("-".into()), says(finding) + &of.unwrap_or_default()]
        };
        self.findings.iter().map(row).collect()
    }
}

/// All records of a directory.
pub struct Report {
    rules: Rules,
    records: Vec<Record>,
}

/// Checks the records at a path, off the runtime.
pub async fn check(path: &Path, rules: Rules) -> Outcome<Report> {
    let path: PathBuf = path.into();
    let work = tokio::task::spawn_blocking(move || Report::of(&path, rules));
    work.await.or_fail(ErrorCode::Internal)?
}

impl Report {
    fn of(path: &Path, rules: Rules) -> Outcome<Self> {
        let mut sources = tree::files(path)?;
        sources.retain(|file| file.name != CONTRIBUTORS_FILE);
        let mut whole = Seen::default();
        for (number, source) in (0..).zip(&sources) {
            if let Ok(bytes) = read(source, &rules)?
                && let Some(print) = Print::of_record(&bytes, &rules)
            {
                whole.add(number, print).or_fail(ErrorCode::LimitExceeded)?;
            }
        }
        let (mut seen, mut records) = (Seen::default(), Vec::new());
        for (number, source) in (0..).zip(&sources) {
            records.push(record(number, source, &rules, &mut seen, &whole)?);
        }
        Ok(Self { rules, records })
    }

    fn count(&self, verdict: &str) -> usize {
        self.records.iter().filter(|record| record.looked.verdict.text() == verdict).count()
    }

    fn name(&self, number: u32) -> String {
        self.records[number as usize].path.clone()
    }

    /// As scripts read it.
    pub fn document(&self) -> Value {
        let records = self.records.iter().map(|Record { path, looked }| {
            json!({
                "path": path,
                "verdict": looked.verdict.text(),
                "findings": looked.documents(|of| self.name(of)),
            })
        });
        json!({
            "checks": VERSION,
            "rules": self.rules.digest().to_string(),
            "records": records.collect::<Vec<_>>(),
            "accept": self.count("accept"),
            "review": self.count("review"),
            "reject": self.count("reject"),
        })
    }

    /// As people read it: records with findings, then how many there are.
    pub fn text(&self) -> String {
        let columns =
            ["record", "verdict", "line:column", "finding"].map(|name| (name, Side::Left));
        let mut table = Table::new(&columns);
        for Record { path, looked } in &self.records {
            let verdict = looked.verdict.text();
            let path = line(path, PATH_CHARS_MAX);
            let rows = looked.rows(|of| self.name(of));
            let more = rows.len().saturating_sub(FINDINGS_SHOWN_MAX);
            for [place, said] in rows.into_iter().take(FINDINGS_SHOWN_MAX) {
                table.row([path.clone(), verdict.into(), place, said]);
            }
            if more > 0 {
                let said = format!("{more} more; --json shows all");
                table.row([path, verdict.into(), "-".into(), said]);
            }
        }
        let [accept, review, reject] = ["accept", "review", "reject"].map(|name| self.count(name));
        let count = self.records.len();
        let table = table.print("nothing was found");
        format!(
            "{table}\n{count} records: {accept} accepted, {review} for a reviewer, {reject} refused\n"
        )
    }

    /// Fails if a record would be refused.
    pub fn conclude(&self) -> Outcome {
        let (refused, count) = (self.count("reject"), self.records.len());
        if refused == 0 {
            return Ok(());
        }
        let message = format!("{refused} of {count} records would be refused");
        Err(Failure::new(ErrorCode::DocumentInvalid, message)
            .helping("correct or leave out the records above, or name other rules with --rules"))
    }

    /// One line if anything speaks against a record.
    pub fn warning(&self, path: &Path) -> Option<String> {
        let (review, reject) = (self.count("review"), self.count("reject"));
        (review + reject > 0).then(|| {
            let (count, path) = (self.records.len(), path.display());
            format!(
                "warning: of {count} records {reject} would be refused and {review} reviewed by \
                 the default rules; see `ambar datanet check {path}`"
            )
        })
    }
}

/// The bytes of a record, or what is wrong with its length: what is too long is not read.
fn read(source: &SourceFile, rules: &Rules) -> Outcome<Result<Vec<u8>, Finding>> {
    if source.bytes > u64::from(rules.bytes_max) {
        return Ok(Err(Finding::TooLong { bytes: source.bytes }));
    }
    files::read(&source.path, rules.bytes_max.into()).map(Ok)
}

fn record(
    number: u32,
    source: &SourceFile,
    rules: &Rules,
    seen: &mut Seen,
    whole: &Seen,
) -> Outcome<Record> {
    let path = source.name.clone();
    let bytes = match read(source, rules)? {
        Ok(bytes) => bytes,
        Err(finding) => {
            let verdict = Verdict::of(&[finding], rules);
            return Ok(Record {
                path,
                looked: Looked { findings: vec![(finding, None)], verdict },
            });
        }
    };
    let assessed = assess(&bytes, rules, seen, whole);
    // What is refused is not there to be copied.
    if !matches!(assessed.verdict, Verdict::Reject(_))
        && let Some(print) = assessed.print
    {
        seen.add(number, print).or_fail(ErrorCode::LimitExceeded)?;
    }
    let looked = Looked::at(&bytes, assessed.findings, assessed.verdict);
    Ok(Record { path, looked })
}

/// A finding in words, without its place and the record that it names.
fn says(finding: &Finding) -> String {
    let cent = |per_mille: u32| format!("{}.{} %", per_mille / 10, per_mille % 10);
    match finding {
        Finding::Empty => "empty".into(),
        Finding::TooShort { bytes } => format!("only {bytes} bytes"),
        Finding::TooLong { bytes } => format!("{bytes} bytes are too many"),
        Finding::NotText { why, .. } => format!("no text: {}", why.text()),
        Finding::ExactDuplicate { .. } => "the same bytes as".into(),
        Finding::NearDuplicate { per_mille, .. } => format!("{} like", cent(*per_mille)),
        Finding::Overlap { per_mille, part: Part::This, .. } => {
            format!("{} of it stands in", cent(*per_mille))
        }
        Finding::Overlap { per_mille, part: Part::Other, .. } => {
            format!("it holds {} of", cent(*per_mille))
        }
        Finding::Boilerplate { per_mille, .. } => format!("{} boilerplate", cent(*per_mille)),
        Finding::Filler { why, .. } => match why {
            FillerKind::Repetition(share) => {
                format!("filler: only {} of its phrases are different", cent(*share))
            }
            FillerKind::Run(count) => format!("filler: one character {count} times"),
            FillerKind::LoremIpsum => "filler: lorem ipsum".into(),
            FillerKind::NoWords(share) => {
                format!("filler: only {} of its bytes are letters or digits", cent(*share))
            }
        },
        Finding::AddressesModel { phrase, .. } => format!("addresses a model: {phrase}"),
        Finding::Language { found } => format!("its language is `{}`", found.code()),
        Finding::Personal { kind, .. } => format!("personal data: {}", kind.text()),
    }
}
