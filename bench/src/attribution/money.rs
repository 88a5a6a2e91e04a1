//! How the money of calls is divided: always by the code that receipts are made with.
//!
//! **Invariant**: what a call pays sums to the datanet's whole weight, or nothing was found. Every
//! division is checked, and the checks are counted.

use ambar_attribution::{
    Division, Evidence, Method, MethodShares, Sharing, SpanParameters, shares,
};
use ambar_base::{Cid, Digest, Weight};
use anyhow::{Result, ensure};
use std::cell::Cell;
use std::collections::BTreeMap;

/// The half that each method has in the mix that `ambar publish` writes.
const HALF: Weight = Weight(500_000_000);

/// By which rules a datanet's weight is divided.
#[derive(Clone, Debug)]
pub struct Rule {
    /// How much each method counts.
    pub mix: Vec<(Method, Weight)>,
    /// How spans are chosen.
    pub spans: SpanParameters,
    /// How evidence is shared; nobody is drawn.
    pub sharing: Sharing,
}

impl Default for Rule {
    /// What holds if a datanet says nothing.
    fn default() -> Self {
        let mix = vec![(Method::Retrieval, HALF), (Method::VerbatimSpan, HALF)];
        Self { mix, spans: SpanParameters::default(), sharing: Sharing::USUAL }
    }
}

impl Rule {
    /// One method alone.
    pub fn only(method: Method) -> Self {
        Self { mix: vec![(method, Weight::ONE)], ..Self::default() }
    }
}

/// Divides, and counts what it has divided.
#[derive(Debug, Default)]
pub struct Till {
    divided: Cell<u64>,
    unclaimed: Cell<u64>,
}

impl Till {
    /// What the contributors of a datanet get of its weight in the call of this number.
    pub fn divide(&self, evidence: &[Evidence], number: u64, rule: &Rule) -> Result<Paid> {
        let of_rule = |piece: &&Evidence| rule.mix.iter().any(|(used, _)| *used == method(piece));
        let evidence: Vec<Evidence> = evidence.iter().filter(of_rule).cloned().collect();
        let (call, datanet) = (call(number), datanet());
        let Rule { mix, sharing, .. } = rule;
        let (total, sharing, contributors) = (Weight::ONE, *sharing, 0);
        let division = Division { total, mix, sharing, contributors, call, datanet };
        let paid = Paid { methods: shares(&division, &evidence)?.shares };
        let sum = paid.sum();
        ensure!(sum == 0 || sum == u64::from(Weight::ONE.0), "{sum} is not the whole weight");
        let count = if sum == 0 { &self.unclaimed } else { &self.divided };
        count.set(count.get() + 1);
        Ok(paid)
    }

    /// How many calls were divided to the last unit, and in how many nobody was found.
    pub fn counted(&self) -> (u64, u64) {
        (self.divided.get(), self.unclaimed.get())
    }
}

fn method(evidence: &Evidence) -> Method {
    ambar_attribution::Attributor::method(evidence)
}

/// The identity of a call of this number: it orders equal remainders.
pub fn call(number: u64) -> Digest {
    Digest::of(format!("call {number}").as_bytes())
}

/// The datanet of all calls here.
pub fn datanet() -> Cid {
    Cid::of(b"the speeches")
}

/// What one call pays.
#[derive(Clone, Debug)]
pub struct Paid {
    /// By method, as the receipt has it.
    pub methods: Vec<MethodShares>,
}

impl Paid {
    /// All weights together.
    pub fn sum(&self) -> u64 {
        self.all().map(|(_, weight)| u64::from(weight.0)).sum()
    }

    fn all(&self) -> impl Iterator<Item = &(u32, Weight)> {
        self.methods.iter().flat_map(|shares| &shares.weights)
    }

    /// By contributor, as parts of the whole.
    pub fn by_contributor(&self) -> BTreeMap<u32, f64> {
        let mut parts = BTreeMap::new();
        for (contributor, weight) in self.all() {
            *parts.entry(*contributor).or_default() += part(*weight);
        }
        parts
    }

    /// The part that goes to some contributors.
    pub fn to(&self, who: impl Fn(u32) -> bool) -> f64 {
        let theirs = self.all().filter(|(contributor, _)| who(*contributor));
        theirs.map(|(_, weight)| part(*weight)).sum()
    }
}

fn part(weight: Weight) -> f64 {
    f64::from(weight.0) / f64::from(Weight::ONE.0)
}
