//! One leaf: everything that must hold, and what it moves.

use super::decide::{self, Settling};
use super::facts::Collector;
use super::{Effects, Progress, Tables, refuse_bill, volume, vouchers};
use crate::object::{Channel, Grant, Node, Parameters, Version, reserved};
use crate::refusal::Refusal;
use crate::view::BlockContext;
use ambar_base::{Amount, ErrorCode, Height, Price};
use ambar_licence::{PriceRule, Quota, Terms};
use ambar_receipt::bill;
use ambar_receipt::leaf::{DECLARATION_BYTES_MAX, LINES_MAX};
use ambar_receipt::{CallOutcome, Leaf, Line, Payee};

/// How far a leaf's time may lie from its admission block's, milliseconds.
pub const TIME_TOLERANCE_MS: u64 = 2_000;

/// A payout with the account that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payout {
    /// The line that it comes from; nothing for the network fee.
    pub line: Option<usize>,
    /// In which role.
    pub payee: Payee,
    /// To whom.
    pub account: u64,
    /// How much.
    pub amount: Amount,
}

/// A line with what it refers to, looked up once.
pub(super) struct Part<'a> {
    pub line: &'a Line,
    pub grant: &'a Grant,
    pub version: &'a Version,
    pub terms: &'a Terms,
    /// The price of the tier that the grant had reached.
    pub price: &'a PriceRule,
    /// What its node asked, nano-credit per MU.
    pub ask: Price,
}

/// Checks a leaf and adds what it moves.
pub(super) fn leaf(
    block: BlockContext,
    gateway: u64,
    leaf: &Leaf,
    tables: &Tables,
    effects: &mut Effects<'_>,
) -> Result<(), Refusal> {
    let Effects { progress, settlement, facts } = effects;
    let channel = progress.channel(leaf.channel)?;
    check_channel(block, gateway, leaf, channel, tables)?;
    facts.channel(leaf.channel);
    if leaf.outcome == CallOutcome::Void {
        check_void(leaf)?;
        return progress.settle_number(leaf.channel, leaf.n);
    }
    check_shape(leaf)?;
    let parameters = parameters_at(tables, leaf.admitted, facts)?;
    let part = |line| part(leaf, line, tables, facts);
    let parts = leaf.lines.iter().map(part).collect::<Result<Vec<_>, _>>()?;
    let spent = settlement.spent(leaf.channel);
    Settling { leaf, parts: &parts, channel, spent }.decide(progress)?;
    for part in &parts {
        check_line(leaf, part, tables, parameters, facts)?;
    }
    bill::check_network_fee(leaf, parameters.network_fee).map_err(|e| refuse_bill(&e))?;
    let price = leaf.price().ok_or_else(Refusal::overflow)?;
    vouchers::check(channel, spent, price)?;
    pay(leaf, &parts, tables, parameters, |payout| {
        facts.payout(leaf.admitted, payout, tables);
        settlement.earn(payout.account, payout.amount)
    })?;
    settlement.spend(leaf.channel, price)?;
    count_quotas(leaf, &parts, progress)?;
    for part in parts.iter().filter(|part| !part.terms.tiers.is_empty()) {
        *progress.calls.entry(part.line.grant).or_default() += 1;
    }
    progress.settle_call(leaf.call)?;
    progress.settle_number(leaf.channel, leaf.n)
}

fn part<'a>(
    leaf: &Leaf,
    line: &'a Line,
    tables: &'a Tables,
    facts: &mut Collector,
) -> Result<Part<'a>, Refusal> {
    let grant = tables.grants.get(&line.grant);
    let grant = grant.ok_or_else(|| Refusal::unknown("grant", line.grant))?;
    let version = tables.versions.get(&line.version);
    let version = version.ok_or_else(|| Refusal::unknown("capsule version", line.version))?;
    if !grant.covers(version) {
        return refuse(ErrorCode::GrantMissing, "the grant is for another capsule or other terms");
    }
    if grant.height > leaf.admitted || version.height > leaf.admitted {
        let message = "admitted before the grant was made or the capsule published";
        return refuse(ErrorCode::GrantMissing, message);
    }
    let unread = || Refusal::new(ErrorCode::Internal, "the terms of a grant were not read");
    let terms = tables.terms.get(&grant.terms).ok_or_else(unread)?;
    let (price, tier) = volume::price_at(tables, line.grant, terms, leaf.admitted)?;
    facts.tier(tier);
    let ask = ask_at(tables.node(line.node)?, line.node, leaf.admitted, facts)?;
    Ok(Part { line, grant, version, terms, price, ask })
}

fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(code, message))
}

fn check_channel(
    block: BlockContext,
    gateway: u64,
    leaf: &Leaf,
    channel: &Channel,
    tables: &Tables,
) -> Result<(), Refusal> {
    if channel.gateway != gateway {
        return refuse(ErrorCode::AudienceMismatch, "the channel is open to another gateway");
    }
    let time = tables.times.get(&leaf.admitted).copied();
    let near = time.is_some_and(|time| time.distance_ms(leaf.time) <= TIME_TOLERANCE_MS);
    if leaf.admitted > block.height || !near {
        let message = "the leaf's time is not that of its admission height";
        return refuse(ErrorCode::ClockSkew, message);
    }
    if channel.closing.is_some_and(|closing| leaf.admitted >= closing) {
        return refuse(ErrorCode::ChannelClosed, "admitted after the channel was closed");
    }
    Ok(())
}

