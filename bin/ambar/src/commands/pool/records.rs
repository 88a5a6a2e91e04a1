//! Records on their way into a pool, and out of it again.

use super::inspect::look;
use super::show::more;
use super::{Owner, pool_of};
use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use crate::paint::{line, short};
use crate::publish::tree;
use crate::quality::{self, RULES_BYTES_MAX};
use crate::sharing;
use crate::signer::{Signer, number};
use crate::table::{Side, Table};
use ambar_base::{Digest, ErrorCode};
use ambar_capsule::chunks::ContentRoot;
use ambar_ledger::Operation;
use ambar_ledger::object::{PoolRecord, RECORD_BYTES_MAX, Source, commitment};
use ambar_ledger::transaction::{
    OPERATIONS_MAX, RevealRecord, ReviewRecord, SubmitRecord, Verdict, WithdrawRecord,
};
use ambar_node::api::dto::{OperationView, Pool, Submission, Submitted};
use ambar_node::files::CONTRIBUTORS_FILE;
use ambar_quality::Rules;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Longest title in a table, characters.
const TITLE_CHARS_MAX: usize = 40;
/// Digits of a submission's number in a file's name: more than any pool will have.
const NUMBER_DIGITS: usize = 10;
/// Letters of a file's name that are made of a title.
const FILE_CHARS_MAX: usize = 80;

/// What is submitted.
#[derive(Args, Debug)]
pub struct SubmitArgs {
    /// The pool, by number or name
    pool: String,
    /// A file, or a directory of files
    path: PathBuf,
    /// The licence that it may be used under, as SPDX writes it
    #[arg(long, value_name = "SPDX")]
    licence: String,
    /// Where it is from: `own`, an address, `doi:…`, `orcid:…`, or a C2PA manifest's `c2pa:SHA-256`
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// The rules of quality that the pool names, a file [default: the program's]
    #[arg(long, value_name = "FILE")]
    quality: Option<PathBuf>,
    /// Submit what the rules of quality would refuse, too
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    owner: Owner,
}

/// Which submissions.
#[derive(Args, Debug)]
pub struct SubmissionsArgs {
    /// The pool, by number or name
    pool: String,
    /// Only those in this state
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
    /// Those after this number
    #[arg(long, value_name = "N")]
    after: Option<String>,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    Committed,
    Revealed,
    Accepted,
    Rejected,
    Withdrawn,
}

/// A record to read.
#[derive(Args, Debug)]
pub struct ReadArgs {
    /// The pool, by number or name
    pool: String,
    /// The number of the submission
    submission: String,
    /// Write it to this file rather than to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    owner: Owner,
}

