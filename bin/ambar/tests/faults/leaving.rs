//! Those who leave, wait no longer or are stopped: the upstream stops, and what was delivered is
//! charged.

use crate::client::{Ending, How, attempt};
use crate::script::{Manner, Script};
use crate::stand::{Said, Stand};
use crate::support::market::until;
use std::thread;

/// Pieces of each answer; half of them come before it pauses.
const TOKENS: u32 = 6;
const HALF: u32 = TOKENS / 2;
/// Clients that leave at the same time.
const LEAVERS: u64 = 40;

fn pausing(id: u64) -> Script {
    Script::new(id, TOKENS, Manner::Pause)
}

/// Waits until the upstream has seen that its reader left in the pause; pieces that it had
/// written. It would have paused much longer than a test waits.
fn left(stand: &Stand, script: &Script) -> u32 {
    until("the upstream is left", || stand.mock.seen(script.id).left_after)
}

fn half(said: &Said) {
    assert_eq!((said.outcome.as_str(), said.tokens), ("partial", (0, u64::from(HALF))), "{said:?}");
    assert!(said.price > 0, "{said:?}");
}

#[test]
fn a_client_that_leaves_stops_the_upstream_and_pays_for_what_came() {
    let stand = Stand::open();
    let script = pausing(1);
    let came = stand.leave(&script, HALF);
    // Not one piece more was written.
    assert_eq!(left(&stand, &script), HALF);
    let (id, said) = stand.receipt(&script);
    assert_eq!(came.heard.receipt, Some(id.clone()));
    half(&said);
    // Whoever comes back with the key gets what was charged.
    let back = stand.ask(&script, true);
    assert_eq!((&back.ending, back.heard.replayed), (&Ending::Whole, true), "{back:?}");
    assert_eq!(back.heard.text, script.text(HALF));
    assert_eq!(back.heard.receipt, Some(id));
    assert_eq!(stand.mock.seen(script.id).asked, 1);
    stand.market.audit(1);
}

#[test]
fn a_client_that_leaves_with_nothing_pays_nothing() {
    let stand = Stand::open();
    let script = pausing(1);
    let how = How::default();
    let gone = thread::scope(|scope| {
        let asking = scope.spawn(|| attempt(&stand.keyed(&script, false), stand.proxy.url(), how));
        until("the upstream is asked", || (stand.mock.seen(script.id).asked == 1).then_some(()));
        stand.proxy.cut();
        asking.join().unwrap()
    });
    assert!(matches!(gone.ending, Ending::Broken(_)), "{gone:?}");
    assert_eq!(left(&stand, &script), 0);
    assert!(!stand.is_charged(&script));
    let whole = stand.ask(&script, false);
    assert_eq!((&whole.ending, whole.heard.replayed), (&Ending::Whole, false), "{whole:?}");
    stand.market.audit(1);
}

#[test]
fn many_who_leave_all_pay() {
    let stand = Stand::open();
    let leave_after = |id: u64| 1 + (id as u32) % HALF;
    thread::scope(|scope| {
        for id in 0..LEAVERS {
            let stand = &stand;
            scope.spawn(move || stand.leave(&pausing(id), leave_after(id)));
        }
    });
    for id in 0..LEAVERS {
        let said = stand.receipt(&pausing(id)).1;
        let paid = u64::from(leave_after(id))..=u64::from(HALF);
        assert!(said.outcome == "partial" && paid.contains(&said.tokens.1), "{said:?}");
        assert!(said.price > 0, "{said:?}");
    }
    stand.market.audit(LEAVERS);
}

#[test]
fn an_answer_that_takes_too_long_ends_and_costs_what_came() {
    let stand = Stand::open();
    let script = pausing(1);
    let patience = |script: &Script, stream| {
        let request = stand.keyed(script, stream).header("Ambar-Timeout", "1.5");
        attempt(&request, stand.market.url(), How { stream, ..How::default() })
    };
    let late = patience(&script, true);
    assert_eq!(late.ending, Ending::Failed("deadline_exceeded".to_owned()), "{late:?}");
    assert_eq!(late.heard.text, script.text(HALF));
    let (id, said) = stand.receipt(&script);
    assert_eq!(late.heard.charged, Some(id));
    half(&said);
    assert_eq!(left(&stand, &script), HALF);
    let whole = pausing(2);
    let late = patience(&whole, false);
    assert_eq!(late.ending, Ending::Refused(504, "deadline_exceeded".to_owned()), "{late:?}");
    assert_eq!(late.heard.charged, None);
    assert!(!stand.is_charged(&whole));
    stand.market.audit(1);
}

/// Asks for a stream, and does something once half of it is there; how it ended.
fn meanwhile(stand: &Stand, script: &Script, act: impl FnOnce()) -> crate::client::Attempt {
    thread::scope(|scope| {
        let asking = scope.spawn(|| stand.ask(script, true));
        until("half of it is written", || {
            (stand.mock.seen(script.id).pieces == HALF).then_some(())
        });
        act();
        asking.join().unwrap()
    })
}

#[test]
fn a_certificate_that_is_revoked_ends_its_streams() {
    let stand = Stand::open();
    let script = pausing(1);
    let ended = meanwhile(&stand, &script, || {
        let revoke = ["cert", "revoke", "-", "--json"];
        let revoked = stand.market.person().run_with(&revoke, &stand.certificate).json();
        assert_eq!(revoked["revoked"], true, "{revoked}");
    });
    assert_eq!(ended.ending, Ending::Failed("certificate_revoked".to_owned()), "{ended:?}");
    assert_eq!(ended.heard.text, script.text(HALF));
    assert!(ended.heard.charged.is_some(), "{ended:?}");
    assert_eq!(left(&stand, &script), HALF);
    stand.market.audit(1);
}

#[test]
fn a_grant_that_is_revoked_ends_its_streams() {
    let stand = Stand::open();
    let script = pausing(1);
    let grants = stand.market.person().json(&["grant", "list", "--as", "app"]);
    let grant = crate::common::text(&grants[0], "id");
    let ended = meanwhile(&stand, &script, || {
        stand.market.person().json(&["grant", "revoke", &grant, "--as", "app"]);
    });
    assert_eq!(ended.ending, Ending::Failed("grant_revoked".to_owned()), "{ended:?}");
    assert_eq!(ended.heard.text, script.text(HALF));
    let receipt = ended.heard.charged.unwrap();
    half(&stand.said(&receipt));
    stand.market.audit(1);
}

#[test]
fn a_gateway_that_is_killed_in_a_stream_charges_nothing_for_it() {
    let mut stand = Stand::open();
    let script = pausing(1);
    let url = stand.market.url().to_owned();
    let request = stand.keyed(&script, true);
    let asking =
        thread::spawn(move || attempt(&request, &url, How { stream: true, ..How::default() }));
    until("half of it is written", || (stand.mock.seen(1).pieces == HALF).then_some(()));
    stand.market.kill();
    let cut = asking.join().unwrap();
    assert!(matches!(cut.ending, Ending::Broken(_)), "{cut:?}");
    stand.market.start();
    let whole = stand.ask(&script, true);
    assert_eq!((&whole.ending, whole.heard.replayed), (&Ending::Whole, false), "{whole:?}");
    assert_eq!(whole.heard.text, script.text(TOKENS));
    // And one that is killed when all is durable says the same afterwards.
    stand.market.kill();
    stand.market.start();
    let again = stand.ask(&script, true);
    assert_eq!((again.heard.replayed, &again.heard.text), (true, &whole.heard.text), "{again:?}");
    assert_eq!(again.heard.receipt, whole.heard.receipt);
    stand.market.audit(1);
}
