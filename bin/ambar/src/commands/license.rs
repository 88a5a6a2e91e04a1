//! `ambar license`: shows what the terms say and cost, accepts them, and opens a channel.

use super::offer;
use crate::ask::confirm;
use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::sessions::{self, Session};
use crate::signer::{Signer, channel_of, grant_of, number};
use crate::table::{Side, Table};
use ambar_base::{ErrorCode, Moment, Price, PublicKey};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{Accept, OpenChannel};
use ambar_licence::Territory;
use ambar_node::api::dto::{Capsule, Offer, TermsView};
use clap::Args;
use serde_json::json;

/// What a channel is opened with unless `--fund` says otherwise.
pub const FUND_DEFAULT: &str = "1";
/// Most credits per MU that a channel pays unless said otherwise.
pub const UNIT_PRICE_MAX_DEFAULT: &str = "0.01";
/// How long a channel admits calls, days.
const CHANNEL_DAYS: u64 = 365;
/// Most grants of one channel, as the ledger has it.
const CHANNEL_GRANTS_MAX: usize = 64;

/// Whose terms to accept, and how to pay.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ambar license bafyrei… --as app --fund 5 --yes\n  \
    ambar license bafyrei… --territory DE --yes\n  \
    ambar license bafyrei… --vouchers --fund 5 --yes\n  \
    ambar license bafyrei… --trial --as app --yes")]
pub struct LicenseArgs {
    /// The capsule, by id or registered name
    id: String,
    /// The key whose account accepts and pays
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
    /// Credits to open the channel with
    #[arg(long, value_name = "C", default_value = FUND_DEFAULT)]
    fund: Price,
    /// The gateway, by the DID of its key; without it, the node that is asked
    #[arg(long, value_name = "G", value_parser = gateway)]
    gateway: Option<PublicKey>,
    /// Most credits per MU, royalty and node fee together, that the channel ever pays
    #[arg(long, value_name = "C", default_value = UNIT_PRICE_MAX_DEFAULT)]
    unit_price_max: Price,
    /// The country that the capsule is used in, such as DE, where its terms name some: a
    /// declaration that stands in every receipt
    #[arg(long, value_name = "T")]
    territory: Option<Territory>,
    /// Let nothing settle that this side has not signed: see `ambar connect`
    #[arg(long, conflicts_with = "no_channel")]
    vouchers: bool,
    /// Accept this offer instead of the published terms: see `ambar offer list`
    #[arg(long, value_name = "N", conflicts_with = "trial")]
    offer: Option<u64>,
    /// Accept the one trial that is offered
    #[arg(long)]
    trial: bool,
    /// Only accept the terms, as an author does whose capsule uses this one
    #[arg(long)]
    no_channel: bool,
    /// Accept without being asked
    #[arg(long)]
    yes: bool,
}

/// A gateway by the DID of its key.
pub fn gateway(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_did(text).map_err(|error| error.to_string())
}

