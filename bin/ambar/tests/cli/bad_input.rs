//! What the binary says to bad input: exit code, public code, and what to do.

use super::common::{NOBODY, Person};
use std::fs;

fn person() -> (tempfile::TempDir, Person) {
    let home = tempfile::tempdir().unwrap();
    let person = Person::new(home.path(), NOBODY);
    (home, person)
}

#[test]
fn command_lines_that_are_wrong() {
    let (_home, person) = person();
    let check = |arguments: &[&str], says: &str| {
        let ran = person.run(arguments);
        ran.failed(2, "invalid_request");
        assert!(ran.err.contains(says), "{ran:?}");
        assert!(ran.out.is_empty(), "{ran:?}");
    };
    check(&[], "a command is missing");
    check(&["pubish"], "unrecognized subcommand 'pubish'");
    check(&["pubish"], "'publish'");
    check(&["show"], "required arguments were not provided");
    check(&["show"], "call it as `ambar show [OPTIONS] <ID>`, for example `ambar show bafyrei…`");
    check(&["key"], "name one of new, list, show, export, rotate, or read `ambar key --help`");
    check(&["account", "fund", "much"], "for example `ambar account fund 10 --as me`");
    check(&["show", "x", "--verbose"], "unexpected argument '--verbose'");
    check(&["account", "transfer", "did:key:x", "1.0000000001"], "more than 9 digits");
    check(&["publish", "x", "--kind", "song"], "a kind is dataset, model, code, prompt or agent");
    check(&["search", "x", "--kind", "song"], "a kind is dataset");
    check(&["cert", "mint", "--channel", "1", "--expires", "tomorrow"], "2027-01-31T00:00:00Z");
    check(&["demo", "--calls", "0"], "0 is not in 1..=1000");
}

#[test]
fn failures_as_json() {
    let (_home, person) = person();
    for arguments in [&["pubish", "--json"][..], &["cert", "mint", "--channel", "x", "--json"]] {
        let ran = person.run(arguments);
        ran.failed(2, "invalid_request");
        let error = &ran.document()["error"];
        assert_eq!(error["code"], "invalid_request");
        assert!(error["message"].is_string() && error["help"].is_string(), "{ran:?}");
    }
}

