//! A receipt verified offline: the receipt of a composed call (a prompt over a model and the
//! presidents), exported when it is final. And what a light client does: an outcome proved
//! from an old checkpoint, through every committee since (`light`).

mod light;

use crate::http::{Connection, Request};
use crate::node::{Node, PERSON};
use crate::plan::{Plan, model};
use crate::presidents;
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Most tokens of the answer.
const TOKENS: u32 = 48;
/// Longest wait for a settlement.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Wait between two looks at a receipt.
const SETTLE_POLL: Duration = Duration::from_millis(50);

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let place = plan.directory()?;
    let node = Node::start(&place.path().join("home"))?;
    let checkpoint = place.path().join("checkpoint.toml");
    let trusted_file = checkpoint.to_string_lossy();
    node.command(&["network", "checkpoint", "--out", &trusted_file])?;
    let trusted = ambar_receipt::checkpoint::read(&fs::read_to_string(&checkpoint)?)?;
    let receipt = call(&node, place.path())?;
    let path = place.path().join("one.receipt");
    let out = path.to_string_lossy();
    let settled = settled(&node, &receipt)?;
    node.command(&["receipt", "export", &receipt, "--out", &out, "--as", PERSON])?;
    let file = fs::read(&path)?;
    let report = ambar_receipt::verify(&file, Some(&trusted));
    ensure!(report.ok, "the receipt does not verify: {}", report.summary);
    let library = || {
        let started = Instant::now();
        black_box(ambar_receipt::verify(black_box(&file), Some(&trusted)));
        started.elapsed().as_secs_f64() * 1e3
    };
    let times = (0..plan.pick(500, 50)).map(|_| library()).collect();
    let program = || {
        let started = Instant::now();
        node.command(&["receipt", "verify", &out, "--network-key", &trusted_file])?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    let whole = (0..plan.pick(20, 3)).map(|_| program()).collect::<Result<_>>()?;
    let mut table = Table::default();
    table.row("every check, in memory", "ms", times);
    table.row("`ambar receipt verify`, whole process", "ms", whole);
    table.row("the file", "bytes", vec![file.len() as f64]);
    light::add(&mut table, plan)?;
    let name = if model().is_some() { "the model file" } else { "the null engine" };
    table.note(format!(
        "composed call answered by {name}: {} checks, {} payments; final {settled:.0} ms after it",
        report.checks.len(),
        report.payments.len(),
    ));
    node.stop()?;
    Ok(table)
}

/// Publishes everything and makes one call; its receipt.
fn call(node: &Node, place: &Path) -> Result<String> {
    node.person()?;
    let prompt = publish(node, place)?;
    let certificate = node.license(&prompt)?;
    let questions = fs::read_to_string(presidents::file("questions.txt"))?;
    let question = questions.lines().next().context("there is a first question")?;
    let body = json!({
        "model": prompt,
        "messages": [{ "role": "user", "content": question }],
        "max_tokens": TOKENS,
        "temperature": 0,
    });
    let request = Request::post("/v1/chat/completions", Some(&certificate), &body);
    let answer = Runtime::new()?
        .block_on(async { Connection::open(node.address).await?.ask(&request).await })?;
    answer.header("ambar-receipt").map(str::to_owned).context("an answer names its receipt")
}

/// The prompt over a model and the presidents; its id.
fn publish(node: &Node, place: &Path) -> Result<String> {
    let (records, card) = (place.join("records"), place.join("card.md"));
    fs::create_dir(&records)?;
    presidents::unpack(&records)?;
    fs::write(&card, "Numbered words.")?;
    let terms = |kind: &str| presidents::file(&format!("terms/{kind}.toml"));
    let model = match model() {
        Some(file) => node.publish((&file, "model"), &terms("model"), &[])?,
        None => node.publish((&card, "model"), &terms("model"), &["--engine", "null"])?,
    };
    let dataset = node.publish((&records, "dataset"), &terms("dataset"), &[])?;
    node.accept(&model)?;
    node.accept(&dataset)?;
    let uses = ["--uses", &model, "--uses", &dataset];
    node.publish((&presidents::file("prompt"), "prompt"), &terms("prompt"), &uses)
}

/// Waits until the receipt is final; how long that took, ms.
fn settled(node: &Node, receipt: &str) -> Result<f64> {
    let started = Instant::now();
    loop {
        let shown = node.command(&["receipt", "show", receipt, "--as", PERSON])?;
        if !shown["settled"].is_null() {
            return Ok(started.elapsed().as_secs_f64() * 1e3);
        }
        ensure!(started.elapsed() < SETTLE_TIMEOUT, "receipt {receipt} does not settle");
        sleep(SETTLE_POLL);
    }
}