/// Runs the command.
pub async fn run(context: &Context, args: &LicenseArgs) -> Outcome {
    if !args.no_channel {
        context.no_draft("the key of a channel is made here: draft with --no-channel only")?;
    }
    let owner = context.key_name(args.key.as_deref())?;
    let signer = context.signer(Some(&owner)).await?;
    let capsule = signer.client().capsule(&args.id).await?;
    let offers = signer.client().offers(Some(&args.id), Some(&signer.account.to_string())).await?;
    if !offers.is_empty() {
        context.note(&choices(&capsule, &offers));
    }
    let chosen = chosen(args, &offers)?;
    context.note(&described(&capsule, chosen));
    if !args.yes {
        let help = "read the terms above and add --yes to accept them";
        confirm("accept these terms?", "the terms were not accepted", help)?;
    }
    let phase = context.progress().spinner("accepting the terms");
    let grant = accept_offer(&signer, &capsule, chosen, args.territory).await?;
    phase.finish(&format!("grant {grant}"));
    let territory = args.territory.map(Territory::as_str);
    let place = territory.map(|code| format!(" for use in {code}")).unwrap_or_default();
    let offer = chosen.map(|offer| &offer.id);
    if args.no_channel {
        let document = json!({ "grant": grant, "channel": null, "territory": territory,
            "offer": offer });
        return context.print(&document, || format!("grant {grant}{place}\n"));
    }
    let opening = Opening {
        owner,
        fund: args.fund,
        gateway: args.gateway,
        unit_price_max: args.unit_price_max,
        vouchers: args.vouchers,
    };
    let phase = context.progress().spinner("opening a channel");
    let session = opening.open(&signer).await?;
    phase.finish(&format!("channel {}", session.channel));
    session.save(context.home(), context.passphrase().as_ref())?;
    let channel = session.channel;
    let document = json!({ "grant": grant, "channel": channel.to_string(), "territory": territory,
        "offer": offer });
    let next = next(channel, args.vouchers);
    context.print(&document, || {
        format!("grant {grant}{place}, channel {channel} with {} credits\n{next}\n", args.fund)
    })
}

/// What to do with a channel that is open.
pub fn next(channel: u64, vouchers: bool) -> String {
    if vouchers {
        return format!("call with: ambar connect --channel {channel} --price-max C");
    }
    format!("mint its API key with: ambar cert mint --channel {channel}")
}

/// Everything that may be accepted, side by side.
fn choices(capsule: &Capsule, offers: &[Offer]) -> String {
    let columns = [
        ("offer", Side::Right),
        ("what", Side::Left),
        ("price", Side::Left),
        ("quota", Side::Left),
        ("ends", Side::Left),
    ];
    let mut table = Table::new(&columns);
    let mut row = |number: &str, what: &str, terms: &TermsView| {
        let cells = [offer::price(terms), offer::quota(terms), offer::term(terms)];
        let [price, quota, term] = cells;
        table.row([number.to_owned(), what.to_owned(), price, quota, term]);
    };
    row("-", "published", &capsule.terms);
    for offer in offers {
        let what = match (offer.once, &offer.to) {
            (true, _) => "trial",
            (false, Some(_)) => "to you",
            (false, None) => "to anybody",
        };
        row(&offer.id, what, &offer.terms);
    }
    table.print("")
}

/// The offer that is asked for; nothing: the published terms.
fn chosen<'a>(args: &LicenseArgs, offers: &'a [Offer]) -> Outcome<Option<&'a Offer>> {
    let help = "see what you may accept with `ambar license` and the capsule alone";
    if let Some(number) = args.offer {
        let number = number.to_string();
        let found = offers.iter().find(|offer| offer.id == number);
        let missing = || {
            let message = format!("there is no offer {number} of this capsule that you may accept");
            Failure::new(ErrorCode::NotFound, message).helping(help)
        };
        return found.ok_or_else(missing).map(Some);
    }
    let trials: Vec<_> = offers.iter().filter(|offer| offer.once).collect();
    match &trials[..] {
        _ if !args.trial => Ok(None),
        [only] => Ok(Some(*only)),
        [] => {
            let message = "no trial of this capsule is offered that this account has not had";
            Err(Failure::new(ErrorCode::NotFound, message).helping(help))
        }
        several => {
            let numbers: Vec<_> = several.iter().map(|offer| offer.id.as_str()).collect();
            let message = format!("several trials are offered: {}", numbers.join(", "));
            Err(Failure::input(message).helping("say which with --offer N"))
        }
    }
}

