//! `ambar cert`: certificates are minted, narrowed and read on this machine. Minting needs
//! the channel's session key, which lies in the home; narrowing needs nothing but the
//! certificate.

use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use crate::sessions::Session;
use crate::signer::number;
use ambar_base::{Cid, ErrorCode, Moment, Price, PublicKey};
use ambar_gateway::certificate::{self, CERTIFICATE_BYTES_MAX};
use ambar_ledger::Operation;
use ambar_ledger::transaction::RevokeCertificate;
use ambar_licence::{Narrowing, Purpose, calendar};
use clap::{Args, Subcommand};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What to do with certificates.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Mint a certificate for a channel: the API key of its calls
    #[command(after_help = "Example:\n  ambar cert mint --channel 3 > app.cert")]
    Mint(MintArgs),
    /// Narrow a certificate: fewer calls, less money, less time
    #[command(
        after_help = "Example:\n  ambar cert narrow app.cert --budget 0.5 --calls 100 > agent.cert"
    )]
    Narrow(NarrowArgs),
    /// Say what a certificate allows; nothing is verified
    #[command(after_help = "Example:\n  ambar cert inspect agent.cert")]
    Inspect(InspectArgs),
    /// End a certificate, and every one narrowed from it
    #[command(
        long_about = "End a certificate, and every one narrowed from it.\n\n\
            Whoever has a certificate may end it: the gateway that it is for takes its word. \
            The channel's payer may end any block of it, so also what somebody narrowed it \
            from. Calls under way end within a block, and are charged for what they delivered.",
        after_help = "Examples:\n  ambar cert revoke agent.cert\n  \
            ambar cert revoke agent.cert --as me --block 0"
    )]
    Revoke(RevokeArgs),
}

/// For which channel, and how narrow from the start.
#[derive(Args, Debug)]
pub struct MintArgs {
    /// The channel's number, as `ambar license` printed it
    #[arg(long, value_name = "CH")]
    channel: String,
    /// The key whose channel it is; its session key must lie in this home
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    limits: Limits,
}

/// Which certificate, and what to take away.
#[derive(Args, Debug)]
pub struct NarrowArgs {
    /// The certificate, a file; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    limits: Limits,
}

/// Which certificate.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The certificate, a file; `-` for standard input
    file: PathBuf,
}

/// Which certificate, and as whom.
#[derive(Args, Debug)]
pub struct RevokeArgs {
    /// The certificate, a file; `-` for standard input
    file: PathBuf,
    /// The key of the channel's payer; without it the certificate itself is the proof
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
    /// Which block, as `ambar cert inspect` numbers them; the last one if not named
    #[arg(long, value_name = "N", requires = "key")]
    block: Option<usize>,
}

/// What a block of a certificate takes away.
#[derive(Args, Debug, Default)]
struct Limits {
    /// Spend at most this many credits
    #[arg(long, value_name = "C")]
    budget: Option<Price>,
    /// Valid until then, such as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "T", value_parser = instant)]
    expires: Option<Moment>,
    /// Only for this purpose; may be repeated
    #[arg(long = "purpose", value_name = "P")]
    purposes: Vec<Purpose>,
    /// Make at most this many calls
    #[arg(long, value_name = "N")]
    calls: Option<u64>,
    /// Call only this capsule; may be repeated
    #[arg(long = "capsule", value_name = "ID")]
    capsules: Vec<Cid>,
    /// Only with calls that this agent's key has signed
    #[arg(long, value_name = "DID", value_parser = agent)]
    agent: Option<PublicKey>,
}

fn instant(text: &str) -> Result<Moment, String> {
    let expected = "an instant in UTC, such as 2027-01-31T00:00:00Z";
    calendar::parse(text).ok_or_else(|| expected.to_owned())
}

fn agent(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_did(text).map_err(|error| error.to_string())
}

impl Limits {
    fn narrowing(&self) -> Narrowing {
        let set = |purposes: &[Purpose]| purposes.iter().cloned().collect::<BTreeSet<_>>();
        Narrowing {
            budget: self.budget,
            calls: self.calls,
            expires: self.expires,
            purposes: (!self.purposes.is_empty()).then(|| set(&self.purposes)),
            capsules: (!self.capsules.is_empty()).then(|| self.capsules.iter().copied().collect()),
            agent: self.agent,
        }
    }
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Mint(args) => mint(context, args),
        Command::Narrow(args) => narrow(context, args),
        Command::Inspect(args) => inspect(context, args),
        Command::Revoke(args) => revoke(context, args).await,
    }
}

fn mint(context: &Context, args: &MintArgs) -> Outcome {
    let channel = number("channel", &args.channel)?;
    let session = Session::load(context.home(), channel, context.passphrase().as_ref())?;
    session.check_owner(args.key.as_deref())?;
    let certificate = session.mint(&args.limits.narrowing())?;
    print(context, &certificate)
}

fn narrow(context: &Context, args: &NarrowArgs) -> Outcome {
    let narrowing = args.limits.narrowing();
    if narrowing.is_empty() {
        return Err(Failure::input("nothing to take away was named").helping(
            "name at least one of --budget, --expires, --purpose, --calls, --capsule, --agent",
        ));
    }
    let certificate = certificate::narrow(&read(&args.file)?, &narrowing)?;
    print(context, &certificate)
}

fn print(context: &Context, certificate: &str) -> Outcome {
    context.print(&json!({ "cert": certificate }), || format!("{certificate}\n"))
}

fn inspect(context: &Context, args: &InspectArgs) -> Outcome {
    let description = certificate::inspect(&read(&args.file)?)?;
    context.print(&description.to_json(), || description.to_string())
}

async fn revoke(context: &Context, args: &RevokeArgs) -> Outcome {
    let certificate = read(&args.file)?;
    let from = match &args.key {
        None => context.client()?.revoke_certificate(&certificate).await?,
        Some(key) => revoke_as(context, key, &certificate, args.block).await?,
    };
    let document = json!({ "revoked": true, "from": from });
    context.print(&document, || format!("no call is admitted with it from block {from} on\n"))
}

/// Revokes a block as the channel's payer; the height from which it is refused.
async fn revoke_as(
    context: &Context,
    key: &str,
    certificate: &str,
    block: Option<usize>,
) -> Outcome<u64> {
    let channel = certificate::inspect(certificate)?.authority.channel;
    let ids = certificate::revocation_ids(certificate)?;
    let last = ids.len().saturating_sub(1);
    let block = block.unwrap_or(last);
    let missing = || {
        Failure::input(format!("the certificate has no block {block}"))
            .helping(format!("its blocks are numbered from 0 to {last}"))
    };
    let block = *ids.get(block).ok_or_else(missing)?;
    let revoke = Operation::RevokeCertificate(RevokeCertificate { channel, block });
    let submitted = context.signer(Some(key)).await?.submit(vec![revoke]).await?;
    Ok(submitted.height + 1)
}

/// Reads a certificate: its text, or the JSON that `cert mint --json` printed.
pub fn read(path: &Path) -> Outcome<String> {
    // JSON around it, and a line end after it.
    let text = files::read_text(path, 2 * CERTIFICATE_BYTES_MAX as u64)?;
    let text = text.trim();
    if !text.starts_with('{') {
        return Ok(text.to_owned());
    }
    let document: serde_json::Value =
        serde_json::from_str(text).or_fail(ErrorCode::CertificateInvalid)?;
    let missing = || Failure::new(ErrorCode::CertificateInvalid, "the JSON has no member `cert`");
    document["cert"].as_str().map(str::to_owned).ok_or_else(missing)
}
