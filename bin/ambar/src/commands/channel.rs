//! `ambar channel` and `ambar grant`: what an account has accepted and set aside.

use crate::commands::license::{self, Opening};
use crate::context::Context;
use crate::failure::Outcome;
use crate::paint::{line, short};
use crate::signer::number;
use crate::table::{Side, Table};
use ambar_base::{Price, PublicKey};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{FundChannel, RevocationReason, RevokeGrantFor};
use ambar_licence::Revocation;
use ambar_node::api::dto::{Channel, Grant, Submitted};
use clap::{Args, Subcommand};
use serde_json::json;

/// Longest name in a table, characters.
const NAME_CHARS_MAX: usize = 32;

/// What to do with channels.
#[derive(Debug, Subcommand)]
pub enum ChannelCommand {
    /// List the channels of an account
    #[command(after_help = "Example:\n  ambar channel list --as me")]
    List(Owner),
    /// Open a further channel for all grants, such as to another gateway
    #[command(
        long_about = "Open a further channel for all grants that the account holds.\n\n\
            A grant's quota counts over all channels and gateways together.",
        after_help = "Example:\n  ambar channel open --gateway did:key:z6Mk… --fund 5 --as me"
    )]
    Open(OpenArgs),
    /// Add credits to a channel
    #[command(after_help = "Example:\n  ambar channel fund 3 5 --as me")]
    Fund(FundArgs),
    /// Close a channel; what is left comes back after one settlement window
    #[command(after_help = "Example:\n  ambar channel close 3 --as me")]
    Close(NumberArgs),
}

/// What to do with grants.
#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// List the terms that an account has accepted
    #[command(after_help = "Example:\n  ambar grant list --as me")]
    List(Owner),
    /// End a grant
    #[command(
        long_about = "End a grant.\n\n\
            A licensee ends a grant at any time. The owner of the capsule ends it for a reason that \
            its terms name in `revoke_if`, or is refused with the clause.",
        after_help = "Example:\n  ambar grant revoke 7 --reason non_payment --as me"
    )]
    Revoke(RevokeArgs),
}

