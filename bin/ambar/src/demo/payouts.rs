//! Who was paid what and why, read from receipts that verify: nothing here asks a node.

use crate::failure::{Failure, OrFail, Outcome};
use ambar_attribution::Evidence;
use ambar_base::{AccountId, Amount, Checkpoint, ErrorCode, Price, amount, codec};
use ambar_receipt::export::{Kind, Preimages, open};
use ambar_receipt::verify::Payment;
use ambar_receipt::{Fact, Leaf, Payee, Report, Shares, verify};
use std::collections::{BTreeMap, BTreeSet};

/// What a payout is counted under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heading {
    /// The role: `royalty`, `contributor`, `treasury`, `node`, `network` or `burn`.
    pub role: &'static str,
    /// By which way the money came: `royalty`, an attribution method, a fee.
    pub method: &'static str,
    /// To whom.
    pub account: AccountId,
    /// The called capsule of a royalty, by id.
    pub capsule: Option<String>,
}

/// A sum of payouts and what they were for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payout {
    /// How much.
    pub amount: Amount,
    /// In how many calls.
    pub calls: BTreeSet<String>,
    /// Passages that were given to the model.
    pub passages: u64,
    /// Bytes of answers that stand in this contributor's records.
    pub bytes: u64,
    /// Work that was paid, in units of 10⁻⁹ MU.
    pub mu: u128,
}

/// All payouts of some calls.
#[derive(Clone, Debug, Default)]
pub struct Payouts {
    /// By heading.
    pub rows: BTreeMap<Heading, Payout>,
    /// What the calls cost.
    pub charged: Price,
    /// How many receipts.
    pub receipts: usize,
}

impl Payouts {
    /// Verifies a receipt's file against the network's checkpoint and counts its payments.
    pub fn add(&mut self, file: &[u8], trusted: &Checkpoint) -> Outcome<Report> {
        let report = verify(file, Some(trusted));
        if !report.ok {
            return Err(Failure::new(ErrorCode::ReceiptInvalid, report.summary.clone()));
        }
        let call = Call::read(file)?;
        let price = call.leaf.price().ok_or_else(|| Failure::internal("a price overflows"))?;
        let charged = self.charged.checked_add(price);
        self.charged = charged.ok_or_else(|| Failure::internal("the prices overflow"))?;
        self.receipts += 1;
        let id = report.receipt.map(|id| id.to_string()).unwrap_or_default();
        let mut shares = call.shares();
        for payment in &report.payments {
            let share = match payment.payee {
                Payee::Contributor(..) => shares.next(),
                _ => None,
            };
            self.count(&call, &id, payment, share)?;
        }
        Ok(report)
    }

    fn count(
        &mut self,
        call: &Call,
        id: &str,
        payment: &Payment,
        share: Option<&Shares>,
    ) -> Outcome {
        let heading = Heading {
            role: payment.role(),
            method: method(payment, share)?,
            account: payment.account,
            capsule: match payment.payee {
                Payee::Royalty(_) => payment.line.and_then(|line| call.capsule(line)),
                _ => None,
            },
        };
        let row = self.rows.entry(heading).or_default();
        let sum = row.amount.checked_add(payment.amount);
        row.amount = sum.ok_or_else(|| Failure::internal("the payouts overflow"))?;
        row.calls.insert(id.to_owned());
        if let Payee::Node(_) = payment.payee {
            row.mu += payment.line.map_or(0, |line| call.leaf.lines[line].mu.0);
        }
        if let (Some(share), Payee::Contributor(_, index)) = (share, payment.payee) {
            let (passages, bytes) = call.used(share, index);
            row.passages += passages;
            row.bytes += bytes;
        }
        Ok(())
    }

    /// The sum of all payouts.
    pub fn paid(&self) -> Outcome<Amount> {
        amount::total(self.rows.values().map(|row| row.amount))
            .ok_or_else(|| Failure::internal("the payouts overflow"))
    }
}

