//! One chain, one state, everywhere, and both follow from genesis.

use super::Case;
use crate::simulation::Witness;
use ambar_consensus::replay::{Origin, Replayed, replay};

/// Nobody holds another block at a height, another outcome or another state.
pub(super) fn judge(case: &Case<'_>, broken: &mut Vec<String>) {
    let Some(longest) = case.longest() else {
        return broken.push("agreement: nobody is left to ask".into());
    };
    for witness in &case.ended.witnesses {
        same_blocks(longest, witness, broken);
    }
    let mut replayed: Vec<(usize, Replayed)> = Vec::new();
    for witness in &case.ended.witnesses {
        let length = witness.blocks.len();
        if replayed.iter().all(|(known, _)| *known != length) {
            match again(case, witness) {
                Ok(state) => replayed.push((length, state)),
                Err(error) => {
                    broken.push(format!("agreement: member {}: {error}", witness.member));
                    continue;
                }
            }
        }
        let of_length = replayed.iter().find(|(known, _)| *known == length);
        if of_length.is_some_and(|(_, state)| !same_state(state, witness)) {
            broken.push(format!("agreement: member {} holds another state", witness.member));
        }
    }
}

fn same_blocks(one: &Witness, other: &Witness, broken: &mut Vec<String>) {
    let differs = one.blocks.iter().zip(&other.blocks).find(|(one, other)| {
        one.finality.header != other.finality.header
            || one.transactions != other.transactions
            || one.outcomes != other.outcomes
    });
    if let Some((block, _)) = differs {
        let height = block.finality.header.height;
        let (one, other) = (one.member, other.member);
        broken.push(format!("agreement: members {one} and {other} differ at height {height}"));
    }
}

/// Executes a chain from genesis: votes, outcomes, roots, and no transaction twice.
fn again(case: &Case<'_>, witness: &Witness) -> Result<Replayed, String> {
    let plan = &case.scenario.plan;
    let (rules, machine) = (plan.settings.rules.clone(), &*plan.machine);
    let origin = Origin { rules, machine, genesis: plan.genesis.clone() };
    let replayed = replay(&origin, witness.blocks.iter().cloned().map(Ok));
    replayed.map_err(|error| error.to_string())
}

fn same_state(replayed: &Replayed, witness: &Witness) -> bool {
    let mut expected = replayed.state.entries();
    let same = witness
        .state
        .iter()
        .all(|(key, value)| expected.next().is_some_and(|entry| entry == (key.as_slice(), value)));
    same && expected.next().is_none()
}
