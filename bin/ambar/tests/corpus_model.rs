//! A model that is the records of two datasets: it writes, whole and streamed, and its receipt
//! pays those from whose records each word could have been drawn. What is expected is worked out
//! here by looking at every place of every record.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use ambar_attribution::{CorpusModelEvidence, CorpusModelParameters, Evidence};
use ambar_base::Digest;
use ambar_receipt::export::{Kind, open};
use common::{NOBODY, Person, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use support::market::{Market, chat, until};

const TERMS: &str = "terms = 1\ngrants = [\"call\", \"compose\"]\n[price]\nper_call = \"0.01\"\n";
/// How far the model looks back here.
const CONTEXT_WORDS: usize = 3;
const COUNT_MIN: usize = 2;
const WORDS: usize = 40;
const PROMPT: &str = "Tell me, of the harbour";

/// Path, contributor and text.
type Record = (&'static str, &'static str, &'static str);

const BEN: Record = (
    "ben.txt",
    "Ben",
    "the harbour light is a promise to every ship and the harbour light is a sign to every child\n",
);
const CLEO: Record = (
    "cleo.txt",
    "Cleo",
    "the harbour light is a promise to every child and the old mill is a sign to every ship in \
     the dark\n",
);
const GONE: Record = (
    "gone.txt",
    "Cleo",
    "the harbour light is a zanzibar to every ship and the old mill is a zanzibar in the dark\n",
);
const DORA: Record = (
    "dora.txt",
    "Dora",
    "the old mill is a promise to every ship and the harbour wall is a sign in the dark and in \
     the rain\n",
);

struct Stand {
    market: Market,
    datasets: Vec<String>,
    model: String,
    certificate: String,
}

fn publish(market: &Market, path: &str, kind: &str, more: &[&str]) -> String {
    let terms = market.write(&format!("{kind}.toml"), TERMS);
    let base = ["publish", path, "--kind", kind, "--name", kind, "--terms", &terms];
    text(&market.person().json(&[&base[..], &["--as", "owner"], more].concat()), "id")
}

fn dataset(market: &Market, name: &str, records: &[Record], more: &[&str]) -> String {
    let place = market.files.path().join(name);
    fs::create_dir_all(&place).unwrap();
    let mut table = String::new();
    for (path, who, words) in records {
        fs::write(place.join(path), words).unwrap();
        table += &format!("[[record]]\npath = \"{path}\"\nname = \"{who}\"\n");
    }
    fs::write(place.join("contributors.toml"), table).unwrap();
    let mix = [&["--method", "corpus-model=100%"], more].concat();
    publish(market, place.to_str().unwrap(), "dataset", &mix)
}

fn model(market: &Market, datasets: &[String], more: &[&str]) -> String {
    let card = market.write("card.md", "What stands in the records of the harbour.");
    let shares = ["30%", "10%"];
    let from: Vec<String> =
        datasets.iter().zip(shares).map(|(id, share)| format!("{id}={share}")).collect();
    let engine = format!("corpus:context={CONTEXT_WORDS},count={COUNT_MIN}");
    let mut how = vec!["--engine", engine.as_str()];
    from.iter().for_each(|from| how.extend(["--from", from.as_str()]));
    publish(market, &card, "model", &[&how[..], more].concat())
}

impl Stand {
    fn open() -> Self {
        let market = Market::open();
        let one = dataset(&market, "one", &[BEN, CLEO, GONE], &[]);
        let two = dataset(&market, "two", &[DORA], &[]);
        let datasets = vec![one, two];
        let model = model(&market, &datasets, &[]);
        let channel = market.license(&model, "10");
        let certificate = market.mint(&channel, &[]);
        Self { market, datasets, model, certificate }
    }

    fn ask(&self, model: &str, seed: u64, more: &Value) -> Value {
        let mut body = json!({
            "model": model, "messages": [{"role": "user", "content": PROMPT}],
            "max_tokens": WORDS, "seed": seed,
        });
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        body
    }

    /// The text of an answer, and its receipt's id.
    fn answer(&self, model: &str, seed: u64) -> (String, String) {
        let answer = self.market.call(&self.certificate, &self.ask(model, seed, &json!({})));
        let receipt = answer.header("ambar-receipt").unwrap().to_owned();
        (text(&answer.ok()["choices"][0]["message"], "content"), receipt)
    }

    /// The receipt, once it is settled.
    fn settled(&self, receipt: &str) -> Value {
        until("the receipt is settled", || {
            let shown = self.market.person().json(&["receipt", "show", receipt, "--as", "app"]);
            shown["settled"].is_u64().then_some(shown)
        })
    }
}

/// The text of a streamed answer, and in how many pieces it came.
fn streamed(stand: &Stand, seed: u64) -> (String, usize) {
    let body = stand.ask(&stand.model, seed, &json!({"stream": true}));
    let answer = chat(&body).bearer(&stand.certificate).send(stand.market.url()).unwrap();
    let data = answer.text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = data.filter(|data| *data != "[DONE]");
    let piece = |data: &str| {
        let event: Value = serde_json::from_str(data).unwrap();
        event["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
    };
    let pieces: Vec<String> = events.map(piece).filter(|piece| !piece.is_empty()).collect();
    (pieces.concat(), pieces.len())
}

/// Of every word of an answer, the part of each contributor in the places where it could have been
/// drawn.
fn credits(records: &[Record], answer: &str) -> BTreeMap<&'static str, f64> {
    let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
    let rows: Vec<_> = records.iter().map(|(_, who, text)| (*who, words(text))).collect();
    // "Tell me," is a stretch of its own kind, which no record has.
    let mut before: Vec<&str> = PROMPT.split_whitespace().collect();
    let mut credits = BTreeMap::new();
    for word in answer.split_whitespace() {
        let behind = |context: &[&str]| {
            let mut all = Vec::new();
            for (who, row) in &rows {
                for at in 0..=row.len().saturating_sub(context.len()) {
                    if row[at..].starts_with(context) {
                        all.push((*who, row.get(at + context.len()).copied()));
                    }
                }
            }
            all
        };
        let longest = before.len().min(CONTEXT_WORDS);
        let contexts = (1..=longest).rev().map(|words| behind(&before[before.len() - words..]));
        let found = contexts.into_iter().find(|all| all.len() >= COUNT_MIN);
        let all = found.unwrap_or_else(|| {
            let every = |(who, row): &(&'static str, Vec<&'static str>)| {
                row.iter().map(|word| (*who, Some(*word))).collect::<Vec<_>>()
            };
            rows.iter().flat_map(every).collect()
        });
        let drawn: Vec<_> = all.into_iter().filter(|(_, next)| *next == Some(word)).collect();
        assert!(!drawn.is_empty(), "{word} of {answer} stands nowhere");
        for (who, _) in &drawn {
            *credits.entry(*who).or_default() += 1.0 / drawn.len() as f64;
        }
        before.push(word);
    }
    credits
}

/// What contributors got by this method, nano-credit and its billionths.
fn paid(receipt: &Value) -> BTreeMap<String, f64> {
    let payments = receipt["payments"].as_array().unwrap().iter();
    let own = payments.filter(|payment| payment["role"] == "contributor");
    own.map(|payment| {
        assert_eq!(payment["method"], "corpus-model", "{receipt}");
        (text(payment, "name"), text(payment, "amount").parse().unwrap())
    })
    .collect()
}

fn close(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-6, "{one} is not {other}");
}

/// The evidence in an exported receipt, by the corpus that it is of.
fn evidence(file: &[u8]) -> BTreeMap<Digest, CorpusModelEvidence> {
    let document = open(file).unwrap().document;
    let all = document.preimages.by_digest(Kind::Evidence);
    let read = |bytes: &[u8]| match Evidence::decode(bytes).unwrap() {
        Evidence::CorpusModel(found) => (found.corpus, found),
        other => panic!("{other:?}"),
    };
    all.values().map(|bytes| read(bytes)).collect()
}

#[test]
fn contributors_are_paid_for_the_words_that_were_drawn_from_their_records() {
    let stand = Stand::open();
    // A seed with which words of all three are drawn.
    let drawn = (0..40).find_map(|seed| {
        let (answer, receipt) = stand.answer(&stand.model, seed);
        let credits = credits(&[BEN, CLEO, GONE, DORA], &answer);
        (credits.len() == 3).then_some((seed, answer, receipt))
    });
    let (seed, answer, receipt) = drawn.expect("three have something to say");
    assert_eq!(stand.answer(&stand.model, seed).0, answer, "a seed gives the same text");
    let (stream, pieces) = streamed(&stand, seed);
    assert_eq!(stream, answer);
    assert!(pieces >= answer.split_whitespace().count(), "{pieces} for {answer}");
    let texts: BTreeSet<String> = (0..6).map(|seed| stand.answer(&stand.model, seed).0).collect();
    assert!(texts.len() > 3, "{texts:?}");

    let shown = stand.settled(&receipt);
    let used = &shown["lines"][0]["counters"];
    assert_eq!(used["tokens_in"], 5, "{shown}");
    assert_eq!(used["tokens_out"], answer.split_whitespace().count(), "{shown}");
    let expect = credits(&[BEN, CLEO, GONE, DORA], &answer);
    let paid = paid(&shown);
    let names: Vec<&str> = paid.keys().map(String::as_str).collect();
    assert_eq!(names, expect.keys().copied().collect::<Vec<_>>(), "{answer}");
    // Within a dataset by words; between the two as their shares in the model are.
    close(paid["Ben"] / paid["Cleo"], expect["Ben"] / expect["Cleo"]);
    close((paid["Ben"] + paid["Cleo"]) / paid["Dora"], 3.0);
    verified(&stand, &receipt, &expect);
}

/// The receipt's evidence is that of the whole model, holds offline, and not if it is changed.
fn verified(stand: &Stand, receipt: &str, expect: &BTreeMap<&'static str, f64>) {
    let out = stand.market.write("receipt.cose", "");
    stand.market.person().json(&["receipt", "export", receipt, "--out", &out, "--as", "app"]);
    let file = fs::read(&out).unwrap();
    let all = evidence(&file);
    assert_eq!(all.len(), 2, "one for each dataset");
    let whole = |evidence: &CorpusModelEvidence| {
        let credit: u64 = evidence.tallies.iter().map(|tally| tally.credit).sum();
        credit as f64 / ambar_attribution::corpus_model::TOKEN as f64
    };
    let mut found: Vec<f64> = all.values().map(whole).collect();
    found.sort_by(f64::total_cmp);
    let mut wanted = [expect["Dora"], expect["Ben"] + expect["Cleo"]];
    wanted.sort_by(f64::total_cmp);
    found.iter().zip(wanted).for_each(|(one, other)| close(*one, other));
    for evidence in all.values() {
        let (context_words_max, count_min) = (CONTEXT_WORDS as u32, COUNT_MIN as u32);
        let parameters = CorpusModelParameters { context_words_max, count_min };
        assert_eq!(evidence.parameters, parameters);
        assert!(evidence.steps.iter().all(|step| step.word_count > 0), "{evidence:?}");
        assert!(evidence.elsewhere > 0 && evidence.together != evidence.corpus);
    }
    let empty = tempfile::tempdir().unwrap();
    let auditor = Person::new(empty.path(), NOBODY);
    let genesis = stand.market.home().join("network").join("genesis");
    let verify = ["receipt", "verify", &out, "--network-key", genesis.to_str().unwrap()];
    let report = auditor.json(&verify);
    assert_eq!(report["ok"], true, "{report}");
    let name = b"tallies";
    let at = file.windows(name.len()).position(|window| window == name).unwrap() + name.len();
    for place in at + 3..at + 7 {
        let mut changed = file.clone();
        changed[place] ^= 1;
        fs::write(&out, changed).unwrap();
        auditor.run(&verify).failed(5, "receipt_invalid");
    }
}

#[test]
fn what_is_withdrawn_is_not_written_any_more() {
    let stand = Stand::open();
    let market = &stand.market;
    let says = |model: &str| (0..25).any(|seed| stand.answer(model, seed).0.contains("zanzibar"));
    assert!(says(&stand.model));
    let next = dataset(market, "next", &[BEN, CLEO], &["--previous", &stand.datasets[0]]);
    let sources = [next, stand.datasets[1].clone()];
    let newer = model(market, &sources, &["--previous", &stand.model]);
    assert!(!says(&newer));
    assert!(says(&stand.model), "the version before is what it was");

    // What the engine cannot do is refused by name, and nothing is charged.
    let warm = stand.ask(&newer, 1, &json!({"temperature": 0.7}));
    let refused = market.call(&stand.certificate, &warm);
    refused.refused(400, "invalid_request");
    assert_eq!(refused.json()["error"]["param"], "temperature", "{refused:?}");
    let greedy = |_| {
        let body = stand.ask(&newer, 1, &json!({"temperature": 0}));
        text(&market.call(&stand.certificate, &body).ok()["choices"][0]["message"], "content")
    };
    let texts: BTreeSet<String> = (0..2).map(greedy).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let card = market.write("none.md", "Of nothing.");
    let terms = market.write("model.toml", TERMS);
    let none = ["publish", &card, "--kind", "model", "--name", "none", "--terms", &terms];
    let none = [&none[..], &["--engine", "corpus", "--as", "owner"]].concat();
    assert!(market.person().run(&none).failed(2, "invalid_request").err.contains("--from"));
    let mix = ["--method", "corpus=100%"];
    let wrong = market.person().run(&[&none[..], &mix].concat());
    assert!(wrong.code == 2 && wrong.err.contains("retrieval, verbatim-span"), "{wrong:?}");
}
