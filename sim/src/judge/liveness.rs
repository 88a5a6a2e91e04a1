//! Everybody gets on once nothing befalls anybody any more.

use super::Case;

/// Every honest member passes a height beyond healing, and every client has its last
/// transaction final, within the bound.
pub(super) fn judge(case: &Case<'_>, broken: &mut Vec<String>) {
    let ended = case.ended;
    let goal = ended.healed_at.after(case.scenario.plan.blocks_after);
    if !ended.reached {
        let heads = ended.witnesses.iter();
        let heads = heads.map(|witness| format!("{}: {}", witness.member, witness.head.height));
        let heads = heads.collect::<Vec<_>>().join(", ");
        broken.push(format!(
            "liveness: height {goal} was not reached by all in time; heads by member: {heads}"
        ));
    }
    if ended.clients_left > 0 {
        let left = ended.clients_left;
        broken.push(format!("liveness: {left} clients wait for an answer for ever"));
    }
    for refused in &case.record.refused {
        broken.push(format!("liveness: an honest transaction was refused: {refused}"));
    }
}
