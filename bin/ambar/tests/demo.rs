//! The demo with real models, through the real binary. Needs the models that `./check`
//! fetches, named by AMBAR_MODEL_GGUF and AMBAR_MODEL_EMBED.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[expect(dead_code, reason = "each test file uses its own part")]
mod common;

use common::{NOBODY, Person, text};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn model(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run ./check, or name the model as README.md says")
    })
}

/// The demo with two questions.
fn demo(person: &Person, more: &[&str]) -> Command {
    let (gguf, embed) = (model("AMBAR_MODEL_GGUF"), model("AMBAR_MODEL_EMBED"));
    let given = ["demo", "--calls", "2", "--model", &gguf, "--embeddings", &embed];
    let mut command = person.command(&[&given[..], more].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Credits as integers, whatever their decimals.
fn units(amount: &str) -> u128 {
    amount.replace('.', "").parse().unwrap()
}

/// What the document promises: payees sum to what was charged, and the books agree.
fn balanced(document: &Value) {
    assert_eq!(
        (document["calls"].clone(), document["audit"]["ok"].clone()),
        (2.into(), true.into())
    );
    let payees = document["payees"].as_array().unwrap();
    let sum: u128 = payees.iter().map(|payee| units(&text(payee, "amount"))).sum();
    assert_eq!(sum, units(&text(document, "charged")), "{document}");
    for method in ["royalty", "retrieval", "node fee", "network fee", "burn"] {
        assert!(payees.iter().any(|payee| payee["method"] == method), "{method} in {document}");
    }
    for count in ["calls", "receipts", "settled"] {
        assert_eq!(document["audit"][count], 2, "{document}");
    }
}

#[test]
fn the_document_balances() {
    let home = tempfile::tempdir().unwrap();
    let person = Person::new(home.path(), NOBODY);
    let output = demo(&person, &["--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    balanced(&serde_json::from_slice(&output.stdout).unwrap());
    assert!(!said.contains('\u{1b}'), "no colour where there is no terminal: {said}");
    assert_eq!(home.path().read_dir().unwrap().count(), 0, "the home of the demo is its own");
}

#[test]
fn a_served_demo_answers_until_it_is_ended() {
    let home = tempfile::tempdir().unwrap();
    let person = Person::new(home.path(), NOBODY);
    let mut child = demo(&person, &["--serve", "--json"]).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let document: Value = serde_json::from_str(&line).unwrap();
    balanced(&document);
    let node = text(&document, "base_url").replace("/v1", "");
    let certificate = home.path().join("demo.cert");
    std::fs::write(&certificate, text(&document, "api_key")).unwrap();
    let caller = Person::new(home.path(), &node);
    let (model, certificate) = (text(&document, "model"), certificate.to_str().unwrap());
    let call = ["call", &model, "--cert", certificate, "--max-tokens", "4", "Who was Monroe?"];
    let answered = caller.json(&call);
    assert!(text(&answered, "receipt").contains('-'), "{answered}");
    let ended = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(ended.success() && child.wait().unwrap().success(), "SIGTERM ends it in order");
}
