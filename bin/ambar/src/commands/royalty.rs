//! `ambar royalty`: royalty lines, and their sale.

use crate::ask::confirm;
use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::paint::{line, short};
use crate::signer::{Signer, number};
use crate::table::{Side, Table, pairs};
use ambar_base::{ErrorCode, Moment, Price};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{BuyRoyalty, OfferRoyalty, TransferRoyalty};
use ambar_node::api::dto::{Royalty, RoyaltyOffer};
use clap::{Args, Subcommand};

/// Longest name in a table, characters.
const NAME_CHARS_MAX: usize = 32;
/// How long an offer holds unless said otherwise, days.
const OFFER_DAYS: u64 = 30;

/// What to do with royalty lines.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the royalty lines that an account holds
    #[command(after_help = "Example:\n  ambar royalty list --as me")]
    List(Owner),
    /// Offer a royalty line at a price, in place of any offer before
    #[command(after_help = "Example:\n  ambar royalty sell 3 25 --days 7 --as me")]
    Sell(SellArgs),
    /// End the offer of a royalty line
    #[command(after_help = "Example:\n  ambar royalty withdraw 3 --as me")]
    Withdraw(LineArgs),
    /// Buy a royalty line that is offered: later calls pay you
    #[command(
        long_about = "Buy a royalty line that is offered: later calls pay you.\n\n\
            The price and the line change hands in one step, or nothing does. Calls that were \
            admitted before still pay the seller.",
        after_help = "Example:\n  ambar royalty buy 3 --price 25 --as me"
    )]
    Buy(BuyArgs),
    /// Give a royalty line to another account
    #[command(after_help = "Example:\n  ambar royalty transfer 3 did:key:z6Mk… --as me")]
    Transfer(TransferArgs),
}

/// Whose they are.
#[derive(Args, Debug)]
pub struct Owner {
    /// The key whose account it is
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// A royalty line.
#[derive(Args, Debug)]
pub struct LineArgs {
    /// Its number
    id: String,
    #[command(flatten)]
    owner: Owner,
}

/// A royalty line and what it costs.
#[derive(Args, Debug)]
pub struct SellArgs {
    /// Its number
    id: String,
    /// The price in credits
    price: Price,
    /// Only to this account, by DID or id
    #[arg(long, value_name = "DID")]
    to: Option<String>,
    /// For so many days
    #[arg(long, value_name = "N", default_value_t = OFFER_DAYS)]
    days: u64,
    #[command(flatten)]
    owner: Owner,
}

/// A royalty line to buy.
#[derive(Args, Debug)]
pub struct BuyArgs {
    /// Its number
    id: String,
    /// Only at this price in credits
    #[arg(long, value_name = "C")]
    price: Option<Price>,
    /// Buy without being asked
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    owner: Owner,
}

/// A royalty line to give away.
#[derive(Args, Debug)]
pub struct TransferArgs {
    /// Its number
    id: String,
    /// The new holder's account, by DID or id
    did: String,
    #[command(flatten)]
    owner: Owner,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::List(owner) => list(context, owner).await,
        Command::Sell(args) => sell(context, args).await,
        Command::Withdraw(args) => {
            let id = number("royalty line", &args.id)?;
            let signer = signer(context, &args.owner).await?;
            let submitted = signer.submit(vec![Operation::WithdrawOffer(id)]).await?;
            context.done(&submitted, &format!("royalty line {id} is no longer for sale"))
        }
        Command::Buy(args) => buy(context, args).await,
        Command::Transfer(args) => {
            let royalty = number("royalty line", &args.id)?;
            let signer = signer(context, &args.owner).await?;
            let to = signer.account_of(&args.did).await?;
            let give = Operation::TransferRoyalty(TransferRoyalty { royalty, to });
            let submitted = signer.submit(vec![give]).await?;
            context.done(&submitted, &format!("royalty line {royalty} is held by {to}"))
        }
    }
}

async fn signer(context: &Context, owner: &Owner) -> Outcome<Signer> {
    context.signer(owner.key.as_deref()).await
}

