//! The bill: what a line costs and who is paid, recomputed by the gateway, by every
//! validator and by whoever holds a receipt, with this same code.

use crate::counters::Counters;
use crate::leaf::{Leaf, Line, Shares};
use crate::tariff::{Tariff, TariffError};
use ambar_base::{Amount, Mu, Price, Weight, weight};
use ambar_capsule::{Party, Plan};
use ambar_licence::PriceRule;

/// Most contributors that one method pays in one call.
pub const SHARE_CONTRIBUTORS_MAX: usize = 64;

/// What a line costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineBill {
    /// The work.
    pub mu: Mu,
    /// The owner's part.
    pub royalty: Price,
    /// The node's part.
    pub node_fee: Price,
}

/// Who is paid. Numbers are the ledger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payee {
    /// The holder of a royalty line.
    Royalty(u64),
    /// A contributor to a datanet, by index in its table.
    Contributor(u64, u32),
    /// A datanet's treasury.
    Treasury(u64),
    /// The node that served a line.
    Node(u64),
    /// The network.
    Network,
    /// Nobody: destroyed.
    Burn,
}

/// Why a bill does not add up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// The work cannot be measured.
    #[error(transparent)]
    Tariff(#[from] TariffError),
    /// A price is too large.
    #[error("the price is larger than can be charged")]
    Overflow,
    /// A line claims another value than its counters give.
    #[error("{field} is {claimed}, but the counters give {expected}")]
    Mismatch {
        /// Which value.
        field: &'static str,
        /// What the leaf says.
        claimed: String,
        /// What recomputation says.
        expected: String,
    },
    /// Shares for a datanet that is not in the plan, or that do not sum to its weight.
    #[error("the shares of datanet {datanet} sum to {sum}, its plan weight is {expected}")]
    Shares {
        /// The datanet's version number.
        datanet: u64,
        /// What the shares sum to.
        sum: Weight,
        /// What the plan gives it.
        expected: Weight,
    },
    /// Shares out of order, twice, zero or too many.
    #[error("shares ascend by datanet and method, and their weights by contributor, above zero")]
    ShareOrder,
}

/// What a line's counters cost.
pub fn line_bill(
    counters: &Counters,
    price: &PriceRule,
    tariff: &Tariff,
    ask_per_mu: Price,
) -> Result<LineBill, BillError> {
    let mu = tariff.mu(counters)?;
    let royalty = price.royalty(mu).ok_or(BillError::Overflow)?;
    let node_fee = mu.price(ask_per_mu).ok_or(BillError::Overflow)?;
    Ok(LineBill { mu, royalty, node_fee })
}

/// The network fee on the sum of all lines, rounded once, down.
#[must_use]
pub fn network_fee(lines: Price, rate: Weight) -> Price {
    let fee = lines.share(rate).0 / Amount::from(Price(1)).0;
    Price(u64::try_from(fee).expect("a part of a u64 fits a u64"))
}

/// Compares a line's claims with its bill.
pub fn check_line(line: &Line, bill: &LineBill) -> Result<(), BillError> {
    let differ = |field, claimed: String, expected: String| {
        Err(BillError::Mismatch { field, claimed, expected })
    };
    if line.mu != bill.mu {
        return differ("mu", line.mu.to_string(), bill.mu.to_string());
    }
    if line.royalty != bill.royalty {
        return differ("royalty", line.royalty.to_string(), bill.royalty.to_string());
    }
    if line.node_fee != bill.node_fee {
        return differ("node fee", line.node_fee.to_string(), bill.node_fee.to_string());
    }
    Ok(())
}

/// Compares a leaf's network fee with its lines and the network's rate.
pub fn check_network_fee(leaf: &Leaf, rate: Weight) -> Result<(), BillError> {
    let lines = leaf.lines.iter().flat_map(|line| [line.royalty, line.node_fee]);
    let lines = ambar_base::amount::total_price(lines).ok_or(BillError::Overflow)?;
    let expected = network_fee(lines, rate);
    if leaf.network_fee == expected {
        return Ok(());
    }
    let (claimed, expected) = (leaf.network_fee.to_string(), expected.to_string());
    Err(BillError::Mismatch { field: "network fee", claimed, expected })
}

/// Hands every payout of a line to `pay`. They sum to royalty and node fee exactly.
pub fn pay_line(
    line: &Line,
    plan: &Plan,
    mut pay: impl FnMut(Payee, Amount),
) -> Result<(), BillError> {
    check_share_order(&line.shares)?;
    let mut shares = line.shares.iter().peekable();
    for (party, weight) in plan.entries() {
        match party {
            Party::Line(number) => pay(Payee::Royalty(number), line.royalty.share(weight)),
            Party::Datanet(datanet) => {
                let own = std::iter::from_fn(|| shares.next_if(|s| s.datanet == datanet));
                pay_datanet(line.royalty, datanet, weight, own, &mut pay)?;
            }
        }
    }
    if let Some(left) = shares.next() {
        let (sum, expected) = (sum_of(left), Weight::ZERO);
        return Err(BillError::Shares { datanet: left.datanet, sum, expected });
    }
    pay(Payee::Node(line.node), Amount::from(line.node_fee));
    Ok(())
}

/// Hands the payouts of a network fee to `pay`: a part is burned.
pub fn pay_network_fee(fee: Price, burn: Weight, mut pay: impl FnMut(Payee, Amount)) {
    let burned = fee.share(burn);
    pay(Payee::Burn, burned);
    pay(Payee::Network, Amount::from(fee).saturating_sub(burned));
}

fn pay_datanet<'a>(
    royalty: Price,
    datanet: u64,
    expected: Weight,
    shares: impl Iterator<Item = &'a Shares>,
    pay: &mut impl FnMut(Payee, Amount),
) -> Result<(), BillError> {
    let mut sum = Weight::ZERO;
    let wrong = |sum| BillError::Shares { datanet, sum, expected };
    for (index, weight) in shares.flat_map(|shares| &shares.weights) {
        sum = sum.checked_add(*weight).ok_or(wrong(sum))?;
        pay(Payee::Contributor(datanet, *index), royalty.share(*weight));
    }
    if sum == Weight::ZERO {
        pay(Payee::Treasury(datanet), royalty.share(expected));
        return Ok(());
    }
    if sum == expected { Ok(()) } else { Err(wrong(sum)) }
}

fn sum_of(shares: &Shares) -> Weight {
    weight::total(shares.weights.iter().map(|(_, weight)| *weight)).unwrap_or(Weight::ONE)
}

fn check_share_order(shares: &[Shares]) -> Result<(), BillError> {
    let ascending = shares
        .windows(2)
        .all(|pair| (pair[0].datanet, pair[0].method) < (pair[1].datanet, pair[1].method));
    let weights = |shares: &Shares| {
        let list = &shares.weights;
        (1..=SHARE_CONTRIBUTORS_MAX).contains(&list.len())
            && list.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && list.iter().all(|(_, weight)| *weight > Weight::ZERO)
    };
    let good = ascending && shares.iter().all(weights);
    if good { Ok(()) } else { Err(BillError::ShareOrder) }
}

#[cfg(test)]
#[path = "bill_tests.rs"]
mod tests;
