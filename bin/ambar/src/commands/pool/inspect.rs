//! What a reviewer should know of a submitted record: all that the rules of quality find in it,
//! also beside the records that stand.
//!
//! Records that stand are read once. What is kept of each, for comparing, lies in the home under
//! `pools/`: it can be thrown away, and is made again.

use super::records::{content, rules_of, standing};
use super::{Owner, pool_of};
use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use crate::quality::Looked;
use crate::signer::{Signer, number};
use crate::table::{Side, Table};
use ambar_base::{Encode, ErrorCode, codec};
use ambar_node::api::dto::Pool;
use ambar_quality::{Print, Rules, Seen, Verdict, assess};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Largest file that is kept of what stands in a pool, bytes.
const SEEN_BYTES_MAX: u64 = 1 << 30;

/// A record to look at.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The pool, by number or name
    pool: String,
    /// The number of the submission
    submission: String,
    /// The rules of quality that the pool names, a file [default: the program's]
    #[arg(long, value_name = "FILE")]
    quality: Option<PathBuf>,
    #[command(flatten)]
    owner: Owner,
}

/// What was found in a record, and what the records are called that it is like.
pub(super) struct Inspected {
    submission: String,
    looked: Looked,
    titles: BTreeMap<u32, String>,
}

pub(super) async fn inspect(context: &Context, args: &InspectArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let (_, pool) = pool_of(&signer, &args.pool).await?;
    let rules = rules_of(context, &pool, args.quality.as_deref())?;
    let found = look(context, &signer, &pool, &args.submission, &rules).await?;
    context.print(&found.document(), || found.text())
}

/// Looks at a submitted record.
pub(super) async fn look(
    context: &Context,
    signer: &Signer,
    pool: &Pool,
    submission: &str,
    rules: &Rules,
) -> Outcome<Inspected> {
    let bytes = content(signer, &pool.number, submission).await?;
    let (mut seen, titles) = known(context, signer, pool, rules).await?;
    // A record is not a copy of itself.
    seen.remove(place(submission)?);
    let assessed = assess(&bytes, rules, &seen, &seen);
    let looked = Looked::at(&bytes, assessed.findings, assessed.verdict);
    Ok(Inspected { submission: submission.to_owned(), looked, titles })
}

fn place(submission: &str) -> Outcome<u32> {
    number("submission", submission)?.try_into().or_fail(ErrorCode::LimitExceeded)
}

/// What stands in a pool: what was kept of it, with what has come since.
async fn known(
    context: &Context,
    signer: &Signer,
    pool: &Pool,
    rules: &Rules,
) -> Outcome<(Seen, BTreeMap<u32, String>)> {
    let directory = context.home().join("pools");
    let file = directory.join(format!("{}-{}.seen", signer.network, pool.number));
    let kept = file.exists().then(|| files::read(&file, SEEN_BYTES_MAX).ok()).flatten();
    // Of other checks, or damaged: it is made again.
    let kept = kept.and_then(|bytes| codec::decode::<Seen>(&bytes).ok());
    let (mut seen, mut titles) = (kept.unwrap_or_default(), BTreeMap::new());
    let phase = context.progress().spinner("reading the records that stand");
    for one in standing(signer, &pool.number).await? {
        let Some(record) = &one.record else { continue };
        let number = place(&one.number)?;
        titles.insert(number, record.title.clone());
        if seen.records().any(|(known, _)| known == number) {
            continue;
        }
        let bytes = content(signer, &pool.number, &one.number).await?;
        if let Some(print) = Print::of_record(&bytes, rules) {
            seen.add(number, print).or_fail(ErrorCode::LimitExceeded)?;
        }
    }
    phase.finish("");
    let gone: Vec<u32> =
        seen.records().map(|(number, _)| number).filter(|n| !titles.contains_key(n)).collect();
    for number in gone {
        seen.remove(number);
    }
    files::private_directory(&directory)?;
    files::write(&file, &seen.to_bytes())?;
    Ok((seen, titles))
}

impl Inspected {
    fn name(&self, number: u32) -> String {
        let title = self.titles.get(&number).map_or("", String::as_str);
        format!("{number} {title}")
    }

    fn document(&self) -> Value {
        json!({
            "submission": self.submission,
            "verdict": self.looked.verdict.text(),
            "standing": self.titles.len(),
            "findings": self.looked.documents(|of| self.name(of)),
        })
    }

    fn text(&self) -> String {
        let columns = ["line:column", "finding"].map(|name| (name, Side::Left));
        let mut table = Table::new(&columns);
        self.looked.rows(|of| self.name(of)).into_iter().for_each(|row| table.row(row));
        let verdict = match self.looked.verdict {
            Verdict::Accept => "nothing speaks against it",
            Verdict::Review(_) => "a reviewer decides",
            Verdict::Reject(_) => "the rules refuse it",
        };
        let (table, standing) = (table.print("nothing was found"), self.titles.len());
        format!("{table}\n{verdict}; compared with {standing} records that stand\n")
    }

    /// Refuses what the rules refuse.
    pub(super) fn conclude(&self, context: &Context) -> Outcome {
        if !matches!(self.looked.verdict, Verdict::Accept) {
            context.note(self.text().trim_end());
        }
        if !matches!(self.looked.verdict, Verdict::Reject(_)) {
            return Ok(());
        }
        let message = format!("the rules of quality refuse submission {}", self.submission);
        Err(Failure::new(ErrorCode::DocumentInvalid, message)
            .helping("reject it, or accept it with --anyway"))
    }
}
