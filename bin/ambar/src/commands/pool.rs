//! The part of `ambar datanet` that gathers records: pools, who belongs to them, how their rules
//! change.

mod inspect;
mod records;
mod show;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::sharing::{self, SharingArgs};
use crate::signer::{Signer, made, number};
use ambar_attribution::Sharing;
use ambar_base::{AccountId, Digest, ErrorCode, Price};
use ambar_ledger::Operation;
use ambar_ledger::object::{PoolRules, RECORD_BYTES_MAX};
use ambar_ledger::transaction::{CreatePool, JoinPool, ProposeRules, VoteRules};
use ambar_node::api::dto::{OperationView, Pool};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

pub use show::pool as shown;

/// Largest file of rules of quality, bytes.
const QUALITY_BYTES_MAX: u64 = 1 << 20;
/// What a submission sets aside, unless the pool says otherwise.
const DEPOSIT_DEFAULT: Price = Price(10_000_000);

/// What to do with pools.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open a pool, in which the records of a datanet are gathered
    #[command(
        long_about = "Open a pool, in which the records of a datanet are gathered.\n\n\
            Members submit records, reviewers decide on them, and the pool's steward publishes what \
            stands as the next version of a dataset. Once records stand, their contributors vote \
            about changes of the rules.",
        after_help = "Example:\n  ambar datanet create speeches --theme \"What presidents said\" \\\n    \
            --licence CC0-1.0 --reviewer did:key:z6Mk… --as me"
    )]
    Create(CreateArgs),
    /// List pools
    #[command(after_help = "Example:\n  ambar datanet list")]
    List(ListArgs),
    /// Become a member of a pool, or bring somebody in as its steward
    #[command(after_help = "Example:\n  ambar datanet join speeches --as me")]
    Join(JoinArgs),
    /// Leave a pool; records that stand are withdrawn first
    #[command(after_help = "Example:\n  ambar datanet leave speeches --as me")]
    Leave(PoolArgs),
    /// Submit a file, or each file of a directory, to a pool
    #[command(
        long_about = "Submit a file, or each file of a directory, to a pool.\n\n\
            Each record is committed to first and revealed when that is final, so that nobody can \
            register what they saw in the queue: of two commitments to one content the older has \
            it. A deposit is set aside for each; it returns unless reviewers reject the record.",
        after_help = "Example:\n  ambar datanet submit speeches 1790.txt --licence CC0-1.0 \\\n    \
            --source https://example.org/1790 --as me"
    )]
    Submit(records::SubmitArgs),
    /// List what was submitted to a pool
    #[command(after_help = "Example:\n  ambar datanet submissions speeches --state revealed")]
    Submissions(records::SubmissionsArgs),
    /// Read a submitted record, as its contributor, reviewer or steward
    #[command(after_help = "Example:\n  ambar datanet read speeches 0 --as rita")]
    Read(records::ReadArgs),
    /// Look for what speaks against a submitted record, also beside the records that stand
    #[command(
        long_about = "Look for what speaks against a submitted record: copies of what stands, \
            boilerplate, filler, text that addresses a model, languages, personal data.\n\n\
            The records that stand are read once; what is kept of them lies in your home.",
        after_help = "Example:\n  ambar datanet inspect speeches 0 --as rita"
    )]
    Inspect(inspect::InspectArgs),
    /// Decide on a submitted record, as a reviewer
    #[command(
        override_usage = "ambar datanet review <POOL> <SUBMISSION> <--accept|--reject <REASON>>",
        after_help = "Example:\n  ambar datanet review speeches 0 --accept --as rita"
    )]
    Review(records::ReviewArgs),
    /// Take a submission or a record back
    #[command(
        long_about = "Take a submission or a record back. What it has earned stays; versions that \
            are published from now on lack it.",
        after_help = "Example:\n  ambar datanet withdraw speeches 0 --as me"
    )]
    Withdraw(records::WithdrawArgs),
    /// Write the records that stand into a directory that can be published
    #[command(
        long_about = "Write the records that stand into a directory that can be published, with a \
            `contributors.toml` that says whose they are.",
        after_help = "Example:\n  ambar datanet snapshot speeches --out speeches-1 --as me\n  \
            ambar publish speeches-1 --kind dataset --name speeches --terms terms.toml --as me"
    )]
    Snapshot(records::SnapshotArgs),
    /// Propose other rules for a pool
    #[command(after_help = "Example:\n  ambar datanet propose speeches --bytes-max 65536 --as me")]
    Propose(ProposeArgs),
    /// List what was proposed for a pool
    #[command(after_help = "Example:\n  ambar datanet proposals speeches")]
    Proposals(ProposalsArgs),
    /// Vote about proposed rules: one vote for each contributor whose record stands
    #[command(
        override_usage = "ambar datanet vote <POOL> <PROPOSAL> <--aye|--no>",
        after_help = "Example:\n  ambar datanet vote speeches 0 --aye --as me"
    )]
    Vote(VoteArgs),
}