/// What is accepted, in plain words.
fn described(capsule: &Capsule, offer: Option<&Offer>) -> String {
    let terms = offer.map_or(&capsule.terms, |offer| &offer.terms);
    let which = offer.map(|offer| format!(", offer {}", offer.id)).unwrap_or_default();
    let mut text = format!("{} [{}]{which}, terms {}\n", capsule.name, capsule.kind, terms.id);
    for sentence in &terms.explain {
        text += &format!("  {sentence}\n");
    }
    text += &format!(
        "price: {} credits per MU + {} per call, at least {}",
        terms.per_mu, terms.per_call, terms.minimum
    );
    for tier in &terms.tiers {
        text += &format!(
            "\n  from {} calls: {} credits per MU + {} per call, at least {}",
            tier.from_calls, tier.per_mu, tier.per_call, tier.minimum
        );
    }
    for component in &capsule.uses {
        text += &format!("\n  and what its {} costs at its own terms", component.role);
    }
    text
}

/// Accepts a capsule's published terms; the number of the grant.
pub async fn accept(
    signer: &Signer,
    capsule: &Capsule,
    territory: Option<Territory>,
) -> Outcome<String> {
    accept_offer(signer, capsule, None, territory).await
}

async fn accept_offer(
    signer: &Signer,
    capsule: &Capsule,
    offer: Option<&Offer>,
    territory: Option<Territory>,
) -> Outcome<String> {
    let terms = offer.map_or(&capsule.terms, |offer| &offer.terms);
    let accept = Accept {
        version: capsule.id.parse().or_fail(ErrorCode::BadGateway)?,
        terms: terms.id.parse().or_fail(ErrorCode::BadGateway)?,
        territory: territory.map(|territory| territory.as_str().to_owned()),
        offer: offer.map(|offer| number("offer", &offer.id)).transpose()?,
    };
    let submitted = signer.submit(vec![Operation::Accept(accept)]).await.map_err(|failure| {
        match failure.code {
            ErrorCode::TerritoryRequired => failure.helping("declare it, such as --territory DE"),
            _ => failure,
        }
    });
    grant_of(&submitted?)
}

/// How a channel is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The name of the key that opens it.
    pub owner: String,
    /// Credits to begin with.
    pub fund: Price,
    /// The gateway's key; nothing: the node that is asked.
    pub gateway: Option<PublicKey>,
    /// Most per MU.
    pub unit_price_max: Price,
    /// Whether nothing settles beyond what this side signs.
    pub vouchers: bool,
}

impl Opening {
    /// Opens a channel for every grant that the account holds, so that one certificate
    /// calls all of them; it can be narrowed to fewer.
    pub async fn open(&self, signer: &Signer) -> Outcome<Session> {
        let status = signer.client().status().await?;
        let here = || PublicKey::from_did(&status.node.did).or_fail(ErrorCode::BadGateway);
        let gateway = self.gateway.map_or_else(here, Ok)?;
        let now = ambar_licence::calendar::parse(&status.time)
            .ok_or_else(|| Failure::new(ErrorCode::BadGateway, "the node's time is no instant"))?;
        let key = sessions::draw()?;
        let open = OpenChannel {
            session_key: key.public(),
            gateway,
            grants: grants(signer).await?,
            amount: self.fund,
            unit_price_max: self.unit_price_max,
            expires: now.after(CHANNEL_DAYS * Moment::DAY_MS),
            vouchers: self.vouchers,
        };
        let submitted = signer.submit(vec![Operation::OpenChannel(open)]).await?;
        let channel = number("channel", &channel_of(&submitted)?)?;
        let (owner, network) = (self.owner.clone(), signer.network);
        Ok(Session { channel, owner, network, gateway, key })
    }
}

/// The newest grants that hold, ascending.
async fn grants(signer: &Signer) -> Outcome<Vec<u64>> {
    let grants = signer.client().grants(&signer.account.to_string()).await?;
    let holding = grants.iter().filter(|grant| grant.revoked.is_none() && grant.current);
    let mut numbers =
        holding.map(|grant| number("grant", &grant.id)).collect::<Outcome<Vec<_>>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    let first = numbers.len().saturating_sub(CHANNEL_GRANTS_MAX);
    Ok(numbers.split_off(first))
}