async fn list(context: &Context, owner: &Owner) -> Outcome {
    let signer = signer(context, owner).await?;
    let lines = signer.client().royalties(&signer.account.to_string()).await?;
    context.print(&lines, || table(&lines))
}

fn table(lines: &[Royalty]) -> String {
    let columns = [
        ("line", Side::Right),
        ("capsule", Side::Left),
        ("id", Side::Left),
        ("weight", Side::Right),
        ("offer", Side::Left),
    ];
    let mut table = Table::new(&columns);
    for royalty in lines {
        table.row([
            royalty.id.clone(),
            line(&royalty.capsule_name, NAME_CHARS_MAX),
            short(&royalty.capsule),
            royalty.weight.clone(),
            royalty.offer.as_ref().map(offer_text).unwrap_or_default(),
        ]);
    }
    table.print("no royalty lines")
}

fn offer_text(offer: &RoyaltyOffer) -> String {
    let to = offer.to.as_deref().map(|to| format!(" to {}", short(to))).unwrap_or_default();
    let ends = if offer.over { "over since" } else { "until" };
    format!("{} credits{to}, {ends} {}", offer.price, offer.expires)
}

async fn sell(context: &Context, args: &SellArgs) -> Outcome {
    let royalty = number("royalty line", &args.id)?;
    let signer = signer(context, &args.owner).await?;
    let to = match &args.to {
        Some(to) => Some(signer.account_of(to).await?),
        None => None,
    };
    let time = signer.client().status().await?.time;
    let now = ambar_licence::calendar::parse(&time)
        .ok_or_else(|| Failure::new(ErrorCode::BadGateway, "the node's time is no instant"))?;
    let expires = now.after(args.days.saturating_mul(Moment::DAY_MS));
    let offer = OfferRoyalty { royalty, price: args.price, to, expires };
    let submitted = signer.submit(vec![Operation::OfferRoyalty(offer)]).await?;
    let what = format!(
        "royalty line {royalty} is offered at {} credits for {} days",
        args.price, args.days
    );
    context.done(&submitted, &what)
}

async fn buy(context: &Context, args: &BuyArgs) -> Outcome {
    let id = number("royalty line", &args.id)?;
    let signer = signer(context, &args.owner).await?;
    let royalty = signer.client().royalty(&args.id).await?;
    let none = || {
        Failure::new(ErrorCode::NotFound, format!("royalty line {id} is not for sale"))
            .helping("ask its holder to offer it with `ambar royalty sell`")
    };
    let offer = royalty.offer.as_ref().filter(|offer| !offer.over).ok_or_else(none)?;
    let asked: Price = offer.price.parse().or_fail(ErrorCode::BadGateway)?;
    context.note(&describe(&royalty, offer));
    let price = args.price.unwrap_or(asked);
    if price != asked {
        let message = format!("royalty line {id} costs {asked} credits, not {price}");
        return Err(Failure::new(ErrorCode::TransactionInvalid, message)
            .helping("look at the offer above, and name its price if it is yours"));
    }
    if !args.yes {
        let help = "read the offer above and add --yes to buy the line";
        confirm("buy this royalty line?", "the royalty line was not bought", help)?;
    }
    let buy = Operation::BuyRoyalty(BuyRoyalty { royalty: id, price });
    let submitted = signer.submit(vec![buy]).await?;
    let what = format!("royalty line {id} is yours for {price} credits");
    context.done(&submitted, &what)
}

fn describe(royalty: &Royalty, offer: &RoyaltyOffer) -> String {
    let rows = pairs(&[
        ("line", royalty.id.clone()),
        ("capsule", format!("{} {}", line(&royalty.capsule_name, NAME_CHARS_MAX), royalty.capsule)),
        ("weight", format!("{} of what the capsule itself keeps", royalty.weight)),
        ("seller", royalty.holder.clone()),
        ("price", format!("{} credits", offer.price)),
        ("until", offer.expires.clone()),
    ]);
    rows.trim_end().to_owned()
}
