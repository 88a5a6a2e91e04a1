//! Answers that are kept for retries: nobody reads them on the gateway's disk, and when their
//! secrets are erased a retry is told so and pays nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[expect(dead_code, reason = "each test file uses its own part")]
mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use common::text;
use std::fs;
use std::path::Path;
use support::market::{Market, chat, question};

/// The files under a folder that hold these bytes.
fn holding(folder: &Path, wanted: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, wanted));
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(wanted.len()).any(|window| window == wanted) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_retry_finds_what_the_disk_does_not_show() {
    let mut market = Market::open();
    let id = market.model("words", "null:tokens=24");
    let certificate = market.mint(&market.license(&id, "5"), &[]);
    let request = || {
        let request = chat(&question(&id, 24)).bearer(&certificate);
        request.header("Idempotency-Key", "a-key-that-nobody-guesses")
    };
    let first = request().send(market.url()).unwrap();
    let said = text(&first.ok()["choices"][0]["message"], "content");
    assert!(said.len() > 20, "{said}");
    market.call(&certificate, &question(&id, 24)).ok();
    market.audit(2);

    market.kill();
    assert_eq!(holding(market.home(), said.as_bytes()), [""; 0], "{said}");
    assert_eq!(holding(market.home(), b"one two three"), [""; 0], "the question");
    assert_eq!(holding(market.home(), b"a-key-that-nobody-guesses"), [""; 0]);
    market.start();
    let again = request().send(market.url()).unwrap();
    assert_eq!(again.header("ambar-replayed"), Some("true"), "{again:?}");
    assert_eq!(text(&again.ok()["choices"][0]["message"], "content"), said);

    // What time does to the secrets, done at once.
    market.kill();
    let secrets = market.home().join("journal/answers");
    let erased = fs::read_dir(&secrets).unwrap();
    assert!(erased.map(|entry| fs::remove_file(entry.unwrap().path()).unwrap()).count() > 0);
    market.start();
    let gone = request().send(market.url()).unwrap();
    gone.refused(410, "answer_erased");
    let receipt = first.header("ambar-receipt").unwrap();
    assert_eq!(gone.header("ambar-receipt"), Some(receipt), "{gone:?}");
    market.audit(2);
}
