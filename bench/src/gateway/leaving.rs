//! A client that leaves in the middle of a slow stream: how much of it the upstream still
//! writes. A gateway that goes on reading pays for what nobody gets.

use super::mock::WATCHED;
use super::script::{CHUNKS, SLOW};
use super::target::Target;
use crate::http::{Connection, Request};
use crate::load::refusal;
use anyhow::{Result, bail, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// After so many events the client leaves.
pub const LEAVES_AT: usize = 8;
/// Longest time until the upstream's stream has ended, whichever way.
const END_TIME_MAX: Duration = Duration::from_secs(30);
/// Between two looks whether it has.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Leaves once; the events that the mock has written in all.
pub async fn leave(target: &Target, mock: SocketAddr) -> Result<f64> {
    let calls = target.marked(true, SLOW);
    timeout(END_TIME_MAX, read_some(&calls.requests[0], calls.address)).await??;
    let (mut asking, started) = (Connection::open(mock).await?, Instant::now());
    loop {
        let answer = asking.ask(&Request::get(WATCHED)).await?;
        let watched: Value = serde_json::from_slice(&answer.body)?;
        if watched["open"] == 0 {
            let written = watched["written"].as_f64().unwrap_or_default();
            ensure!(written > 0.0, "the mock was not asked");
            return Ok(written.min(CHUNKS as f64));
        }
        ensure!(started.elapsed() < END_TIME_MAX, "the upstream's stream does not end");
        sleep(LOOK_PAUSE).await;
    }
}

async fn read_some(request: &Request, address: SocketAddr) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    let status = connection.begin(request).await?;
    let mut body = Vec::new();
    let mut more = true;
    while more && (status != 200 || events(&body) < LEAVES_AT) {
        more = connection.piece(&mut body).await?;
    }
    if let Some(reason) = refusal(status, false, &body) {
        bail!(reason);
    }
    ensure!(events(&body) >= LEAVES_AT, "the stream ended after {} events", events(&body));
    Ok(())
}

fn events(body: &[u8]) -> usize {
    body.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"data:")).count()
}

#[cfg(test)]
mod tests {
    use super::events;

    #[test]
    fn events_are_counted_and_comments_are_not() {
        assert_eq!(events(b""), 0);
        assert_eq!(events(b"data: 1\n\n: receipt\n\ndata: 2\n\n"), 2);
        assert_eq!(events(b"data: 1\n\ndata: data: 2\n"), 2);
    }
}
