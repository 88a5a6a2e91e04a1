//! `ambar capsule`: what an owner does with a capsule's whole line of versions.

use crate::commands::publish;
use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::publish::{Published, model};
use crate::signer::number;
use ambar_base::{ErrorCode, PublicKey};
use ambar_compute::EngineSpec;
use ambar_ledger::Operation;
use ambar_ledger::transaction::{AllowServing, TransferLine};
use clap::{Args, Subcommand};
use serde_json::json;

/// What to do with capsules that one owns.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give a capsule with all its versions to another owner
    #[command(
        long_about = "Give a capsule with all its versions to another owner.\n\n\
            The new owner publishes versions and sets terms. Royalty lines stay with whoever \
            holds them. If the capsule uses others, name a grant of the new owner for each.",
        after_help = "Example:\n  ambar capsule transfer bafyrei… did:key:z6Mk… --as me"
    )]
    Transfer(TransferArgs),
    /// Let a node serve a capsule with all its versions
    #[command(
        long_about = "Let a node serve a capsule with all its versions.\n\n\
            The node's operator then serves it with `ambar capsule serve`.",
        after_help = "Example:\n  ambar capsule allow bafyrei… did:key:z6Mk… --as me"
    )]
    Allow(AllowArgs),
    /// Let a node serve a capsule no longer
    #[command(after_help = "Example:\n  ambar capsule deny bafyrei… did:key:z6Mk… --as me")]
    Deny(AllowArgs),
    /// Serve a capsule at one's own node, if its owner lets the node
    #[command(
        long_about = "Serve a capsule at the node that is asked, now and after a restart.\n\n\
            Asked from the home of the node's operator. What lies in the capsule has to be at the \
            node: a dataset's records, a model's files.",
        after_help = "Example:\n  ambar capsule serve bafyrei… --engine upstream:http://127.0.0.1:8000/v1"
    )]
    Serve(ServeArgs),
}

/// A capsule and a node.
#[derive(Args, Debug)]
pub struct AllowArgs {
    /// The capsule, by id or registered name
    id: String,
    /// The node, by the DID of its key, as its `ambar status` shows it
    did: String,
    /// The key of the owner
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// A capsule and what serves it.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// The capsule, by id or registered name
    id: String,
    /// With what a model answers; other kinds need nothing
    #[arg(long, value_name = "SPEC")]
    engine: Option<EngineSpec>,
    #[command(flatten)]
    engine_key: publish::EngineKeyArgs,
}

/// Which capsule, and to whom.
#[derive(Args, Debug)]
pub struct TransferArgs {
    /// The capsule, by id or registered name
    id: String,
    /// The new owner's account, by DID or id
    did: String,
    /// A grant of the new owner, one for each component in the manifest's order
    #[arg(long = "grant", value_name = "N")]
    grants: Vec<String>,
    /// The key of the owner
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Transfer(args) => transfer(context, args).await,
        Command::Allow(args) => allow(context, args, true).await,
        Command::Deny(args) => allow(context, args, false).await,
        Command::Serve(args) => serve(context, args).await,
    }
}

async fn allow(context: &Context, args: &AllowArgs, allowed: bool) -> Outcome {
    let node = PublicKey::from_did(&args.did);
    let node = node.map_err(|error| Failure::input(format!("{}: {error}", args.did)))?;
    let signer = context.signer(args.key.as_deref()).await?;
    let capsule = signer.client().capsule(&args.id).await?;
    let version = capsule.id.parse().or_fail(ErrorCode::BadGateway)?;
    let allow = Operation::AllowServing(AllowServing { version, node, allowed });
    let submitted = signer.submit(vec![allow]).await?;
    let may = if allowed { "may serve" } else { "may no longer serve" };
    context.done(&submitted, &format!("{} {may} {}", args.did, capsule.id))
}

async fn serve(context: &Context, args: &ServeArgs) -> Outcome {
    context.no_draft("the operator of a node asks it at once")?;
    let operator = context.operator().await?.ok_or_else(|| {
        let message = "this is not the home of the operator of the node that is asked";
        Failure::new(ErrorCode::NotAuthorised, message).helping("name the home with --home")
    })?;
    let capsule = operator.client().capsule(&args.id).await?;
    let kind = capsule.kind.parse().or_fail(ErrorCode::BadGateway)?;
    let served = Published {
        id: capsule.id.clone(),
        engine: args.engine.clone().map(model::absolute),
        height: capsule.height,
    };
    let key = args.engine_key.read(args.engine.as_ref())?;
    let progress = context.progress();
    let offer = publish::serve_with(&operator, kind, &served, key, progress).await?;
    let offer = offer.ok_or_else(|| Failure::input(format!("{kind} capsules are not called")))?;
    let document = json!({ "id": capsule.id, "served": offer });
    context.print(&document, || format!("the node serves the {offer} of {}\n", capsule.id))
}

async fn transfer(context: &Context, args: &TransferArgs) -> Outcome {
    let grants = args.grants.iter().map(|grant| number("grant", grant));
    let grants = grants.collect::<Outcome<Vec<_>>>()?;
    let signer = context.signer(args.key.as_deref()).await?;
    let capsule = signer.client().capsule(&args.id).await?;
    let version = capsule.id.parse().or_fail(ErrorCode::BadGateway)?;
    let to = signer.account_of(&args.did).await?;
    let give = Operation::TransferLine(TransferLine { version, to, grants });
    let submitted = signer.submit(vec![give]).await?;
    context.done(&submitted, &format!("{} belongs to {to}", capsule.id))
}
