//! `ambar department`: accounts of an organisation that spend its money within a budget.

use super::organisation::adopt;
use super::recovery::public;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::signer::{Signer, number};
use crate::table::{Side, Table, pairs};
use ambar_base::{AccountId, ErrorCode, Price, PublicKey};
use ambar_ledger::Operation;
use ambar_ledger::object::{Budget, Member, Role};
use ambar_ledger::transaction::{CreateDepartment, Recall, SetBudget, SetMembers};
use ambar_licence::Period;
use ambar_node::api::dto::{Account, Department};
use clap::{Args, Subcommand};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// What keys may do unless said otherwise.
const ROLES_DEFAULT: [Role; 3] = [Role::Spend, Role::Publish, Role::Read];

/// What to do with departments.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open a department of your organisation
    #[command(
        long_about = "Open a department of your organisation.\n\n\
            It is an account of its own, with keys, roles and a budget. What it needs for fees \
            and channels comes from the organisation when it is needed, up to the budget; it \
            cannot send credits to anybody. A key without --role has spend, publish and read.",
        after_help = "Example:\n  ambar department create lab --keys ann did:key:z6Mk… \
            --role bob=read \\\n    --budget 50 --per month --as acme"
    )]
    Create(CreateArgs),
    /// List the departments of an organisation
    #[command(after_help = "Example:\n  ambar department list --as acme")]
    List(Owner),
    /// Show a department: budget, members, what it drew
    #[command(after_help = "Example:\n  ambar department show lab --as acme")]
    Show(NameArgs),
    /// Change how much a department may draw
    #[command(after_help = "Example:\n  ambar department budget lab 80 --per month --as acme")]
    Budget(BudgetArgs),
    /// Replace the members of a department
    #[command(after_help = "Example:\n  ambar department members lab --keys ann --as acme")]
    Members(MembersArgs),
    /// Take money back from a department
    #[command(after_help = "Example:\n  ambar department recall lab --as acme")]
    Recall(RecallArgs),
    /// Close a department; its channels are closed first
    #[command(after_help = "Example:\n  ambar department close lab --as acme")]
    Close(NameArgs),
}

/// Whose departments.
#[derive(Args, Debug)]
pub struct Owner {
    /// A key of the organisation
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// A department.
#[derive(Args, Debug)]
pub struct NameArgs {
    /// Its name, or its account's id
    name: String,
    #[command(flatten)]
    owner: Owner,
}

/// Keys and roles.
#[derive(Args, Debug)]
pub struct Keys {
    /// Keys of this home by name, others by DID
    #[arg(long, num_args = 1.., value_name = "KEY")]
    keys: Vec<String>,
    /// What a key may do: spend, publish, read, admin, joined by commas
    #[arg(long, value_name = "KEY=ROLES")]
    role: Vec<String>,
    /// How many keys with the role must sign
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: u16,
}

/// How a department begins.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// Its name: a-z, 0-9, - . and _
    name: String,
    #[command(flatten)]
    keys: Keys,
    /// Credits that it may draw per period
    #[arg(long, value_name = "C", default_value = "0")]
    budget: Price,
    /// Counted by UTC day or month, or in all (term)
    #[arg(long, value_name = "day|month|term", default_value = "month", value_parser = period)]
    per: Period,
    #[command(flatten)]
    owner: Owner,
}

/// What a department may draw.
#[derive(Args, Debug)]
pub struct BudgetArgs {
    /// Its name, or its account's id
    name: String,
    /// Credits per period; 0 ends its spending
    amount: Price,
    /// Counted by UTC day or month, or in all (term)
    #[arg(long, value_name = "day|month|term", default_value = "month", value_parser = period)]
    per: Period,
    #[command(flatten)]
    owner: Owner,
}

/// Who is in a department.
#[derive(Args, Debug)]
pub struct MembersArgs {
    /// Its name, or its account's id
    name: String,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    owner: Owner,
}

/// How much comes back.
#[derive(Args, Debug)]
pub struct RecallArgs {
    /// Its name, or its account's id
    name: String,
    /// Credits; without it, all that it can spend
    amount: Option<Price>,
    #[command(flatten)]
    owner: Owner,
}

