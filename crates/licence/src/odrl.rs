//! Terms as an ODRL 2.2 offer, in JSON-LD.
//!
//! After the W3C Recommendations "ODRL Information Model 2.2" and "ODRL Vocabulary &
//! Expression 2.2". The context is inline: whoever expands the document needs no network,
//! and every term becomes an IRI of the ODRL vocabulary, of xsd, or of Dublin Core.
//! Purposes, territories and the unit of account have names under `urn:ambar:`, because
//! ODRL wants IRIs there and has none of its own.
//!
//! An export, not a contract: the terms' own document is what a grant binds. ODRL says
//! less than the terms do.
//!
//! **Invariant**: what ODRL cannot say exactly is never dropped: it is listed beside the
//! document, and stands in it as `dct:description`.

use crate::calendar;
use crate::print::listed;
use crate::quota::{Period, Quota};
use crate::terms::{LegalText, Right, Term, Terms};
use ambar_base::Price;
use serde_json::{Map, Value, json};

/// An offer, and what it does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OdrlExport {
    /// The JSON-LD document.
    pub document: Value,
    /// Keys of the terms with what ODRL cannot say of them, in the terms' order.
    pub not_expressed: Vec<(&'static str, String)>,
}

impl Terms {
    /// The terms as an offer for `target`, the IRI of an asset, made by `assigner`, the
    /// IRI of a party. ODRL wants an offer to name its assigner and to have a rule: terms
    /// that grant nothing but `train` or `compute` may leave none.
    #[must_use]
    pub fn odrl(&self, target: &str, assigner: Option<&str>) -> OdrlExport {
        let not_expressed = self.not_expressed();
        let rule = |action: &str, constraints: Vec<Value>, duty: Option<Value>| {
            let mut rule = Map::new();
            rule.insert("target".into(), json!(target));
            rule.extend(assigner.map(|party| ("assigner".into(), json!(party))));
            rule.insert("action".into(), json!(action));
            if !constraints.is_empty() {
                rule.insert("constraint".into(), constraints.into());
            }
            rule.extend(duty.map(|duty| ("duty".into(), json!([duty]))));
            Value::Object(rule)
        };
        let mut permissions = Vec::new();
        for (right, action) in self.grants.iter().filter_map(|right| self.permitted(*right)) {
            let called = matches!(right, Right::Call | Right::Compose);
            let mut constraints = self.constraints();
            constraints.extend(self.count().filter(|_| called));
            let duty = self.price_per_call_alone().map(compensate);
            permissions.push(rule(action, constraints, duty.filter(|_| called)));
        }
        let mut prohibitions = Vec::new();
        match self.delegation.depth {
            0 => prohibitions.push(rule("grantUse", Vec::new(), None)),
            _ if self.grants_calls() => {
                permissions.push(rule("grantUse", self.constraints(), None));
            }
            _ => {}
        }
        if !self.derivatives.allowed {
            prohibitions.push(rule("derive", Vec::new(), None));
        }
        let uid = format!("urn:ambar:terms:{}", self.id());
        let mut offer = Map::new();
        offer.insert("@context".into(), context());
        offer.insert("type".into(), json!("Offer"));
        offer.insert("uid".into(), json!(uid));
        offer.insert("conflict".into(), json!("prohibit"));
        let said: Vec<_> =
            not_expressed.iter().map(|(key, text)| json!(format!("{key}: {text}"))).collect();
        let parts =
            [("dct:description", said), ("permission", permissions), ("prohibition", prohibitions)];
        let parts = parts.into_iter().filter(|(_, part)| !part.is_empty());
        offer.extend(parts.map(|(key, part)| (key.to_owned(), part.into())));
        OdrlExport { document: offer.into(), not_expressed }
    }

    /// The action that a right is. Deriving is permitted only where derivatives are: a
    /// prohibition of the same action stands beside it otherwise.
    fn permitted(&self, right: Right) -> Option<(Right, &'static str)> {
        let action = match right {
            Right::Call => "execute",
            Right::Compose => "include",
            Right::Fetch => "reproduce",
            Right::Derive if self.derivatives.allowed => "derive",
            Right::Derive | Right::Train | Right::Compute => return None,
        };
        Some((right, action))
    }