#[test]
fn help_and_version_are_answers() {
    let (_home, person) = person();
    for arguments in [&["--help"][..], &["--version"], &["publish", "--help"]] {
        let ran = person.run(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert!(ran.out.contains("ambar"), "{ran:?}");
    }
}

#[test]
fn terms_with_an_unknown_key_name_the_nearest() {
    let (home, person) = person();
    let path = home.path().join("terms.toml");
    fs::write(&path, "terms = 1\ngrants = [\"call\"]\n[price]\nper_cal = \"1\"\n").unwrap();
    let path = path.to_str().unwrap();
    for command in ["check", "explain"] {
        let ran = person.run(&["terms", command, path]);
        ran.failed(2, "terms_invalid");
        assert!(ran.err.contains("line 4, column 1: "), "{ran:?}");
        assert!(ran.err.contains("the nearest known one is `price.per_call`"), "{ran:?}");
    }
    let good = person.run_with(&["terms", "check", "-"], "terms = 1\ngrants = [\"call\"]\n");
    assert_eq!(good.code, 0, "{good:?}");
}

#[test]
fn files_that_cannot_be_read() {
    let (home, person) = person();
    let check = |arguments: &[&str]| {
        person.run(arguments).failed(2, "file_unreadable");
    };
    check(&["terms", "check", "/nowhere/terms.toml"]);
    check(&["cert", "inspect", "/nowhere/a.cert"]);
    check(&["receipt", "verify", "/nowhere/receipt"]);
    check(&["call", "x", "--cert", "/nowhere/a.cert", "Hello"]);
    check(&["start", "--config", "/nowhere/node.toml"]);
    check(&["terms", "check", home.path().to_str().unwrap()]);
}

#[test]
fn nodes_that_cannot_be_reached() {
    let (_home, mut person) = person();
    for arguments in [&["status"][..], &["show", "x"], &["search", "x"], &["audit"]] {
        let ran = person.run(arguments);
        ran.failed(6, "node_unreachable");
        assert!(ran.err.contains("no node answers at http://127.0.0.1:9"), "{ran:?}");
    }
    person.node = "ftp://example.org".into();
    person.run(&["status"]).failed(2, "invalid_request");
}

#[test]
fn keys_of_a_home() {
    let (home, person) = person();
    let ran = person.run(&["account", "show"]);
    ran.failed(4, "key_unknown");
    assert!(ran.err.contains("ambar key new"), "{ran:?}");
    let did = super::common::text(&person.json(&["key", "new", "ann"]), "did");
    assert!(did.starts_with("did:key:z6Mk"), "{did}");
    person.run(&["key", "new", "ann"]).failed(2, "key_name_taken");
    person.run(&["key", "new", "../ann"]).failed(2, "invalid_request");
    person.run(&["key", "show", "bob"]).failed(4, "key_unknown");
    assert_eq!(person.json(&["key", "show", "ann"])["did"], did.as_str());
    assert_eq!(person.json(&["key", "list"])[0]["encrypted"], false);
    person.json(&["key", "new", "bob"]);
    let ran = person.run(&["account", "show"]);
    ran.failed(2, "invalid_request");
    assert!(ran.err.contains("ann, bob") && ran.err.contains("--as KEY"), "{ran:?}");
    let out = home.path().join("ann.exported");
    let export = ["key", "export", "ann", "--out", out.to_str().unwrap()];
    assert_eq!(person.json(&export)["encrypted"], false);
    assert!(fs::read_to_string(&out).unwrap().contains(&did));
    assert_ne!(person.run(&export).code, 0, "an exported key is not overwritten");
}

#[test]
fn certificates_and_receipts_that_are_none() {
    let (home, person) = person();
    let path = home.path().join("file");
    fs::write(&path, "not a certificate").unwrap();
    let path = path.to_str().unwrap();
    person.run(&["cert", "inspect", path]).failed(3, "certificate_invalid");
    person.run(&["cert", "narrow", path, "--calls", "1"]).failed(3, "certificate_invalid");
    let ran = person.run(&["cert", "narrow", path]);
    ran.failed(2, "invalid_request");
    assert!(ran.err.contains("--budget"), "{ran:?}");
    person.run(&["cert", "mint", "--channel", "7"]).failed(4, "channel_unknown");
    person.run(&["receipt", "verify", path]).failed(5, "receipt_invalid");
    // The report is the document; the failure is not a second one.
    let ran = person.run(&["receipt", "verify", path, "--json"]);
    assert_eq!((ran.code, ran.document()["ok"].clone()), (5, false.into()));
}

#[test]
fn a_demo_without_a_model_names_the_script() {
    let (_home, person) = person();
    let ran = person.run(&["demo"]);
    ran.failed(2, "invalid_request");
    assert!(ran.err.contains("run `./demo`"), "{ran:?}");
    let ran = person.run(&["demo", "--model", "/nowhere/model.gguf", "--json"]);
    ran.failed(2, "file_unreadable");
    assert_eq!(ran.document()["error"]["code"], "file_unreadable");
}

#[test]
fn networks_that_cannot_be_founded() {
    let (home, person) = person();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let out = path("network");
    let init = |validators: &str, more: &[&str]| {
        let init = ["network", "init", "--validators", validators, "--out", &out];
        person.run(&[&init[..], more].concat())
    };
    let check = |ran: super::common::Ran, expect: &str| {
        ran.failed(2, "invalid_request");
        assert!(ran.err.contains(expect), "{ran:?}");
    };
    check(init("0", &[]), "1 to 100 validators");
    check(init("101", &[]), "1 to 100 validators");
    check(init("2", &["--host", "192.0.2.1"]), "1 hosts are named for 2 validators");
    check(init("1", &["--host", "example.org"]), "`example.org` is no host");
    check(init("1", &["--heartbeat", "9000"]), "heartbeat of 9000 ms");
    check(init("1", &["--epoch-blocks", "0"]), "an epoch has");
    check(init("1", &["--name", ""]), "a network's name");
    assert!(!home.path().join("network").exists(), "what is refused leaves nothing");
    let written = person.json(&["network", "init", "--validators", "2", "--out", &out]);
    assert_eq!(written["homes"].as_array().unwrap().len(), 2, "{written}");
    check(init("2", &[]), "is not empty");

    let (genesis, joined) = (path("network/1/network/genesis"), path("joined"));
    let peer = format!("{}@127.0.0.1:7800", super::common::text(&written["homes"][0], "validator"));
    let join = |genesis: &str, peers: &[&str]| {
        let join = ["network", "join", genesis, "--out", &joined];
        person.run(&[&join[..], peers].concat())
    };
    join(&peer, &["--peer", &peer]).failed(2, "file_unreadable");
    join(&path("network/1/node.toml"), &["--peer", &peer]).failed(2, "document_invalid");
    check(join(&genesis, &[]), "--peer");
    check(join(&genesis, &["--peer", "127.0.0.1:7800"]), "is no peer");
    check(join(&genesis, &["--peer", &peer, "--peer", &peer]), "is named twice");
    assert_eq!(join(&genesis, &["--peer", &peer]).code, 0);
    check(join(&genesis, &["--peer", &peer]), "is not empty");
}

#[test]
fn chains_that_are_none() {
    let (home, person) = person();
    let file = home.path().join("file");
    fs::write(&file, "not a chain").unwrap();
    let file = file.to_str().unwrap();
    for command in ["check", "import"] {
        let ran = person.run(&["chain", command, file]);
        ran.failed(5, "chain_file_invalid");
        assert!(ran.err.contains("file at byte 0: it is no chain file"), "{ran:?}");
        person.run(&["chain", command, "/nowhere/a.chain"]).failed(2, "file_unreadable");
    }
    let out = home.path().join("out.chain");
    let export = ["chain", "export", "--out", out.to_str().unwrap()];
    person.run(&export).failed(6, "node_unreachable");
    person.run(&[&export[..], &["--at-rest"]].concat()).failed(2, "file_unreadable");
    assert!(!out.exists());
}
