//! A fetch that was interrupted goes on: what is whole is kept, what is foreign is left
//! alone, and nothing is written over.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use common::text;
use std::fs;
use std::path::Path;
use support::market::Market;

/// Publishes three records; the dataset's id.
fn records(market: &Market) -> String {
    let records = market.files.path().join("records");
    fs::create_dir_all(records.join("deep")).unwrap();
    for name in ["one.txt", "two.txt", "deep/three.txt"] {
        fs::write(records.join(name), format!("The record named {name}.\n")).unwrap();
    }
    let terms = market.files.path().join("terms.toml");
    let publish = ["publish", records.to_str().unwrap(), "--kind", "dataset", "--name", "records"];
    let terms = ["--terms", terms.to_str().unwrap(), "--as", "owner"];
    text(&market.person().json(&[&publish[..], &terms].concat()), "id")
}

fn fetch<'a>(id: &'a str, out: &'a Path) -> [&'a str; 6] {
    ["fetch", id, "--out", out.to_str().unwrap(), "--as", "owner"]
}

#[test]
fn an_interrupted_fetch_goes_on() {
    let market = Market::open();
    let (id, out) = (records(&market), market.files.path().join("out"));
    let person = market.person();
    assert_eq!(person.json(&fetch(&id, &out))["kept"], 0);
    // As an interrupt leaves it: one file is missing, another was being written.
    fs::remove_file(out.join("two.txt")).unwrap();
    fs::write(out.join(".0123.partial"), "The rec").unwrap();
    let again = person.json(&fetch(&id, &out));
    assert_eq!((again["files"].clone(), again["kept"].clone()), (3.into(), 2.into()));
    let fetched = fs::read_to_string(out.join("two.txt")).unwrap();
    assert_eq!(fetched, "The record named two.txt.\n");
    let told = person.run(&fetch(&id, &out));
    assert!(
        told.out.starts_with("3 files, ") && told.out.ends_with("; 3 were there\n"),
        "{told:?}"
    );
    assert_eq!(told.err, "", "nothing took long enough to be told");
}

#[test]
fn nothing_is_written_over() {
    let market = Market::open();
    let id = records(&market);
    let check = |name: &str, expect: &str| {
        let out = tempfile::tempdir().unwrap();
        fs::write(out.path().join(name), "mine").unwrap();
        let ran = market.person().run(&fetch(&id, out.path()));
        ran.failed(2, "invalid_request");
        assert!(ran.err.contains(expect), "{ran:?}");
        assert_eq!(fs::read_to_string(out.path().join(name)).unwrap(), "mine");
    };
    check("notes.txt", "notes.txt is no file of this capsule");
    check("one.txt", "one.txt is there with another content");
}

#[test]
fn the_node_tells_how_far_it_is_and_starts_with_what_was_lost() {
    let mut market = Market::open();
    let id = records(&market);
    for path in [format!("/api/v1/capsules/{id}/build"), "/api/v1/audit/progress".into()] {
        let answer = support::http::Request::get(&path).send(market.url()).unwrap();
        assert_eq!(answer.json()["phase"], "idle", "{answer:?}");
        assert!(answer.json()["total"].is_null(), "{answer:?}");
    }
    market.kill();
    for lost in ["corpora", "index"] {
        fs::remove_dir_all(market.home().join(lost)).unwrap();
    }
    market.start();
    let datanet = market.person().json(&["datanet", "show", &id]);
    assert_eq!((datanet["served"].clone(), datanet["records"].clone()), (true.into(), 3.into()));
}
