//! Who a settled call paid, from its leaf, the plans of its versions and the facts that
//! the ledger attested about its batch.

use crate::error::IndexError;
use ambar_base::codec;
use ambar_base::{AccountId, Amount, Height};
use ambar_capsule::Plan;
use ambar_ledger::object::reserved;
use ambar_receipt::subject::Subject;
use ambar_receipt::{CallOutcome, Fact, Leaf, Payee, bill};
use std::collections::BTreeMap;

/// A payout with the account that it reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payout {
    /// The line that it comes from; nothing for the network fee.
    pub line: Option<usize>,
    /// In which role.
    pub payee: Payee,
    /// To whom.
    pub account: AccountId,
    /// How much.
    pub amount: Amount,
}

/// The facts of a batch by what they are about.
#[derive(Clone, Debug, Default)]
pub struct Facts(BTreeMap<Subject, Vec<Fact>>);

impl Facts {
    /// Reads facts.
    pub fn read(in_order: &[Vec<u8>]) -> Result<Self, IndexError> {
        let mut facts: BTreeMap<Subject, Vec<Fact>> = BTreeMap::new();
        for bytes in in_order {
            let fact: Fact =
                codec::decode(bytes).map_err(|error| IndexError::Store(error.to_string()))?;
            facts.entry(fact.subject()).or_default().push(fact);
        }
        Ok(Self(facts))
    }

    /// The fact about a subject that holds at a height.
    #[must_use]
    pub fn about(&self, subject: Subject, height: Height) -> Option<&Fact> {
        self.0.get(&subject)?.iter().find(|fact| fact.holds(height))
    }

    /// Who pays a channel's calls.
    #[must_use]
    pub fn payer(&self, channel: u64) -> Option<AccountId> {
        match self.about(Subject::Channel(channel), Height(0)) {
            Some(Fact::Channel(fact)) => Some(fact.payer),
            _ => None,
        }
    }

    fn account(&self, payee: Payee, height: Height) -> Option<AccountId> {
        let about = |subject| self.about(subject, height);
        match payee {
            Payee::Burn => Some(AccountId::reserved(reserved::NAMES[0])),
            Payee::Network => Some(AccountId::reserved(reserved::NAMES[1])),
            Payee::Royalty(line) => match about(Subject::Holder(line))? {
                Fact::Holder(fact) => Some(fact.account),
                _ => None,
            },
            Payee::Contributor(datanet, index) => {
                match about(Subject::Contributor(datanet, index))? {
                    Fact::Contributor(fact) => Some(fact.account),
                    _ => None,
                }
            }
            Payee::Treasury(datanet) => match about(Subject::Treasury(datanet))? {
                Fact::Treasury(fact) => Some(fact.account),
                _ => None,
            },
            Payee::Node(node) => match about(Subject::Node(node))? {
                Fact::Node(fact) => Some(fact.account),
                _ => None,
            },
        }
    }
}

/// Every payout of a leaf above zero; they sum to its price. `plan` finds the plan of a
/// version by number.
pub fn payouts(
    leaf: &Leaf,
    facts: &Facts,
    mut plan: impl FnMut(u64) -> Result<Plan, IndexError>,
) -> Result<Vec<Payout>, IndexError> {
    if leaf.outcome == CallOutcome::Void {
        return Ok(Vec::new());
    }
    let mut paid = Vec::new();
    for (index, line) in leaf.lines.iter().enumerate() {
        bill::pay_line(line, &plan(line.version)?, |payee, amount| {
            paid.push((Some(index), payee, amount));
        })
        .map_err(|error| IndexError::Store(error.to_string()))?;
    }
    let Some(Fact::Fee(fee)) = facts.about(Subject::Fee, leaf.admitted) else {
        return Err(IndexError::Store("a batch has no fact about the network fee".into()));
    };
    bill::pay_network_fee(leaf.network_fee, fee.burn, |payee, amount| {
        paid.push((None, payee, amount));
    });
    let placed = paid.into_iter().filter(|(.., amount)| !amount.is_zero());
    placed
        .map(|(line, payee, amount)| {
            let missing = || IndexError::Store(format!("a batch has no fact about {payee:?}"));
            let account = facts.account(payee, leaf.admitted).ok_or_else(missing)?;
            Ok(Payout { line, payee, account, amount })
        })
        .collect()
}
