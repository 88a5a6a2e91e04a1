//! What a verification found.

use crate::bill::Payee;
use crate::export::ReceiptId;
use crate::leaf::Leaf;
use ambar_base::{AccountId, Amount};
use std::fmt;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether every check held and none that the file's parts call for was impossible.
    pub ok: bool,
    /// The receipt's id, if its leaf can be read.
    pub receipt: Option<ReceiptId>,
    /// What was checked, in the order in which it was.
    pub checks: Vec<Check>,
    /// What was not checked, and why.
    pub unchecked: Vec<Unchecked>,
    /// Who is paid, if the split holds: the amounts sum to the price.
    pub payments: Vec<Payment>,
    /// One sentence or two for people.
    pub summary: String,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A short name that stays, in kebab case.
    pub name: &'static str,
    /// Whether it held.
    pub ok: bool,
    /// What was found, as a sentence.
    pub detail: String,
}

/// A check that was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchecked {
    /// The check's name.
    pub name: &'static str,
    /// Why not, as a sentence.
    pub reason: String,
}

/// A payout with the account that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The line that it comes from; nothing for the network fee.
    pub line: Option<usize>,
    /// In which role.
    pub payee: Payee,
    /// To whom.
    pub account: AccountId,
    /// How much, in 10⁻¹⁸ credit; printed with 18 decimals.
    pub amount: Amount,
}

impl Payment {
    /// The role as a word.
    #[must_use]
    pub const fn role(&self) -> &'static str {
        match self.payee {
            Payee::Royalty(_) => "royalty",
            Payee::Contributor(..) => "contributor",
            Payee::Treasury(_) => "treasury",
            Payee::Node(_) => "node",
            Payee::Network => "network",
            Payee::Burn => "burn",
        }
    }
}

/// Why a check did not hold, or was not made.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It does not hold.
    Failed(String),
    /// Something else that is missing or wrong prevents it.
    Blocked(String),
    /// The file may leave out what it needs.
    Absent(String),
}

impl Fault {
    pub(super) fn failed(cause: impl fmt::Display) -> Self {
        Self::Failed(cause.to_string())
    }

    pub(super) fn blocked(cause: impl fmt::Display) -> Self {
        Self::Blocked(cause.to_string())
    }

    pub(super) fn absent(cause: impl fmt::Display) -> Self {
        Self::Absent(cause.to_string())
    }
}

/// What a check found if it held, as a sentence.
pub(super) type Verdict = Result<String, Fault>;

/// Checks as they are made.
#[derive(Debug, Default)]
pub(super) struct Checks {
    checks: Vec<Check>,
    unchecked: Vec<Unchecked>,
    /// Names of the checks that something else prevents.
    blocked: Vec<&'static str>,
    payments: Vec<Payment>,
}

impl Checks {
    pub(super) fn add(&mut self, name: &'static str, verdict: Verdict) {
        let (ok, detail) = match verdict {
            Ok(detail) => (true, detail),
            Err(Fault::Failed(detail)) => (false, sentence(&detail)),
            Err(Fault::Absent(reason)) => return self.leave(name, &reason),
            Err(Fault::Blocked(reason)) => {
                self.blocked.push(name);
                return self.leave(name, &reason);
            }
        };
        self.checks.push(Check { name, ok, detail });
    }

    /// Adds the check that a part can be read, and hands the part on.
    pub(super) fn value<T>(&mut self, name: &'static str, value: Result<T, Fault>) -> Option<T> {
        let (value, verdict) = match value {
            Ok(value) => (Some(value), Ok(format!("The {name} is well formed."))),
            Err(fault) => (None, Err(fault)),
        };
        self.add(name, verdict);
        value
    }

    pub(super) fn pay(&mut self, payments: Vec<Payment>) {
        self.payments = payments;
    }

    fn leave(&mut self, name: &'static str, reason: &str) {
        self.unchecked.push(Unchecked { name, reason: sentence(reason) });
    }

    pub(super) fn report(self, leaf: Option<&Leaf>, anchored: bool) -> Report {
        let ok = self.blocked.is_empty() && self.checks.iter().all(|check| check.ok);
        let receipt = leaf.map(ReceiptId::of);
        let summary = self.summary(leaf, ok, anchored);
        let Self { checks, unchecked, payments, .. } = self;
        Report { ok, receipt, checks, unchecked, payments, summary }
    }

    fn summary(&self, leaf: Option<&Leaf>, ok: bool, anchored: bool) -> String {
        let what =
            leaf.map_or("The file".into(), |leaf| format!("Receipt {}", ReceiptId::of(leaf)));
        if !ok {
            let failed = self.checks.iter().filter(|check| !check.ok).map(|check| check.name);
            let (failed, blocked) = (failed.collect::<Vec<_>>(), &self.blocked);
            let found = if failed.is_empty() { "cannot be checked" } else { "does not hold" };
            let names = if failed.is_empty() { blocked } else { &failed };
            return format!("{what} does not verify; what {found}: {}.", names.join(", "));
        }
        let price = leaf.and_then(Leaf::price).unwrap_or_default();
        let mu = leaf.and_then(Leaf::mu).unwrap_or_default();
        let standing = if anchored {
            "and is final under the trusted committee"
        } else {
            "but is not shown to be final: neither a network key nor a checkpoint was given"
        };
        let left: Vec<_> = self.unchecked.iter().map(|left| left.name).collect();
        let left = if left.is_empty() {
            String::new()
        } else {
            format!(" Not checked: {}.", left.join(", "))
        };
        let count = self.checks.len();
        format!("{what} ({price} credits for {mu} MU) holds in {count} checks {standing}.{left}")
    }
}

/// Errors are written as the middle of a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
