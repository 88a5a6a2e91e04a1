//! Organisations of several keys, drafts that go from home to home, departments with roles
//! and budgets, and the one statement of all of them, by the command line against a node.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use common::{Person, text};
use serde_json::Value;
use std::path::Path;
use support::market::{Market, nano, question, until};

/// Tokens of each answer.
const TOKENS: u32 = 8;

/// Somebody with a home of their own and one key.
struct Member {
    person: Person,
    did: String,
}

fn member(market: &Market, name: &str) -> Member {
    let person = Person::new(&market.files.path().join(name), market.url());
    let did = text(&person.json(&["key", "new", name]), "did");
    Member { person, did }
}

fn new_key(market: &Market, name: &str) -> String {
    text(&market.person().json(&["key", "new", name]), "did")
}

fn texts(document: &Value, member: &str) -> Vec<String> {
    let list = document[member].as_array().unwrap_or_else(|| panic!("no {member}: {document}"));
    list.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// What an account holds in all, nano-credit.
fn held(person: &Person, account: &str) -> u64 {
    let account = person.json(&["account", "show", account]);
    nano(&text(&account, "available")) + nano(&text(&account, "pending"))
}

#[test]
fn two_of_three_sign_in_two_homes() {
    let market = Market::open();
    let person = market.person();
    let (acme, ann) = (new_key(&market, "acme"), new_key(&market, "ann"));
    let [ben, cyd] = ["ben", "cyd"].map(|name| member(&market, name));
    let opened = person.json(&[
        "account",
        "create",
        "--first",
        "acme",
        "--keys",
        "ann",
        &ben.did,
        &cyd.did,
        "--threshold",
        "2",
        "--fund",
        "30",
        "--as",
        "app",
    ]);
    assert_eq!(texts(&opened, "used_by"), ["ann"]);
    let id = text(&opened, "account");
    let shown = person.json(&["account", "show", &acme]);
    assert_eq!((text(&shown, "id"), shown["threshold"].as_u64()), (id.clone(), Some(2)));

    let owner = text(&person.json(&["account", "show", "--as", "owner"]), "id");
    let before = held(&person, &owner);
    let pay = ["account", "transfer", &owner, "2.5", "--as", "ann"];
    let alone = person.run(&pay);
    alone.failed(3, "signature_invalid");
    assert!(alone.err.contains("--draft FILE"), "{alone:?}");

    let draft = market.files.path().join("pay.draft");
    let draft = draft.to_str().unwrap();
    let drafted = person.json(&[&pay[..], &["--draft", draft]].concat());
    assert_eq!(texts(&drafted, "signed"), [ann]);
    assert_eq!(drafted["missing"], 1);
    ben.person.run(&["tx", "submit", draft]).failed(3, "signature_invalid");
    let shown = ben.person.json(&["tx", "show", draft]);
    assert_eq!(texts(&shown, "does"), [format!("sends 2.500000000 credits to {owner}")]);
    let mut may = texts(&shown, "may_sign");
    may.sort();
    let mut others = [ben.did.clone(), cyd.did.clone()];
    others.sort();
    assert_eq!(may, others);
    let stranger = member(&market, "dan");
    stranger.person.run(&["tx", "sign", draft, "--as", "dan"]).failed(3, "not_authorised");
    let signed = ben.person.json(&["tx", "sign", draft, "--as", "ben"]);
    assert_eq!(signed["missing"], 0);
    ben.person.run(&["tx", "sign", draft, "--as", "ben"]).failed(2, "invalid_request");
    cyd.person.json(&["tx", "submit", draft]);
    assert_eq!(held(&person, &owner) - before, 2_500_000_000);
    cyd.person.run(&["tx", "submit", draft]).failed(3, "nonce_stale");
    assert_eq!(cyd.person.json(&["tx", "show", draft])["void"], "nonce_stale");

    // What submits nothing drafts nothing, and a file that is none is refused.
    person.run(&["status", "--draft", draft]).failed(2, "invalid_request");
    let none = market.write("none.draft", "{}");
    person.run(&["tx", "show", &none]).failed(2, "document_invalid");
    cyd.person.json(&["account", "use", &id, "--as", "cyd"]);
    stranger.person.run(&["account", "use", &id, "--as", "dan"]).failed(3, "not_authorised");
}

/// An organisation whose two keys lie in the market's home, with a department whose members
/// are elsewhere.
struct Company {
    market: Market,
    id: String,
    lab: String,
    mia: Member,
    rita: Member,
}

impl Company {
    fn open() -> Self {
        let market = Market::open();
        let person = market.person();
        for name in ["acme", "ann", "bea"] {
            new_key(&market, name);
        }
        let opened = person.json(&[
            "account",
            "create",
            "--first",
            "acme",
            "--keys",
            "ann",
            "bea",
            "--threshold",
            "2",
            "--fund",
            "30",
            "--as",
            "app",
        ]);
        let [mia, rita] = ["mia", "rita"].map(|name| member(&market, name));
        let roles = [format!("{}=spend", mia.did), format!("{}=read", rita.did)];
        let made = person.json(&[
            "department",
            "create",
            "lab",
            "--role",
            &roles[0],
            "--role",
            &roles[1],
            "--budget",
            "6",
            "--per",
            "month",
            "--as",
            "ann",
        ]);
        let (id, lab) = (text(&opened, "account"), text(&made, "account"));
        for (member, name) in [(&mia, "mia"), (&rita, "rita")] {
            member.person.json(&["account", "use", &lab, "--as", name]);
        }
        Self { market, id, lab, mia, rita }
    }

    fn person(&self) -> Person {
        self.market.person()
    }

    fn consolidated(&self) -> Value {
        self.person().json(&["account", "statement", "--consolidated", "--as", "ann"])
    }

    /// A channel of the department.
    fn license(&self, model: &str) -> String {
        let license = ["license", model, "--fund", "3", "--yes", "--as", "mia"];
        text(&self.mia.person.json(&license), "channel")
    }

    fn mint(&self, channel: &str) -> String {
        text(&self.mia.person.json(&["cert", "mint", "--channel", channel]), "cert")
    }
}

#[test]
fn a_department_calls_within_its_budget_and_one_statement_says_all() {
    let company = Company::open();
    let person = company.person();
    let model = company.market.model("quick", &format!("null:tokens={TOKENS}"));
    let channel = company.license(&model);
    let certificate = company.mint(&channel);
    company.market.call(&certificate, &question(&model, TOKENS)).ok();

    let more = company.mia.person.run(&["channel", "fund", &channel, "5", "--as", "mia"]);
    more.failed(3, "department_over_budget");
    let reader = ["license", &model, "--yes", "--as", "rita"];
    let reader = company.rita.person.run(&reader);
    reader.failed(3, "not_authorised");
    assert!(reader.err.contains("lacks the role `spend`"), "{reader:?}");
    let sends = ["account", "transfer", &company.id, "1", "--as", "mia"];
    company.mia.person.run(&sends).failed(3, "not_authorised");

    company.market.audit(1);
    let own = company.rita.person.json(&["account", "statement", "--as", "rita"]);
    assert_eq!(own["account"], company.lab.as_str());
    let spender = company.mia.person.run(&["account", "statement", "--as", "mia"]);
    spender.failed(3, "not_authorised");
    assert!(spender.err.contains("lacks the role `read`"), "{spender:?}");
    let foreign = ["account", "statement", &company.id, "--consolidated", "--as", "rita"];
    company.rita.person.run(&foreign).failed(3, "not_authorised");

    let statement = company.consolidated();
    let [acme, lab] = [0, 1].map(|at| statement["accounts"][at].clone());
    assert_eq!((acme["name"].clone(), lab["name"].clone()), (Value::Null, "lab".into()));
    let closing = |sums: &Value| nano(&text(sums, "closing"));
    assert_eq!(closing(&acme), held(&person, &company.id));
    assert_eq!(closing(&lab), held(&person, &company.lab));
    let total = &statement["total"];
    assert_eq!(closing(total), closing(&acme) + closing(&lab));
    assert_eq!(total["internal_in"], total["internal_out"]);
    assert_eq!(lab["internal_in"], acme["internal_out"], "what the lab drew");
    let drawn = person.json(&["department", "show", "lab", "--as", "ann"]);
    assert_eq!(drawn["department"]["drawn"], lab["internal_in"]);
    assert_eq!(person.json(&["account", "show", "--as", "ann"])["departments"][0]["name"], "lab");

    let csv = person.run(&["account", "statement", "--consolidated", "--csv", "--as", "ann"]);
    assert_eq!(csv.out.lines().count(), statement["rows"].as_array().unwrap().len() + 1);
    assert!(csv.out.contains(",lab,draw,in,"), "{csv:?}");
    let words = person.run(&["account", "statement", "--consolidated", "--as", "ann"]);
    assert!(words.out.contains("total of") && words.out.contains("internal"), "{words:?}");
}

#[test]
fn an_organisation_takes_back_what_is_its_own() {
    let company = Company::open();
    let (person, lab) = (company.person(), company.lab.as_str());
    let model = company.market.model("quick", "null:tokens=8");
    let channel = company.license(&model);
    let ask = |words: &[&str]| person.json(&[words, &["--as", "ann"]].concat());
    ask(&["department", "budget", "lab", "0"]);
    let more = company.mia.person.run(&["channel", "fund", &channel, "1", "--as", "mia"]);
    more.failed(3, "department_over_budget");
    ask(&["account", "transfer", lab, "2"]);
    ask(&["department", "recall", "lab", "1.5"]);
    assert_eq!(held(&person, lab), 500_000_000);
    let member = format!("{}=spend,read", company.rita.did);
    ask(&["department", "members", "lab", "--role", &member]);
    let former = ["channel", "fund", &channel, "0.1", "--as", "mia"];
    company.mia.person.run(&former).failed(3, "signature_invalid");
    ask(&["department", "close", "lab"]);
    let listed = ask(&["department", "list"]);
    assert_eq!(listed[0]["department"]["channels"], 1, "it is not paid out yet");
    let early = person.run(&["department", "close", "lab", "--as", "ann"]);
    early.failed(2, "transaction_invalid");
    assert!(early.err.contains("not paid out yet"), "{early:?}");
    let unknown = person.run(&["department", "show", "sales", "--as", "ann"]);
    unknown.failed(4, "not_found");
    let home: &Path = &company.rita.person.home;
    assert!(home.join("keys/rita.account").exists());
    until("the audit agrees", || {
        let audit = person.json(&["audit"]);
        (audit["ok"] == true && audit["debits"] == audit["credits"]).then_some(())
    });
}
