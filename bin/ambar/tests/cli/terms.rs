//! Terms without a node: what may be published, what changes, what another language says.

use super::common::{NOBODY, Person, text};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const OLD: &str = "\
terms = 1
grants = [\"call\", \"derive\", \"train\"]
purposes = { allow = [\"research\"], deny = [\"surveillance\"] }
[term]
until = 2027-01-31T00:00:00Z
[quota]
calls = 100
per = \"day\"
[price]
per_mu = \"0.000002\"
per_call = \"0.001\"
[derivatives]
allowed = true
share = \"15%\"
[delegation]
depth = 2
[text]
spdx = \"CC-BY-4.0\"
";

struct Desk {
    home: TempDir,
    person: Person,
}

impl Desk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let person = Person::new(home.path(), NOBODY);
        Self { home, person }
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.home.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[test]
fn changes_are_told_with_what_they_mean() {
    let desk = Desk::new();
    let old = desk.file("old.toml", OLD);
    let new = OLD.replace("calls = 100", "calls = 50").replace("\"0.001\"", "\"0.0005\"");
    let new = desk.file("new.toml", &new.replace("[\"research\"]", "[\"research\", \"teaching\"]"));
    let changes = desk.person.json(&["terms", "diff", &old, &new]);
    let effects: Vec<_> = changes["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (text(change, "key"), text(change, "effect")))
        .collect();
    let expect =
        [("purposes.allow", "wider"), ("quota.calls", "narrower"), ("price.per_call", "cheaper")];
    assert_eq!(effects, expect.map(|(key, effect)| (key.to_owned(), effect.to_owned())));
    let lines = desk.person.run(&["terms", "diff", &old, &new]).out;
    assert!(lines.contains("quota.calls (narrower): "), "{lines}");
    assert_eq!(desk.person.run(&["terms", "diff", &old, &old]).out, "");
}

/// A standard processor expands the offer, and every term is one of ODRL 2.2.
#[test]
fn an_offer_is_in_the_vocabulary_and_says_what_it_leaves_out() {
    let desk = Desk::new();
    let terms = desk.file("terms.toml", OLD);
    let export = ["terms", "export", &terms, "--format", "odrl"];
    let owner = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    let ran = desk.person.run(&[&export[..], &["--assigner", owner]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    for left_out in ["grants", "quota.calls", "price.per_mu", "derivatives.share", "text"] {
        assert!(ran.err.contains(&format!("not in ODRL: {left_out}")), "{left_out}: {}", ran.err);
    }
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["permission"][0]["assigner"], owner, "{document:#}");
    let file = desk.file("terms.jsonld", &ran.out);
    let python = std::env::var_os("AMBAR_PYTHON")
        .expect("set AMBAR_PYTHON to a Python interpreter with rdflib; ./check does so");
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/licence/tests/odrl_vocabulary.py");
    let output = Command::new(python).arg(script).arg(file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_nothing_enforces_and_what_is_over_is_refused_and_explained() {
    let desk = Desk::new();
    let check = |clause: &str, code: &str, said: &str, explained: i32| {
        let terms = desk.file("terms.toml", &format!("terms = 1\ngrants = [\"call\"]\n{clause}\n"));
        let ran = desk.person.run(&["terms", "check", &terms]);
        ran.failed(2, code);
        assert!(ran.err.contains(said), "{ran:?}");
        assert_eq!(desk.person.run(&["terms", "explain", &terms]).code, explained);
    };
    check("[runtime]\nrequire = [\"tee\"]", "not_enforced", "line 3", 2);
    // What is over can be explained all the same.
    check("[term]\nuntil = 2020-01-31T00:00:00Z", "terms_invalid", "term.until", 0);
}
