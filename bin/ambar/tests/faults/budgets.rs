//! Budgets: nobody spends more than there is, however many try at once, whatever is killed.

use crate::client::{Attempt, Ending, How, answer, attempt};
use crate::script::{Manner, Script};
use crate::stand::Stand;
use crate::support::http::Request;
use crate::support::market::{credits, nano};
use std::sync::Barrier;
use std::thread;

/// Pieces of each answer.
const TOKENS: u32 = 6;
/// How often two calls race.
const RACES: u64 = 30;

fn ask(stand: &Stand, certificate: &str, script: &Script) -> Attempt {
    let request = crate::support::market::chat(&stand.body(script, true)).bearer(certificate);
    attempt(&request, stand.market.url(), How { stream: true, ..How::default() })
}

fn is_refused(attempt: &Attempt, code: &str) -> bool {
    attempt.ending == Ending::Refused(402, code.to_owned())
}

#[test]
fn two_calls_never_share_the_last_of_a_budget() {
    let stand = Stand::open();
    let held = stand.held(&Script::new(10, TOKENS, Manner::Well), true);
    for race in 10..10 + RACES {
        let budget = credits(held);
        let certificate = stand.market.narrow(&stand.certificate, &["--budget", &budget]);
        let (script, together) = (Script::new(race, TOKENS, Manner::Well), Barrier::new(2));
        let came: Vec<Attempt> = thread::scope(|scope| {
            let racers = [(); 2].map(|()| {
                scope.spawn(|| {
                    together.wait();
                    ask(&stand, &certificate, &script)
                })
            });
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let answered = came.iter().filter(|one| one.ending == Ending::Whole).count();
        let refused = came.iter().filter(|one| is_refused(one, "budget_exceeded")).count();
        assert_eq!((answered, refused), (1, 1), "{came:?}");
    }
    stand.market.audit(RACES);
}

#[test]
fn two_calls_never_share_the_last_of_a_channel() {
    let stand = Stand::open();
    let held = stand.held(&Script::new(1, TOKENS, Manner::Well), true);
    let channel = stand.market.license(&stand.model, &credits(2 * held));
    let certificate = stand.market.mint(&channel, &[]);
    let together = Barrier::new(4);
    let came: Vec<Attempt> = thread::scope(|scope| {
        let racers = [1, 2, 3, 4].map(|id| {
            let (stand, together, certificate) = (&stand, &together, &certificate);
            scope.spawn(move || {
                together.wait();
                ask(stand, certificate, &Script::new(id, TOKENS, Manner::Well))
            })
        });
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let empty = |one: &Attempt| is_refused(one, "channel_empty");
    assert!(came.iter().all(|one| one.ending == Ending::Whole || empty(one)), "{came:?}");
    let spent: u64 = came.iter().filter_map(|one| one.heard.price.as_deref()).map(nano).sum();
    let answered = came.iter().filter(|one| one.ending == Ending::Whole).count();
    assert!(answered >= 2, "{came:?}");
    stand.market.audit(answered as u64);
    assert_eq!(stand.market.remaining(&channel), 2 * held - spent);
}

#[test]
fn a_budget_is_there_after_a_restart() {
    let mut stand = Stand::open();
    let script = |id| Script::new(id, TOKENS, Manner::Well);
    let held = stand.held(&script(1), true);
    let budget = credits(held);
    let certificate = stand.market.mint(&stand.channel, &["--budget", &budget]);
    assert_eq!(ask(&stand, &certificate, &script(1)).ending, Ending::Whole);
    // Perhaps before the call has settled, and once more after that.
    for id in [2, 3] {
        stand.market.kill();
        stand.market.start();
        let refused = ask(&stand, &certificate, &script(id));
        assert!(is_refused(&refused, "budget_exceeded"), "{refused:?}");
        stand.market.audit(1);
    }
}

#[test]
fn an_upstream_that_never_ends_is_ended_by_the_budget() {
    let stand = Stand::open();
    let script = Script::new(1, TOKENS, Manner::Endless);
    let held = stand.held(&script, true);
    let certificate = stand.market.mint(&stand.channel, &["--budget", &credits(held)]);
    let came = ask(&stand, &certificate, &script);
    assert_eq!(came.ending, Ending::Whole, "{came:?}");
    assert_eq!(came.heard.finish.as_deref(), Some("length"), "{came:?}");
    // What is paid for was delivered, and no piece more.
    assert_eq!(came.heard.pieces, crate::stand::TOKENS_MAX, "{came:?}");
    let said = stand.said(came.heard.receipt.as_deref().unwrap());
    assert_eq!(said.tokens.1, u64::from(crate::stand::TOKENS_MAX));
    assert!(said.price <= held, "{said:?} of {held}");
    let refused = ask(&stand, &certificate, &Script::new(2, TOKENS, Manner::Well));
    assert!(is_refused(&refused, "budget_exceeded"), "{refused:?}");
    stand.market.audit(1);
}

/// Every path of the port, as the node itself describes them, with something in the place of each
/// variable. The dialects come first: one of the other routes ends a certificate.
fn paths(stand: &Stand) -> Vec<String> {
    let document = Request::get("/api/v1/openapi.json").send(stand.market.url()).unwrap().ok();
    let filled = |path: &String| {
        let mut parts: Vec<&str> = path.split('/').collect();
        for part in parts.iter_mut().filter(|part| part.starts_with('{')) {
            *part = &stand.model;
        }
        parts.join("/")
    };
    let mut paths: Vec<String> =
        document["paths"].as_object().unwrap().keys().map(filled).collect();
    paths.sort_by_key(|path| !path.starts_with("/v1/"));
    paths
}

#[test]
fn no_route_reaches_the_upstream_without_a_certificate_and_its_budget() {
    let stand = Stand::open();
    let paths = paths(&stand);
    for known in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"] {
        assert!(paths.iter().any(|path| path == known), "{known} of {paths:?}");
    }
    assert!(paths.len() > 40, "{paths:?}");
    let script = Script::new(1, TOKENS, Manner::Well);
    let mut body = stand.body(&script, false);
    // What each of the dialects' routes asks for.
    (body["prompt"], body["input"]) = (script.question().into(), script.question().into());
    let poor = stand.market.mint(&stand.channel, &["--budget", "0.000000001"]);
    let mut forged = stand.certificate.clone();
    forged.replace_range(forged.len() / 2..forged.len() / 2 + 4, "AAAA");
    let bodies = bodies(&body);
    for (path, certificate) in
        paths.iter().flat_map(|path| [None, Some(&poor), Some(&forged)].map(|one| (path, one)))
    {
        let posts = bodies.iter().map(|body| Request::post(path.as_str(), body.to_string()));
        let put = Request::put(path.as_str(), body.to_string());
        for request in posts.chain([Request::get(path.as_str()), put]) {
            let request = match certificate {
                Some(certificate) => request.bearer(certificate),
                None => request,
            };
            let answer = request.send(stand.market.url());
            let charged = answer.ok().is_some_and(|one| one.header("ambar-price").is_some());
            assert!(!charged, "{path} with {certificate:?}");
        }
    }
    assert_eq!(stand.mock.asked(), 0, "a route reaches the upstream");
    // With a certificate that pays, they do.
    for (path, body) in
        ["/v1/chat/completions", "/v1/completions", "/v1/responses"].iter().zip(&bodies)
    {
        let before = stand.mock.asked();
        let request = Request::post(*path, body.to_string()).bearer(&stand.certificate);
        answer(&request, stand.market.url());
        assert_eq!(stand.mock.asked(), before + 1, "{path}: {body}");
    }
}

/// The same question as each dialect's route takes it, and with everything at once.
fn bodies(all: &serde_json::Value) -> Vec<serde_json::Value> {
    let only = |names: &[&str]| {
        let mut body = all.clone();
        body.as_object_mut().unwrap().retain(|name, _| names.contains(&name.as_str()));
        body
    };
    vec![
        only(&["model", "messages", "max_tokens"]),
        only(&["model", "prompt", "max_tokens"]),
        only(&["model", "input"]),
        all.clone(),
    ]
}
