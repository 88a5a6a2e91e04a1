//! `ambar dispute`: claims that a call was not what its receipt says.
//!
//! The evidence never leaves the claimant's machine: the ledger has its digest, and whoever is
//! shown the file compares it with `dispute show --evidence`.

use crate::ask::confirm;
use crate::commands::validators::validator_key;
use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use crate::paint::{line, short};
use crate::signer::{Signer, number};
use crate::table::{Side, Table, pairs};
use ambar_base::{Digest, ErrorCode, Price, codec};
use ambar_ledger::Operation;
use ambar_ledger::object::{Claim, DISPUTE_DAYS, Misattributed};
use ambar_ledger::transaction::{OpenDispute, ResolveDispute, Ruling};
use ambar_node::api::dto::{Dispute, Disputes, OperationView, Submitted};
use ambar_node::client::DisputeQuery;
use ambar_receipt::export::open as open_receipt;
use ambar_receipt::{Leaf, SignedBatch};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Largest file of evidence that is hashed, bytes.
const EVIDENCE_BYTES_MAX: u64 = 256 << 20;
/// Longest name in a table, characters.
const NAME_CHARS_MAX: usize = 28;

/// What to do with disputes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Claim that a call broke its terms, or that it was counted too high
    #[command(
        long_about = "Claim that a call broke its terms, or that it was counted too high.\n\n\
            The owner of a capsule, or whoever holds one of its royalty lines, claims a breach. \
            Whoever paid claims what was counted. The ledger keeps the digest of the evidence; keep \
            the file, and show it to the council.",
        override_usage = "ambar dispute open <RECEIPT> <--breach|--overstated> --evidence <FILE> \
            --statement <TEXT>",
        after_help = "Example:\n  ambar dispute open 3-17 --breach --evidence log.pdf \\\n    \
            --statement \"declared research, used for advertising\" --as me"
    )]
    Open(OpenArgs),
    /// Show a dispute, and whether a file is its evidence
    #[command(after_help = "Example:\n  ambar dispute show 4 --evidence log.pdf")]
    Show(ShowArgs),
    /// List disputes, newest first
    #[command(after_help = "Example:\n  ambar dispute list --open")]
    List(ListArgs),
    /// Take a claim back; its deposit returns
    #[command(after_help = "Example:\n  ambar dispute withdraw 4 --as me")]
    Withdraw(NumberArgs),
    /// Close a dispute that nobody decided in time; its deposit returns
    #[command(after_help = "Example:\n  ambar dispute lapse 4 --as me")]
    Lapse(NumberArgs),
    /// Decide a dispute, as the council of the network
    #[command(
        after_help = "Example:\n  ambar dispute resolve 4 --uphold --refund 0.002 --reason \"…\""
    )]
    Resolve(ResolveArgs),
}

/// As whom.
#[derive(Args, Debug)]
struct Owner {
    /// The key that acts
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// What is claimed.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Claimed {
    /// Something that was declared was false, or the terms were broken
    #[arg(long)]
    breach: bool,
    /// The counters of a line are too high
    #[arg(long)]
    overstated: bool,
}

/// A claim.
#[derive(Args, Debug)]
pub struct OpenArgs {
    #[command(flatten)]
    claim: Claimed,
    #[command(flatten)]
    case: Case,
    #[command(flatten)]
    owner: Owner,
}

/// A claim that is to be made about a line of a receipt.
#[derive(Args, Debug)]
pub struct Case {
    /// The receipt's id, such as 3-17
    receipt: String,
    /// The line of the receipt that it is about, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) line: u64,
    /// The evidence: its digest is stored, the file is not
    #[arg(long, value_name = "FILE")]
    evidence: PathBuf,
    /// What you claim, at most 512 bytes
    #[arg(long, value_name = "TEXT")]
    statement: String,
    /// Open it without being asked
    #[arg(long)]
    yes: bool,
}

/// A dispute to show.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Its number
    dispute: String,
    /// Compare this file with the evidence
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
}

/// Which disputes.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only those that nobody has decided
    #[arg(long)]
    open: bool,
    /// About this receipt
    #[arg(long, value_name = "R", conflicts_with_all = ["grant", "of"])]
    receipt: Option<String>,
    /// About a breach of this grant
    #[arg(long, value_name = "G", conflicts_with = "of")]
    grant: Option<String>,
    /// About what this node counted, by its number
    #[arg(long = "of-node", value_name = "N")]
    of: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

/// A dispute.
#[derive(Args, Debug)]
pub struct NumberArgs {
    /// Its number
    dispute: String,
    #[command(flatten)]
    owner: Owner,
}

/// How a dispute is decided.
#[derive(Args, Debug)]
pub struct ResolveArgs {
    /// Its number
    dispute: String,
    #[command(flatten)]
    ruling: Ruled,
    /// What the node's bond pays, in credits; without it, the most that it may
    #[arg(long, value_name = "C", requires = "uphold")]
    refund: Option<Price>,
    /// Why, at most 512 bytes
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    owner: Owner,
}