/// As whom.
#[derive(Args, Debug)]
struct Owner {
    /// The key that acts
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// A pool.
#[derive(Args, Debug)]
pub struct PoolArgs {
    /// The pool, by number or name
    pool: String,
    #[command(flatten)]
    owner: Owner,
}

/// A part of the pools.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Those after this number
    #[arg(long, value_name = "N")]
    after: Option<String>,
}

/// Rules that are said; the others stay, or are as they usually are.
#[derive(Args, Debug)]
struct Rules {
    /// A reviewer, by DID or account id; may be repeated [default: the steward]
    #[arg(long = "reviewer", value_name = "WHO")]
    reviewers: Vec<String>,
    /// How many reviewers must agree [default: 1]
    #[arg(long, value_name = "N")]
    agreeing: Option<u16>,
    /// What a submission sets aside, in credits [default: 0.01]
    #[arg(long, value_name = "C")]
    deposit: Option<Price>,
    /// Largest record, bytes [default: 67108864]
    #[arg(long, value_name = "N")]
    bytes_max: Option<u64>,
    /// A licence that records may have, as SPDX writes it; may be repeated [default: any]
    #[arg(long = "licence", value_name = "SPDX")]
    licences: Vec<String>,
    /// The rules of quality that reviewers go by, a file: its SHA-256 is kept
    #[arg(long, value_name = "FILE")]
    quality: Option<PathBuf>,
    #[command(flatten)]
    sharing: SharingArgs,
}

/// A new pool.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// Its name: a-z 0-9 - . _
    name: String,
    /// What its records are about
    #[arg(long, value_name = "TEXT")]
    theme: String,
    /// Members are brought in by the steward; nobody joins by themselves
    #[arg(long)]
    closed: bool,
    /// Go on from this pool: its rules hold where none are said
    #[arg(long, value_name = "POOL")]
    from: Option<String>,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    owner: Owner,
}

/// Who becomes a member.
#[derive(Args, Debug)]
pub struct JoinArgs {
    /// The pool, by number or name
    pool: String,
    /// Somebody whom the steward brings in, by DID or account id
    #[arg(long, value_name = "WHO")]
    member: Option<String>,
    #[command(flatten)]
    owner: Owner,
}

/// Other rules.
#[derive(Args, Debug)]
pub struct ProposeArgs {
    /// The pool, by number or name
    pool: String,
    /// Anybody may join
    #[arg(long, conflicts_with = "closed")]
    open: bool,
    /// Members are brought in by the steward
    #[arg(long)]
    closed: bool,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    owner: Owner,
}

/// A part of a pool's proposals.
#[derive(Args, Debug)]
pub struct ProposalsArgs {
    /// The pool, by number or name
    pool: String,
    /// Those after this number
    #[arg(long, value_name = "N")]
    after: Option<String>,
}

/// A vote.
#[derive(Args, Debug)]
pub struct VoteArgs {
    /// The pool, by number or name
    pool: String,
    /// The number of the proposal
    proposal: String,
    #[command(flatten)]
    said: Said,
    #[command(flatten)]
    owner: Owner,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Said {
    /// For the proposal
    #[arg(long)]
    aye: bool,
    /// Against it
    #[arg(long)]
    no: bool,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Create(args) => create(context, args).await,
        Command::List(args) => show::list(context, args.after.as_deref()).await,
        Command::Join(args) => join(context, args).await,
        Command::Leave(args) => leave(context, args).await,
        Command::Submit(args) => records::submit(context, args).await,
        Command::Submissions(args) => records::list(context, args).await,
        Command::Read(args) => records::read(context, args).await,
        Command::Inspect(args) => inspect::inspect(context, args).await,
        Command::Review(args) => records::review(context, args).await,
        Command::Withdraw(args) => records::withdraw(context, args).await,
        Command::Snapshot(args) => records::snapshot(context, args).await,
        Command::Propose(args) => propose(context, args).await,
        Command::Proposals(args) => {
            show::proposals(context, &args.pool, args.after.as_deref()).await
        }
        Command::Vote(args) => vote(context, args).await,
    }
}

/// A pool with its number.
async fn pool_of(signer: &Signer, text: &str) -> Outcome<(u64, Pool)> {
    let pool = signer.client().pool(text).await?;
    Ok((number("pool", &pool.number)?, pool))
}

