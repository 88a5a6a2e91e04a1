//! The demo's result: who was paid what and why, that it sums to what was charged, and
//! what the audit says.

use super::market::Market;
use super::payouts::{Heading, Payout, Payouts};
use super::people::People;
use crate::failure::Outcome;
use crate::paint::line;
use crate::table::{Side, Table};
use ambar_base::{AccountId, Amount, Mu, Price};
use ambar_node::api::dto::AuditReport;
use ambar_node::client::Client;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Longest name in the table, characters.
const NAME_CHARS_MAX: usize = 22;
/// Digits of an account that are shown.
const ACCOUNT_CHARS: usize = 8;
/// Longest reason in the table, characters.
const WHY_CHARS_MAX: usize = 34;

/// What the report is made from.
pub struct Facts<'a> {
    /// Who took part.
    pub people: &'a People,
    /// What was for sale.
    pub market: &'a Market,
    /// Who was paid.
    pub payouts: &'a Payouts,
}

/// The result of the demo.
#[derive(Clone, Debug)]
pub struct Report {
    /// How long it took.
    pub seconds: f64,
    rows: Vec<Row>,
    receipts: usize,
    charged: Price,
    paid: Amount,
    audit: AuditReport,
    excess: String,
    base_url: String,
    api_key: String,
    model: String,
}

#[derive(Clone, Debug)]
struct Row {
    name: String,
    did: Option<String>,
    why: String,
    heading: Heading,
    amount: Amount,
}

impl Report {
    /// Puts names to accounts and words to reasons.
    pub async fn new(
        client: &Client,
        facts: &Facts<'_>,
        audit: AuditReport,
        excess: String,
    ) -> Outcome<Self> {
        let names = names(client, facts).await?;
        let row = |(heading, payout): (&Heading, &Payout)| {
            let (name, did) = names.get(&heading.account).cloned().unwrap_or_default();
            let why = why(heading, payout, facts.market);
            Row { name, did, why, heading: heading.clone(), amount: payout.amount }
        };
        let mut rows: Vec<_> = facts.payouts.rows.iter().map(row).collect();
        rows.sort_by_key(|row| (place(row.heading.role), row.heading.method, Reverse(row.amount)));
        Ok(Self {
            seconds: 0.0,
            rows,
            receipts: facts.payouts.receipts,
            charged: facts.payouts.charged,
            paid: facts.payouts.paid()?,
            audit,
            excess,
            base_url: format!("{}/v1", client.base_url()),
            api_key: facts.market.certificate.clone(),
            model: facts.market.prompt.clone(),
        })
    }

    /// Whether payouts sum to what was charged, every call was settled, and the ledger's
    /// own audit agrees.
    pub fn balances(&self) -> bool {
        let calls = u64::try_from(self.receipts).ok();
        let audit = &self.audit;
        let counted = [audit.calls, audit.receipts, audit.settled];
        let complete = counted.iter().all(|count| Some(*count) == calls);
        self.paid == Amount::from(self.charged) && audit.ok && complete
    }

    /// The document that scripts read.
    pub fn to_json(&self) -> Value {
        let payee = |row: &Row| {
            json!({
                "account": row.heading.account.to_string(),
                "did": row.did,
                "name": row.name,
                "role": row.heading.role,
                "method": row.heading.method,
                "why": row.why,
                "amount": row.amount.to_string(),
            })
        };
        let AuditReport { ok, calls, receipts, settled, .. } = self.audit;
        json!({
            "calls": self.receipts,
            "charged": Amount::from(self.charged).to_string(),
            "payees": self.rows.iter().map(payee).collect::<Vec<_>>(),
            "audit": { "ok": ok, "calls": calls, "receipts": receipts, "settled": settled },
            "base_url": self.base_url,
            "api_key": self.api_key,
            "model": self.model,
            "seconds": self.seconds,
        })
    }

    /// The table that people read.
    pub fn to_text(&self, serve: bool) -> String {
        let columns = [
            ("who", Side::Left),
            ("account", Side::Left),
            ("role", Side::Left),
            ("method", Side::Left),
            ("why", Side::Left),
            ("credits", Side::Right),
        ];
        let mut table = Table::new(&columns);
        for row in &self.rows {
            table.row([
                line(&row.name, NAME_CHARS_MAX),
                row.heading.account.to_string().chars().take(ACCOUNT_CHARS).collect(),
                row.heading.role.to_owned(),
                row.heading.method.to_owned(),
                line(&row.why, WHY_CHARS_MAX),
                row.amount.to_string(),
            ]);
        }
        let blank = || String::new();
        table.row(["sum".into(), blank(), blank(), blank(), blank(), self.paid.to_string()]);
        let charged = format!("{} calls", self.receipts);
        let amount = Amount::from(self.charged).to_string();
        table.row(["charged".into(), blank(), blank(), blank(), charged, amount]);
        let mut out = format!("\n{}\n{}\n", table.print(""), self.excess);
        out += &format!("{}\n", self.verdict());
        if serve {
            let Self { base_url, api_key, model, .. } = self;
            out += &format!("\nbase URL: {base_url}\nAPI key:  {api_key}\nmodel:    {model}\n");
        }
        out
    }

    fn verdict(&self) -> String {
        let AuditReport { calls, receipts, settled, .. } = self.audit;
        let books = if self.balances() { "the books balance" } else { "THE BOOKS DO NOT BALANCE" };
        format!(
            "{books}: {calls} calls = {receipts} receipts = {settled} settlements, \
             {:.1} seconds in all",
            self.seconds
        )
    }
}

