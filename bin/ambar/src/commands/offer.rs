//! `ambar offer`: terms beside the published ones.

use super::terms::read_enforced;
use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::paint::{line, short};
use crate::signer::{Signer, number, offer_of};
use crate::table::{Side, Table};
use ambar_base::{ErrorCode, Moment};
use ambar_ledger::Operation;
use ambar_ledger::transaction::OfferTerms;
use ambar_licence::{PriceRule, Quota, Term, Terms, calendar};
use ambar_node::api::dto::{Offer, TermsView};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// How long an offer holds unless said otherwise, days.
const OFFER_DAYS: u64 = 30;
/// Longest name in a table, characters.
const NAME_CHARS_MAX: usize = 24;

/// What to do with offers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Offer terms for a capsule beside its published ones
    Make(MakeArgs),
    /// List the offers of a capsule, or those to an account
    #[command(after_help = "Examples:\n  ambar offer list bafyrei… --verbose\n  \
        ambar offer list --as app")]
    List(ListArgs),
    /// End an offer; grants that were made under it stay
    #[command(after_help = "Example:\n  ambar offer withdraw 3 --as me")]
    Withdraw(WithdrawArgs),
}

/// What is offered, to whom and for how long.
#[derive(Args, Debug)]
#[command(
    long_about = "Offer terms for a capsule beside its published ones.\n\n\
        Whoever accepts them calls every version that is published under the same terms as now. \
        Offers are public, those to one account too.",
    after_help = "Examples:\n  ambar offer make bafyrei… --terms partner.toml --to did:key:z6Mk…\n  \
        ambar offer make bafyrei… --terms trial.toml --once --limit 100 --as me"
)]
pub struct MakeArgs {
    /// The capsule, by id or registered name
    id: String,
    /// The file with the terms
    #[arg(long, value_name = "FILE")]
    terms: PathBuf,
    /// Only to this account, by DID or id
    #[arg(long, value_name = "DID")]
    to: Option<String>,
    /// For so many days
    #[arg(long, value_name = "N", default_value_t = OFFER_DAYS)]
    days: u64,
    /// Up to this instant, such as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "T", value_parser = instant, conflicts_with = "days")]
    until: Option<Moment>,
    /// At most so many acceptances
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// A trial: each account accepts one for the capsule, ever
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    owner: Owner,
}

/// Which offers.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// The capsule, by id or registered name; without it, those to the account
    id: Option<String>,
    /// Say also what differs from the published terms
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    owner: Owner,
}

/// An offer.
#[derive(Args, Debug)]
pub struct WithdrawArgs {
    /// Its number
    number: String,
    #[command(flatten)]
    owner: Owner,
}

/// Who asks.
#[derive(Args, Debug)]
pub struct Owner {
    /// The key whose account it is
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

fn instant(text: &str) -> Result<Moment, String> {
    let wrong = || "expected an instant such as 2027-01-31T00:00:00Z".to_owned();
    calendar::parse(text).ok_or_else(wrong)
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Make(args) => make(context, args).await,
        Command::List(args) => list(context, args).await,
        Command::Withdraw(args) => {
            let id = number("offer", &args.number)?;
            let signer = context.signer(args.owner.key.as_deref()).await?;
            let submitted = signer.submit(vec![Operation::WithdrawTerms(id)]).await?;
            context.done(&submitted, &format!("offer {id} has ended; grants under it stay"))
        }
    }
}

async fn make(context: &Context, args: &MakeArgs) -> Outcome {
    let terms = read_enforced(&args.terms)?;
    let signer = context.signer(args.owner.key.as_deref()).await?;
    let capsule = signer.client().capsule(&args.id).await?;
    let to = match &args.to {
        Some(to) => Some(signer.account_of(to).await?),
        None => None,
    };
    let expires = match args.until {
        Some(until) => until,
        None => now(&signer).await?.after(args.days.saturating_mul(Moment::DAY_MS)),
    };
    let offer = OfferTerms {
        version: capsule.id.parse().or_fail(ErrorCode::BadGateway)?,
        terms: terms.id(),
        document: Some(terms.to_document()),
        to,
        expires,
        limit: args.limit,
        once: args.once,
    };
    let submitted = signer.submit(vec![Operation::OfferTerms(offer)]).await?;
    let (id, until) = (offer_of(&submitted)?, calendar::print(expires));
    let document = json!({ "offer": id, "capsule": capsule.id, "terms": terms.id().to_string(),
        "to": to.map(|to| to.to_string()), "expires": until });
    let whom = to.map_or("anybody".to_owned(), |to| to.to_string());
    context.print(&document, || format!("offer {id} to {whom}, until {until}\n"))
}