fn period(text: &str) -> Result<Period, String> {
    let known = Period::ALL.into_iter().find(|period| period.text() == text);
    known.ok_or_else(|| "it is day, month or term".into())
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Create(args) => create(context, args).await,
        Command::List(owner) => list(context, owner).await,
        Command::Show(args) => show(context, args).await,
        Command::Budget(args) => {
            let (signer, department) = named(context, &args.name, &args.owner).await?;
            let budget = Budget { amount: args.amount, per: args.per };
            let set = Operation::SetBudget(SetBudget { department, budget });
            let submitted = signer.submit(vec![set]).await?;
            let what = format!("{} may draw {} {}", args.name, args.amount, args.per.phrase());
            context.done(&submitted, &what)
        }
        Command::Members(args) => {
            let (members, threshold) = (members(context, &args.keys)?, args.keys.threshold);
            let (signer, department) = named(context, &args.name, &args.owner).await?;
            let set = SetMembers { department, members, threshold };
            let submitted = signer.submit(vec![Operation::SetMembers(set)]).await?;
            adopt(context, signer.client(), department).await?;
            context.done(&submitted, &format!("{} has new members", args.name))
        }
        Command::Recall(args) => {
            let (signer, department) = named(context, &args.name, &args.owner).await?;
            let recall = Operation::Recall(Recall { department, amount: args.amount });
            let submitted = signer.submit(vec![recall]).await?;
            context.done(&submitted, &format!("money of {} is back", args.name))
        }
        Command::Close(args) => close(context, args).await,
    }
}

/// The signer, and the department that a name or an id means.
async fn named(context: &Context, text: &str, owner: &Owner) -> Outcome<(Signer, AccountId)> {
    let signer = context.signer(owner.key.as_deref()).await?;
    let id = text.parse().unwrap_or_else(|_| AccountId::department(&signer.account, text));
    Ok((signer, id))
}

/// The account of a department, as the node has it.
async fn account_of(signer: &Signer, name: &str, id: AccountId) -> Outcome<(Account, Department)> {
    let none = || {
        let message = format!("account {} has no department {name}", signer.account);
        Failure::new(ErrorCode::NotFound, message)
            .helping("`ambar department list` lists them; name another organisation's by id")
    };
    let account = signer.client().account(&id.to_string()).await.map_err(Failure::from);
    let account = account.map_err(|failure| match failure.code {
        ErrorCode::AccountUnknown => none(),
        _ => failure,
    })?;
    let department = account.department.clone().ok_or_else(none)?;
    Ok((account, department))
}

fn members(context: &Context, keys: &Keys) -> Outcome<Vec<Member>> {
    let mut members: BTreeMap<PublicKey, BTreeSet<Role>> = BTreeMap::new();
    for text in &keys.keys {
        members.insert(public(context, text)?, ROLES_DEFAULT.into());
    }
    for text in &keys.role {
        let odd = || Failure::input(format!("`{text}` is not KEY=ROLES, such as ann=spend,read"));
        let (key, names) = text.rsplit_once('=').ok_or_else(odd)?;
        let role = |name: &str| {
            let known = Role::ALL.into_iter().find(|role| role.text() == name);
            known.ok_or_else(|| {
                let all = Role::ALL.map(Role::text).join(", ");
                Failure::input(format!("`{name}` is no role: {all}"))
            })
        };
        let roles = names.split(',').map(role).collect::<Outcome<BTreeSet<_>>>()?;
        members.insert(public(context, key)?, roles);
    }
    let member = |(key, roles): (PublicKey, BTreeSet<Role>)| Member {
        key,
        roles: roles.into_iter().collect(),
    };
    let members: Vec<_> = members.into_iter().map(member).collect();
    if members.is_empty() {
        return Err(Failure::input("a department has at least one key")
            .helping("name keys after --keys, or with --role KEY=ROLES"));
    }
    Member::key_set(&members, keys.threshold)?;
    Ok(members)
}

async fn create(context: &Context, args: &CreateArgs) -> Outcome {
    let members = members(context, &args.keys)?;
    let (signer, id) = named(context, &args.name, &args.owner).await?;
    let create = CreateDepartment {
        name: args.name.clone(),
        members,
        threshold: args.keys.threshold,
        budget: Budget { amount: args.budget, per: args.per },
    };
    let submitted = signer.submit(vec![Operation::CreateDepartment(create)]).await?;
    let names = adopt(context, signer.client(), id).await?;
    let document = json!({
        "account": id.to_string(), "name": args.name, "height": submitted.height,
        "used_by": names,
    });
    context.print(&document, || {
        format!(
            "{id}\ndepartment {} opened, final in block {}\n\
             its members act for it with --as KEY@{id}, or after:\n  \
             ambar account use {id} --as KEY\n",
            args.name, submitted.height
        )
    })
}

