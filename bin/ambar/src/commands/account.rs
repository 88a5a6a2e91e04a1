//! `ambar account`: balances, statements, transfers, recovery, and free credits on development
//! networks.

use super::recovery::{self, RecoverArgs};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::paint::short;
use crate::table::{Side, Table, pairs};
use ambar_base::{ErrorCode, Price};
use ambar_ledger::Operation;
use ambar_ledger::transaction::Transfer;
use ambar_node::api::dto::{Account, StatementRow};
use clap::{Args, Subcommand};
use serde_json::json;

/// Rows asked for at once.
const ROWS_PER_REQUEST: u32 = 200;
/// Most rows printed.
const ROWS_MAX: usize = 100_000;

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show an account
    #[command(after_help = "Example:\n  ambar account show --as me")]
    Show(AccountArgs),
    /// Every movement of an account's money, oldest first
    #[command(after_help = "Example:\n  ambar account statement --as me")]
    Statement(AccountArgs),
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
        Command::Statement(args) => statement(context, args).await,
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

async fn statement(context: &Context, args: &AccountArgs) -> Outcome {
    let signer = context.signer(args.key.as_deref()).await?;
    let account = args.did.clone().unwrap_or_else(|| signer.account.to_string());
    let (mut rows, mut after) = (Vec::new(), None::<String>);
    let first = loop {
        let part =
            signer.client().statement(&account, after.as_deref(), Some(ROWS_PER_REQUEST)).await?;
        rows.extend(part.rows);
        after = part.next;
        if after.is_none() {
            break part.first;
        }
        if rows.len() >= ROWS_MAX {
            let message = format!("the statement has more than {ROWS_MAX} rows");
            return Err(Failure::new(ErrorCode::LimitExceeded, message));
        }
    };
    let document = json!({ "account": account, "first": first, "rows": rows });
    context.print(&document, || rows_of(&rows) + &first.map(before).unwrap_or_default())
}

/// What a statement lacks that begins later than the network.
fn before(first: u64) -> String {
    format!(
        "\nthis node knows movements from block {first} on; `opening` is what was there before. An \
         archive node knows all.\n"
    )
}

fn rows_of(rows: &[StatementRow]) -> String {
    let columns = [
        ("block", Side::Right),
        ("time", Side::Left),
        ("kind", Side::Left),
        ("receipt", Side::Left),
        ("with", Side::Left),
        ("credits", Side::Right),
    ];
    let mut table = Table::new(&columns);
    for row in rows {
        let sign = if row.direction == "out" { "-" } else { "+" };
        table.row([
            row.height.to_string(),
            row.time.clone(),
            row.kind.clone(),
            row.receipt.clone().unwrap_or_default(),
            row.counterpart.as_deref().map(short).unwrap_or_default(),
            format!("{sign}{}", row.amount),
        ]);
    }
    table.print("no movements")
}

async fn transfer(context: &Context, args: &TransferArgs) -> Outcome {
    let signer = context.signer(args.key.as_deref()).await?;
    let to = signer.account_of(&args.did).await?;
    let transfer = Transfer { to, amount: args.amount };
    let submitted = signer.submit(vec![Operation::Transfer(transfer)]).await?;
    context.done(&submitted, &format!("{} credits sent to {to}", args.amount))
}

async fn fund(context: &Context, args: &FundArgs) -> Outcome {
    let signer = context.signer(args.key.as_deref()).await?;
    let answer = signer.fund(args.amount).await?;
    context.print(&answer, || {
        let opened = if answer.opened { "opened " } else { "" };
        let Account { id, available, .. } = &answer.account;
        format!("{opened}account {id} has {available} credits available\n")
    })
}
