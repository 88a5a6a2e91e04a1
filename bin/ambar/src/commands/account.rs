//! `ambar account`: balances, transfers, and free credits on development networks. Statements,
//! accounts of several keys and recovery have files of their own.

use super::department;
use super::organisation::{self, CreateArgs, KeysCommand, UseArgs};
use super::recovery::{self, RecoverArgs};
use super::statement::{self, StatementArgs};
use crate::context::Context;
use crate::failure::Outcome;
use crate::table::pairs;
use ambar_base::Price;
use ambar_ledger::Operation;
use ambar_ledger::transaction::Transfer;
use ambar_node::api::dto::Account;
use clap::{Args, Subcommand};

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show an account
    #[command(after_help = "Example:\n  ambar account show --as me")]
    Show(AccountArgs),
    /// Every movement of an account's money, oldest first
    #[command(
        long_about = "Every movement of an account's money, oldest first.\n\n\
            With --consolidated, the rows of an organisation and of all its departments in one \
            list: what moves between them is internal and nets to zero.",
        after_help = "Examples:\n  ambar account statement --as me\n  \
            ambar account statement --consolidated --csv --as acme > acme.csv"
    )]
    Statement(StatementArgs),
    /// Open an account of several keys, such as an organisation's
    #[command(after_help = "Example:\n  ambar account create --first acme --keys acme \
        did:key:z6Mk… --threshold 2 --as me")]
    Create(CreateArgs),
    /// The keys of an account
    #[command(subcommand)]
    #[command(after_help = "Example:\n  ambar account keys set ann did:key:z6Mk… --as ann")]
    Keys(KeysCommand),
    /// Let a key of this home act for an account whose key it is
    #[command(after_help = "Example:\n  ambar account use did:key:z6Mk… --as ann")]
    Use(UseArgs),
    /// Send credits to somebody
    #[command(after_help = "Example:\n  ambar account transfer did:key:z6Mk… 2.5 --as me")]
    Transfer(TransferArgs),
    /// Take free credits on a development network; opens the account if need be
    #[command(after_help = "Example:\n  ambar account fund 10 --as me")]
    Fund(FundArgs),
    /// Begin to give an account new keys, by the keys that it named for this
    #[command(
        long_about = "Begin to give an account new keys, by the keys that it named for this.\n\n\
            Name all of those keys: those of this home by name, which sign, the others by DID. \
            The new keys hold after a delay of 86400 blocks, once somebody finishes the \
            recovery; until then the account's present keys can end it.",
        after_help = "Example:\n  \
            ambar account recover did:key:z6Mk… --with cold --keys fresh --as friend"
    )]
    Recover(RecoverArgs),
    /// Who may recover an account, and ending or finishing it
    #[command(subcommand)]
    #[command(after_help = "Example:\n  ambar account recovery set cold --as me")]
    Recovery(recovery::Command),
}

/// An account.
#[derive(Args, Debug)]
pub struct AccountArgs {
    /// The account, by DID or id; without it, the key's own
    did: Option<String>,
    /// The key that asks
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// To whom, how much.
#[derive(Args, Debug)]
pub struct TransferArgs {
    /// The receiver's account, by DID or id
    did: String,
    /// Credits
    amount: Price,
    /// The key that pays
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// How much for whom.
#[derive(Args, Debug)]
pub struct FundArgs {
    /// Credits
    amount: Price,
    /// The key whose account gets them
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Show(args) => show(context, args).await,
        Command::Statement(args) => statement::run(context, args).await,
        Command::Create(args) => organisation::create(context, args).await,
        Command::Keys(command) => organisation::keys(context, command).await,
        Command::Use(args) => organisation::use_account(context, args).await,
        Command::Transfer(args) => transfer(context, args).await,
        Command::Fund(args) => fund(context, args).await,
        Command::Recover(args) => recovery::recover(context, args).await,
        Command::Recovery(command) => recovery::run(context, command).await,
    }
}

async fn show(context: &Context, args: &AccountArgs) -> Outcome {
    let account = match &args.did {
        Some(did) => context.client()?.account(did).await?,
        None => {
            let signer = context.signer(args.key.as_deref()).await?;
            signer.client().account(&signer.account.to_string()).await?
        }
    };
    context.print(&account, || describe(&account))
}

fn describe(account: &Account) -> String {
    let none = || "-".to_owned();
    let mut text = pairs(&[
        ("id", account.id.clone()),
        ("did", account.did.clone().unwrap_or_else(none)),
        ("name", account.name.clone().unwrap_or_else(none)),
        ("keys", format!("{} ({} must sign)", account.keys.join(", "), account.threshold)),
        ("available", format!("{} credits", account.available)),
        ("pending", format!("{} credits", account.pending)),
        ("recovery", account.recovery.clone().unwrap_or_else(none)),
    ]);
    if let Some(one) = &account.department {
        text += &department::describe(one, account.threshold);
    }
    text += &department::listed(account);
    if let Some(recovering) = &account.recovering {
        text += &format!(
            "\nsomebody recovers this account: from {} and block {} on it can get the keys {}\n\
             end that with: ambar account recovery cancel\n",
            recovering.from,
            recovering.from_height,
            recovering.keys.join(", ")
        );
    }
    text
}

async fn transfer(context: &Context, args: &TransferArgs) -> Outcome {
    let signer = context.signer(args.key.as_deref()).await?;
    let to = signer.account_of(&args.did).await?;
    let transfer = Transfer { to, amount: args.amount };
    let submitted = signer.submit(vec![Operation::Transfer(transfer)]).await?;
    context.done(&submitted, &format!("{} credits sent to {to}", args.amount))
}

async fn fund(context: &Context, args: &FundArgs) -> Outcome {
    context.no_draft("the faucet gives at once: nothing is to be signed")?;
    let signer = context.signer(args.key.as_deref()).await?;
    let answer = signer.fund(args.amount).await?;
    context.print(&answer, || {
        let opened = if answer.opened { "opened " } else { "" };
        let Account { id, available, .. } = &answer.account;
        format!("{opened}account {id} has {available} credits available\n")
    })
}
