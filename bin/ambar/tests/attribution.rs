//! Whether a call paid those whom its question and answer name: checked with the records on one's
//! own machine, and claimed if it did not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use common::{Ran, text};
use std::fs;
use std::path::PathBuf;
use support::market::{Market, nano, until};

const TERMS: &str = "terms = 1\ngrants = [\"call\", \"fetch\"]\n[price]\nper_call = \"0.001\"\n";
const QUESTION: &str = "How many ships did the lighthouse keeper count?";
const RECORDS: [(&str, &str, &str); 3] = [
    ("log.txt", "Ada", "The lighthouse keeper counted forty seven ships before the storm began."),
    ("map.txt", "Ben", "The map of the northern coast was drawn by hand, in blue and brown ink."),
    ("note.txt", "Ada", "Nothing here is about the sea at all, and nobody has ever read it."),
];

/// A settled call of a datanet, its records fetched, its receipt exported, its texts in files.
struct Case {
    market: Market,
    datanet: String,
    receipt: String,
    file: String,
    records: PathBuf,
    answer: String,
    question: String,
}

fn published(market: &Market) -> String {
    let records = market.files.path().join("records");
    fs::create_dir(&records).unwrap();
    let mut table = String::new();
    for (path, name, said) in RECORDS {
        fs::write(records.join(path), said).unwrap();
        table += &format!("[[record]]\npath = \"{path}\"\nname = \"{name}\"\n");
    }
    fs::write(records.join("contributors.toml"), table).unwrap();
    let terms = market.write("data.toml", TERMS);
    let publish = ["publish", records.to_str().unwrap(), "--kind", "dataset", "--name", "Log"];
    let rest = ["--terms", &terms, "--as", "owner"];
    text(&market.person().json(&[&publish[..], &rest].concat()), "id")
}

impl Case {
    fn open() -> Self {
        let market = Market::open();
        let person = market.person();
        let datanet = published(&market);
        let channel = market.license(&datanet, "5");
        let certificate = market.mint(&channel, &[]);
        let certificate = market.write("app.cert", certificate);
        let called = person.json(&["call", &datanet, "--cert", &certificate, QUESTION]);
        assert!(text(&called, "text").contains(RECORDS[0].2), "{called}");
        let (receipt, answer) = (text(&called, "receipt"), text(&called, "text"));
        market.audit(1);
        let file = market.files.path().join("call.receipt").to_str().unwrap().to_owned();
        person.json(&["receipt", "export", &receipt, "--out", &file, "--as", "app"]);
        let records = market.files.path().join("fetched");
        person.json(&["fetch", &datanet, "--out", records.to_str().unwrap(), "--as", "app"]);
        let (answer, question) =
            (market.write("answer.txt", answer), market.write("question.txt", QUESTION));
        Self { market, datanet, receipt, file, records, answer, question }
    }

    fn verify(&self, answer: &str) -> Ran {
        let receipt = ["attribution", "verify", &self.file, "--datanet", &self.datanet];
        let records = ["--records", self.records.to_str().unwrap(), "--question", &self.question];
        self.market
            .person()
            .run(&[&receipt[..], &records, &["--answer", answer, "--json"]].concat())
    }
}

#[test]
fn a_receipt_is_checked_with_the_records_and_a_false_one_is_claimed() {
    let case = Case::open();
    let (market, person) = (&case.market, case.market.person());
    let same = case.verify(&case.answer).json();
    assert_eq!((&same["ok"], &same["records"]), (&true.into(), &3.into()), "{same:#}");
    let verdicts: Vec<String> = same["methods"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|method| method["method"] == "retrieval" || method["method"] == "verbatim-span")
        .map(|method| text(method, "verdict"))
        .collect();
    assert_eq!(verdicts, ["same", "same"], "{same:#}");
    // As a text editor leaves it.
    let longer = fs::read_to_string(&case.answer).unwrap() + "\n";
    case.verify(&market.write("longer.txt", longer)).json();

    // Another answer quotes something else, which the receipt does not say.
    let other = case.verify(&market.write("other.txt", RECORDS[1].2));
    other.failed(5, "receipt_invalid");
    assert!(other.out.contains("map.txt"), "{other:?}");
    assert!(other.err.contains("ambar attribution challenge"), "{other:?}");

    // Other records have another root.
    fs::write(case.records.join("note.txt"), "Something else.").unwrap();
    let changed = case.verify(&case.answer);
    changed.failed(5, "receipt_invalid");
    assert!(changed.out.contains("other records were searched"), "{changed:?}");
    fs::write(case.records.join("strange.txt"), "Of nobody.").unwrap();
    case.verify(&case.answer).failed(2, "document_invalid");

    // Whoever paid claims it, nobody else from outside; the bond pays more than was shared.
    let report = market.write("report.json", &other.out);
    let claim = ["attribution", "challenge", &case.receipt, "--datanet", &case.datanet];
    let rest = ["--evidence", &report, "--statement", "It quotes the map.", "--yes", "--as"];
    let claim = |who: &'static str| [&claim[..], &rest, &[who]].concat();
    person.json(&["key", "new", "stranger"]);
    person.json(&["account", "fund", "10", "--as", "stranger"]);
    person.run(&claim("stranger")).failed(3, "not_authorised");
    let dispute = text(&person.json(&claim("app")), "dispute");
    let shown = person.json(&["dispute", "show", &dispute]);
    assert_eq!(
        (text(&shown, "claim"), text(&shown, "datanet")),
        ("misattributed".into(), case.datanet.clone())
    );
    let receipt = until("a later block draws", || {
        let receipt = person.json(&["receipt", "show", &case.receipt, "--as", "app"]);
        receipt["audit"].is_boolean().then_some(receipt)
    });
    let royalty = nano(&text(&receipt["lines"][0], "royalty"));
    assert_eq!(nano(&text(&shown, "price")), 50 * royalty, "{shown}");
    person.json(&["dispute", "resolve", &dispute, "--uphold", "--reason", "It does."]);
    let closed = until("it is closed", || {
        let shown = person.json(&["dispute", "show", &dispute]);
        (shown["state"] == "upheld").then_some(shown)
    });
    assert_eq!(nano(&text(&closed, "refund")), 50 * royalty, "{closed}");
    market.audit(1);
}
