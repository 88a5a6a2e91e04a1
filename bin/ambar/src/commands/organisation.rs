//! `ambar account create`, `ambar account keys` and `ambar account use`: accounts of several
//! keys, and which account a key of this home acts for.

use super::recovery::{key_set, public};
use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use ambar_base::{AccountId, ErrorCode, Inception, Price, PublicKey};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{RotateKeys, Transfer};
use ambar_node::client::Client;
use clap::{Args, Subcommand};
use serde_json::json;

/// Who opens which account.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// Its keys: those of this home by name, others by DID
    #[arg(long, required = true, num_args = 1.., value_name = "KEY")]
    keys: Vec<String>,
    /// How many of them must sign
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: u16,
    /// The key of this home whose DID the account gets; it has opened no account before
    #[arg(long, value_name = "KEY")]
    first: String,
    /// Credits to send to it
    #[arg(long, value_name = "C", default_value = "0")]
    fund: Price,
    /// The key whose account pays
    #[arg(long = "as", value_name = "PAYER")]
    key: Option<String>,
}

/// What to do with the keys of an account.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Replace all keys of an account
    #[command(after_help = "Example:\n  \
        ambar account keys set ann did:key:z6Mk… --threshold 2 --as ann --draft keys.draft")]
    Set(SetArgs),
}

/// Which keys.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// The keys from now on: those of this home by name, others by DID
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    /// How many of them must sign
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: u16,
    /// A key of the account
    #[arg(long = "as", value_name = "OWN")]
    key: Option<String>,
}

/// Which account.
#[derive(Args, Debug)]
pub struct UseArgs {
    /// The account, by DID or id
    account: String,
    /// The key of this home that acts for it from now on
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Opens an account of several keys.
pub async fn create(context: &Context, args: &CreateArgs) -> Outcome {
    let keys = key_set(context, &args.keys, args.threshold)?;
    let first = context.keys().load(&args.first, context.passphrase().as_ref())?;
    let signer = context.signer(args.key.as_deref()).await?;
    let inception = Inception { first: first.public(), keys, recovery: None };
    let signed = inception.sign(signer.network, &first);
    let id = signed.inception.id(signer.network);
    let give = Operation::Transfer(Transfer { to: id, amount: args.fund });
    let give = (args.fund > Price(0)).then_some(give);
    let operations = [Operation::CreateAccount(signed)].into_iter().chain(give).collect();
    let submitted = signer.submit(operations).await.map_err(|failure| match failure.code {
        ErrorCode::KeyNameTaken => {
            failure.helping("make another with `ambar key new NAME`, and name it with --first")
        }
        _ => failure,
    })?;
    let names = adopt(context, signer.client(), id).await?;
    let did = first.public().did();
    let document = json!({
        "account": id.to_string(), "did": did, "height": submitted.height, "used_by": names,
    });
    context.print(&document, || {
        format!("{id}\n{did}\nopened, final in block {}\n{}", submitted.height, used_by(&names))
    })
}

fn used_by(names: &[String]) -> String {
    match names {
        [] => "use it with: --as KEY@ACCOUNT, or ambar account use ACCOUNT --as KEY\n".into(),
        some => format!("used by {}\n", some.join(", ")),
    }
}

/// Notes an account for those of its keys in this home that have no account of their own;
/// their names.
pub async fn adopt(context: &Context, client: &Client, id: AccountId) -> Outcome<Vec<String>> {
    let account = client.account(&id.to_string()).await?;
    let mut names = Vec::new();
    for info in context.keys().list()? {
        let own = account.keys.contains(&info.key.did());
        if own && is_free(context, client, &info.name, &info.key).await? {
            context.remember_account(&info.name, id)?;
            names.push(info.name);
        }
    }
    Ok(names)
}

/// Whether a key acts for no account so far. The first key of this very account may.
async fn is_free(context: &Context, client: &Client, name: &str, key: &PublicKey) -> Outcome<bool> {
    if context.remembered_account(name)?.is_some() {
        return Ok(false);
    }
    match client.account(&key.did()).await.map_err(Failure::from) {
        Ok(opened) => Ok(!opened.keys.contains(&key.did()) || opened.keys.len() > 1),
        Err(failure) if failure.code == ErrorCode::AccountUnknown => Ok(true),
        Err(failure) => Err(failure),
    }
}

/// Runs a command on keys.
pub async fn keys(context: &Context, command: &KeysCommand) -> Outcome {
    let KeysCommand::Set(args) = command;
    let keys = key_set(context, &args.keys, args.threshold)?;
    let signer = context.signer(args.key.as_deref()).await?;
    let account = signer.client().account(&signer.account.to_string()).await?;
    if account.department.is_some() {
        return Err(Failure::input("the keys of a department are its members")
            .helping("set them with `ambar department members`"));
    }
    // Who may recover the account stays as it is.
    let recovery = account.recovery.map(|digest| digest.parse()).transpose();
    let recovery = recovery.or_fail(ErrorCode::BadGateway)?;
    let rotate = Operation::RotateKeys(RotateKeys { keys, recovery });
    let submitted = signer.submit(vec![rotate]).await?;
    let names = adopt(context, signer.client(), signer.account).await?;
    context.print(&submitted, || {
        format!(
            "{} has new keys, final in block {}\n{}",
            signer.account,
            submitted.height,
            used_by(&names)
        )
    })
}

/// Notes the account that a key acts for.
pub async fn use_account(context: &Context, args: &UseArgs) -> Outcome {
    let name = context.key_name(args.key.as_deref())?;
    let did = public(context, &name)?.did();
    let account = context.client()?.account(&args.account).await?;
    if !account.keys.contains(&did) {
        let message = format!("{name} ({did}) is no key of account {}", account.id);
        return Err(Failure::new(ErrorCode::NotAuthorised, message)
            .helping("`ambar account show ACCOUNT` lists its keys"));
    }
    context.remember_account(&name, account.id.parse().or_fail(ErrorCode::BadGateway)?)?;
    let document = json!({ "key": name, "account": account.id });
    context.print(&document, || format!("{name} acts for account {}\n", account.id))
}