    /// What binds every permission: purposes, territories and the term.
    fn constraints(&self) -> Vec<Value> {
        let iris = |kind: &str, words: Vec<String>| -> Value {
            words.iter().map(|word| json!({ "@id": format!("urn:ambar:{kind}:{word}") })).collect()
        };
        let purposes = [(&self.purposes.allow, "isAnyOf"), (&self.purposes.deny, "isNoneOf")];
        let territories =
            [(&self.territories.allow, "isAnyOf"), (&self.territories.deny, "isNoneOf")];
        let mut found = Vec::new();
        for (list, operator) in purposes.into_iter().filter(|(list, _)| !list.is_empty()) {
            let words = iris("purpose", list.iter().map(ToString::to_string).collect());
            found.push(constraint("purpose", operator, &words));
        }
        for (list, operator) in territories.into_iter().filter(|(list, _)| !list.is_empty()) {
            let codes = iris("territory", list.iter().map(ToString::to_string).collect());
            found.push(constraint("spatial", operator, &codes));
        }
        found.extend(self.term.map(|term| match term {
            Term::Until(until) => {
                constraint("dateTime", "lt", &typed("dateTime", &calendar::print(until)))
            }
            Term::Days(days) => {
                constraint("elapsedTime", "lteq", &typed("duration", &format!("P{days}D")))
            }
        }));
        found
    }

    /// Calls in all. ODRL's `count` knows no days and no months.
    fn count(&self) -> Option<Value> {
        let Quota { per: Period::Term, calls: Some(calls), .. } = self.quota? else { return None };
        Some(constraint("count", "lteq", &typed("integer", &calls.to_string())))
    }

    /// The price of a call where it is the same for every call.
    fn price_per_call_alone(&self) -> Option<Price> {
        let price = self.price;
        let fixed = price.per_mu.is_zero() && price.minimum <= price.per_call;
        let alone = fixed && self.tiers.is_empty();
        Some(price.per_call).filter(|per_call| alone && !per_call.is_zero())
    }

    fn not_expressed(&self) -> Vec<(&'static str, String)> {
        let mut found = self.rights_not_expressed();
        if self.grants.iter().all(|right| self.permitted(*right).is_none()) {
            found.extend(self.constraints_not_expressed());
        } else if let Some(Term::Days(days)) = self.term {
            found.push(("term.days", format!("the {days} days begin with the acceptance.")));
        }
        found.extend(self.quota.iter().flat_map(|quota| self.quota_not_expressed(quota)));
        found.extend(self.price_not_expressed());
        if self.delegation.depth > 0 {
            let depth = self.delegation.depth;
            let text = format!(
                "only certificates for calls may be passed on, narrowed, and at most {depth} \
                 times over."
            );
            found.push(("delegation.depth", text));
        }
        let derivatives = self.derivatives;
        if derivatives.allowed {
            let text = "what is built on this may be published.".to_owned();
            found.push(("derivatives.allowed", text));
        }
        if derivatives.share.0 > 0 {
            let text = format!("{} of the royalty of derivatives is due.", derivatives.share);
            found.push(("derivatives.share", text));
        }
        if !derivatives.floor_per_call.is_zero() {
            let floor = derivatives.floor_per_call;
            let text = format!("at least {floor} credits are due per call of a derivative.");
            found.push(("derivatives.floor_per_call", text));
        }
        found.push(("revoke_if", self.explain_revocation()));
        found.extend(self.text.as_ref().map(|text| match text {
            LegalText::Spdx(_) => ("text.spdx", self.explain_text()),
            LegalText::Sha256(_) => ("text.sha256", self.explain_text()),
        }));
        found
    }

    fn rights_not_expressed(&self) -> Vec<(&'static str, String)> {
        let text = |right: &Right| match right {
            Right::Train => Some("`train`: you may train models on it."),
            Right::Compute => Some("`compute`: you may run your own code where it lies."),
            Right::Derive if !self.derivatives.allowed => {
                Some("`derive`: you may build on it, and may not publish what you build.")
            }
            _ => None,
        };
        let texts = self.grants.iter().filter_map(text);
        texts.map(|text| ("grants", text.to_owned())).collect()
    }

