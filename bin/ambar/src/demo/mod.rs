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
mod steps;

use crate::context::Context;
use crate::embedded::Embedded;
use crate::failure::{Failure, OrFail, Outcome};
use ambar_base::ErrorCode;
use ambar_node::client::Client;
use calls::{Calls, Excess};
use clap::Args;
use market::Market;
use payouts::Payouts;
use people::People;
use report::Report;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;
use steps::Steps;

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
    let mut steps = Steps::new();

    steps.begin("starting a node with a network of its own");
    let node = Embedded::start(&home.path().join("node"), Some(args.listen), None).await?;
    steps.done(node.url());

    let models = market::Models { language: model, embedding: args.embeddings.clone() };
    let outcome = trade(&mut steps, &node, models, args.calls.into()).await;
    let outcome = match outcome {
        Ok(mut report) => {
            report.seconds = began.elapsed().as_secs_f64();
            finish(context, args.serve, &report).await
        }
        Err(failure) => Err(failure),
    };
    node.stop().await;
    outcome
}

/// From the first account to the audit.
async fn trade(
    steps: &mut Steps,
    node: &Embedded,
    models: market::Models,
    count: usize,
) -> Outcome<Report> {
    let client = Client::new(node.url())?;
    steps.begin("opening accounts");
    let people = People::open(&client, node.operator()).await?;
    steps.done(&people.list());

    let market = Market::open(steps, &people, models).await?;
    let mut calls = Calls::new(&market, node.url());
    calls.ask(steps, &material::questions(count)).await?;
    let excess = calls.excess(steps).await?;

    let payouts = settle(steps, &client, &people, &calls).await?;
    steps.begin("auditing the ledger from its first block");
    let audit = client.audit().await?;
    steps.done(if audit.ok { "the books agree" } else { "THE BOOKS DO NOT AGREE" });
    let facts = report::Facts { people: &people, market: &market, payouts: &payouts };
    Report::new(&client, &facts, audit, excess.line()).await
}

/// Waits until every call is settled, and verifies its receipt without asking anybody.
async fn settle(
    steps: &mut Steps,
    client: &Client,
    people: &People,
    calls: &Calls,
) -> Outcome<Payouts> {
    steps.begin("waiting for settlement");
    let payer = people.app.client();
    for receipt in calls.receipts() {
        calls::wait_settled(payer, receipt).await?;
    }
    steps.done(&format!("{} calls are final", calls.receipts().count()));

    steps.begin("verifying every receipt offline");
    let trusted = client.checkpoint().await?;
    let mut payouts = Payouts::default();
    let mut checks = 0;
    for receipt in calls.receipts() {
        let file = payer.receipt_proof(receipt).await?;
        checks += payouts.add(&file, &trusted)?.checks.len();
    }
    steps.done(&format!("{} receipts hold in {checks} checks", payouts.receipts));
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
        crate::embedded::interrupted().await?;
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
