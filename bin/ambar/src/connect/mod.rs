//! `ambar connect`: a proxy beside the client that signs for every call on a channel in voucher
//! mode and verifies every receipt, so that the gateway has to be trusted with a call or two
//! only.

mod answer;
mod forward;
mod keep;
mod teller;
mod verify;

use crate::commands::cert;
use crate::context::Context;
use crate::embedded::interrupted;
use crate::failure::{Failure, OrFail, Outcome};
use crate::openai;
use crate::sessions::Session;
use crate::signer::number;
use crate::trust::Trust;
use ambar_base::{Checkpoint, ErrorCode, Price};
use ambar_gateway::certificate;
use ambar_licence::Narrowing;
use ambar_node::api::dto::Channel;
use ambar_node::client::{Client, Credential};
use ambar_receipt::Purse;
use axum::serve::ListenerExt as _;
use clap::Args;
use forward::Proxy;
use keep::{Keep, Place};
use serde_json::json;
use std::fs::OpenOptions;
use std::future::IntoFuture as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use teller::{Settings, Teller, nano};
use tokio::net::TcpListener;

/// How long receipts are waited for when the proxy stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// Between two looks whether they have come.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// On which channel, and how much is risked.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ambar connect --channel 3 --price-max 0.01
  ambar license bafyrei… --vouchers --fund 5 --yes     # opens such a channel

What a lying gateway gains at most is --parallel times --price-max.")]
pub struct ConnectArgs {
    /// The channel, opened with `ambar license --vouchers` from this home
    #[arg(long, value_name = "CH")]
    channel: String,
    /// Most that one call may cost, credits; a client may say less with Ambar-Price-Max
    #[arg(long, value_name = "C")]
    price_max: Price,
    /// Where clients call, an address of this machine that no other reaches
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7710")]
    listen: SocketAddr,
    /// Calls under way at once, those whose receipts have not come included: so much is risked
    #[arg(long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=32))]
    parallel: u16,
    /// The key that opened the channel
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
    /// Call with this certificate of the channel instead of a fresh one; `-` for standard input
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Write the API key into a new file instead of printing it
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Whom to trust that calls have settled: a checkpoint or genesis file, or the network's
    /// did:key. Without it the network's genesis, which the home knows by its id
    #[arg(long, value_name = "K")]
    network_key: Option<String>,
    /// Give up what is disputed, or settled without this side, as lost, and go on
    #[arg(long = "continue")]
    go_on: bool,
}

/// Runs the command.
pub async fn run(context: &Context, args: &ConnectArgs) -> Outcome {
    if !args.listen.ip().is_loopback() {
        let message = format!("{} can be reached from other machines", args.listen);
        let help = "listen on 127.0.0.1 or [::1]: whoever reaches the proxy spends the channel";
        return Err(Failure::input(message).helping(help));
    }
    let channel = number("channel", &args.channel)?;
    let session = Session::load(context.home(), channel, context.passphrase().as_ref())?;
    session.check_owner(args.key.as_deref())?;
    let place = Place::take(context.home(), session.network, channel)?.open()?;
    let kept = place.as_ref().ok().map(|keep| keep.certificate().to_owned());
    let certificate = match (&args.cert, &kept) {
        (Some(file), _) => cert::read(file)?,
        (None, Some(kept)) => kept.clone(),
        (None, None) => session.mint(&Narrowing::default())?,
    };
    let described = certificate::inspect(&certificate)?;
    if described.authority.channel != channel {
        let of = described.authority.channel;
        return Err(Failure::input(format!("the certificate is of channel {of}, not {channel}")));
    }
    let client = context.client()?.with(Credential::Certificate(certificate.clone()));
    let trusted = trusted(&client, &session, args.network_key.as_deref()).await?;
    let object = client.channel(&args.channel).await?;
    check(&client, &session, &object).await?;
    let mut keep = open(place, &certificate, &object, args.go_on)?;
    keep.call_with(&certificate)?;
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        let message = format!("cannot listen on {}: {error}", args.listen);
        Failure::new(ErrorCode::AddressInUse, message)
    })?;
    let teller = Teller::new(Settings {
        session,
        certificate: certificate.clone(),
        holder: described.holder,
        client,
        trusted,
        price_max: args.price_max,
        parallel: usize::from(args.parallel),
        keep,
        funded: nano(&object.funded)?,
        progress: context.progress().clone(),
    });
    teller.take_up(kept.unwrap_or(certificate))?;
    serve(context, args, listener, teller).await
}

/// Whom receipts are verified against.
async fn trusted(client: &Client, session: &Session, given: Option<&str>) -> Outcome<Checkpoint> {
    let network = session.network;
    let wrong = || Failure::new(ErrorCode::WrongNetwork, "the node is of another network");
    if let Some(given) = given {
        let checkpoint = Trust::read(given)?.of(network)?;
        return Some(checkpoint).filter(|trusted| trusted.network == network).ok_or_else(wrong);
    }
    // The id of the network is the digest of its genesis: nobody has to be believed.
    let genesis = client.genesis().await?;
    if genesis.network() != network {
        return Err(wrong());
    }
    let unsound = || Failure::new(ErrorCode::LedgerCorrupt, "the genesis has no committee");
    genesis.checkpoint().ok_or_else(unsound)
}