/// In which order roles are listed.
fn place(role: &str) -> usize {
    let order = ["contributor", "treasury", "royalty", "node", "network", "burn"];
    order.iter().position(|known| *known == role).unwrap_or(order.len())
}

fn why(heading: &Heading, payout: &Payout, market: &Market) -> String {
    let calls = counted(payout.calls.len() as u64, "call", "calls");
    match (heading.role, heading.method) {
        (_, "retrieval") => {
            format!("{} in {calls}", counted(payout.passages, "passage", "passages"))
        }
        (_, "verbatim span") => {
            format!("{} quoted in {calls}", counted(payout.bytes, "byte", "bytes"))
        }
        (_, "corpus-model") => format!("words that follow in its records, in {calls}"),
        (_, "common-floor") => format!("drawn among all in {calls}"),
        ("royalty", _) => {
            let name = heading.capsule.as_deref().map_or("a capsule", |id| market.name(id));
            format!("{calls} of {name}")
        }
        ("treasury", _) => format!("{calls} that used no record"),
        ("node", _) => format!("{} MU of work", Mu(payout.mu)),
        ("network", _) => format!("its part of {calls}"),
        _ => format!("destroyed, of {calls}"),
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Name and DID of everybody who was paid.
async fn names(
    client: &Client,
    facts: &Facts<'_>,
) -> Outcome<BTreeMap<AccountId, (String, Option<String>)>> {
    let mut names = BTreeMap::new();
    for (name, signer) in facts.people.named() {
        let did = Some(signer.key.public().did());
        names.insert(signer.account, (name.to_owned(), did));
    }
    for heading in facts.payouts.rows.keys() {
        if let Entry::Vacant(vacant) = names.entry(heading.account) {
            let account = client.account(&heading.account.to_string()).await?;
            let name = account.name.unwrap_or_else(|| heading.role.to_owned());
            vacant.insert((name, account.did));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(role: &'static str, method: &'static str, capsule: Option<&str>) -> Heading {
        let account = AccountId::reserved(role);
        Heading { role, method, account, capsule: capsule.map(str::to_owned) }
    }

    fn market() -> Market {
        Market {
            capsules: vec![("id".into(), "Small model".into())],
            prompt: "ask".into(),
            certificate: "key".into(),
        }
    }

    fn report() -> Report {
        let row = |role: &'static str, method: &'static str, amount: u128| Row {
            name: role.into(),
            did: None,
            why: "1 call".into(),
            heading: heading(role, method, None),
            amount: Amount(amount),
        };
        Report {
            seconds: 12.34,
            rows: vec![row("node", "node fee", 4), row("burn", "burn", 1_000_000_000 - 4)],
            receipts: 1,
            charged: Price(1),
            paid: Amount(1_000_000_000),
            audit: AuditReport {
                ok: true,
                from: 0,
                height: 9,
                calls: 1,
                receipts: 1,
                settled: 1,
                decisions: 1,
                refusals: 0,
                debits: "0".into(),
                credits: "0".into(),
                problems: vec![],
            },
            excess: "refused".into(),
            base_url: "http://127.0.0.1:1/v1".into(),
            api_key: "key".into(),
            model: "ask".into(),
        }
    }

    #[test]
    fn reasons_are_counted() {
        let mut payout = Payout { passages: 1, bytes: 412, mu: 1_500_000_000, ..Payout::default() };
        payout.calls.insert("1-0".into());
        let check = |role, method, capsule, expect: &str| {
            assert_eq!(why(&heading(role, method, capsule), &payout, &market()), expect);
        };
        check("contributor", "retrieval", None, "1 passage in 1 call");
        check("contributor", "verbatim span", None, "412 bytes quoted in 1 call");
        check("royalty", "royalty", Some("id"), "1 call of Small model");
        check("node", "node fee", None, "1.500000000 MU of work");
    }

    #[test]
    fn the_table_is_aligned_and_sums() {
        let text = report().to_text(false);
        let heading: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(heading, ["who", "account", "role", "method", "why", "credits"]);
        assert!(text.contains("the books balance: 1 calls = 1 receipts = 1 settlements"), "{text}");
        let ends: std::collections::BTreeSet<_> =
            text.lines().skip(3).take(4).map(|line| line.chars().count()).collect();
        assert_eq!(ends.len(), 1, "amounts end in one column:\n{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }

    #[test]
    fn books_balance_only_if_everything_agrees() {
        assert!(report().balances());
        let check = |change: fn(&mut Report)| {
            let mut report = report();
            change(&mut report);
            assert!(!report.balances(), "{report:?}");
        };
        check(|report| report.paid = Amount(1));
        check(|report| report.audit.ok = false);
        check(|report| report.audit.settled = 0);
        check(|report| report.receipts = 2);
    }

    #[test]
    fn amounts_in_json_sum_to_what_was_charged() {
        let document = report().to_json();
        let amounts = document["payees"].as_array().unwrap().iter();
        let amounts =
            amounts.map(|payee| payee["amount"].as_str().unwrap().parse::<Amount>().unwrap());
        let sum: Amount = ambar_base::amount::total(amounts).unwrap();
        assert_eq!(sum.to_string(), document["charged"].as_str().unwrap());
    }
}