impl Rules {
    /// The rules with their reviewers, where `before` holds what is not said.
    async fn over(
        &self,
        signer: &Signer,
        before: Option<&Pool>,
        open: bool,
    ) -> Outcome<(PoolRules, Vec<AccountId>)> {
        let old = before.map(|pool| &pool.rules);
        let parsed = |text: &String| text.parse().map_err(|_| odd("deposit", text));
        let deposit = match (self.deposit, old) {
            (Some(deposit), _) => deposit,
            (None, Some(old)) => parsed(&old.deposit)?,
            (None, None) => DEPOSIT_DEFAULT,
        };
        let old_quality = old.and_then(|old| old.quality.as_ref());
        let quality = match (&self.quality, old_quality) {
            (Some(path), _) => Digest::of(&files::read(path, QUALITY_BYTES_MAX)?),
            (None, Some(text)) => text.parse().map_err(|_| odd("digest", text))?,
            (None, None) => Digest::ZERO,
        };
        let licences = match (self.licences.is_empty(), old) {
            (true, Some(old)) => old.licences.clone(),
            _ => self.licences.clone(),
        };
        let agreeing = self.agreeing.or(old.map(|old| old.agreeing)).unwrap_or(1);
        let bytes_max = self.bytes_max.or(old.map(|old| old.bytes_max)).unwrap_or(RECORD_BYTES_MAX);
        let sharing = match old {
            Some(old) => sharing::parsed(&old.sharing)?,
            None => Sharing::OF_POOLS,
        };
        let sharing = self.sharing.over(sharing)?;
        let rules = PoolRules { open, agreeing, deposit, bytes_max, licences, quality, sharing };
        Ok((rules, self.reviewers(signer, before).await?))
    }

    async fn reviewers(&self, signer: &Signer, before: Option<&Pool>) -> Outcome<Vec<AccountId>> {
        let named = match before {
            Some(pool) if self.reviewers.is_empty() => &pool.reviewers,
            _ => &self.reviewers,
        };
        if named.is_empty() {
            return Ok(vec![signer.account]);
        }
        let mut reviewers = Vec::with_capacity(named.len());
        for who in named {
            reviewers.push(signer.account_of(who).await?);
        }
        Ok(reviewers)
    }
}

fn odd(what: &str, text: &str) -> Failure {
    Failure::new(ErrorCode::BadGateway, format!("the node says that `{text}` is a {what}"))
}

async fn create(context: &Context, args: &CreateArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let from = match &args.from {
        Some(text) => Some(pool_of(&signer, text).await?),
        None => None,
    };
    let before = from.as_ref().map(|(_, pool)| pool);
    let (rules, reviewers) = args.rules.over(&signer, before, !args.closed).await?;
    let (name, theme) = (args.name.clone(), args.theme.clone());
    let forked_from = from.as_ref().map(|(number, _)| *number);
    let create = CreatePool { name, theme, rules, reviewers, forked_from };
    let submitted = signer.submit(vec![Operation::CreatePool(create)]).await?;
    let number = made(&submitted, "pool", |result| match result {
        OperationView::Pool { number } => Some(number.clone()),
        _ => None,
    })?;
    let document = json!({ "pool": number, "name": args.name, "height": submitted.height });
    context.print(&document, || {
        format!(
            "pool {} is open, number {number}\nothers submit to it with\n  ambar datanet join {0}\n  \
             ambar datanet submit {0} FILE\n",
            args.name
        )
    })
}

async fn join(context: &Context, args: &JoinArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let (pool, found) = pool_of(&signer, &args.pool).await?;
    let member = match &args.member {
        Some(text) => Some(signer.account_of(text).await?),
        None => None,
    };
    let join = Operation::JoinPool(JoinPool { pool, member });
    let submitted = signer.submit(vec![join]).await?;
    context.done(&submitted, &format!("the account is a member of pool {}", found.name))
}

async fn leave(context: &Context, args: &PoolArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let (pool, found) = pool_of(&signer, &args.pool).await?;
    let submitted = signer.submit(vec![Operation::LeavePool(pool)]).await?;
    context.done(&submitted, &format!("the account has left pool {}", found.name))
}

async fn propose(context: &Context, args: &ProposeArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let (pool, found) = pool_of(&signer, &args.pool).await?;
    let open = (found.rules.open || args.open) && !args.closed;
    let (rules, reviewers) = args.rules.over(&signer, Some(&found), open).await?;
    let propose = Operation::ProposeRules(ProposeRules { pool, rules, reviewers });
    let submitted = signer.submit(vec![propose]).await?;
    let proposal = made(&submitted, "proposal", |result| match result {
        OperationView::Proposal { number } => Some(number.clone()),
        _ => None,
    })?;
    let now = signer.client().pool(&found.number).await?;
    let holds = now.revision > found.revision;
    let document = json!({
        "pool": found.number, "proposal": proposal, "passed": holds, "height": submitted.height,
    });
    context.print(&document, || {
        if holds {
            return format!("the rules of pool {} are as proposed\n", found.name);
        }
        format!(
            "proposal {proposal} is open; contributors vote with\n  ambar datanet vote {} {proposal} \
             --aye\n",
            found.name
        )
    })
}

async fn vote(context: &Context, args: &VoteArgs) -> Outcome {
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let (pool, found) = pool_of(&signer, &args.pool).await?;
    let proposal = number("proposal", &args.proposal)?;
    let vote = Operation::VoteRules(VoteRules { pool, proposal, aye: args.said.aye });
    let submitted = signer.submit(vec![vote]).await?;
    let now = signer.client().pool(&found.number).await?;
    let what = if now.revision > found.revision {
        format!("the vote is counted, and the rules of pool {} are as proposed", found.name)
    } else {
        "the vote is counted".to_owned()
    };
    context.done(&submitted, &what)
}
