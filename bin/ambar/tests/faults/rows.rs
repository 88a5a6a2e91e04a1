//! The table of `docs/book/at-most-once.md`, row by row: what the upstream does, and what becomes of
//! the call.

use crate::client::{Ending, How, answer, attempt};
use crate::common::text;
use crate::mock::TOKENS_IN;
use crate::script::{ACTS, Act, Fault, Manner, PLACES, Place, Script};
use crate::stand::{Stand, TOKENS_MAX};
use crate::support::market::{chat, until};
use serde_json::json;
use std::fs;

/// Pieces of each answer.
const TOKENS: u32 = 6;
/// Times that a call of the sweep is sent.
const SENT_MAX: usize = 8;
/// A tokenizer whose tokens are words.
const TOKENIZER: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
    "normalizer":null,"pre_tokenizer":{"type":"WhitespaceSplit"},"post_processor":null,
    "decoder":null,"model":{"type":"WordLevel","vocab":{"?":0},"unk_token":"?"}}"#;

/// What becomes of a call.
enum Becomes {
    /// An answer, charged for these tokens.
    Answer((u64, u64)),
    /// So many pieces, then an error with the receipt for them.
    Part(u32, &'static str),
    /// An error without a receipt, and nothing is charged.
    Nothing(u16, &'static str),
}

fn check(stand: &Stand, number: u64, (manner, stream): (Manner, bool), becomes: &Becomes) {
    let script = Script::new(number, TOKENS, manner);
    let held = stand.held(&script, stream);
    let came = stand.ask(&script, stream);
    let context = format!("{manner:?}, stream {stream}: {came:?}");
    match becomes {
        Becomes::Answer(tokens) => {
            assert_eq!(came.ending, Ending::Whole, "{context}");
            let (id, said) = stand.receipt(&script);
            assert_eq!(came.heard.receipt.as_ref(), Some(&id), "{context}");
            assert_eq!((said.outcome.as_str(), said.tokens), ("full", *tokens), "{context}");
            assert_eq!(came.heard.tokens, Some(*tokens), "{context}");
            assert!(said.price > 0 && said.price <= held, "{said:?} of {held}; {context}");
            let told = came.heard.price.as_deref().map(crate::support::market::nano);
            assert_eq!(told, Some(said.price), "{context}");
        }
        Becomes::Part(pieces, code) => {
            assert_eq!(came.ending, Ending::Failed((*code).to_owned()), "{context}");
            let (id, said) = stand.receipt(&script);
            assert_eq!(came.heard.charged.as_ref(), Some(&id), "{context}");
            let expect = ("partial", u64::from(*pieces));
            assert_eq!((said.outcome.as_str(), said.tokens.1), expect, "{context}");
            assert_eq!(came.heard.text, script.text(*pieces), "{context}");
        }
        Becomes::Nothing(status, code) => {
            assert_eq!(came.ending, Ending::Refused(*status, (*code).to_owned()), "{context}");
            assert_eq!(came.heard.charged, None, "{context}");
            assert!(!stand.is_charged(&script), "{context}");
        }
    }
}

#[test]
fn what_an_upstream_does_is_charged_as_the_table_says() {
    let stand = Stand::open();
    let (all, most) = (u64::from(TOKENS), u64::from(TOKENS_MAX));
    let question = Script::new(100, TOKENS, Manner::MuchUsage).question();
    // What is held for a prompt without a tokenizer: its bytes, and a template.
    let held_in = question.len() as u64 + 128 + 16;
    let gateway = "bad_gateway";
    let rows = [
        (Manner::Well, true, Becomes::Answer((TOKENS_IN, all))),
        (Manner::Split, true, Becomes::Answer((TOKENS_IN, all))),
        (Manner::NoDone, true, Becomes::Answer((TOKENS_IN, all))),
        (Manner::Newer, true, Becomes::Answer((TOKENS_IN, all))),
        (Manner::NoUsage, true, Becomes::Answer((0, all))),
        (Manner::ZeroUsage, true, Becomes::Answer((0, 0))),
        (Manner::MuchUsage, true, Becomes::Answer((held_in, most))),
        (Manner::Endless, true, Becomes::Answer((0, most))),
        (Manner::Close, true, Becomes::Part(TOKENS / 2, gateway)),
        (Manner::Fail, true, Becomes::Part(TOKENS / 2, gateway)),
        (Manner::Broken, true, Becomes::Nothing(502, gateway)),
        (Manner::Busy, true, Becomes::Nothing(429, "engine_busy")),
        (Manner::Refuse, true, Becomes::Nothing(400, "invalid_request")),
        (Manner::Html, true, Becomes::Nothing(502, gateway)),
        (Manner::Well, false, Becomes::Answer((TOKENS_IN, all))),
        (Manner::NoUsage, false, Becomes::Answer((0, 1))),
        (Manner::ZeroUsage, false, Becomes::Answer((0, 0))),
        (Manner::MuchUsage, false, Becomes::Answer((held_in, most))),
        (Manner::Close, false, Becomes::Nothing(502, gateway)),
        (Manner::Fail, false, Becomes::Nothing(502, gateway)),
        (Manner::Broken, false, Becomes::Nothing(502, gateway)),
        (Manner::Busy, false, Becomes::Nothing(429, "engine_busy")),
        (Manner::Refuse, false, Becomes::Nothing(400, "invalid_request")),
        (Manner::Html, false, Becomes::Nothing(502, gateway)),
    ];
    let mut charged = 0;
    for (number, (manner, stream, becomes)) in (100..).zip(&rows) {
        check(&stand, number, (*manner, *stream), becomes);
        charged += u64::from(!matches!(becomes, Becomes::Nothing(..)));
    }
    stand.market.audit(charged);
}

#[test]
fn an_upstream_that_wants_the_newer_name_of_a_limit_is_asked_again_and_charged_once() {
    let stand = Stand::open();
    let asked = |id, stream| {
        let script = Script::new(id, TOKENS, Manner::Newer);
        let came = stand.ask(&script, stream);
        assert_eq!(came.ending, Ending::Whole, "{came:?}");
        assert_eq!(came.heard.tokens, Some((TOKENS_IN, u64::from(TOKENS))), "{came:?}");
        assert_eq!(stand.receipt(&script).1.tokens, (TOKENS_IN, u64::from(TOKENS)));
        stand.mock.seen(id).asked
    };
    assert_eq!((asked(1, true), asked(2, true), asked(3, false)), (2, 1, 1));
    stand.market.audit(3);
}

#[test]
fn streams_cost_what_whole_answers_cost() {
    let stand = Stand::open();
    let price = |id, stream| {
        let script = Script::new(id, TOKENS, Manner::Well);
        assert_eq!(stand.ask(&script, stream).ending, Ending::Whole);
        stand.receipt(&script).1
    };
    let (streamed, whole) = (price(100, true), price(200, false));
    assert!(streamed.price > 0, "{streamed:?}");
    assert_eq!(streamed, whole);
}

#[test]
fn an_upstream_that_says_nothing_costs_nothing() {
    let stand = Stand::open();
    for (id, stream) in [(1, true), (2, false)] {
        let script = Script::new(id, TOKENS, Manner::Silent);
        let came = stand.ask(&script, stream);
        assert_eq!((&came.ending, came.heard.text.as_str()), (&Ending::Whole, ""), "{came:?}");
        assert_eq!(came.heard.price.as_deref(), Some("0.000000000"), "{came:?}");
        assert!(!stand.is_charged(&script));
    }
    stand.market.audit(0);
}

#[test]
fn what_an_upstream_does_not_count_is_counted_here() {
    let stand = Stand::open();
    let folder = stand.market.files.path().join("counted");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("card.md"), "A model with its tokenizer").unwrap();
    fs::write(folder.join("tokenizer.json"), TOKENIZER).unwrap();
    let terms = stand.market.files.path().join("terms.toml");
    let (folder, terms) = (folder.to_str().unwrap(), terms.to_str().unwrap());
    let publish = ["publish", folder, "--kind", "model", "--name", "counted", "--terms", terms];
    let engine = format!("upstream:{}#big", stand.mock.url());
    let with = ["--engine", &engine, "--as", "owner"];
    let model = text(&stand.market.person().json(&[&publish[..], &with].concat()), "id");
    let certificate = stand.market.mint(&stand.market.license(&model, "5"), &[]);
    for (id, stream) in [(1, true), (2, false)] {
        let script = Script::new(id, TOKENS, Manner::NoUsage);
        let mut body = stand.body(&script, stream);
        body["model"] = model.as_str().into();
        let how = How { stream, ..How::default() };
        let came = attempt(&chat(&body).bearer(&certificate), stand.market.url(), how);
        assert_eq!(came.ending, Ending::Whole, "{came:?}");
        assert_eq!(came.heard.tokens, Some((1, u64::from(TOKENS))), "{came:?}");
    }
}

#[test]
fn an_upstream_that_is_not_there_costs_nothing() {
    let stand = Stand::open();
    let engine = format!("upstream:{}#big", crate::common::NOBODY);
    let model = stand.market.model("nobody", &engine);
    let certificate = stand.market.mint(&stand.market.license(&model, "5"), &[]);
    for stream in [true, false] {
        let script = Script::new(1, TOKENS, Manner::Well);
        let mut body = stand.body(&script, stream);
        body["model"] = model.as_str().into();
        let answer = answer(&chat(&body).bearer(&certificate), stand.market.url());
        answer.refused(502, "bad_gateway");
        assert_eq!(answer.header("ambar-receipt"), None, "{answer:?}");
    }
    stand.mock.kill();
    let script = Script::new(2, TOKENS, Manner::Well);
    let refused = stand.ask(&script, true);
    assert_eq!(refused.ending, Ending::Refused(502, "bad_gateway".to_owned()));
    stand.mock.start_again();
    assert_eq!(stand.ask(&script, true).ending, Ending::Whole);
    stand.market.audit(1);
}

#[test]
fn who_sends_again_is_answered_once() {
    let mut stand = Stand::open();
    let (script, other) = (Script::new(1, TOKENS, Manner::Well), Script::new(2, 3, Manner::Well));
    let first = stand.ask(&script, true);
    let again = stand.ask(&script, true);
    assert!(again.heard.replayed && !first.heard.replayed, "{again:?}");
    assert_eq!(again.heard.text, first.heard.text);
    assert_eq!(again.heard.receipt, first.heard.receipt);
    assert_eq!(again.heard.price, first.heard.price);
    // The same key with another body.
    let key = crate::stand::key(&script);
    let conflict = stand.request(&other, true).header("Idempotency-Key", &key);
    let conflict = answer(&conflict, stand.market.url());
    conflict.refused(422, "idempotency_conflict");
    assert_eq!(conflict.header("ambar-receipt"), first.heard.receipt.as_deref());
    // An official client's second attempt is the first one's call; a first one is a new call.
    let sent = |stand: &Stand, count: &str| {
        let request = stand.request(&other, false).header("x-stainless-retry-count", count);
        answer(&request, stand.market.url())
    };
    let begun = sent(&stand, "0");
    let lost = sent(&stand, "1");
    assert_eq!(lost.header("ambar-receipt"), begun.header("ambar-receipt"));
    assert_eq!(lost.text, begun.text);
    let anew = sent(&stand, "0");
    assert_ne!(anew.header("ambar-receipt"), begun.header("ambar-receipt"));
    answer(&stand.request(&other, false), stand.market.url()).ok();
    stand.market.audit(4);
    // A gateway that was killed when all of it was final knows it still.
    stand.market.kill();
    stand.market.start();
    let lost = sent(&stand, "1");
    assert_eq!(lost.header("ambar-receipt"), anew.header("ambar-receipt"), "{lost:?}");
    assert_eq!(lost.header("ambar-replayed"), Some("true"), "{lost:?}");
    stand.market.audit(4);
}

/// Sends a keyed call until its client has what it can get.
fn insist(stand: &Stand, script: &Script, stream: bool, fault: Option<Fault>) -> String {
    let request = stand.keyed(script, stream);
    for sent in 0..SENT_MAX {
        let how = How { stream, leave: None, fault: fault.filter(|_| sent == 0) };
        let url = if how.fault.is_some() { stand.proxy.url() } else { stand.market.url() };
        let came = attempt(&request, url, how);
        let receipt = match &came.ending {
            Ending::Whole => came.heard.receipt,
            Ending::Failed(_) | Ending::Refused(..) => came.heard.charged,
            Ending::Broken(_) | Ending::Left => None,
        };
        if let Some(receipt) = receipt {
            return receipt;
        }
    }
    panic!("no answer to {script:?} with {fault:?}");
}

#[test]
fn connections_break_everywhere_and_each_call_is_charged_once() {
    let stand = Stand::open();
    let (mut calls, mut receipts) = (0, std::collections::BTreeSet::new());
    let faults = PLACES.iter().flat_map(|place| ACTS.map(|act| Fault { place: *place, act }));
    for fault in faults {
        for stream in [true, false] {
            calls += 1;
            let script = Script::new(calls, TOKENS, Manner::Well);
            receipts.insert(insist(&stand, &script, stream, Some(fault)));
            // Nobody writes receipts on this side.
            if fault.place == Place::Receipt {
                continue;
            }
            calls += 1;
            let script = Script { fault: Some(fault), ..Script::new(calls, TOKENS, Manner::Well) };
            let id = insist(&stand, &script, stream, None);
            // What is only late is all there.
            if fault.act == Act::Delay {
                let said = stand.said(&id);
                assert_eq!((said.outcome.as_str(), said.tokens.1), ("full", u64::from(TOKENS)));
            }
            receipts.insert(id);
        }
    }
    assert_eq!(receipts.len() as u64, calls);
    stand.market.audit(calls);
    until("the upstream is idle", || stand.mock.is_idle().then_some(()));
}

#[test]
fn a_request_that_is_refused_asks_nobody() {
    let stand = Stand::open();
    let script = Script::new(1, TOKENS, Manner::Well);
    let refused = |body: &serde_json::Value, status, code| {
        let answer = answer(&chat(body).bearer(&stand.certificate), stand.market.url());
        answer.refused(status, code);
        assert_eq!(answer.header("ambar-receipt"), None, "{answer:?}");
    };
    let body = |name: &str, value: serde_json::Value| {
        let mut body = stand.body(&script, false);
        body[name] = value;
        body
    };
    refused(&body("model", json!("nobody's")), 404, "model_not_found");
    refused(&body("max_tokens", json!(0)), 400, "invalid_request");
    refused(&body("messages", json!([])), 400, "invalid_request");
    assert_eq!(stand.mock.asked(), 0);
    stand.market.audit(0);
}
