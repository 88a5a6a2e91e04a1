//! Streams that are open and silent: what each costs the gateway in memory while a model
//! thinks.

use super::Stage;
use super::report::AMBAR;
use super::script::{SILENT, word};
use crate::http::Connection;
use crate::load::refusal;
use crate::plan::Plan;
use crate::table::{Table, Target as Aim};
use crate::usage::resident_megabytes;
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// Streams.
const STREAMS: usize = 2_000;
/// Opened at once, so that none waits to be accepted.
const OPENED_AT_ONCE: usize = 50;
/// All of them are under way at the upstream: unless it is said, some would wait for it.
const UPSTREAM: &str = "gateway.upstream_calls = 2048";
/// Longest time until a stream's first event.
const FIRST_TIME_MAX: Duration = Duration::from_secs(30);
/// How long they are silent before memory is read.
const SILENCE: Duration = Duration::from_secs(3);
/// Most memory for each, kB (10^3 bytes).
const STREAM_KB_MAX: f64 = 64.0;

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let stage = Stage::set(plan)?;
    let target = stage.ambar(AMBAR, Some(plan.ambar().unwrap_or(UPSTREAM)))?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let count = plan.pick(STREAMS, STREAMS / 10);
    // What the first calls bring in is not of the streams.
    drop(runtime.block_on(open(&target.calls(true), OPENED_AT_ONCE))?);
    target.settle()?;
    let before = resident_megabytes(target.pid)?;
    let calls = target.marked(true, SILENT);
    let (open, took) = runtime.block_on(async {
        let open = open(&calls, count).await?;
        tokio::time::sleep(SILENCE).await;
        anyhow::Ok(open)
    })?;
    let during = resident_megabytes(target.pid)?;
    let mut table = Table::default();
    table.row("silent streams", "streams", vec![open.len() as f64]);
    table.row("until fifty that come at once have begun", "ms", took);
    table.row("memory before", "MB", vec![before]);
    table.row("memory while they are open", "MB", vec![during]);
    let each = (during - before) * 1e3 / open.len() as f64;
    table.aimed("for each stream", "kB", vec![each], Aim::AtMost(STREAM_KB_MAX));
    stage.notes(&mut table);
    table.note("each stream has had one event; its connection to the upstream is counted too");
    Ok(table)
}

/// Opens streams and reads the first event of each; how long those took that came at once, ms.
async fn open(calls: &crate::load::Calls, count: usize) -> Result<(Vec<Connection>, Vec<f64>)> {
    let (mut open, mut took) = (Vec::new(), Vec::new());
    while open.len() < count {
        let at_once = OPENED_AT_ONCE.min(count - open.len());
        let begun = (0..at_once).map(|n| begin(calls, open.len() + n));
        let begun = futures::future::try_join_all(begun);
        let start = Instant::now();
        open.extend(timeout(FIRST_TIME_MAX, begun).await.context("a stream does not begin")??);
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok((open, took))
}

async fn begin(calls: &crate::load::Calls, number: usize) -> Result<Connection> {
    let mut connection = Connection::open(calls.address).await?;
    let request = &calls.requests[number % calls.requests.len()];
    let (status, mut body) = (connection.begin(request).await?, Vec::new());
    // A stream that waits for its upstream opens after a while, and has said nothing.
    while !String::from_utf8_lossy(&body).contains(&word(0)) {
        if !connection.piece(&mut body).await? {
            bail!(refusal(status, true, &body).unwrap_or_default());
        }
    }
    Ok(connection)
}