/// Whether the channel is in voucher mode and the node its gateway.
async fn check(client: &Client, session: &Session, channel: &Channel) -> Outcome {
    if channel.vouched.is_none() {
        let message = format!("channel {} takes no vouchers", channel.id);
        let help = "open one with `ambar license ID --vouchers`";
        return Err(Failure::input(message).helping(help));
    }
    if channel.session_key != session.key.public().did() {
        let message = format!("channel {} was not opened from this home", channel.id);
        return Err(Failure::new(ErrorCode::ChannelUnknown, message));
    }
    let node = client.status().await?.node.did;
    if node != session.gateway.did() {
        let message = format!("the node here is {node}, the channel's gateway another");
        let help = "name the gateway's node with --node";
        return Err(Failure::new(ErrorCode::AudienceMismatch, message).helping(help));
    }
    Ok(())
}

/// The channel's purse, as it was left, with what the ledger says.
fn open(
    found: Result<Keep, Place>,
    certificate: &str,
    channel: &Channel,
    go_on: bool,
) -> Outcome<Keep> {
    let (spent, vouched) = (nano(&channel.spent)?, channel.vouched.as_deref());
    let vouched: Price = vouched.unwrap_or("0").parse().or_fail(ErrorCode::BadGateway)?;
    let help = "look at `ambar receipt list`, then give it up with --continue";
    let mut keep = match found {
        Ok(keep) => keep,
        Err(place) if vouched.is_zero() || go_on => {
            let number = number("channel", &channel.id)?;
            place.lay(Purse::new(number, spent, vouched), certificate.to_owned())?
        }
        Err(_) => {
            let message = format!(
                "vouchers cover {vouched} credits of channel {}, and this home knows of none",
                channel.id
            );
            return Err(Failure::new(ErrorCode::VoucherExceeded, message).helping(help));
        }
    };
    let restarted = keep.change(|purse| {
        purse.restart();
        if go_on {
            purse.go_on(spent);
        }
        purse.sound()?;
        purse.compare(spent)
    });
    restarted.map_err(|failure| match failure.code {
        ErrorCode::VoucherExceeded => failure.helping(help),
        _ => failure,
    })?;
    Ok(keep)
}

async fn serve(
    context: &Context,
    args: &ConnectArgs,
    listener: TcpListener,
    teller: Arc<Teller>,
) -> Outcome {
    let address = listener.local_addr().or_fail(ErrorCode::Internal)?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).or_fail(ErrorCode::Internal)?;
    let api_key = format!("ambar-{}", hex::encode(random));
    if let Some(path) = &args.key_file {
        write_key(path, &api_key)?;
    }
    let proxy = Arc::new(Proxy {
        teller: Arc::clone(&teller),
        http: openai::http(context.node(), &context.trust())?,
        base_url: context.node().trim_end_matches('/').to_owned(),
        api_key: api_key.clone(),
    });
    // Signals are heard before the address is told: whoever reads it may end the proxy at once.
    let mut ended = std::pin::pin!(interrupted());
    let listener = listener.tap_io(|socket| {
        // Without it small pieces wait for one another: slower, and no reason to refuse.
        let _ = socket.set_nodelay(true);
    });
    let mut served = std::pin::pin!(axum::serve(listener, forward::router(proxy)).into_future());
    let shown = args.key_file.is_none().then_some(api_key.as_str());
    let outcome = tokio::select! {
        biased;
        ended = &mut ended => ended,
        announced = async { announce(context, args, address, &teller, shown) } => match announced {
            Ok(()) => tokio::select! {
                ended = &mut ended => ended,
                served = &mut served => served.or_fail(ErrorCode::Internal),
            },
            failed => failed,
        },
    };
    finish(context, &teller).await;
    outcome
}

fn announce(
    context: &Context,
    args: &ConnectArgs,
    address: SocketAddr,
    teller: &Teller,
    api_key: Option<&str>,
) -> Outcome {
    let (base_url, left) = (format!("http://{address}/v1"), teller.left());
    let document = json!({
        "base_url": base_url,
        "api_key": api_key,
        "channel": args.channel,
        "left": left.to_string(),
        "price_max": args.price_max.to_string(),
        "parallel": args.parallel,
    });
    context.print(&document, || {
        let key = api_key.map(|key| format!("api key {key}\n")).unwrap_or_default();
        format!(
            "base URL {base_url}\n{key}channel {} with {left} credits left; a call costs at most \
             {}, and {} are under way at once\n",
            args.channel, args.price_max, args.parallel
        )
    })
}

/// Writes the API key into a file that only its owner reads.
fn write_key(path: &Path, key: &str) -> Outcome {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| writeln!(file, "{key}"));
    written.map_err(|error| Failure::file(path, &error))
}

/// Waits for the receipts that are on their way, and says what was spent.
async fn finish(context: &Context, teller: &Teller) {
    let deadline = tokio::time::Instant::now() + SHUTDOWN_GRACE;
    while teller.waiting() > 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    let ((spent, calls), left) = (teller.acknowledged(), teller.left());
    let waiting = match teller.waiting() {
        0 => String::new(),
        waiting => format!("; {waiting} wait for their receipts and stay counted"),
    };
    context.note(&format!(
        "{calls} calls acknowledged; {spent} credits in all on this channel, {left} left{waiting}"
    ));
}
