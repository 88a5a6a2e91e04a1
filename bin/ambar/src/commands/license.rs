//! `ambar license`: shows what the terms say and cost, accepts them, and opens a channel.

use crate::ask::confirm;
use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::sessions::{self, Session};
use crate::signer::{Signer, channel_of, grant_of, number};
use ambar_base::{ErrorCode, Moment, Price, PublicKey};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{Accept, OpenChannel};
use ambar_licence::Territory;
use ambar_node::api::dto::Capsule;
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
    ambar license bafyrei… --vouchers --fund 5 --yes")]
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
    context.note(&offer(&capsule));
    if !args.yes {
        let help = "read the terms above and add --yes to accept them";
        confirm("accept these terms?", "the terms were not accepted", help)?;
    }
    let phase = context.progress().spinner("accepting the terms");
    let grant = accept(&signer, &capsule, args.territory).await?;
    phase.finish(&format!("grant {grant}"));
    let territory = args.territory.map(Territory::as_str);
    let place = territory.map(|code| format!(" for use in {code}")).unwrap_or_default();
    if args.no_channel {
        let document = json!({ "grant": grant, "channel": null, "territory": territory });
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
    let document =
        json!({ "grant": grant, "channel": channel.to_string(), "territory": territory });
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

/// What the owner offers, in plain words.
fn offer(capsule: &Capsule) -> String {
    let terms = &capsule.terms;
    let mut text = format!("{} [{}], terms {}\n", capsule.name, capsule.kind, terms.id);
    for sentence in &terms.explain {
        text += &format!("  {sentence}\n");
    }
    text += &format!(
        "price: {} credits per MU + {} per call, at least {}",
        terms.per_mu, terms.per_call, terms.minimum
    );
    for component in &capsule.uses {
        text += &format!("\n  and what its {} costs at its own terms", component.role);
    }
    text
}

/// Accepts a capsule's terms; the number of the grant.
pub async fn accept(
    signer: &Signer,
    capsule: &Capsule,
    territory: Option<Territory>,
) -> Outcome<String> {
    let accept = Accept {
        version: capsule.id.parse().or_fail(ErrorCode::BadGateway)?,
        terms: capsule.terms.id.parse().or_fail(ErrorCode::BadGateway)?,
        territory: territory.map(|territory| territory.as_str().to_owned()),
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