/// Whose they are.
#[derive(Args, Debug)]
pub struct Owner {
    /// The key whose account it is
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// A channel that is opened.
#[derive(Args, Debug)]
pub struct OpenArgs {
    /// Credits to begin with
    #[arg(long, value_name = "C", default_value = license::FUND_DEFAULT)]
    fund: Price,
    /// The gateway, by the DID of its key; without it, the node that is asked
    #[arg(long, value_name = "G", value_parser = license::gateway)]
    gateway: Option<PublicKey>,
    /// Most credits per MU, royalty and node fee together, that the channel ever pays
    #[arg(long, value_name = "C", default_value = license::UNIT_PRICE_MAX_DEFAULT)]
    unit_price_max: Price,
    /// Whether nothing settles beyond what this side signs: call with `ambar connect`
    #[arg(long)]
    vouchers: bool,
    #[command(flatten)]
    owner: Owner,
}

/// A channel and how much to add.
#[derive(Args, Debug)]
pub struct FundArgs {
    /// The channel's number
    channel: String,
    /// Credits
    amount: Price,
    #[command(flatten)]
    owner: Owner,
}

/// A channel or grant.
#[derive(Args, Debug)]
pub struct NumberArgs {
    /// Its number
    number: String,
    #[command(flatten)]
    owner: Owner,
}

/// A grant and why it ends.
#[derive(Args, Debug)]
pub struct RevokeArgs {
    /// Its number
    number: String,
    /// The reason of the terms for which you, the owner, end it
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Option<Revocation>,
    #[command(flatten)]
    owner: Owner,
}

fn reason(text: &str) -> Result<Revocation, String> {
    let found = Revocation::ALL.into_iter().find(|reason| reason.text() == text);
    let words = || Revocation::ALL.map(Revocation::text).join(", ");
    found.ok_or_else(|| format!("expected one of {}", words()))
}

/// Runs a command on channels.
pub async fn run(context: &Context, command: &ChannelCommand) -> Outcome {
    match command {
        ChannelCommand::List(owner) => list(context, owner).await,
        ChannelCommand::Open(args) => open(context, args).await,
        ChannelCommand::Fund(args) => {
            let channel = number("channel", &args.channel)?;
            let fund = Operation::FundChannel(FundChannel { channel, amount: args.amount });
            let submitted = submit(context, &args.owner, fund).await?;
            context.done(&submitted, &format!("{} credits added to channel {channel}", args.amount))
        }
        ChannelCommand::Close(args) => {
            let channel = number("channel", &args.number)?;
            let submitted = submit(context, &args.owner, Operation::CloseChannel(channel)).await?;
            context.done(&submitted, &format!("channel {channel} is closing"))
        }
    }
}

async fn open(context: &Context, args: &OpenArgs) -> Outcome {
    context.no_draft("the key of a channel is made here")?;
    let owner = context.key_name(args.owner.key.as_deref())?;
    let signer = context.signer(Some(&owner)).await?;
    let opening = Opening {
        owner,
        fund: args.fund,
        gateway: args.gateway,
        unit_price_max: args.unit_price_max,
        vouchers: args.vouchers,
    };
    let session = opening.open(&signer).await?;
    session.save(context.home(), context.passphrase().as_ref())?;
    let (channel, gateway) = (session.channel, session.gateway.did());
    let next = license::next(channel, args.vouchers);
    let document = json!({ "channel": channel.to_string(), "gateway": gateway });
    context.print(&document, || {
        format!("channel {channel} to {gateway} with {} credits\n{next}\n", args.fund)
    })
}

/// Runs a command on grants.
pub async fn run_grant(context: &Context, command: &GrantCommand) -> Outcome {
    match command {
        GrantCommand::List(owner) => list_grants(context, owner).await,
        GrantCommand::Revoke(args) => {
            let grant = number("grant", &args.number)?;
            let revoke = match args.reason {
                None => Operation::RevokeGrant(grant),
                Some(reason) => {
                    let reason = RevocationReason::from(reason);
                    Operation::RevokeGrantFor(RevokeGrantFor { grant, reason })
                }
            };
            let submitted = submit(context, &args.owner, revoke).await?;
            context.done(&submitted, &format!("grant {grant} is revoked"))
        }
    }
}

async fn submit(context: &Context, owner: &Owner, operation: Operation) -> Outcome<Submitted> {
    context.signer(owner.key.as_deref()).await?.submit(vec![operation]).await
}

async fn list(context: &Context, owner: &Owner) -> Outcome {
    let signer = context.signer(owner.key.as_deref()).await?;
    let channels = signer.client().channels(&signer.account.to_string()).await?;
    context.print(&channels, || channels_of(&channels))
}

fn channels_of(channels: &[Channel]) -> String {
    let columns = [
        ("channel", Side::Right),
        ("gateway", Side::Left),
        ("grants", Side::Left),
        ("expires", Side::Left),
        ("state", Side::Left),
        ("remaining", Side::Right),
        ("vouched", Side::Right),
    ];
    let mut table = Table::new(&columns);
    for channel in channels {
        table.row([
            channel.id.clone(),
            short(&channel.gateway_did),
            channel.grants.join(","),
            channel.expires.clone(),
            if channel.closing.is_some() { "closing" } else { "open" }.to_owned(),
            channel.remaining.clone(),
            channel.vouched.clone().unwrap_or_else(|| "-".into()),
        ]);
    }
    table.print("no channels")
}

async fn list_grants(context: &Context, owner: &Owner) -> Outcome {
    let signer = context.signer(owner.key.as_deref()).await?;
    let grants = signer.client().grants(&signer.account.to_string()).await?;
    context.print(&grants, || grants_of(&grants))
}

fn grants_of(grants: &[Grant]) -> String {
    let columns = [
        ("grant", Side::Right),
        ("capsule", Side::Left),
        ("id", Side::Left),
        ("accepted", Side::Left),
        ("state", Side::Left),
    ];
    let mut table = Table::new(&columns);
    for grant in grants {
        let state = match (grant.revoked, grant.current) {
            (Some(_), _) => "revoked",
            (None, _) if !grant.disputes.is_empty() => "disputed",
            (None, true) => "holds",
            (None, false) => "terms have changed",
        };
        table.row([
            grant.id.clone(),
            line(&grant.capsule_name, NAME_CHARS_MAX),
            short(&grant.capsule),
            grant.accepted.clone(),
            state.to_owned(),
        ]);
    }
    table.print("no grants")
}
