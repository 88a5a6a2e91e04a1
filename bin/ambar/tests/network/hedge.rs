//! A model that two nodes serve, one of which has become slow: a gateway that hedges asks the
//! other too, hands on what comes first, and pays only that.

use super::common::{Person, text};
use super::routing::{Grid, served};
use super::support::http::Request;
use super::support::market::until;
use super::support::server::{listen, read, respond};
use serde_json::json;
use std::io::{BufReader, Read as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Calls of a node that must be seen before it counts as slow.
const CALLS_KNOWN: usize = 20;

/// An upstream that answers at once, until it is told to keep every request.
struct Upstream {
    url: String,
    keeps: Arc<AtomicBool>,
    /// Whether somebody has left while it kept their request.
    left: Arc<AtomicBool>,
}

impl Upstream {
    fn start() -> Self {
        let (keeps, left) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (kept, gone) = (Arc::clone(&keeps), Arc::clone(&left));
        let url = listen(move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while read(&mut reader).is_some() {
                if kept.load(Ordering::SeqCst) {
                    // Nothing more comes before the other side goes.
                    let _ = reader.read(&mut [0]);
                    gone.store(true, Ordering::SeqCst);
                    return;
                }
                answer(&mut stream);
            }
        });
        Self { url, keeps, left }
    }

    fn engine(&self) -> String {
        format!("upstream:{}/v1#m", self.url)
    }
}

fn answer(stream: &mut TcpStream) {
    let delta = json!({"role": "assistant", "content": "w0 w1 w2 w3"});
    let choice = json!({"index": 0, "delta": delta, "finish_reason": "stop"});
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5});
    let events = [
        json!({"choices": [choice]}).to_string(),
        json!({"choices": [], "usage": usage}).to_string(),
        "[DONE]".to_owned(),
    ];
    let events = events.map(|event| format!("data: {event}\n\n")).concat();
    respond(stream, "200 OK", "text/event-stream", &events);
}

#[test]
fn the_first_to_answer_is_heard_and_paid() {
    let upstreams = [Upstream::start(), Upstream::start()];
    let engines = [upstreams[0].engine(), upstreams[1].engine()];
    let hedging = "\n[gateway]\nhedge_percentile = 95\n";
    let grid = Grid::open_with([&engines[0], &engines[1]], hedging);
    let mut preferred = String::new();
    for _ in 0..=CALLS_KNOWN {
        preferred = served(&grid.call()).0;
    }
    let slow = grid.numbers.iter().position(|number| *number == preferred).unwrap();
    let other = grid.numbers[1 - slow].clone();
    upstreams[slow].keeps.store(true, Ordering::SeqCst);
    // Without the other this would never end.
    let receipt =
        (0..=2 * CALLS_KNOWN).map(|_| grid.call()).find(|receipt| served(receipt).0 == other);
    let receipt = receipt.expect("the other is asked");
    let (node, candidates) = served(&receipt);
    assert_eq!(node, other, "{receipt:#}");
    assert!(candidates.contains(&(preferred.clone(), "overtaken".to_owned())), "{receipt:#}");
    assert!(candidates.contains(&(other, "served".to_owned())), "{receipt:#}");
    until("the slow node's work is cancelled", || {
        upstreams[slow].left.load(Ordering::SeqCst).then_some(())
    });
    let settled = grid.settled(&receipt);
    assert_eq!(settled["lines"].as_array().map(Vec::len), Some(1), "{settled:#}");
    let metrics = Request::get("/metrics").send(grid.cluster.url(0)).unwrap().text;
    let hedged = metrics.lines().find(|line| line.starts_with("ambar_calls_hedged_total"));
    assert_ne!(hedged, Some("ambar_calls_hedged_total 0"), "{metrics}");
    assert!(hedged.is_some(), "{metrics}");
    let person = Person::new(&grid.cluster.path("auditor"), grid.cluster.url(0));
    until("the books agree", || {
        let audit = person.json(&["audit"]);
        (audit["ok"] == true && audit["debits"] == audit["credits"]).then_some(())
    });
    assert_eq!(text(&settled, "outcome"), "full");
}
