//! `ambar tx`: transactions that several sign, from home to home as files.

use crate::context::Context;
use crate::draft::{Draft, Standing};
use crate::failure::{Failure, Outcome};
use crate::table::pairs;
use ambar_base::{Encode, ErrorCode};
use ambar_node::api::dto::{Account, Status};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What to do with a draft.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what a draft does, until when, who signed it and who may
    #[command(after_help = "Example:\n  ambar tx show pay.draft")]
    Show(FileArgs),
    /// Sign a draft
    #[command(after_help = "Example:\n  ambar tx sign pay.draft --as ann")]
    Sign(SignArgs),
    /// Submit a draft that enough have signed
    #[command(after_help = "Example:\n  ambar tx submit pay.draft")]
    Submit(FileArgs),
}

/// A draft.
#[derive(Args, Debug)]
pub struct FileArgs {
    /// The file that --draft wrote
    file: PathBuf,
}

/// A draft and who signs it.
#[derive(Args, Debug)]
pub struct SignArgs {
    /// The file that --draft wrote; the signatures are added to it
    file: PathBuf,
    /// The keys that sign; without it, every key of this home that may
    #[arg(long = "as", num_args = 1.., value_name = "KEY")]
    keys: Vec<String>,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Show(args) => show(context, &args.file).await,
        Command::Sign(args) => sign(context, args).await,
        Command::Submit(args) => submit(context, &args.file).await,
    }
}

/// A draft, its account, and the network that it meets.
async fn read(context: &Context, file: &Path) -> Outcome<(Draft, Status, Account)> {
    let draft = Draft::read(file)?;
    let client = context.client()?;
    let status = client.status().await?;
    let account = client.account(&draft.account()?).await?;
    Ok((draft, status, account))
}

async fn show(context: &Context, file: &Path) -> Outcome {
    let (draft, status, account) = read(context, file).await?;
    let standing = draft.standing(&account)?;
    let stale = draft.check(&status, &account).err();
    let mut document = told(&draft, &standing);
    document["height"] = json!(status.height);
    document["void"] = json!(stale.as_ref().map(|failure| failure.code.text()));
    context.print(&document, || {
        let void = stale.map(|failure| format!("\nit is void: {}\n", failure.message));
        describe(context, &draft, &standing) + &void.unwrap_or_default()
    })
}

async fn sign(context: &Context, args: &SignArgs) -> Outcome {
    let (mut draft, status, account) = read(context, &args.file).await?;
    draft.check(&status, &account)?;
    let names =
        if args.keys.is_empty() { own(context, &draft, &account)? } else { args.keys.clone() };
    for name in &names {
        let key = context.keys().load(name, context.passphrase().as_ref())?;
        draft.sign(&key, &account)?;
    }
    draft.write(&args.file)?;
    drafted(context, &args.file, &draft, &draft.standing(&account)?)
}

/// The keys of this home that may sign and have not: those of a recovery first, for theirs
/// make what was signed around it void.
fn own(context: &Context, draft: &Draft, account: &Account) -> Outcome<Vec<String>> {
    let (keys, standing) = (context.keys().list()?, draft.standing(account)?);
    let recovery = draft.recovery_may();
    let named = |dids: &[String]| {
        let own = keys.iter().filter(|info| dids.contains(&info.key.did()));
        own.map(|info| info.name.clone()).collect::<Vec<_>>()
    };
    let mut names = named(&recovery);
    names.extend(named(&standing.may));
    names.dedup();
    if names.is_empty() {
        let message = "no key of this home may sign it, or all of them have";
        return Err(Failure::new(ErrorCode::NotAuthorised, message)
            .helping("`ambar tx show FILE` says who may"));
    }
    Ok(names)
}

async fn submit(context: &Context, file: &Path) -> Outcome {
    let (draft, status, account) = read(context, file).await?;
    draft.check(&status, &account)?;
    let standing = draft.standing(&account)?;
    if !standing.is_complete() {
        let missing = standing.missing() + standing.recovery;
        let message = format!("{missing} signatures are missing");
        return Err(Failure::new(ErrorCode::SignatureInvalid, message)
            .helping("`ambar tx show FILE` says whose"));
    }
    let submitted = context.client()?.submit(draft.transaction.to_bytes()).await?;
    context.done(&submitted, &format!("{}\nsubmitted", draft.says().join("\n")))
}

/// Tells of a draft that was written.
pub fn drafted(context: &Context, path: &Path, draft: &Draft, standing: &Standing) -> Outcome {
    let mut document = told(draft, standing);
    document["draft"] = json!(path);
    context.print(&document, || {
        let next = if standing.is_complete() { "submit" } else { "sign" };
        let path = path.display();
        format!("{}\nnext: ambar tx {next} {path}\n", describe(context, draft, standing))
    })
}

fn told(draft: &Draft, standing: &Standing) -> Value {
    let envelope = &draft.transaction.envelope;
    json!({
        "id": envelope.id().to_string(),
        "account": draft.account().ok(),
        "network": envelope.network.to_string(),
        "does": draft.says(),
        "fee_cap": envelope.fee_cap.to_string(),
        "nonce": envelope.nonce,
        "expires": envelope.expires.0,
        "signed": standing.signed,
        "may_sign": standing.may,
        "threshold": standing.needed,
        "missing": standing.missing(),
        "recovery_may_sign": draft.recovery_may(),
        "recovery_missing": standing.recovery,
    })
}

fn describe(context: &Context, draft: &Draft, standing: &Standing) -> String {
    let envelope = &draft.transaction.envelope;
    let keys = context.keys().list().unwrap_or_default();
    let called = |did: &String| match keys.iter().find(|info| info.key.did() == *did) {
        Some(info) => format!("{} ({did})", info.name),
        None => did.clone(),
    };
    let list = |dids: &[String]| match dids {
        [] => "nobody".to_owned(),
        some => some.iter().map(called).collect::<Vec<_>>().join(", "),
    };
    let mut text = String::from("this transaction\n");
    for (at, sentence) in draft.says().iter().enumerate() {
        text += &format!("  {}. {sentence}\n", at + 1);
    }
    let missing = standing.missing();
    text += &pairs(&[
        ("account", draft.account().unwrap_or_default()),
        ("fee", format!("at most {} credits", envelope.fee_cap)),
        ("expires", format!("after block {}", envelope.expires)),
        ("signed by", list(&standing.signed)),
        ("missing", format!("{missing} of {}", standing.needed)),
        ("may sign", list(&standing.may)),
    ]);
    let recovery = draft.recovery_may();
    if standing.recovery > 0 {
        let missing = standing.recovery;
        text += &format!("recovery   {missing} missing, of {}\n", list(&recovery));
    }
    text
}
