//! The split: who is paid, and that it is all of the price and no more.

use super::case::Case;
use super::report::{Fault, Payment};
use super::{amounts, documents};
use crate::bill::{self, Payee};
use crate::leaf::CallOutcome;
use ambar_base::{AccountId, Amount, amount};

/// The payments of the leaf, whose amounts sum to its price, and a sentence about them.
pub(super) fn payments(case: &Case<'_>) -> Result<(Vec<Payment>, String), Fault> {
    let payouts = payouts(case)?;
    let price = Amount::from(amounts::of_leaf(case)?);
    let sum = amount::total(payouts.iter().map(|(_, _, amount)| *amount));
    if sum != Some(price) {
        let sum = sum.map_or("more than there is".into(), |sum| sum.to_string());
        return Err(Fault::failed(format!("the payouts sum to {sum}, the price is {price}")));
    }
    let payment =
        |(line, payee, amount)| Ok(Payment { line, payee, account: account(case, payee)?, amount });
    let payments = payouts.into_iter().map(payment).collect::<Result<Vec<_>, Fault>>()?;
    let detail = format!("{} payouts sum to {price} credits, the price.", payments.len());
    Ok((payments, detail))
}

type Payout = (Option<usize>, Payee, Amount);

fn payouts(case: &Case<'_>) -> Result<Vec<Payout>, Fault> {
    let mut payouts = Vec::new();
    for (index, line) in case.leaf.lines.iter().enumerate() {
        let plan = documents::plan(case, line.version)?;
        bill::pay_line(line, &plan, |payee, amount| payouts.push((Some(index), payee, amount)))
            .map_err(|error| Fault::failed(format!("in line {index} {error}")))?;
    }
    if case.leaf.outcome != CallOutcome::Void {
        let burn = case.facts.fee()?.burn;
        bill::pay_network_fee(case.leaf.network_fee, burn, |payee, amount| {
            payouts.push((None, payee, amount));
        });
    }
    Ok(payouts)
}

fn account(case: &Case<'_>, payee: Payee) -> Result<AccountId, Fault> {
    let facts = &case.facts;
    Ok(match payee {
        Payee::Royalty(line) => facts.holder(line)?.account,
        Payee::Contributor(datanet, index) => facts.contributor(datanet, index)?.account,
        Payee::Treasury(datanet) => facts.treasury(datanet)?.account,
        Payee::Node(node) => facts.node(node)?.account,
        Payee::Network => AccountId::reserved("network"),
        Payee::Burn => AccountId::reserved("burn"),
    })
}
