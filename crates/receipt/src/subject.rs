//! What facts are about, and which facts a leaf needs.

use crate::bill::{self, Payee};
use crate::fact::Fact;
use crate::leaf::{CallOutcome, Leaf};
use ambar_base::Height;
use ambar_capsule::Plan;
use std::collections::BTreeSet;
use std::fmt;

/// What a fact is about. At any height at most one fact about it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A capsule version.
    Version(u64),
    /// A grant.
    Grant(u64),
    /// A node.
    Node(u64),
    /// A channel.
    Channel(u64),
    /// A tariff.
    Tariff(u64),
    /// What a node asks.
    Ask(u64),
    /// Who holds a royalty line.
    Holder(u64),
    /// Who a datanet's contributor is.
    Contributor(u64, u32),
    /// Who a datanet's treasury is.
    Treasury(u64),
    /// What the network takes.
    Fee,
    /// Which tier of prices a grant has reached.
    Tier(u64),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(number) => write!(f, "capsule version {number}"),
            Self::Grant(number) => write!(f, "grant {number}"),
            Self::Node(number) => write!(f, "node {number}"),
            Self::Channel(number) => write!(f, "channel {number}"),
            Self::Tariff(number) => write!(f, "tariff {number}"),
            Self::Ask(number) => write!(f, "the ask of node {number}"),
            Self::Holder(number) => write!(f, "the holder of royalty line {number}"),
            Self::Contributor(datanet, index) => {
                write!(f, "contributor {index} of datanet {datanet}")
            }
            Self::Treasury(number) => write!(f, "the treasury of datanet {number}"),
            Self::Fee => f.write_str("the network fee"),
            Self::Tier(number) => write!(f, "the tier of grant {number}"),
        }
    }
}

impl Fact {
    /// What the fact is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::Version(fact) => Subject::Version(fact.number),
            Self::Grant(fact) => Subject::Grant(fact.number),
            Self::Node(fact) => Subject::Node(fact.number),
            Self::Channel(fact) => Subject::Channel(fact.number),
            Self::Tariff(fact) => Subject::Tariff(fact.number),
            Self::Ask(fact) => Subject::Ask(fact.node),
            Self::Holder(fact) => Subject::Holder(fact.line),
            Self::Contributor(fact) => Subject::Contributor(fact.datanet, fact.index),
            Self::Treasury(fact) => Subject::Treasury(fact.datanet),
            Self::Fee(_) => Subject::Fee,
            Self::Offered(fact) => Subject::Grant(fact.grant.number),
            Self::Tier(fact) => Subject::Tier(fact.grant),
        }
    }

    /// Whether the fact holds at `height`; one without a span always does.
    #[must_use]
    pub fn holds(&self, height: Height) -> bool {
        match self {
            Self::Ask(fact) => fact.span.holds(height),
            Self::Holder(fact) => fact.span.holds(height),
            Self::Fee(fact) => fact.span.holds(height),
            Self::Tier(fact) => fact.span.holds(height),
            _ => true,
        }
    }
}

/// What the bill of a leaf refers to. `gateway` signed its batch, `plan` finds the plan of
/// a capsule version, `tiered` says whether the terms of a grant have tiers.
pub fn needed(
    leaf: &Leaf,
    gateway: u64,
    plan: impl Fn(u64) -> Option<Plan>,
    tiered: impl Fn(u64) -> bool,
) -> BTreeSet<Subject> {
    let mut needed = BTreeSet::from([Subject::Channel(leaf.channel), Subject::Node(gateway)]);
    if leaf.outcome == CallOutcome::Void {
        return needed;
    }
    needed.insert(Subject::Fee);
    for line in &leaf.lines {
        needed.extend([
            Subject::Version(line.version),
            Subject::Grant(line.grant),
            Subject::Node(line.node),
            Subject::Tariff(line.tariff),
            Subject::Ask(line.node),
        ]);
        needed.extend(tiered(line.grant).then_some(Subject::Tier(line.grant)));
        let Some(plan) = plan(line.version) else { continue };
        // A split that does not add up still names whom it would pay; that it does not add
        // up is for others to say.
        let _ = bill::pay_line(line, &plan, |payee, _| needed.extend(of_payee(payee)));
    }
    needed
}

/// What is good to know besides: the datanets whose contributors are paid, because their
/// manifests say how methods are mixed.
#[must_use]
pub fn useful(leaf: &Leaf) -> BTreeSet<Subject> {
    let shares = leaf.lines.iter().flat_map(|line| &line.shares);
    shares.map(|shares| Subject::Version(shares.datanet)).collect()
}

fn of_payee(payee: Payee) -> Option<Subject> {
    match payee {
        Payee::Royalty(line) => Some(Subject::Holder(line)),
        Payee::Contributor(datanet, index) => Some(Subject::Contributor(datanet, index)),
        Payee::Treasury(datanet) => Some(Subject::Treasury(datanet)),
        Payee::Node(node) => Some(Subject::Node(node)),
        Payee::Network | Payee::Burn => None,
    }
}
