//! `ambar key`: the keys of this home. Each is its own file, encrypted if AMBAR_PASSPHRASE
//! was set when it was made.

use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::table::{Side, Table, pairs};
use ambar_base::{ErrorCode, KeySet};
use ambar_ledger::Operation;
use ambar_ledger::transaction::RotateKeys;
use ambar_node::keys::{KeyFile, KeyInfo, PASSPHRASE_VARIABLE};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new key; set AMBAR_PASSPHRASE to encrypt its file
    #[command(after_help = "Example:\n  ambar key new me")]
    New(NameArgs),
    /// List the keys of this home
    #[command(after_help = "Example:\n  ambar key list")]
    List,
    /// Show a key's DID
    #[command(after_help = "Example:\n  ambar key show me")]
    Show(NameArgs),
    /// Write a key to a file; set AMBAR_PASSPHRASE to encrypt it
    #[command(after_help = "Example:\n  ambar key export me --out me.key")]
    Export(ExportArgs),
    /// Replace an account's key by a new one; the account stays
    #[command(after_help = "Example:\n  ambar key rotate --as me")]
    Rotate(RotateArgs),
}

/// A key.
#[derive(Args, Debug)]
pub struct NameArgs {
    /// Its name: a-z, 0-9, - and _
    name: String,
}

/// A key and where to write it.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Its name
    name: String,
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Whose key.
#[derive(Args, Debug)]
pub struct RotateArgs {
    /// The key to replace
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::New(args) => new(context, &args.name),
        Command::List => list(context),
        Command::Show(args) => show(context, &args.name),
        Command::Export(args) => export(context, args),
        Command::Rotate(args) => rotate(context, args).await,
    }
}

fn new(context: &Context, name: &str) -> Outcome {
    let passphrase = context.passphrase();
    let key = context.keys().create(name, passphrase.as_ref())?;
    let did = key.public().did();
    if passphrase.is_none() {
        context.note(&format!("the key is not encrypted; {PASSPHRASE_VARIABLE} is not set"));
    }
    context.print(&json!({ "name": name, "did": did }), || format!("{did}\n"))
}

fn info_json(info: &KeyInfo) -> Value {
    json!({ "name": info.name, "did": info.key.did(), "encrypted": info.encrypted })
}

fn list(context: &Context) -> Outcome {
    let keys = context.keys().list()?;
    let document: Vec<_> = keys.iter().map(info_json).collect();
    context.print(&document, || {
        let columns = [("name", Side::Left), ("did", Side::Left), ("encrypted", Side::Left)];
        let mut table = Table::new(&columns);
        for info in &keys {
            let encrypted = if info.encrypted { "yes" } else { "no" };
            table.row([info.name.clone(), info.key.did(), encrypted.to_owned()]);
        }
        table.print("no keys; make one with `ambar key new NAME`")
    })
}

fn show(context: &Context, name: &str) -> Outcome {
    let info = context.keys().info(name)?;
    context.print(&info_json(&info), || {
        pairs(&[
            ("name", info.name.clone()),
            ("did", info.key.did()),
            ("encrypted", if info.encrypted { "yes" } else { "no" }.to_owned()),
        ])
    })
}

fn export(context: &Context, args: &ExportArgs) -> Outcome {
    let passphrase = context.passphrase();
    let key = context.keys().load(&args.name, passphrase.as_ref())?;
    KeyFile::seal(&key, passphrase.as_ref())?.create(&args.out)?;
    let out = args.out.display().to_string();
    let encrypted = passphrase.is_some();
    let document = json!({ "name": args.name, "out": out, "encrypted": encrypted });
    context.print(&document, || {
        let how = if encrypted { "encrypted" } else { "NOT encrypted: keep it safe" };
        format!("{out}: {how}\n")
    })
}

/// The new key is durable before the ledger hears of it, and the old one is kept, so that
/// no crash leaves an account without its key.
async fn rotate(context: &Context, args: &RotateArgs) -> Outcome {
    context.no_draft("a key is rotated at once; for several, draft `ambar account keys set`")?;
    let name = context.key_name(args.key.as_deref())?;
    let signer = context.signer(Some(&name)).await?;
    // Who may recover the account stays as it is.
    let account = signer.client().account(&signer.account.to_string()).await?;
    let recovery = account.recovery.map(|digest| digest.parse()).transpose();
    let recovery = recovery.or_fail(ErrorCode::BadGateway)?;
    let (keys, passphrase) = (context.keys(), context.passphrase());
    let (next, former) = (format!("{name}-next"), format!("{name}-former"));
    let fresh = keys.create(&next, passphrase.as_ref())?;
    let rotate = RotateKeys { keys: KeySet::single(fresh.public()), recovery };
    let submitted = match signer.submit(vec![Operation::RotateKeys(rotate)]).await {
        Ok(submitted) => submitted,
        Err(failure) => {
            return Err(failure.helping(format!(
                "nothing was replaced; the new key stays as {next} until you remove its file"
            )));
        }
    };
    context.remember_account(&name, signer.account)?;
    for (from, to) in [(&name, &former), (&next, &name)] {
        let (from, to) = (keys.path(from)?, keys.path(to)?);
        fs::rename(&from, &to).map_err(|error| Failure::file(&from, &error))?;
    }
    let did = fresh.public().did();
    let document = json!({ "name": name, "did": did, "account": signer.account.to_string() });
    context.print(&document, || {
        format!("{did}\nthe key of {} since block {}\n", signer.account, submitted.height)
    })
}
