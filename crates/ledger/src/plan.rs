//! Flattening the royalty graph: who gets which part of a version's royalty, through any
//! depth of `derived_from`, in one table of integers.
//!
//! Each parent's plan is taken as it was published; products of weights are exact and are
//! rounded once, here, by largest remainder (ties by the hash of version id and party).

use ambar_base::weight::{self, ApportionError};
use ambar_base::{Cid, Digest, Domain, Encode, Weight};
use ambar_capsule::plan::{PLAN_PARTIES_MAX, Party, Plan, PlanError};
use std::collections::BTreeMap;

/// What a version keeps for itself, and to whom that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The part that no parent takes.
    pub share: Weight,
    /// The line's royalty lines; they sum to the whole.
    pub royalty: Vec<(u64, Weight)>,
    /// The datanet, by version number, and its contributors' part of what is kept.
    pub datanet: Option<(u64, Weight)>,
}

/// Why a royalty graph has no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlattenError {
    /// More parties than a plan holds.
    #[error("the royalty graph has {0} parties; a plan holds {PLAN_PARTIES_MAX}")]
    Parties(usize),
    /// Shares that do not sum to the whole.
    #[error("shares and royalty lines do not sum to the whole")]
    Shares,
}

/// The plan of version `id`.
pub fn flatten(id: &Cid, own: &Own, parents: &[(Weight, &Plan)]) -> Result<Plan, FlattenError> {
    let mut claims = own_claims(own);
    for (share, plan) in parents {
        for (party, weight) in plan.entries() {
            // Three factors of up to 10⁹, as for the own part: 10²⁷ in all.
            let claim = product([*share, weight, Weight::ONE]);
            *claims.entry(party).or_default() += claim;
        }
    }
    claims.retain(|_, claim| *claim > 0);
    if claims.len() > PLAN_PARTIES_MAX {
        return Err(FlattenError::Parties(claims.len()));
    }
    let whole = product([Weight::ONE; 3]);
    if claims.values().sum::<u128>() != whole {
        return Err(FlattenError::Shares);
    }
    round(id, &claims)
}

fn own_claims(own: &Own) -> BTreeMap<Party, u128> {
    let (datanet, part) = own.datanet.unzip();
    let part = part.unwrap_or_default();
    let kept = part.complement().unwrap_or_default();
    let mut claims = BTreeMap::new();
    for (line, weight) in &own.royalty {
        *claims.entry(Party::Line(*line)).or_default() += product([own.share, kept, *weight]);
    }
    if let Some(datanet) = datanet {
        claims.insert(Party::Datanet(datanet), product([own.share, part, Weight::ONE]));
    }
    claims
}

fn product(weights: [Weight; 3]) -> u128 {
    weights.iter().map(|weight| u128::from(weight.0)).product()
}

fn round(id: &Cid, claims: &BTreeMap<Party, u128>) -> Result<Plan, FlattenError> {
    let tie = |party: &Party| -> Digest {
        Domain::Remainder.digest(&[id.0.0.as_slice(), &party.to_bytes()].concat())
    };
    let list: Vec<_> = claims.iter().map(|(party, claim)| (tie(party), *claim)).collect();
    let weights = weight::apportion(Weight::ONE, &list).map_err(|error| match error {
        ApportionError::NothingClaimed => FlattenError::Shares,
        ApportionError::TooMany => FlattenError::Parties(list.len()),
    })?;
    let plan = claims.keys().copied().zip(weights).filter(|(_, weight)| *weight > Weight::ZERO);
    Plan::new(plan.collect()).map_err(|error| match error {
        PlanError::Parties(parties) => FlattenError::Parties(parties),
        PlanError::Sum => FlattenError::Shares,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(number: u64, share: u32) -> Own {
        let royalty = vec![(number, Weight::ONE)];
        Own { share: Weight(share), royalty, datanet: None }
    }

    fn percent(plan: &Plan, party: Party) -> u32 {
        plan.weight(party).0 / 10_000_000
    }

    #[test]
    fn a_diamond_pays_its_top_over_both_sides() {
        let id = |name: &str| Cid::of(name.as_bytes());
        let top = flatten(&id("top"), &line(1, 1_000_000_000), &[]).unwrap();
        let side = |number, name| {
            flatten(&id(name), &line(number, 800_000_000), &[(Weight(200_000_000), &top)]).unwrap()
        };
        let (left, right) = (side(2, "left"), side(3, "right"));
        let half = Weight(250_000_000);
        let bottom =
            flatten(&id("bottom"), &line(4, 500_000_000), &[(half, &left), (half, &right)])
                .unwrap();
        let expect = [(1, 10), (2, 20), (3, 20), (4, 50)];
        for (number, part) in expect {
            assert_eq!(percent(&bottom, Party::Line(number)), part);
        }
    }

    #[test]
    fn a_datanet_flows_into_what_is_trained_on_it() {
        let own = Own { datanet: Some((9, Weight(900_000_000))), ..line(1, 1_000_000_000) };
        let dataset = flatten(&Cid::of(b"d"), &own, &[]).unwrap();
        let parents = [(Weight(300_000_000), &dataset)];
        let model = flatten(&Cid::of(b"m"), &line(2, 700_000_000), &parents).unwrap();
        assert_eq!(percent(&model, Party::Datanet(9)), 27);
        assert_eq!(percent(&model, Party::Line(1)), 3);
        assert_eq!(percent(&model, Party::Line(2)), 70);
    }

    #[test]
    fn wrong_sums_are_refused() {
        let check = |own: Own| {
            assert_eq!(flatten(&Cid::of(b"x"), &own, &[]), Err(FlattenError::Shares));
        };
        check(line(1, 999_999_999));
        check(Own { royalty: Vec::new(), ..line(1, 1_000_000_000) });
    }

    proptest! {
        /// Random graphs: each version derives from some earlier ones. Depth up to 8 and
        /// 100 parties; every plan sums to the whole whatever the shares.
        #[test]
        fn random_graphs_sum_to_the_whole(
            layers in proptest::collection::vec(
                proptest::collection::vec((any::<u64>(), 0u32..=120_000_000), 1..8), 1..=8),
            names in 1u64..13,
        ) {
            let mut plans: Vec<Plan> = Vec::new();
            for (depth, layer) in layers.iter().enumerate() {
                let parents: Vec<(Weight, Plan)> = match plans.len() {
                    0 => Vec::new(),
                    count => layer.iter().map(|(pick, share)| {
                        (Weight(*share), plans[*pick as usize % count].clone())
                    }).collect(),
                };
                let taken: u32 = parents.iter().map(|(share, _)| share.0).sum();
                let royalty: Vec<_> = (0..names).map(|i| depth as u64 * 100 + i).collect();
                let claims: Vec<_> = royalty.iter().map(|n| (Digest::of(&n.to_le_bytes()), 1)).collect();
                let weights = weight::apportion(Weight::ONE, &claims).unwrap();
                let own = Own {
                    share: Weight(1_000_000_000 - taken),
                    royalty: royalty.into_iter().zip(weights).collect(),
                    datanet: (depth % 2 == 0).then_some((depth as u64, Weight(333_333_333))),
                };
                let parents: Vec<_> = parents.iter().map(|(share, plan)| (*share, plan)).collect();
                let id = Cid::of(&depth.to_le_bytes());
                let plan = flatten(&id, &own, &parents).unwrap();
                let again = flatten(&id, &own, &parents).unwrap();
                prop_assert_eq!(&plan, &again);
                prop_assert_eq!(weight::total(plan.entries().map(|(_, w)| w)), Some(Weight::ONE));
                plans.push(plan);
            }
        }
    }
}