/// True or not.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Ruled {
    /// The claim is true
    #[arg(long)]
    uphold: bool,
    /// The claim is not shown: its deposit goes to whom it was claimed of
    #[arg(long)]
    dismiss: bool,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Open(args) => open(context, args).await,
        Command::Show(args) => show(context, args).await,
        Command::List(args) => list(context, args).await,
        Command::Withdraw(args) => {
            let number = number("dispute", &args.dispute)?;
            let done = format!("dispute {number} is withdrawn");
            act(context, &args.owner, Operation::WithdrawDispute(number), &done).await
        }
        Command::Lapse(args) => {
            let number = number("dispute", &args.dispute)?;
            let done = format!("dispute {number} has lapsed");
            act(context, &args.owner, Operation::LapseDispute(number), &done).await
        }
        Command::Resolve(args) => resolve(context, args).await,
    }
}

async fn act(context: &Context, owner: &Owner, operation: Operation, done: &str) -> Outcome {
    let signer = context.signer(owner.key.as_deref()).await?;
    let submitted = signer.submit(vec![operation]).await?;
    context.done(&submitted, done)
}

async fn open(context: &Context, args: &OpenArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let claimed = |grant| match args.claim.breach {
        true => Claim::Breach(grant),
        false => Claim::Overstated(args.case.line),
    };
    claim(context, &signer, &args.case, claimed).await
}

/// Says what is claimed and what it costs, and opens the dispute. `claimed` is told the grant of
/// the line.
pub(super) async fn claim(
    context: &Context,
    signer: &Signer,
    case: &Case,
    claimed: impl FnOnce(u64) -> Claim,
) -> Outcome {
    let evidence = digest(&case.evidence)?;
    let record = record(signer, case, evidence, claimed).await?;
    let deposit = signer.client().disputes(DisputeQuery::default()).await?.deposit;
    context.note(&meaning(&case.receipt, &record, &deposit));
    if !case.yes {
        let help = "read what it means above and add --yes to open it";
        confirm("open this dispute?", "the dispute was not opened", help)?;
    }
    let submitted = signer.submit(vec![Operation::OpenDispute(record)]).await?;
    let number = opened(&submitted)?;
    let document = json!({
        "dispute": number, "evidence": evidence.to_string(), "deposit": deposit,
        "height": submitted.height,
    });
    context.print(&document, || {
        format!("dispute {number} is open, final in block {}\n", submitted.height)
    })
}

/// The SHA-256 of the evidence.
fn digest(path: &Path) -> Outcome<Digest> {
    Ok(Digest::of(&files::read(path, EVIDENCE_BYTES_MAX)?))
}

/// The call as it settled, from its receipt.
async fn record(
    signer: &Signer,
    case: &Case,
    evidence: Digest,
    claimed: impl FnOnce(u64) -> Claim,
) -> Outcome<OpenDispute> {
    let file = signer.client().receipt_proof(&case.receipt).await?;
    let document = open_receipt(&file).or_fail(ErrorCode::ReceiptInvalid)?.document;
    let batch: SignedBatch = codec::decode(&document.batch).or_fail(ErrorCode::ReceiptInvalid)?;
    let leaf: Leaf = codec::decode(&document.leaf).or_fail(ErrorCode::ReceiptInvalid)?;
    let line = usize::try_from(case.line).ok().and_then(|at| leaf.lines.get(at));
    let none = || {
        let message = format!("receipt {} has {} lines", case.receipt, leaf.lines.len());
        Failure::input(message).helping("count them from 0")
    };
    let claim = claimed(line.ok_or_else(none)?.grant);
    Ok(OpenDispute {
        header: batch.header,
        leaf,
        index: document.place.index,
        path: document.place.path,
        claim,
        evidence,
        statement: case.statement.clone(),
    })
}

/// What is claimed and what it costs, before it is agreed to.
fn meaning(receipt: &str, record: &OpenDispute, deposit: &str) -> String {
    let about = match record.claim {
        Claim::Breach(grant) => format!(
            "that the licensee of grant {grant} declared something false or broke its terms"
        ),
        Claim::Overstated(line) => format!("that the counters of line {line} are too high"),
        Claim::Misattributed(Misattributed { line, .. }) => {
            format!("that the shares of line {line} are not those of its question and answer")
        }
    };
    let purpose = record.leaf.purpose.clone().unwrap_or_else(|| "none declared".into());
    let rows = pairs(&[
        ("receipt", receipt.to_owned()),
        ("you claim", about),
        ("purpose", purpose),
        ("evidence", record.evidence.to_string()),
        ("deposit", format!("{deposit} credits; lost if the council dismisses the claim")),
        ("decided", format!("by the council; after {DISPUTE_DAYS} days without it, it can lapse")),
    ]);
    rows.trim_end().to_owned()
}