    /// What binds every permission, where there is none that it could stand at.
    fn constraints_not_expressed(&self) -> Vec<(&'static str, String)> {
        let (purposes, territories) = (&self.purposes, &self.territories);
        let lists = [
            ("purposes.allow", "only for", listed(&purposes.allow)),
            ("purposes.deny", "never for", listed(&purposes.deny)),
            ("territories.allow", "only in", listed(&territories.allow)),
            ("territories.deny", "never in", listed(&territories.deny)),
        ];
        let lists = lists.into_iter().filter(|(_, _, words)| !words.is_empty());
        let mut found: Vec<_> =
            lists.map(|(key, how, words)| (key, format!("{how}: {words}."))).collect();
        found.extend(self.term.map(|term| match term {
            Term::Days(_) => ("term.days", self.explain_term()),
            Term::Until(_) => ("term.until", self.explain_term()),
        }));
        found
    }

    fn quota_not_expressed(&self, quota: &Quota) -> Vec<(&'static str, String)> {
        let Quota { per, calls, spend, rate } = *quota;
        let both = self.grants.contains(&Right::Call) && self.grants.contains(&Right::Compose);
        let calls = calls.filter(|_| per != Period::Term || both).map(|calls| {
            let joint = if both { ", calls and uses as a component together" } else { "" };
            ("quota.calls", format!("at most {calls} calls {}{joint}.", per.phrase()))
        });
        let rate = rate.map(|rate| {
            let (calls, per) = (rate.calls, rate.per.word());
            ("quota.rate", format!("at most {calls} calls per {per}."))
        });
        let spend = spend.map(|spend| {
            let per = per.phrase();
            ("quota.spend", format!("at most {spend} credits {per}, node fees included."))
        });
        [calls, rate, spend].into_iter().flatten().collect()
    }

    fn price_not_expressed(&self) -> Vec<(&'static str, String)> {
        if self.price_per_call_alone().is_some() {
            return Vec::new();
        }
        let price = self.price;
        let parts = [
            ("price.per_mu", price.per_mu, "are due per MU of work"),
            ("price.per_call", price.per_call, "are due per call"),
            ("price.minimum", price.minimum, "are due per call at least"),
        ];
        let said = parts.into_iter().filter(|(_, amount, _)| !amount.is_zero());
        let said = said.map(|(key, amount, due)| (key, format!("{amount} credits {due}.")));
        said.chain(self.explain_tiers().map(|text| ("price.tier", text))).collect()
    }
}

fn constraint(left: &str, operator: &str, right: &Value) -> Value {
    json!({ "leftOperand": left, "operator": operator, "rightOperand": right })
}

fn typed(kind: &str, value: &str) -> Value {
    json!({ "@value": value, "@type": format!("xsd:{kind}") })
}

/// The duty to pay this much for each call.
fn compensate(price: Price) -> Value {
    let mut amount = constraint("payAmount", "eq", &typed("decimal", &price.to_string()));
    amount["unit"] = json!("urn:ambar:unit:credit");
    json!({ "action": { "rdf:value": { "@id": "odrl:compensate" }, "refinement": [amount] } })
}

/// The words that the documents use, each as the IRI that it stands for.
fn context() -> Value {
    let mut context = Map::new();
    let prefixes = [
        ("odrl", "http://www.w3.org/ns/odrl/2/"),
        ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
        ("xsd", "http://www.w3.org/2001/XMLSchema#"),
        ("dct", "http://purl.org/dc/terms/"),
    ];
    context.extend(prefixes.map(|(prefix, iri)| (prefix.to_owned(), json!(iri))));
    context.insert("uid".into(), json!("@id"));
    context.insert("type".into(), json!("@type"));
    let word = |name: &str| format!("odrl:{name}");
    let names = [
        "Offer",
        "execute",
        "include",
        "reproduce",
        "derive",
        "grantUse",
        "purpose",
        "spatial",
        "dateTime",
        "elapsedTime",
        "count",
        "payAmount",
        "isAnyOf",
        "isNoneOf",
        "lt",
        "lteq",
        "eq",
        "prohibit",
        "rightOperand",
    ];
    context.extend(names.map(|name| (name.to_owned(), json!(word(name)))));
    let words = ["action", "leftOperand", "operator", "conflict"];
    let nodes = [
        "target",
        "assigner",
        "permission",
        "prohibition",
        "duty",
        "constraint",
        "refinement",
        "unit",
    ];
    let terms = words.map(|name| (name, "@vocab")).into_iter();
    for (name, kind) in terms.chain(nodes.map(|name| (name, "@id"))) {
        context.insert(name.into(), json!({ "@id": word(name), "@type": kind }));
    }
    context.into()
}

#[cfg(test)]
#[path = "odrl_tests.rs"]
mod tests;