/// A review.
#[derive(Args, Debug)]
pub struct ReviewArgs {
    /// The pool, by number or name
    pool: String,
    /// The number of the submission
    submission: String,
    #[command(flatten)]
    said: Said,
    /// The rules of quality that the pool names, a file [default: the program's]
    #[arg(long, value_name = "FILE", conflicts_with = "reject")]
    quality: Option<PathBuf>,
    /// Accept what the rules of quality would refuse, too
    #[arg(long, conflicts_with = "reject")]
    anyway: bool,
    #[command(flatten)]
    owner: Owner,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Said {
    /// It may stand
    #[arg(long)]
    accept: bool,
    /// It may not, for this reason; its deposit is burned
    #[arg(long, value_name = "REASON")]
    reject: Option<String>,
}

/// What is taken back.
#[derive(Args, Debug)]
pub struct WithdrawArgs {
    /// The pool, by number or name
    pool: String,
    /// The number of the submission
    submission: String,
    #[command(flatten)]
    owner: Owner,
}

/// Where the records that stand are written.
#[derive(Args, Debug)]
pub struct SnapshotArgs {
    /// The pool, by number or name
    pool: String,
    /// A directory that does not exist yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    owner: Owner,
}

fn source(text: Option<&str>) -> Outcome<Source> {
    let source = match text {
        None => Source::Unstated,
        Some("own") => Source::Own,
        Some(text) => match text.split_once(':') {
            Some(("doi", rest)) => Source::Doi(rest.into()),
            Some(("orcid", rest)) => Source::Orcid(rest.into()),
            Some(("c2pa", rest)) => Source::C2pa(rest.parse().map_err(|_| unclear(text))?),
            _ => Source::Address(text.into()),
        },
    };
    if source.is_sound() { Ok(source) } else { Err(unclear(&source.to_string())) }
}

fn unclear(text: &str) -> Failure {
    Failure::input(format!(
        "`{text}` is no source: say `own`, an address with `://`, `doi:10.…/…`, `orcid:` and its \
         sixteen digits, or `c2pa:` and a SHA-256"
    ))
}

/// A file with what it will be in the pool.
struct Entry {
    bytes: Vec<u8>,
    record: PoolRecord,
    salt: Digest,
}

impl Entry {
    fn read(file: &tree::SourceFile, licence: &str, source: &Source) -> Outcome<Self> {
        let bytes = files::read(&file.path, RECORD_BYTES_MAX)?;
        if bytes.is_empty() {
            let message = format!("{}: the file is empty", file.path.display());
            return Err(Failure::new(ErrorCode::DatasetEmpty, message));
        }
        let mut salt = Digest::ZERO;
        getrandom::fill(&mut salt.0).or_fail(ErrorCode::Internal)?;
        let record = PoolRecord {
            content: Digest(ContentRoot::of(&bytes).0),
            bytes: bytes.len() as u64,
            title: file.name.clone(),
            licence: licence.to_owned(),
            source: source.clone(),
        };
        Ok(Self { bytes, record, salt })
    }
}

pub(super) async fn submit(context: &Context, args: &SubmitArgs) -> Outcome {
    context.no_draft("a submission is two transactions: nobody signs the second in time")?;
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let (pool, found) = pool_of(&signer, &args.pool).await?;
    let source = source(args.source.as_deref())?;
    check(context, args, &found).await?;
    let mut numbers = Vec::new();
    for files in tree::files(&args.path)?.chunks(OPERATIONS_MAX) {
        let read = |file| Entry::read(file, &args.licence, &source);
        let entries = files.iter().map(read).collect::<Outcome<Vec<_>>>()?;
        let made = commit(&signer, pool, &entries).await?;
        reveal(&signer, pool, &entries, &made).await.map_err(|failure| {
            failure.helping("what was committed and not revealed is taken back with `withdraw`")
        })?;
        let titles = entries.into_iter().map(|entry| entry.record.title);
        numbers.extend(made.into_iter().zip(titles));
    }
    let rows: Vec<_> = numbers
        .iter()
        .map(|(number, title)| json!({ "submission": number.to_string(), "title": title }))
        .collect();
    let document = json!({ "pool": found.number, "submissions": rows });
    context.print(&document, || {
        let one = |(number, title): &(u64, String)| format!("{number}  {title}\n");
        let all: String = numbers.iter().map(one).collect();
        format!("submitted to pool {}:\n{all}reviewers decide on it now\n", found.name)
    })
}

/// Says what reviewers would find, and refuses what they would refuse: it would cost a deposit.
async fn check(context: &Context, args: &SubmitArgs, pool: &Pool) -> Outcome {
    let rules = rules_of(context, pool, args.quality.as_deref())?;
    let report = quality::check(&args.path, rules).await?;
    if let Some(warning) = report.warning(&args.path) {
        context.note(&warning);
    }
    if args.anyway {
        return Ok(());
    }
    report.conclude().map_err(|failure| {
        failure.helping("correct or leave out those records, or submit them with --anyway")
    })
}

/// The rules of quality that a pool names, from their file, or those of the program.
pub(super) fn rules_of(context: &Context, pool: &Pool, file: Option<&Path>) -> Outcome<Rules> {
    let named = pool.rules.quality.as_ref();
    let Some(file) = file else {
        if named.is_some() {
            context
                .note("the pool has rules of quality of its own: name their file with --quality");
        }
        return Ok(Rules::default());
    };
    let text = files::read_text(file, RULES_BYTES_MAX)?;
    if named.is_some_and(|named| *named != Digest::of(text.as_bytes()).to_string()) {
        let file = file.display();
        return Err(Failure::input(format!("{file} is not the file that the pool names")));
    }
    Ok(text.parse()?)
}

async fn commit(signer: &Signer, pool: u64, entries: &[Entry]) -> Outcome<Vec<u64>> {
    let account = signer.client().account(&signer.account.to_string()).await?;
    let contributor = number("account", &account.number)?;
    let one = |entry: &Entry| {
        let commitment = commitment(pool, contributor, &entry.record, &entry.salt);
        Operation::SubmitRecord(SubmitRecord { pool, commitment })
    };
    let submitted: Submitted = signer.submit(entries.iter().map(one).collect()).await?;
    let numbers = submitted.results.iter().filter_map(|result| match result {
        OperationView::Submission { number } => Some(number.as_str()),
        _ => None,
    });
    let numbers = numbers.map(|text| number("submission", text)).collect::<Outcome<Vec<_>>>()?;
    if numbers.len() == entries.len() {
        return Ok(numbers);
    }
    let message = format!("transaction {} yielded {} submissions", submitted.id, numbers.len());
    Err(Failure::new(ErrorCode::BadGateway, message))
}

/// Stores the contents and says what they are. Nobody has seen anything of them before.
async fn reveal(signer: &Signer, pool: u64, entries: &[Entry], numbers: &[u64]) -> Outcome {
    for entry in entries {
        let stored = signer.client().put_blob(entry.bytes.clone()).await?;
        if stored.root != ContentRoot(entry.record.content.0).to_string() {
            let message = format!("{}: the node stored other bytes", entry.record.title);
            return Err(Failure::new(ErrorCode::BlobCorrupt, message));
        }
    }
    let one = |(entry, submission): (&Entry, &u64)| {
        let (record, salt) = (entry.record.clone(), entry.salt);
        Operation::RevealRecord(RevealRecord { pool, submission: *submission, record, salt })
    };
    signer.submit(entries.iter().zip(numbers).map(one).collect()).await.map(drop)
}

impl State {
    const fn text(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Revealed => "revealed",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }
}

pub(super) async fn list(context: &Context, args: &SubmissionsArgs) -> Outcome {
    let mut part = context.client()?.submissions(&args.pool, args.after.as_deref()).await?;
    if let Some(state) = args.state {
        part.submissions.retain(|one| one.state == state.text());
    }
    context.print(&part, || {
        let columns = [
            ("no", Side::Right),
            ("state", Side::Left),
            ("contributor", Side::Left),
            ("bytes", Side::Right),
            ("licence", Side::Left),
            ("source", Side::Left),
            ("title", Side::Left),
        ];
        let mut table = Table::new(&columns);
        for one in &part.submissions {
            let record = one.record.as_ref();
            let text = |pick: fn(&ambar_node::api::dto::PoolRecord) -> &str| {
                record.map_or_else(|| "-".into(), |record| line(pick(record), TITLE_CHARS_MAX))
            };
            table.row([
                one.number.clone(),
                one.state.clone(),
                short(&one.contributor),
                record.map_or_else(|| "-".into(), |record| record.bytes.to_string()),
                text(|record| &record.licence),
                text(|record| &record.source_kind),
                text(|record| &record.title),
            ]);
        }
        table.print("nothing was submitted") + &more(part.next.as_deref())
    })
}

pub(super) async fn read(context: &Context, args: &ReadArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let bytes = content(&signer, &args.pool, &args.submission).await?;
    match &args.out {
        Some(path) => files::write(path, &bytes),
        None => context.write(&String::from_utf8_lossy(&bytes)),
    }
}

/// A record's content, compared with what the ledger says of it.
pub(super) async fn content(signer: &Signer, pool: &str, submission: &str) -> Outcome<Vec<u8>> {
    let at = number("submission", submission)?;
    let after = at.checked_sub(1).map(|before| before.to_string());
    let part = signer.client().submissions(pool, after.as_deref()).await?;
    let found = part.submissions.into_iter().find(|one| one.number == submission);
    let unknown = || {
        let message = format!("submission {submission} of pool {pool} has not been revealed");
        Failure::new(ErrorCode::NotFound, message)
    };
    let record = found.and_then(|one| one.record).ok_or_else(unknown)?;
    fetched(signer, pool, submission, &record.content).await
}

async fn fetched(signer: &Signer, pool: &str, submission: &str, root: &str) -> Outcome<Vec<u8>> {
    let bytes = signer.client().submission_content(pool, submission).await?;
    if ContentRoot::of(&bytes).to_string() == root {
        return Ok(bytes);
    }
    let message = format!("the node sent other bytes than submission {submission} has");
    Err(Failure::new(ErrorCode::BlobCorrupt, message))
}

pub(super) async fn review(context: &Context, args: &ReviewArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let (pool, found) = pool_of(&signer, &args.pool).await?;
    let submission = number("submission", &args.submission)?;
    let verdict = match &args.said.reject {
        Some(reason) => Verdict::Reject(reason.clone()),
        None => {
            if !args.anyway {
                let rules = rules_of(context, &found, args.quality.as_deref())?;
                let looked = look(context, &signer, &found, &args.submission, &rules).await?;
                looked.conclude(context)?;
            }
            Verdict::Accept
        }
    };
    let review = Operation::ReviewRecord(ReviewRecord { pool, submission, verdict });
    let submitted = signer.submit(vec![review]).await?;
    context.done(&submitted, &format!("the review of submission {submission} is counted"))
}

pub(super) async fn withdraw(context: &Context, args: &WithdrawArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let (pool, _) = pool_of(&signer, &args.pool).await?;
    let submission = number("submission", &args.submission)?;
    let withdraw = Operation::WithdrawRecord(WithdrawRecord { pool, submission });
    let submitted = signer.submit(vec![withdraw]).await?;
    context.done(&submitted, &format!("submission {submission} is withdrawn"))
}

pub(super) async fn snapshot(context: &Context, args: &SnapshotArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let (_, pool) = pool_of(&signer, &args.pool).await?;
    let standing = standing(&signer, &pool.number).await?;
    if standing.is_empty() {
        let message = format!("no record stands in pool {}", pool.name);
        return Err(Failure::new(ErrorCode::DatasetEmpty, message));
    }
    std::fs::create_dir(&args.out).map_err(|error| Failure::file(&args.out, &error))?;
    let mut table = sharing::table(&sharing::parsed(&pool.rules.sharing)?);
    for one in &standing {
        let Some(record) = &one.record else { continue };
        let bytes = fetched(&signer, &pool.number, &one.number, &record.content).await?;
        let path = file_name(&one.number, &record.title);
        files::write(&args.out.join(&path), &bytes)?;
        let (did, licence, source) = (&one.contributor, &record.licence, &record.source);
        let quoted = |text: &str| toml::Value::from(text).to_string();
        table += &format!(
            "[[record]]\npath = {}\ndid = {}\nlicence = {}\nsource = {}\n\n",
            quoted(&path),
            quoted(did),
            quoted(licence),
            quoted(source),
        );
    }
    files::write(&args.out.join(CONTRIBUTORS_FILE), table.as_bytes())?;
    let document = json!({
        "pool": pool.number, "records": standing.len(), "directory": args.out.display().to_string(),
    });
    let out: &Path = &args.out;
    context.print(&document, || {
        format!(
            "{} records of pool {} are in {}; publish them with\n  ambar publish {2} --kind dataset \
             --name {1} --terms terms.toml\nand later versions with --previous ID besides\n",
            standing.len(),
            pool.name,
            out.display()
        )
    })
}

/// The records that stand, in the order of their submissions.
pub(super) async fn standing(signer: &Signer, pool: &str) -> Outcome<Vec<Submission>> {
    let (mut standing, mut after) = (Vec::new(), None);
    loop {
        let part = signer.client().submissions(pool, after.as_deref()).await?;
        let accepted = part.submissions.into_iter();
        standing.extend(accepted.filter(|one| one.state == State::Accepted.text()));
        after = part.next;
        if after.is_none() {
            return Ok(standing);
        }
    }
}

/// A name for a record's file that no other record has. Records of a datanet are in order of their
/// paths, and those of a pool in the order in which they were committed.
fn file_name(number: &str, title: &str) -> String {
    let plain = |letter: char| {
        let kept = letter.is_alphanumeric() || ".-_".contains(letter);
        if kept { letter } else { '_' }
    };
    let title: String = title.chars().map(plain).take(FILE_CHARS_MAX).collect();
    format!("{number:0>NUMBER_DIGITS$}-{title}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_keep_the_order_of_submissions() {
        let names = ["2", "10", "0", "9999"].map(|number| file_name(number, "a b/c.txt"));
        assert_eq!(names[0], "0000000002-a_b_c.txt");
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(sorted, [&names[2], &names[0], &names[1], &names[3]].map(Clone::clone));
    }
}
