//! Validators, below `ambar network`: who votes on blocks, how to become one and how to leave.
//!
//! It does not know who is elected: the ledger says, at the end of each epoch.

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::paint::short;
use crate::signer::Signer;
use crate::table::{Side, Table};
use ambar_base::{ErrorCode, PublicKey, SecretKey};
use ambar_ledger::Operation;
use ambar_ledger::transaction::RegisterValidator;
use ambar_node::api::dto::{OperationView, Submitted, Validator, Validators};
use ambar_node::keys::KeyFile;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Most validators printed.
const VALIDATORS_MAX: usize = 100_000;

const REGISTER_HELP: &str = "\
The validator is this home's network/validator.key. The bond is what `ambar network validators`
names; it is lost if that key ever casts two votes that contradict one another, so never run
one key on two machines.

Example:
  ambar network register --as me";

const RETIRE_HELP: &str = "\
A candidate leaves at once, a validator with a seat when an epoch ends and others can do
without it: go on running it until `ambar network validators` says `left`. One settlement
window later `ambar network withdraw` gives the bond back.

Example:
  ambar network retire --as me";

const RANK_HELP: &str = "\
The whole order of preference is replaced. Who is not named loses its seat, at most a third of
the seats each time an epoch ends; if fewer are named than a committee needs, nobody does.

Example:
  ambar network rank did:key:z6Mk… did:key:z6Mk…";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Who votes on blocks, and who would
    #[command(after_help = "Example:\n  ambar network validators")]
    Validators,
    /// Set a bond aside and become a candidate for a seat
    #[command(after_help = REGISTER_HELP)]
    Register(OwnerArgs),
    /// Give the seat back at the end of an epoch
    #[command(after_help = RETIRE_HELP)]
    Retire(OwnerArgs),
    /// Take the bond of a validator that has left
    #[command(after_help = "Example:\n  ambar network withdraw --as me")]
    Withdraw(OwnerArgs),
    /// Say whom the council prefers, the most preferred first
    #[command(after_help = RANK_HELP)]
    Rank(RankArgs),
}

/// Whose validator.
#[derive(Args, Debug)]
pub struct OwnerArgs {
    /// The key whose account owns the validator and its bond
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// In which order.
#[derive(Args, Debug)]
pub struct RankArgs {
    /// Validators, by the DID of the key that votes
    #[arg(value_name = "DID", required = true)]
    validators: Vec<String>,
    /// A key of the council; without it, this home's network/validator.key
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Validators => list(context).await,
        Command::Register(args) => register(context, args.key.as_deref()).await,
        Command::Retire(args) => retire(context, args.key.as_deref()).await,
        Command::Withdraw(args) => withdraw(context, args.key.as_deref()).await,
        Command::Rank(args) => rank(context, args).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let client = context.client()?;
    let mut all = client.validators(None).await?;
    while let Some(after) = all.next.take() {
        let part = client.validators(Some(&after)).await?;
        all.validators.extend(part.validators);
        all.next = part.next;
        if all.validators.len() > VALIDATORS_MAX {
            let message = format!("the network has more than {VALIDATORS_MAX} validators");
            return Err(Failure::new(ErrorCode::LimitExceeded, message));
        }
    }
    all.validators.sort_by_key(|one| (!one.seated, one.rank.unwrap_or(u64::MAX)));
    context.print(&all, || table_of(&all))
}

fn table_of(all: &Validators) -> String {
    let columns = [
        ("validator", Side::Left),
        ("status", Side::Left),
        ("rank", Side::Right),
        ("bond", Side::Right),
        ("owner", Side::Left),
    ];
    let mut table = Table::new(&columns);
    for one in &all.validators {
        table.row([
            one.did.clone(),
            status_of(one),
            one.rank.map(|rank| rank.to_string()).unwrap_or_default(),
            one.bond.clone(),
            short(&one.owner),
        ]);
    }
    let seats = all.validators.iter().filter(|one| one.seated).count();
    let Validators { epoch, epoch_blocks, bond, .. } = all;
    format!(
        "epoch {epoch} of {epoch_blocks} blocks, {seats} seats; a new validator's bond is {bond}\n\
         \n{}",
        table.print("no validators")
    )
}

fn status_of(one: &Validator) -> String {
    let Some(since) = one.since else { return one.status.clone() };
    let seat = if one.seated { ", seated to the epoch's end" } else { "" };
    format!("{} in block {since}{seat}", one.status)
}

/// This home's key that votes on blocks.
pub fn validator_key(context: &Context) -> Outcome<SecretKey> {
    let path: PathBuf = ["network", "validator.key"].iter().collect();
    let path = context.home().join(path);
    let file = KeyFile::read(&path).map_err(Failure::from);
    let file = file.map_err(|failure| failure.helping("name a home with --home"))?;
    Ok(file.open(&path, context.passphrase().as_ref())?)
}

async fn register(context: &Context, key: Option<&str>) -> Outcome {
    let validator = validator_key(context)?;
    let signer = context.signer(key).await?;
    let register = RegisterValidator::new(signer.network, &validator, &signer.account);
    let submitted = signer.submit(vec![Operation::RegisterValidator(register)]).await?;
    let did = validator.public().did();
    context.print(&submitted, || format!("{did} is a candidate since block {}\n", submitted.height))
}

async fn retire(context: &Context, key: Option<&str>) -> Outcome {
    let signer = context.signer(key).await?;
    let submitted = signer.submit(vec![Operation::RetireValidator]).await?;
    context.print(&submitted, || {
        format!("retired in block {}: see `ambar network validators`\n", submitted.height)
    })
}

async fn withdraw(context: &Context, key: Option<&str>) -> Outcome {
    let signer = context.signer(key).await?;
    let submitted = signer.submit(vec![Operation::WithdrawBond]).await?;
    context.print(&submitted, || {
        let bond = bond_of(&submitted).unwrap_or_default();
        format!("{bond} credits came back in block {}\n", submitted.height)
    })
}

fn bond_of(submitted: &Submitted) -> Option<String> {
    submitted.results.iter().find_map(|result| match result {
        OperationView::Withdrawn { bond } => Some(bond.clone()),
        _ => None,
    })
}

async fn rank(context: &Context, args: &RankArgs) -> Outcome {
    let keys = args.validators.iter().map(|did| key_of(did)).collect::<Outcome<Vec<_>>>()?;
    let signer = match &args.key {
        Some(name) => context.signer(Some(name)).await?,
        None => {
            let key = validator_key(context)?;
            let signer = Signer::new(&context.client()?, key, None).await?;
            signer.among(context.cosigners())
        }
    };
    let count = keys.len();
    let submitted = signer.submit(vec![Operation::RankValidators(keys)]).await?;
    context.print(&submitted, || {
        format!("{count} validators are preferred since block {}\n", submitted.height)
    })
}

fn key_of(did: &str) -> Outcome<PublicKey> {
    PublicKey::from_did(did)
        .map_err(|error| Failure::input(format!("`{did}` names no validator: {error}")))
}