async fn now(signer: &Signer) -> Outcome<Moment> {
    let time = signer.client().status().await?.time;
    calendar::parse(&time)
        .ok_or_else(|| Failure::new(ErrorCode::BadGateway, "the node's time is no instant"))
}

async fn list(context: &Context, args: &ListArgs) -> Outcome {
    let (client, offers) = match &args.id {
        Some(id) => {
            let client = context.client()?;
            let offers = client.offers(Some(id), None).await?;
            (client, offers)
        }
        None => {
            let signer = context.signer(args.owner.key.as_deref()).await?;
            let offers = signer.client().offers(None, Some(&signer.account.to_string())).await?;
            (signer.client().clone(), offers)
        }
    };
    let mut text = table(&offers);
    if args.verbose {
        for offer in &offers {
            let public = client.capsule(&offer.capsule).await?.terms;
            text += &differences(offer, &public)?;
        }
    }
    context.print(&offers, || text)
}

fn table(offers: &[Offer]) -> String {
    let columns = [
        ("offer", Side::Right),
        ("capsule", Side::Left),
        ("to", Side::Left),
        ("price", Side::Left),
        ("quota", Side::Left),
        ("term", Side::Left),
        ("left", Side::Right),
        ("until", Side::Left),
    ];
    let mut table = Table::new(&columns);
    for offer in offers {
        let ends = if offer.over {
            format!("over since {}", offer.expires)
        } else {
            offer.expires.clone()
        };
        table.row([
            offer.id.clone(),
            line(&offer.capsule_name, NAME_CHARS_MAX),
            offer.to.as_deref().map_or("anybody".into(), short),
            price(&offer.terms),
            quota(&offer.terms),
            term(&offer.terms),
            offer.left.map_or(String::new(), |left| left.to_string()),
            if offer.once { format!("{ends}, once each") } else { ends },
        ]);
    }
    table.print("no offers")
}

/// What changes for a licensee from the published terms to the offered ones.
fn differences(offer: &Offer, public: &TermsView) -> Outcome<String> {
    let (public, offered) = (read(public)?, read(&offer.terms)?);
    let changes = public.diff(&offered);
    let changes = changes.iter().map(|change| format!("  {change}\n"));
    Ok(format!("offer {}, beside the published terms:\n{}", offer.id, changes.collect::<String>()))
}

/// Terms as a node tells them.
pub fn read(terms: &TermsView) -> Outcome<Terms> {
    Terms::parse(&terms.toml).or_fail(ErrorCode::BadGateway)
}

/// The price in one cell of a table.
pub fn price(terms: &TermsView) -> String {
    let Ok(Terms { price, tiers, .. }) = read(terms) else { return "?".into() };
    let less = tiers.first().map(|tier| format!(", less from {} calls", tier.from_calls));
    price_text(&price) + &less.unwrap_or_default()
}

fn price_text(price: &PriceRule) -> String {
    let parts = [(price.per_mu, " per MU"), (price.per_call, " per call")];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(price, _)| !price.is_zero())
        .map(|(price, unit)| format!("{price}{unit}"))
        .collect();
    let least = format!("at least {}", price.minimum);
    match (parts.is_empty(), price.minimum.is_zero()) {
        (true, true) => "free".into(),
        (true, false) => least,
        (false, true) => parts.join(" + "),
        (false, false) => format!("{}, {least}", parts.join(" + ")),
    }
}

/// The quota in one cell of a table.
pub fn quota(terms: &TermsView) -> String {
    let Ok(Terms { quota: Some(Quota { per, calls, spend, rate }), .. }) = read(terms) else {
        return "-".into();
    };
    let calls = calls.map(|calls| format!("{calls} calls {}", per.phrase()));
    let spend = spend.map(|spend| format!("{spend} credits {}", per.phrase()));
    let parts = [calls, spend, rate.map(|rate| rate.to_string())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The term of a grant in one cell of a table.
pub fn term(terms: &TermsView) -> String {
    match read(terms).map(|terms| terms.term) {
        Ok(Some(Term::Days(days))) => format!("{days} days"),
        Ok(Some(Term::Until(until))) => format!("until {}", calendar::print(until)),
        Ok(None) => "no end".into(),
        Err(_) => "?".into(),
    }
}
