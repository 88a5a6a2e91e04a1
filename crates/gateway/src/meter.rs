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

fn bill_of(route: &Route, part: &Part, counters: &Counters) -> Result<LineBill, CallError> {
    bill::line_bill(counters, &part.price, &route.tariff, route.ask).map_err(|_| overflow())
}

/// The lines of a bill: one for each part, in the route's order.
pub fn lines(route: &Route, node: u64, usage: &[Counters]) -> Result<Vec<Line>, CallError> {
    let line = |(part, counters): (&Part, &Counters)| {
        let LineBill { mu, royalty, node_fee } = bill_of(route, part, counters)?;
        Ok(Line {
            version: part.number,
            grant: part.grant_number,
            node,
            tariff: route.parameters.tariff,
            counters: counters.clone(),
            mu,
            royalty,
            node_fee,
            shares: Vec::new(),
        })
    };
    route.parts.iter().zip(usage).map(line).collect()
}

/// What lines cost with the network's fee.
pub fn price(route: &Route, lines: &[Line]) -> Result<(Price, Price), CallError> {
    let prices = lines.iter().flat_map(|line| [line.royalty, line.node_fee]);
    let sum = ambar_base::amount::total_price(prices).ok_or_else(overflow)?;
    let fee = bill::network_fee(sum, route.parameters.network_fee);
    Ok((sum.checked_add(fee).ok_or_else(overflow)?, fee))
}

/// Most that a call can cost when no part uses more than `bound`, and the line of each part,
/// royalty and node fee.
pub fn price_max(
    route: &Route,
    node: u64,
    bound: &[Counters],
) -> Result<(Price, Vec<Price>), CallError> {
    let lines = lines(route, node, bound)?;
    let cost = |line: &Line| line.royalty.checked_add(line.node_fee).ok_or_else(overflow);
    let each = lines.iter().map(cost).collect::<Result<_, _>>()?;
    Ok((price(route, &lines)?.0, each))
}
