//! The embedded engine through the whole call path beside the bare library: same file, same
//! threads, same prompt, in alternating rounds. And several answers at a time.

mod streams;

use crate::http::{Answer, Connection, Request};
use crate::node::Node;
use crate::plan::{Plan, model};
use crate::table::{Table, Target};
use ambar_compute::gguf::{BareModel, Speed};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tokio::runtime::Runtime;

/// Repeats of the sentence below.
const SENTENCES: usize = 20;
const SENTENCE: &str = "The lighthouse keeper counted the ships that passed in the long night. ";
/// Tokens of an answer.
const TOKENS: u32 = 128;
/// Through the call path over the bare library.
const RATIO_MIN: f64 = 0.95;
/// The model's terms.
const TERMS: &str = "terms = 1\ngrants = [\"call\"]\n[price]\nper_mu = \"0.000000002\"\n";

/// Measures; without a model file there is nothing to measure.
pub fn run(plan: &Plan) -> Result<Table> {
    let Some(path) = model() else {
        let mut table = Table::default();
        table.note("skipped: AMBAR_MODEL_GGUF names no model file");
        return Ok(table);
    };
    let home = plan.directory()?;
    let node = Node::start(home.path())?;
    let (id, certificate) = prepare(&node, home.path(), &path)?;
    let (runtime, bare) = (Runtime::new()?, BareModel::open(&path)?);
    let mut connection = runtime.block_on(Connection::open(node.address))?;
    let mut call = |text: &str| {
        let request = request(&id, &certificate, text);
        speed(&runtime.block_on(connection.ask(&request))?)
    };
    let library = |text: &str| bare.decode(text, TOKENS as usize, None);
    // The model is loaded by the first call.
    call(&text(0))?;
    library(&text(0))?;
    let (mut calls, mut bares) = (Vec::new(), Vec::new());
    for round in 1..=plan.pick(7, 2) {
        calls.push(call(&text(round))?);
        bares.push(library(&text(round))?);
    }
    node.stop()?;
    let mut table = table(&path, &calls, &bares);
    streams::measure(plan, &path, &runtime, &mut table)?;
    Ok(table)
}

/// Begins with another token in every round: a beginning that was read before would not be
/// read again.
fn text(round: u8) -> String {
    format!("{round}. {}", SENTENCE.repeat(SENTENCES))
}

fn prepare(node: &Node, directory: &Path, path: &Path) -> Result<(String, String)> {
    let terms = directory.join("terms.toml");
    fs::write(&terms, TERMS)?;
    node.person()?;
    let id = node.publish((path, "model"), &terms, &[])?;
    let certificate = node.license(&id)?;
    Ok((id, certificate))
}

fn request(id: &str, certificate: &str, text: &str) -> Request {
    let body = json!({
        "model": id,
        "prompt": text,
        "max_tokens": TOKENS,
        "temperature": 0,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    Request::post("/v1/completions", Some(certificate), &body)
}

/// What a caller sees: the first piece of the answer ends the prefill, the last byte, sent
/// when the receipt is durable, ends the answer.
fn speed(answer: &Answer) -> Result<Speed> {
    let body = std::str::from_utf8(&answer.body)?;
    let frames = body.lines().filter_map(|line| line.strip_prefix("data: "));
    let mut usage = frames.filter_map(|frame| {
        let frame: Value = serde_json::from_str(frame).ok()?;
        Some((
            frame["usage"]["prompt_tokens"].as_u64()?,
            frame["usage"]["completion_tokens"].as_u64()?,
        ))
    });
    let (tokens_in, tokens_out) = usage.next_back().with_context(|| format!("no usage: {body}"))?;
    Ok(Speed {
        tokens_in: usize::try_from(tokens_in)?,
        tokens_out: usize::try_from(tokens_out)?,
        prefill_seconds: answer.first.as_secs_f64(),
        decode_seconds: (answer.whole - answer.first).as_secs_f64(),
    })
}

/// One figure of a run.
type Pick = fn(&Speed) -> f64;

fn table(path: &Path, calls: &[Speed], bares: &[Speed]) -> Table {
    let mut table = Table::default();
    let figures: [(&str, Pick); 2] =
        [("prefill", Speed::prefill_per_second), ("decode", Speed::decode_per_second)];
    for (name, pick) in figures {
        let ratios = calls.iter().zip(bares).map(|(call, bare)| pick(call) / pick(bare)).collect();
        table.row(format!("{name}, call path"), "tokens/s", calls.iter().map(pick).collect());
        table.row(format!("{name}, bare library"), "tokens/s", bares.iter().map(pick).collect());
        table.aimed(format!("{name}, ratio"), "", ratios, Target::AtLeast(RATIO_MIN));
    }
    let tokens = |speeds: &[Speed]| speeds.first().map_or((0, 0), |s| (s.tokens_in, s.tokens_out));
    let ((read, written), (bare_read, bare_written)) = (tokens(calls), tokens(bares));
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    table.note(format!(
        "{file}: {read} tokens in, {written} out; bare library {bare_read} in, {bare_written} out"
    ));
    table
}