fn check_void(leaf: &Leaf) -> Result<(), Refusal> {
    let blank = Leaf::void(leaf.channel, leaf.n, leaf.admitted, leaf.time);
    if *leaf == blank {
        return Ok(());
    }
    refuse(ErrorCode::ReceiptInvalid, "a void leaf carries nothing")
}

fn check_shape(leaf: &Leaf) -> Result<(), Refusal> {
    if !(1..=LINES_MAX).contains(&leaf.lines.len()) {
        return refuse(ErrorCode::LimitExceeded, format!("a call has 1 to {LINES_MAX} lines"));
    }
    if leaf.purpose.as_ref().is_some_and(|text| text.len() > DECLARATION_BYTES_MAX) {
        return refuse(ErrorCode::ReceiptInvalid, "a declaration is too long");
    }
    Ok(())
}

fn parameters_at<'a>(
    tables: &'a Tables,
    height: Height,
    facts: &mut Collector,
) -> Result<&'a Parameters, Refusal> {
    let missing = || Refusal::new(ErrorCode::LedgerCorrupt, "no parameters at that height");
    let (parameters, span) = tables.governance.parameters.at(height).ok_or_else(missing)?;
    facts.fee(parameters, span);
    Ok(parameters)
}

/// The node may serve the line, and the bill is what its counters come to.
fn check_line(
    leaf: &Leaf,
    part: &Part<'_>,
    tables: &Tables,
    parameters: &Parameters,
    facts: &mut Collector,
) -> Result<(), Refusal> {
    let Part { line, version, price, ask, .. } = part;
    let serves = tables.serves.get(&(version.line, line.node));
    let allowed = serves.and_then(|serve| serve.allowed.at(leaf.admitted));
    if !allowed.is_some_and(|(allowed, _)| *allowed) {
        let message = format!("node {} may not serve {}", line.node, version.id);
        return refuse(ErrorCode::NotAuthorised, message);
    }
    if line.tariff != parameters.tariff {
        return refuse(ErrorCode::ReceiptInvalid, "measured by another tariff than was in force");
    }
    let unknown = || Refusal::unknown("tariff", line.tariff);
    let (_, tariff) = tables.tariffs.get(&line.tariff).ok_or_else(unknown)?;
    let expected = bill::line_bill(&line.counters, price, tariff, *ask);
    let expected = expected.map_err(|error| refuse_bill(&error))?;
    bill::check_line(line, &expected).map_err(|error| refuse_bill(&error))?;
    facts.line(line);
    Ok(())
}

fn ask_at(
    node: &Node,
    number: u64,
    height: Height,
    facts: &mut Collector,
) -> Result<Price, Refusal> {
    let unknown = || Refusal::unknown("node", number);
    let (ask, span) = node.ask.at(height).ok_or_else(unknown)?;
    facts.ask(number, *ask, span);
    Ok(*ask)
}

/// Each line under a grant that counts is taken from what this gateway leased of its quota;
/// whether the lease holds it is decided already.
fn count_quotas(leaf: &Leaf, parts: &[Part<'_>], progress: &mut Progress) -> Result<(), Refusal> {
    for Part { line, grant, terms, .. } in parts {
        let Some(quota) = terms.quota.filter(Quota::counts) else { continue };
        let period = quota.period_of(leaf.time, grant.accepted);
        let counted = progress.quotas.get_mut(&(line.grant, period));
        let cost = decide::cost(line);
        let settled =
            counted.zip(cost).and_then(|((count, lease), cost)| count.settle(lease, &quota, cost));
        settled.ok_or_else(Refusal::overflow)?;
    }
    Ok(())
}

/// Hands every payout of a leaf to `post`, with the account that held the right to it at
/// the leaf's admission height.
fn pay(
    leaf: &Leaf,
    parts: &[Part<'_>],
    tables: &Tables,
    parameters: &Parameters,
    mut post: impl FnMut(&Payout) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut result = Ok(());
    let mut each = |line: Option<usize>, payee: Payee, amount: Amount| {
        if result.is_ok() {
            let account = account_of(payee, leaf.admitted, tables);
            result = account.and_then(|account| post(&Payout { line, payee, account, amount }));
        }
    };
    for (index, part) in parts.iter().enumerate() {
        let paid = bill::pay_line(part.line, &part.version.plan, |payee, amount| {
            each(Some(index), payee, amount);
        });
        paid.map_err(|error| refuse_bill(&error))?;
    }
    bill::pay_network_fee(leaf.network_fee, parameters.burn, |payee, amount| {
        each(None, payee, amount);
    });
    result
}

fn account_of(payee: Payee, height: Height, tables: &Tables) -> Result<u64, Refusal> {
    let datanet = |number: u64| {
        tables.datanets.get(&number).ok_or_else(|| Refusal::unknown("datanet", number))
    };
    match payee {
        Payee::Royalty(number) => {
            let royalty = tables.royalties.get(&number);
            let holder = royalty.and_then(|royalty| royalty.holder.at(height));
            holder
                .map(|(holder, _)| *holder)
                .ok_or_else(|| Refusal::unknown("royalty line", number))
        }
        Payee::Contributor(number, index) => {
            let account = datanet(number)?.contributors.get(index as usize);
            account.copied().ok_or_else(|| Refusal::unknown("contributor", index))
        }
        Payee::Treasury(number) => Ok(datanet(number)?.treasury),
        Payee::Node(number) => Ok(tables.node(number)?.owner),
        Payee::Network => Ok(reserved::NETWORK),
        Payee::Burn => Ok(reserved::BURN),
    }
}
