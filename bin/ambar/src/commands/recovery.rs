//! `ambar account recover` and `ambar account recovery`: new keys for an account whose keys
//! are lost, by keys that it named before.

use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::signer::Signer;
use ambar_base::{Digest, ErrorCode, KeySet, PublicKey, SecretKey};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{BeginRecovery, RotateKeys};
use ambar_node::api::dto::Account;
use clap::{Args, Subcommand};
use serde_json::json;

/// What to do about the recovery of an account.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Name the keys that may recover your account
    #[command(
        long_about = "Name the keys that may recover your account.\n\n\
            The ledger keeps their digest only: keep a note of all of them and of the \
            threshold, for all are named to recover. They do nothing at once, and your own \
            keys end what they begin.",
        after_help = "Example:\n  ambar account recovery set cold did:key:z6Mk… --threshold 2 --as me"
    )]
    Set(SetArgs),
    /// End a recovery of your account that somebody began
    #[command(after_help = "Example:\n  ambar account recovery cancel --as me")]
    Cancel(CancelArgs),
    /// Give an account its new keys once the delay is over
    #[command(after_help = "Example:\n  ambar account recovery finish did:key:z6Mk… --as friend")]
    Finish(FinishArgs),
}

/// Which keys may recover.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// Keys of this home by name, others by DID
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    /// How many of them must sign
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: u16,
    /// The key whose account it is
    #[arg(long = "as", value_name = "OWN")]
    key: Option<String>,
}

