//! Metering: from what a call used to the lines of its bill, with the receipt crate's own
//! arithmetic, and the bound that is held before anything runs.

use crate::call::CallError;
use crate::route::{Part, Route};
use ambar_base::{ErrorCode, Price};
use ambar_receipt::bill::{self, LineBill};
use ambar_receipt::{Counters, Line};

/// What one part used, or can use at most.
pub type Usage = Vec<Counters>;

fn overflow() -> CallError {
    CallError::new(ErrorCode::LimitExceeded, "the price is larger than can be charged")
}

/// Who served a part, and what it asks per MU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedBy {
    /// The node.
    pub node: u64,
    /// Its ask.
    pub ask: Price,
}

/// The lines of a bill: one for each part, in the route's order.
pub fn lines(
    route: &Route,
    served: &[ServedBy],
    usage: &[Counters],
) -> Result<Vec<Line>, CallError> {
    let line = |((part, served), counters): ((&Part, &ServedBy), &Counters)| {
        let bill = bill::line_bill(counters, &part.price, &route.tariff, served.ask);
        let LineBill { mu, royalty, node_fee } = bill.map_err(|_| overflow())?;
        Ok(Line {
            version: part.number,
            grant: part.grant_number,
            node: served.node,
            tariff: route.parameters.tariff,
            counters: counters.clone(),
            mu,
            royalty,
            node_fee,
            shares: Vec::new(),
        })
    };
    route.parts.iter().zip(served).zip(usage).map(line).collect()
}

/// Those who serve each part if nobody else is asked, at the most that anybody asks.
#[must_use]
pub fn dearest(route: &Route) -> Vec<ServedBy> {
    let dearest = |part: &Part| {
        let node = part.servers.first().map_or(0, |server| server.node);
        ServedBy { node, ask: part.ask_max() }
    };
    route.parts.iter().map(dearest).collect()
}

/// What lines cost with the network's fee.
pub fn price(route: &Route, lines: &[Line]) -> Result<(Price, Price), CallError> {
    let prices = lines.iter().flat_map(|line| [line.royalty, line.node_fee]);
    let sum = ambar_base::amount::total_price(prices).ok_or_else(overflow)?;
    let fee = bill::network_fee(sum, route.parameters.network_fee);
    Ok((sum.checked_add(fee).ok_or_else(overflow)?, fee))
}

/// Most that a call can cost when no part uses more than `bound`, and the line of each part,
/// royalty and node fee, whoever serves it.
pub fn price_max(route: &Route, bound: &[Counters]) -> Result<(Price, Vec<Price>), CallError> {
    let lines = lines(route, &dearest(route), bound)?;
    let cost = |line: &Line| line.royalty.checked_add(line.node_fee).ok_or_else(overflow);
    let each = lines.iter().map(cost).collect::<Result<_, _>>()?;
    Ok((price(route, &lines)?.0, each))
}
