//! Streams that do not stall: each write goes out at once, on both sides of the gateway.

use crate::script::{Manner, Script};
use crate::stand::Stand;
use crate::support::market::until;
use std::time::{Duration, Instant};

/// Streams of a round, and chunks of each.
const STREAMS: u64 = 50;
const CHUNKS: u32 = 20;
/// A gap that a delayed acknowledgement makes: Linux waits for 40 ms (RFC 9293, section 3.8.6.3,
/// and `TCP_DELACK_MIN`).
const GAP: Duration = Duration::from_millis(35);
/// How many streams of a round may have one: the machine has other things to do.
const STALLED_MAX: usize = 2;
/// Rounds until one is good. A busy machine spoils some; writes that wait for acknowledgements
/// spoil all.
const ROUNDS: u64 = 6;

/// Whether a stream has a gap.
fn stalls(stand: &Stand, id: u64) -> bool {
    let script = Script { pace_ms: 1, ..Script::new(id, CHUNKS, Manner::Well) };
    let mut body = stand.body(&script, true);
    body["max_tokens"] = CHUNKS.into();
    let request = crate::support::market::chat(&body).bearer(&stand.certificate);
    let mut opened = until("the ledger is fresh", || {
        let opened = request.open(stand.market.url()).unwrap();
        (opened.status == 200).then_some(opened)
    });
    let (mut last, mut longest, mut chunks) = (Instant::now(), Duration::ZERO, 0);
    while !opened.chunk().unwrap().is_empty() {
        longest = longest.max(last.elapsed());
        (last, chunks) = (Instant::now(), chunks + 1);
    }
    assert!(chunks > 1, "a stream comes in pieces");
    longest >= GAP
}

#[test]
fn chunks_do_not_wait_for_acknowledgements() {
    let stand = Stand::open();
    let mut stalled = Vec::new();
    for round in 1..=ROUNDS {
        let first = round * STREAMS;
        let round = (first..first + STREAMS).filter(|id| stalls(&stand, *id)).count();
        println!("{round} of {STREAMS} streams stall");
        stalled.push(round);
        if round <= STALLED_MAX {
            return;
        }
    }
    panic!("streams of {STREAMS} that stall, round by round: {stalled:?}");
}