/// Whose recovery.
#[derive(Args, Debug)]
pub struct CancelArgs {
    /// The key whose account it is
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Whose recovery, and who pays the fee.
#[derive(Args, Debug)]
pub struct FinishArgs {
    /// The account, by DID or id
    account: String,
    /// The key that pays the fee
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Which account gets which keys.
#[derive(Args, Debug)]
pub struct RecoverArgs {
    /// The account, by DID or id
    account: String,
    /// All keys that the account named: those of this home by name, others by DID
    #[arg(long, required = true, num_args = 1.., value_name = "KEY")]
    with: Vec<String>,
    /// The keys that it gets, by DID or by name
    #[arg(long, required = true, num_args = 1.., value_name = "DID")]
    keys: Vec<String>,
    /// How many of the new keys must sign
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: u16,
    /// The key that pays the fee
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Set(args) => set(context, args).await,
        Command::Cancel(args) => cancel(context, args).await,
        Command::Finish(args) => finish(context, args).await,
    }
}

/// A key of this home by name, or any by DID.
pub fn public(context: &Context, text: &str) -> Outcome<PublicKey> {
    if text.starts_with("did:") {
        return PublicKey::from_did(text).map_err(|error| Failure::input(error.to_string()));
    }
    Ok(context.keys().info(text)?.key)
}

/// Keys of this home by name and others by DID, as a set.
pub fn key_set(context: &Context, keys: &[String], threshold: u16) -> Outcome<KeySet> {
    let keys = keys.iter().map(|key| public(context, key));
    let mut keys = keys.collect::<Outcome<Vec<_>>>()?;
    keys.sort_unstable();
    keys.dedup();
    let set = KeySet { keys, threshold };
    set.check().map_err(|error| Failure::input(error.to_string()))?;
    Ok(set)
}

async fn set(context: &Context, args: &SetArgs) -> Outcome {
    let recovery = key_set(context, &args.keys, args.threshold)?.digest();
    let signer = context.signer(args.key.as_deref()).await?;
    let account = signer.client().account(&signer.account.to_string()).await?;
    let keys = account.keys.iter().map(|did| PublicKey::from_did(did));
    let keys = keys.collect::<Result<_, _>>().or_fail(ErrorCode::BadGateway)?;
    let keys = KeySet { keys, threshold: account.threshold };
    let rotate = Operation::RotateKeys(RotateKeys { keys, recovery: Some(recovery) });
    let submitted = signer.submit(vec![rotate]).await?;
    let document = json!({
        "account": account.id, "recovery": recovery.to_string(), "height": submitted.height,
    });
    context.print(&document, || {
        format!("{} may be recovered, final in block {}\n", account.id, submitted.height)
    })
}

/// Begins a recovery.
pub async fn recover(context: &Context, args: &RecoverArgs) -> Outcome {
    let keys = key_set(context, &args.keys, args.threshold)?;
    let signer = context.signer(args.key.as_deref()).await?;
    let account = signer.client().account(&args.account).await?;
    let (recovery, next) = named_set(context, &args.with, &account)?;
    let record = BeginRecovery {
        account: account.id.parse().or_fail(ErrorCode::BadGateway)?,
        nonce: account.nonce,
        recovery,
        keys,
        next: Some(next),
        signatures: Vec::new(),
    };
    let record = record.sign(signer.network, &secrets(context, &args.with)?);
    let submitted = signer.submit(vec![Operation::BeginRecovery(record)]).await?;
    let begun = signer.client().account(&account.id).await?.recovering;
    let ended = || Failure::new(ErrorCode::NotFound, "the recovery has ended already");
    let begun = begun.ok_or_else(ended)?;
    let (from, at) = (&begun.from, begun.from_height);
    let document = json!({
        "account": account.id, "height": submitted.height, "from": from, "from_height": at,
    });
    context.print(&document, || {
        format!(
            "the recovery of {} has begun in block {}\n\
             from {from} and block {at} on: ambar account recovery finish {}\n",
            account.id, submitted.height, account.id
        )
    })
}

/// The recovery set of an account and its digest: its keys were named, and the threshold is
/// the one with which they have the digest that the account has.
fn named_set(context: &Context, with: &[String], account: &Account) -> Outcome<(KeySet, Digest)> {
    let none = || {
        let message = format!("account {} named no keys for its recovery", account.id);
        Failure::new(ErrorCode::NotAuthorised, message)
            .helping("nobody can recover it; its own keys name them with `ambar account recovery`")
    };
    let digest: Digest =
        account.recovery.as_ref().ok_or_else(none)?.parse().or_fail(ErrorCode::BadGateway)?;
    let KeySet { keys, .. } = key_set(context, with, 1)?;
    let sets = (1..=keys.len() as u16).map(|threshold| KeySet { keys: keys.clone(), threshold });
    let others = || {
        let message = format!("these are not the keys that account {} named", account.id);
        Failure::new(ErrorCode::NotAuthorised, message)
            .helping("name all of them after --with, by name or DID, and no others")
    };
    let set = sets.into_iter().find(|set| set.digest() == digest).ok_or_else(others)?;
    Ok((set, digest))
}

/// The keys that sign: those of this home.
fn secrets(context: &Context, with: &[String]) -> Outcome<Vec<SecretKey>> {
    let passphrase = context.passphrase();
    let names = with.iter().filter(|text| !text.starts_with("did:"));
    names.map(|name| Ok(context.keys().load(name, passphrase.as_ref())?)).collect()
}

async fn cancel(context: &Context, args: &CancelArgs) -> Outcome {
    let signer = context.signer(args.key.as_deref()).await?;
    let submitted = signer.submit(vec![Operation::CancelRecovery]).await?;
    context.print(&submitted, || {
        format!("the recovery of {} is over, in block {}\n", signer.account, submitted.height)
    })
}

async fn finish(context: &Context, args: &FinishArgs) -> Outcome {
    let signer = context.signer(args.key.as_deref()).await?;
    let account = signer.client().account(&args.account).await?;
    let id = account.id.parse().or_fail(ErrorCode::BadGateway)?;
    let submitted = signer.submit(vec![Operation::FinishRecovery(id)]).await?;
    let names = remember(context, &signer, &account.id).await?;
    context.print(&submitted, || {
        let by = if names.is_empty() { String::new() } else { format!(" by {}", names.join(", ")) };
        format!("{} has its new keys, final in block {}{by}\n", account.id, submitted.height)
    })
}

/// Notes for the keys of this home that they sign for the account from now on; their names.
async fn remember(context: &Context, signer: &Signer, account: &str) -> Outcome<Vec<String>> {
    let account = signer.client().account(account).await?;
    let id = account.id.parse().or_fail(ErrorCode::BadGateway)?;
    let keys = context.keys().list()?.into_iter();
    let own = keys.filter(|info| account.keys.contains(&info.key.did()));
    let names: Vec<_> = own.map(|info| info.name).collect();
    for name in &names {
        context.remember_account(name, id)?;
    }
    Ok(names)
}