fn opened(submitted: &Submitted) -> Outcome<String> {
    let number = submitted.results.iter().find_map(|result| match result {
        OperationView::Disputed { number, .. } => Some(number.clone()),
        _ => None,
    });
    let missing = || Failure::new(ErrorCode::BadGateway, "the transaction opened no dispute");
    number.ok_or_else(missing)
}

async fn show(context: &Context, args: &ShowArgs) -> Outcome {
    let dispute = context.client()?.dispute(&args.dispute).await?;
    if let Some(path) = &args.evidence {
        let found = digest(path)?.to_string();
        if found != dispute.evidence {
            let message =
                format!("{} has the SHA-256 {found}, the evidence another", path.display());
            return Err(Failure::new(ErrorCode::DocumentInvalid, message)
                .helping("ask the claimant for the very file that was hashed"));
        }
        context.note(&format!("{} is the evidence of dispute {}", path.display(), dispute.id));
    }
    context.print(&dispute, || describe(&dispute))
}

fn describe(dispute: &Dispute) -> String {
    let mut about = match (&dispute.grant, dispute.line) {
        (Some(grant), _) => format!("{} of grant {grant}", dispute.claim),
        (None, Some(at)) => format!("{}, line {at}", dispute.claim),
        (None, None) => dispute.claim.clone(),
    };
    if let Some(datanet) = &dispute.datanet {
        about += &format!(", datanet {datanet}");
    }
    let state = match dispute.closed {
        Some(height) => format!("{} in block {height}", dispute.state),
        None => format!("{}; can lapse from {}", dispute.state, dispute.lapses),
    };
    let mut rows = vec![
        ("dispute", dispute.id.clone()),
        ("receipt", dispute.receipt.clone()),
        ("capsule", format!("{} {}", line(&dispute.capsule_name, NAME_CHARS_MAX), dispute.capsule)),
        ("claim", about),
        ("claimant", dispute.claimant.clone()),
        ("accused", dispute.accused.clone()),
        ("statement", line(&dispute.statement, 512)),
        ("evidence", dispute.evidence.clone()),
        ("opened", dispute.opened.clone()),
        ("deposit", format!("{} credits", dispute.deposit)),
        ("state", state),
    ];
    rows.extend(dispute.refund.clone().map(|refund| ("refund", format!("{refund} credits"))));
    rows.extend(dispute.reason.as_ref().map(|reason| ("reason", line(reason, 512))));
    pairs(&rows)
}

async fn list(context: &Context, args: &ListArgs) -> Outcome {
    let query = DisputeQuery {
        receipt: args.receipt.as_deref(),
        grant: args.grant.as_deref(),
        node: args.of.as_deref(),
        open: args.open,
        limit: Some(args.limit),
    };
    let found = context.client()?.disputes(query).await?;
    context.print(&found, || table(&found))
}

fn table(found: &Disputes) -> String {
    let columns = [
        ("dispute", Side::Right),
        ("receipt", Side::Left),
        ("capsule", Side::Left),
        ("claim", Side::Left),
        ("claimant", Side::Left),
        ("opened", Side::Left),
        ("state", Side::Left),
    ];
    let mut table = Table::new(&columns);
    for dispute in &found.disputes {
        table.row([
            dispute.id.clone(),
            dispute.receipt.clone(),
            line(&dispute.capsule_name, NAME_CHARS_MAX),
            dispute.claim.clone(),
            short(&dispute.claimant),
            dispute.opened.clone(),
            dispute.state.clone(),
        ]);
    }
    table.print("no disputes")
}

async fn resolve(context: &Context, args: &ResolveArgs) -> Outcome {
    let dispute = number("dispute", &args.dispute)?;
    let signer = council(context, &args.owner).await?;
    let ruling = match args.ruling.uphold {
        false => Ruling::Dismissed,
        true => Ruling::Upheld(refund(&signer, args).await?),
    };
    let reason = args.reason.clone();
    let record = ResolveDispute { dispute, ruling, reason };
    let submitted = signer.submit(vec![Operation::ResolveDispute(record)]).await?;
    let word = if args.ruling.uphold { "upheld" } else { "dismissed" };
    context.done(&submitted, &format!("dispute {dispute} is {word}"))
}

/// The key that was named; without one, this home's validator, which is the council of a
/// network that a home founded for itself.
async fn council(context: &Context, owner: &Owner) -> Outcome<Signer> {
    match &owner.key {
        Some(name) => context.signer(Some(name)).await,
        None => Signer::new(&context.client()?, validator_key(context)?, None).await,
    }
}

/// What the bond pays: what was said, or the most that it may.
async fn refund(signer: &Signer, args: &ResolveArgs) -> Outcome<Price> {
    match args.refund {
        Some(refund) => Ok(refund),
        None => {
            let dispute = signer.client().dispute(&args.dispute).await?;
            dispute.price.parse().or_fail(ErrorCode::BadGateway)
        }
    }
}
