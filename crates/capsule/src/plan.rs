//! Plans: the flattened royalty graph of a version.
//!
//! A plan says which part of a version's royalty goes to which royalty line and to which
//! datanet. The ledger flattens it once, at publish; a call multiplies.

use ambar_base::codec::{Decode, DecodeError, Encode, Reader, Writer};
use ambar_base::{Digest, Domain, Weight, choice, weight};
use std::collections::BTreeMap;

/// Most parties of one plan.
pub const PLAN_PARTIES_MAX: usize = 512;

choice! {
    /// Who a part of a royalty flows to. Numbers are the ledger's.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    pub enum Party {
        /// The holder of a royalty line.
        Line(u64) = 1,
        /// A datanet, by the number of its version: divided among the contributors to this
        /// very call.
        Datanet(u64) = 2,
    }
}

/// Parties with weights above zero that sum to exactly the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan(BTreeMap<Party, Weight>);

/// What is wrong with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// More parties than a plan holds.
    #[error("{0} parties exceed the {PLAN_PARTIES_MAX} of a plan")]
    Parties(usize),
    /// Weights do not sum to the whole, or one is zero.
    #[error("the weights of a plan are above zero and sum to the whole")]
    Sum,
}

impl Plan {
    /// A plan of these weights.
    pub fn new(weights: BTreeMap<Party, Weight>) -> Result<Self, PlanError> {
        if weights.len() > PLAN_PARTIES_MAX {
            return Err(PlanError::Parties(weights.len()));
        }
        let exact = weight::total(weights.values().copied()) == Some(Weight::ONE);
        let positive = weights.values().all(|weight| *weight > Weight::ZERO);
        if exact && positive { Ok(Self(weights)) } else { Err(PlanError::Sum) }
    }

    /// Parties and weights, ascending.
    pub fn entries(&self) -> impl Iterator<Item = (Party, Weight)> + '_ {
        self.0.iter().map(|(party, weight)| (*party, *weight))
    }

    /// The weight of a party.
    #[must_use]
    pub fn weight(&self, party: Party) -> Weight {
        self.0.get(&party).copied().unwrap_or_default()
    }

    /// The digest that facts about a version name.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Domain::Plan.digest(&self.to_bytes())
    }
}

impl Encode for Plan {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
}

impl Decode for Plan {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let weights = BTreeMap::decode(reader)?;
        Self::new(weights).map_err(|_| DecodeError::Rule("a plan's weights sum to the whole"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::codec;

    #[test]
    fn plans_sum_to_the_whole() {
        let (line, datanet) = (Party::Line(1), Party::Datanet(2));
        let check = |weights: &[(Party, u32)], good: bool| {
            let weights = weights.iter().map(|(party, weight)| (*party, Weight(*weight)));
            assert_eq!(Plan::new(weights.collect()).is_ok(), good);
        };
        check(&[(line, 1_000_000_000)], true);
        check(&[(line, 400_000_000), (datanet, 600_000_000)], true);
        check(&[(line, 400_000_000), (datanet, 600_000_001)], false);
        check(&[(line, 1_000_000_000), (datanet, 0)], false);
        check(&[], false);
    }

    #[test]
    fn bytes_are_checked() {
        let plan = Plan::new([(Party::Line(7), Weight::ONE)].into()).unwrap();
        assert_eq!(codec::decode::<Plan>(&plan.to_bytes()), Ok(plan.clone()));
        let mut bytes = plan.to_bytes();
        *bytes.last_mut().unwrap() -= 1;
        assert!(codec::decode::<Plan>(&bytes).is_err());
    }
}
