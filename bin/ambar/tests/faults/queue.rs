//! A queue that is full: whoever finds it so is refused for nothing, and others still get in.

use crate::client::answer;
use crate::common::text;
use crate::script::{Manner, Script};
use crate::stand::{Stand, key};
use crate::support::http::{Opened, Request};
use crate::support::market::{chat, until};
use std::fs;
use std::thread;

/// Pieces of each answer; half of them come before one pauses.
const TOKENS: u32 = 6;
/// One call at a time, and two of each payer that wait.
const QUEUES: &str = "\n[gateway]\nupstream_calls = 1\nwaiting_per_payer = 2\n";
/// Four calls in hand: three of one payer, and one of somebody else.
const IN_HAND: &str = "\n[gateway]\ncalls_at_once = 4\n";
/// Calls that the certificate is good for: those that are made, and not the one that is refused.
const CALLS: usize = 4;

/// A stand whose node is set up so and answers all with one thread, and a certificate for so many
/// calls.
fn open(settings: &str, calls: usize) -> Stand {
    let mut stand = Stand::open();
    stand.market.kill();
    let path = stand.market.home().join("node.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config + settings).unwrap();
    stand.market.start_with(&["--threads", "1"]);
    stand.certificate = stand.market.mint(&stand.channel, &["--calls", &calls.to_string()]);
    stand
}

/// A certificate of somebody else who pays.
fn other_payer(stand: &Stand) -> String {
    let person = stand.market.person();
    person.json(&["key", "new", "other"]);
    person.json(&["account", "fund", "100", "--as", "other"]);
    let license = ["license", &stand.model, "--as", "other", "--fund", "5", "--yes"];
    stand.market.mint(&text(&person.json(&license), "channel"), &[])
}

/// Asks for a stream. The head of its answer says that the call is admitted, whether or not it is
/// its turn.
fn admitted(stand: &Stand, request: &Request) -> Opened {
    until("the call is admitted", || {
        let opened = request.open(stand.market.url()).unwrap();
        // A machine that is too busy to make blocks refuses before anything else happens.
        assert!(matches!(opened.status, 200 | 503), "{}", opened.status);
        (opened.status == 200).then_some(opened)
    })
}

fn receipt(opened: &Opened) -> String {
    let found = opened.headers.iter().find(|(name, _)| name == "ambar-receipt");
    found.map(|(_, receipt)| receipt.clone()).unwrap()
}

/// Where a receipt stands on its channel.
fn place(receipt: &str) -> u64 {
    receipt.rsplit_once('-').and_then(|(_, n)| n.parse().ok()).unwrap()
}

#[test]
fn who_finds_the_queue_full_is_refused_for_nothing_and_others_get_in() {
    let stand = open(QUEUES, CALLS);
    let other = other_payer(&stand);
    let funded = stand.market.remaining(&stand.channel);
    let script = |id| Script::new(id, TOKENS, Manner::Well);
    let busy = Script::new(1, TOKENS, Manner::Pause);
    let working = admitted(&stand, &stand.keyed(&busy, true));
    let waiting: Vec<Opened> = thread::scope(|scope| {
        let (stand, script) = (&stand, &script);
        let waiting =
            [2, 3].map(|id| scope.spawn(move || admitted(stand, &stand.keyed(&script(id), true))));
        waiting.into_iter().map(|one| one.join().unwrap()).collect()
    });

    let refused = answer(&stand.keyed(&script(4), false), stand.market.url());
    refused.refused(429, "engine_busy");
    let wait = refused.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    assert!(wait.is_some_and(|seconds| seconds > 0), "{refused:?}");
    assert_eq!(refused.header("x-should-retry"), Some("true"), "{refused:?}");
    assert_eq!(refused.header("ambar-receipt"), None, "{refused:?}");
    assert_eq!(stand.market.remaining(&stand.channel), funded);
    let request = chat(&stand.body(&script(5), true)).bearer(&other);
    let others = admitted(&stand, &request.header("Idempotency-Key", "other"));
    assert_eq!(stand.mock.asked(), 1, "the upstream has one call at a time");

    // The one that works leaves, and the others have their turns.
    let mut receipts = vec![receipt(&working)];
    drop(working);
    receipts.extend(waiting.iter().map(receipt));
    for (opened, id) in waiting.into_iter().zip([2, 3]).chain([(others, 5)]) {
        let answer = opened.read().unwrap();
        assert!(answer.text.ends_with("data: [DONE]\n\n"), "{answer:?}");
        assert!(answer.text.contains(&script(id).piece(TOKENS - 1)), "{answer:?}");
    }
    // Whoever was refused comes again with the same key, and gets an answer of its own.
    let again = answer(&stand.keyed(&script(4), false), stand.market.url());
    again.ok();
    assert_eq!(again.header("ambar-replayed"), None, "{again:?}");
    receipts.push(again.header("ambar-receipt").unwrap().to_owned());

    // The refusal has taken no number, no money and no call of the certificate's.
    let mut places: Vec<u64> = receipts.iter().map(|receipt| place(receipt)).collect();
    places.sort_unstable();
    let first = places[0];
    assert_eq!(places, (first..first + CALLS as u64).collect::<Vec<_>>());
    let over = answer(&stand.keyed(&script(6), false), stand.market.url());
    over.refused(403, "call_limit_exceeded");
    let paid: u64 = receipts.iter().map(|receipt| stand.said(receipt).price).sum();
    stand.market.audit(CALLS as u64 + 1);
    assert_eq!(funded - stand.market.remaining(&stand.channel), paid);
    assert_eq!(stand.mock.seen(4).asked, 1, "{}", key(&script(4)));
}

/// A figure of the node.
fn figure(stand: &Stand, name: &str) -> u64 {
    let text = Request::get("/metrics").send(stand.market.url()).unwrap().text;
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

#[test]
fn who_finds_the_node_full_is_refused_unread_and_others_get_in() {
    let stand = open(IN_HAND, CALLS);
    let other = other_payer(&stand);
    let funded = stand.market.remaining(&stand.channel);
    let paused = |id| Script::new(id, TOKENS, Manner::Pause);
    let busy = [1, 2, 3].map(|id| admitted(&stand, &stand.keyed(&paused(id), true)));
    assert_eq!(figure(&stand, "ambar_calls_in_hand"), 3);

    // What is no request is not told so: nobody has read it.
    let unread = Request::post("/v1/chat/completions", "{").bearer(&stand.certificate);
    let last = Script::new(4, TOKENS, Manner::Well);
    for request in [unread, stand.keyed(&last, false)] {
        let refused = answer(&request, stand.market.url());
        refused.refused(429, "overloaded");
        assert_eq!(refused.header("retry-after"), Some("1"), "{refused:?}");
        assert_eq!(refused.header("x-should-retry"), Some("true"), "{refused:?}");
        assert_eq!(refused.header("ambar-receipt"), None, "{refused:?}");
    }
    assert_eq!(figure(&stand, "ambar_calls_shed_total"), 2);
    let request = chat(&stand.body(&Script::new(5, TOKENS, Manner::Well), true));
    let others = admitted(&stand, &request.bearer(&other).header("Idempotency-Key", "other"));
    // What is no call is answered all the same.
    Request::get("/api/v1/status").send(stand.market.url()).unwrap().ok();
    stand.market.ask(&stand.certificate, "/v1/models").ok();

    // Streams keep their places as long as they last.
    let mut receipts: Vec<String> = busy.iter().map(receipt).collect();
    drop(busy);
    let others = others.read().unwrap();
    assert!(others.text.ends_with("data: [DONE]\n\n"), "{others:?}");
    let again = until("there is room", || {
        let again = answer(&stand.keyed(&last, false), stand.market.url());
        (again.status != 429).then_some(again)
    });
    again.ok();
    receipts.push(again.header("ambar-receipt").unwrap().to_owned());
    until("nothing is in hand", || (figure(&stand, "ambar_calls_in_hand") == 0).then_some(()));
    let paid: u64 = receipts.iter().map(|receipt| stand.said(receipt).price).sum();
    stand.market.audit(CALLS as u64 + 1);
    assert_eq!(funded - stand.market.remaining(&stand.channel), paid);
}