fn method(payment: &Payment, share: Option<&Shares>) -> Outcome<&'static str> {
    let methods = ambar_attribution::Method::ALL;
    Ok(match payment.payee {
        Payee::Royalty(_) => "royalty",
        Payee::Treasury(_) => "treasury",
        Payee::Node(_) => "node fee",
        Payee::Network => "network fee",
        Payee::Burn => "burn",
        Payee::Contributor(..) => {
            let named = share.map(|share| share.method);
            let found = methods.iter().find(|method| Some(u16::from(method.number())) == named);
            match found.map(|method| method.name()) {
                Some("verbatim-span") => "verbatim span",
                Some(name) => name,
                None => return Err(Failure::internal("a contributor is paid without a share")),
            }
        }
    })
}

/// The parts of a verified receipt that say why.
struct Call {
    leaf: Leaf,
    preimages: Preimages,
    capsules: BTreeMap<u64, String>,
}

impl Call {
    fn read(file: &[u8]) -> Outcome<Self> {
        let document = open(file)?.document;
        let leaf = codec::decode(&document.leaf).or_fail(ErrorCode::ReceiptInvalid)?;
        let mut capsules = BTreeMap::new();
        for placed in &document.facts {
            let fact: Fact = codec::decode(&placed.fact).or_fail(ErrorCode::ReceiptInvalid)?;
            if let Fact::Version(version) = fact {
                capsules.insert(version.number, version.id.to_string());
            }
        }
        Ok(Self { leaf, preimages: document.preimages, capsules })
    }

    fn capsule(&self, line: usize) -> Option<String> {
        self.capsules.get(&self.leaf.lines.get(line)?.version).cloned()
    }

    /// The shares once for each contributor in them: the order in which they are paid.
    fn shares(&self) -> impl Iterator<Item = &Shares> {
        let shares = self.leaf.lines.iter().flat_map(|line| &line.shares);
        shares.flat_map(|shares| shares.weights.iter().map(move |_| shares))
    }

    /// Passages and quoted bytes of a contributor by the evidence of a share.
    fn used(&self, share: &Shares, contributor: u32) -> (u64, u64) {
        let documents = self.preimages.by_digest(Kind::Evidence);
        let evidence = documents.get(&share.evidence).map(|bytes| Evidence::decode(bytes));
        match evidence {
            Some(Ok(Evidence::Retrieval(found))) => {
                let own = found.passages.iter().filter(|p| p.contributor == contributor);
                (own.count() as u64, 0)
            }
            Some(Ok(Evidence::VerbatimSpan(found))) => {
                let own = |span: &&ambar_attribution::Span| {
                    span.occurrences.iter().any(|place| place.contributor == contributor)
                };
                let spans = found.spans.iter().filter(own).map(|span| (span.start, span.end));
                (0, covered(spans.collect()))
            }
            _ => (0, 0),
        }
    }
}

/// Bytes in at least one of these stretches.
fn covered(mut stretches: Vec<(u32, u32)>) -> u64 {
    stretches.sort_unstable();
    let (mut sum, mut at) = (0, 0);
    for (start, end) in stretches {
        sum += u64::from(end.saturating_sub(start.max(at)));
        at = at.max(end);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_bytes_count_once() {
        assert_eq!(covered(vec![]), 0);
        assert_eq!(covered(vec![(10, 20), (0, 5), (15, 25), (16, 18)]), 20);
    }

    #[test]
    fn a_file_that_is_no_receipt_is_refused() {
        let key = ambar_base::SecretKey::from_seed(&[1; 32]).public();
        let trusted = ambar_ledger::Genesis::development(key, [1; 32]).checkpoint().unwrap();
        let failure = Payouts::default().add(b"no", &trusted).unwrap_err();
        assert_eq!(failure.code, ErrorCode::ReceiptInvalid);
        assert_eq!(Payouts::default().paid().unwrap(), Amount::ZERO);
    }
}
