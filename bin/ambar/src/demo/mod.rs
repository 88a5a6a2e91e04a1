//! `ambar demo`: the whole loop on real input, in a temporary home. People with accounts of
//! their own publish, license, call and are paid; every receipt is verified offline and
//! every payout is read from it.
//!
//! It does what the other commands do, with the same code; only the home is thrown away.

mod calls;
mod market;
mod material;
mod payouts;
mod people;
mod report;

use crate::context::Context;
use crate::embedded::{Embedded, interrupted};
use crate::failure::{Failure, OrFail, Outcome};
use crate::interrupt;
use crate::progress::{Progress, watch};
use ambar_base::ErrorCode;
use ambar_node::client::Client;
use ambar_node::node::NodeSettings;
use calls::{Calls, Excess};
use clap::Args;
use market::Market;
use payouts::Payouts;
use people::People;
use report::Report;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

/// Calls unless said otherwise: one for each question.
const CALLS_DEFAULT: u16 = 24;
/// Most calls.
const CALLS_MAX: i64 = 1_000;
/// A free port of the loopback.
const LISTEN_DEFAULT: &str = "127.0.0.1:0";

/// How the demo runs.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ./demo                              # builds, fetches two small models, runs this
  ambar demo --model small.gguf       # with a model that is here already
  ambar demo --model small.gguf --serve --json")]
pub struct DemoArgs {
    /// Leave the node running, with an API key for any OpenAI client, until interrupted
    #[arg(long)]
    serve: bool,
    /// Where the node listens; port 0 is a free one
    #[arg(long, value_name = "ADDR", default_value = LISTEN_DEFAULT)]
    listen: SocketAddr,
    /// How many questions are asked
    #[arg(long, value_name = "N", default_value_t = CALLS_DEFAULT,
          value_parser = clap::value_parser!(u16).range(1..=CALLS_MAX))]
    calls: u16,
    /// The language model, a GGUF file
    #[arg(long, value_name = "GGUF", env = "AMBAR_MODEL_GGUF")]
    model: Option<PathBuf>,
    /// The embedding model, a directory; without it none is published
    #[arg(long, value_name = "DIR", env = "AMBAR_MODEL_EMBED")]
    embeddings: Option<PathBuf>,
}

/// Runs the demo.
pub async fn run(context: &Context, args: &DemoArgs) -> Outcome {
    let model = args.model.clone().ok_or_else(no_model)?;
    let readable = std::fs::File::open(&model);
    readable.map_err(|error| Failure::file(&model, &error))?;
    let began = Instant::now();
    let home = tempfile::Builder::new().prefix("ambar-demo-").tempdir();
    let home = home.or_fail(ErrorCode::DiskFailed)?;
    let progress = context.progress().telling_all();

    let phase = progress.spinner("starting a node");
    let network = home.path().join("node");
    let settings = NodeSettings {
        home: network.clone(),
        listen: Some(args.listen),
        passphrase: None,
        resume: false,
        log_prompts: false,
    };
    let node = Embedded::start(settings, &progress.parts()).await?;
    phase.finish(node.url());

    let models = market::Models { language: model, embedding: args.embeddings.clone() };
    let traded = tokio::select! {
        traded = trade(&progress, &node, models, args.calls.into()) => Some(traded),
        ended = interrupted() => ended.map(|()| None)?,
    };
    let outcome = match traded {
        Some(Ok(mut report)) => {
            report.seconds = began.elapsed().as_secs_f64();
            finish(context, args.serve, &report).await.map(Some)
        }
        Some(Err(failure)) => Err(failure),
        None => Ok(None),
    };
    node.stop().await;
    if outcome.as_ref().is_ok_and(Option::is_none) {
        // The home of an interrupted demo is thrown away as well.
        drop(home);
        interrupt::advise("the demo's home is removed");
        interrupt::leave(&progress);
    }
    outcome.map(|_| ())
}

/// From the first account to the audit.
async fn trade(
    progress: &Progress,
    node: &Embedded,
    models: market::Models,
    count: usize,
) -> Outcome<Report> {
    let client = Client::trusting(node.url(), node.trust())?;
    let phase = progress.spinner("opening accounts");
    let people = People::open(&client, node.operator()).await?;
    phase.finish(&people.list());

    let market = Market::open(progress, &people, models).await?;
    let mut calls = Calls::new(&market, node.url(), node.trust().clone());
    calls.ask(progress, &material::questions(count)).await?;
    let excess = calls.excess(progress).await?;

    let payouts = settle(progress, &client, &people, &calls).await?;
    let phase = progress.spinner("auditing every block");
    let (auditing, looking) = (client.audit(), || client.audit_progress());
    let audit = watch::asking(&progress.parts(), "waiting for the node", auditing, looking).await?;
    phase.finish(if audit.ok { "the books agree" } else { "THE BOOKS DO NOT AGREE" });
    let facts = report::Facts { people: &people, market: &market, payouts: &payouts };
    Report::new(&client, &facts, audit, excess.line()).await
}

/// Waits until every call is settled, and verifies its receipt without asking anybody.
async fn settle(
    progress: &Progress,
    client: &Client,
    people: &People,
    calls: &Calls,
) -> Outcome<Payouts> {
    let count = calls.receipts().count();
    let phase = progress.steps("waiting to settle", count as u64, "calls");
    let payer = people.app.client();
    for receipt in calls.receipts() {
        calls::wait_settled(payer, receipt).await?;
        phase.advance(1);
    }
    phase.finish(&format!("{count} calls are final"));

    let phase = progress.steps("verifying offline", count as u64, "receipts");
    let trusted = client.checkpoint().await?;
    let mut payouts = Payouts::default();
    let mut checks = 0;
    for receipt in calls.receipts() {
        let file = payer.receipt_proof(receipt).await?;
        checks += payouts.add(&file, &trusted)?.checks.len();
        phase.advance(1);
    }
    phase.finish(&format!("{} receipts hold in {checks} checks", payouts.receipts));
    Ok(payouts)
}

/// Prints the report and, if asked to, keeps the node running.
async fn finish(context: &Context, serve: bool, report: &Report) -> Outcome {
    context.print(&report.to_json(), || report.to_text(serve))?;
    if !report.balances() {
        let message = "the payouts do not sum to what was charged, or the audit failed";
        return Err(Failure::new(ErrorCode::LedgerCorrupt, message));
    }
    if serve {
        context.note("the node runs until it is interrupted (Ctrl-C)");
        interrupted().await?;
    }
    Ok(())
}

fn no_model() -> Failure {
    Failure::input("no language model was named")
        .helping("run `./demo`, which fetches one, or name a GGUF file with --model")
}

impl Excess {
    /// What happened, in one line.
    fn line(&self) -> String {
        format!("a certificate of one call was used twice: {} ({})", self.code, self.message)
    }
}
