//! Work and prices, recomputed from counters by the code that the ledger bills with.

use super::case::Case;
use super::documents;
use super::report::{Fault, Verdict};
use crate::bill::{self, BillError, LineBill};
use crate::leaf::{CallOutcome, Line};
use ambar_base::Price;

fn in_line(index: usize, error: &BillError) -> Fault {
    Fault::failed(format!("in line {index} {error}"))
}

fn bill_of(case: &Case<'_>, index: usize, line: &Line) -> Result<LineBill, Fault> {
    let (price, tariff) = (documents::price(case, line)?, documents::tariff(case, line)?);
    let ask = case.facts.ask(line.node)?.per_mu;
    bill::line_bill(&line.counters, &price, &tariff, ask).map_err(|error| in_line(index, &error))
}

/// Compares each line with its bill in what `claim` takes from the line.
fn compare(case: &Case<'_>, claim: fn(&mut Line, &Line)) -> Result<(), Fault> {
    for (index, line) in case.leaf.lines.iter().enumerate() {
        let bill = bill_of(case, index, line)?;
        let LineBill { mu, royalty, node_fee } = bill;
        let mut one = Line { mu, royalty, node_fee, ..line.clone() };
        claim(&mut one, line);
        bill::check_line(&one, &bill).map_err(|error| in_line(index, &error))?;
    }
    Ok(())
}

/// The work is what the tariff makes of the counters.
pub(super) fn mu(case: &Case<'_>) -> Verdict {
    for (index, line) in case.leaf.lines.iter().enumerate() {
        let expected = documents::tariff(case, line)?.mu(&line.counters).map_err(Fault::failed)?;
        if line.mu != expected {
            let (field, claimed) = ("mu", line.mu.to_string());
            let expected = expected.to_string();
            return Err(in_line(index, &BillError::Mismatch { field, claimed, expected }));
        }
    }
    let sum = case.leaf.mu().ok_or_else(|| Fault::failed("the work overflows"))?;
    Ok(format!("The counters give {sum} MU."))
}

/// The royalties are what the terms ask.
pub(super) fn royalty(case: &Case<'_>) -> Verdict {
    compare(case, |one, line| one.royalty = line.royalty)?;
    let sum = ambar_base::amount::total_price(case.leaf.lines.iter().map(|line| line.royalty));
    Ok(format!("The terms give royalties of {} credits.", sum.unwrap_or_default()))
}

/// The node fees are what the nodes ask.
pub(super) fn node_fee(case: &Case<'_>) -> Verdict {
    compare(case, |one, line| one.node_fee = line.node_fee)?;
    let sum = ambar_base::amount::total_price(case.leaf.lines.iter().map(|line| line.node_fee));
    Ok(format!("The asks give node fees of {} credits.", sum.unwrap_or_default()))
}

/// The network fee is the network's rate on the lines.
pub(super) fn network_fee(case: &Case<'_>) -> Verdict {
    if case.leaf.outcome == CallOutcome::Void {
        return Ok("The network takes nothing of a void leaf.".into());
    }
    let rate = case.facts.fee()?.rate;
    bill::check_network_fee(case.leaf, rate).map_err(Fault::failed)?;
    Ok(format!("The network takes {rate} of the lines, {} credits.", case.leaf.network_fee))
}

/// The price is a part of the batch's.
pub(super) fn price(case: &Case<'_>) -> Verdict {
    let (price, batch) = (of_leaf(case)?, case.batch.header.price);
    if price > batch {
        let message = format!("the call costs {price}, its whole batch {batch}");
        return Err(Fault::failed(message));
    }
    Ok(format!("Lines and network fee sum to {price} credits."))
}

/// What the call costs.
pub(super) fn of_leaf(case: &Case<'_>) -> Result<Price, Fault> {
    case.leaf.price().ok_or_else(|| Fault::failed("the price overflows"))
}
