//! `ambar capsule`: what an owner does with a capsule's whole line of versions.

use crate::context::Context;
use crate::failure::{OrFail, Outcome};
use crate::signer::number;
use ambar_base::ErrorCode;
use ambar_ledger::Operation;
use ambar_ledger::transaction::TransferLine;
use clap::{Args, Subcommand};

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
    }
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