async fn list(context: &Context, owner: &Owner) -> Outcome {
    let signer = context.signer(owner.key.as_deref()).await?;
    let organisation = signer.client().account(&signer.account.to_string()).await?;
    let mut accounts = Vec::with_capacity(organisation.departments.len());
    for row in &organisation.departments {
        accounts.push(signer.client().account(&row.id).await?);
    }
    context.print(&accounts, || {
        let columns = [
            ("department", Side::Left),
            ("state", Side::Left),
            ("keys", Side::Right),
            ("budget", Side::Right),
            ("per", Side::Left),
            ("drawn", Side::Right),
            ("account", Side::Left),
        ];
        let mut table = Table::new(&columns);
        for account in &accounts {
            let Some(department) = &account.department else { continue };
            table.row([
                account.name.clone().unwrap_or_default(),
                if department.closed { "closed" } else { "open" }.to_owned(),
                department.members.len().to_string(),
                department.budget.clone(),
                department.per.clone(),
                department.drawn.clone(),
                account.id.clone(),
            ]);
        }
        table.print("no departments")
    })
}

async fn show(context: &Context, args: &NameArgs) -> Outcome {
    let (signer, id) = named(context, &args.name, &args.owner).await?;
    let (account, department) = account_of(&signer, &args.name, id).await?;
    context.print(&account, || {
        let threshold = account.threshold;
        let available = format!("{} credits", account.available);
        pairs(&[
            ("account", account.id.clone()),
            ("name", account.name.clone().unwrap_or_default()),
            ("available", available),
        ]) + &describe(&department, threshold)
    })
}

/// What a department is, for people.
pub fn describe(department: &Department, threshold: u16) -> String {
    let Department { budget, per, drawn, left, .. } = department;
    let mut text = pairs(&[
        ("organisation", department.organisation.clone()),
        ("state", if department.closed { "closed" } else { "open" }.to_owned()),
        ("budget", format!("{budget} credits per {per}: {drawn} drawn, {left} left")),
        ("channels", department.channels.to_string()),
        ("must sign", format!("{threshold} with the role")),
    ]);
    for member in &department.members {
        text += &format!("  {} may {}\n", member.key, member.roles.join(", "));
    }
    text
}

/// Channels are closed first: what they hold comes back after their settlement window.
async fn close(context: &Context, args: &NameArgs) -> Outcome {
    let (signer, id) = named(context, &args.name, &args.owner).await?;
    let (_, department) = account_of(&signer, &args.name, id).await?;
    if department.channels == 0 {
        let submitted = signer.submit(vec![Operation::CloseDepartment(id)]).await?;
        return context.done(&submitted, &format!("department {} is closed", args.name));
    }
    let channels = signer.client().channels(&id.to_string()).await?;
    let open = channels.iter().filter(|channel| channel.closing.is_none());
    let closing = open.map(|channel| Ok(Operation::CloseChannel(number("channel", &channel.id)?)));
    let mut operations = closing.collect::<Outcome<Vec<_>>>()?;
    operations.truncate(ambar_ledger::transaction::OPERATIONS_MAX);
    if operations.is_empty() {
        let message = format!("{} channels are not paid out yet", department.channels);
        return Err(Failure::new(ErrorCode::TransactionInvalid, message)
            .helping("wait for the end of their settlement window, then close it again"));
    }
    let count = operations.len();
    let submitted = signer.submit(operations).await?;
    context.done(
        &submitted,
        &format!(
            "{count} channels of {} are closing: close it again once they are paid out",
            args.name
        ),
    )
}

/// What an organisation's account says of its departments.
pub fn listed(account: &Account) -> String {
    let rows = account.departments.iter().map(|row| {
        let closed = if row.closed { " (closed)" } else { "" };
        format!("  {}{closed}  {}\n", row.name, row.id)
    });
    let rows: String = rows.collect();
    if rows.is_empty() { rows } else { format!("departments\n{rows}") }
}
