//! Whoever votes against itself is caught, and nobody else.

use super::Case;
use ambar_base::PublicKey;
use ambar_base::codec;
use ambar_ledger::Key;
use ambar_ledger::roster::{Status, Validator};
use std::collections::BTreeSet;

/// Evidence is true, convicts adversaries only, and is there if somebody was sent both votes
/// while nothing befell anybody.
pub(super) fn judge(case: &Case<'_>, broken: &mut Vec<String>) {
    let plan = &case.scenario.plan;
    let network = case.scenario.cast.network;
    let mut accused: BTreeSet<PublicKey> = case.record.caught.iter().map(|(key, _)| *key).collect();
    for (member, evidence) in &case.ended.evidence {
        if let Err(error) = evidence.verify(network) {
            broken.push(format!("evidence: member {member} holds a false one: {error}"));
        }
        accused.insert(evidence.key());
    }
    accused.extend(ejected(case));
    let innocent = |member: usize| plan.members[member].key.public();
    for member in (0..plan.members.len()).filter(|member| case.is_honest(*member)) {
        if accused.contains(&innocent(member)) {
            broken.push(format!("evidence: honest member {member} is accused"));
        }
    }
    if case.ended.contradictions > 0 && accused.is_empty() {
        let count = case.ended.contradictions;
        broken.push(format!("evidence: {count} contradictions were sent and nobody was caught"));
    }
    blocked(case, broken);
}

/// No honest member blocks an honest one.
fn blocked(case: &Case<'_>, broken: &mut Vec<String>) {
    for (from, to) in &case.ended.blocked {
        if case.is_honest(*from) && case.is_honest(*to) {
            broken.push(format!("evidence: honest member {from} blocked honest member {to}"));
        }
    }
}

/// Whom the ledger has ejected.
fn ejected(case: &Case<'_>) -> Vec<PublicKey> {
    let Some(longest) = case.longest() else { return Vec::new() };
    let validator = |(key, value): &(Vec<u8>, _)| match Key::parse(key) {
        Ok(Key::Validator(_)) => codec::decode::<Validator>(AsRef::<[u8]>::as_ref(value)).ok(),
        _ => None,
    };
    let validators = longest.state.iter().filter_map(validator);
    let ejected = validators.filter(|one| matches!(one.status, Status::Ejected(_)));
    ejected.map(|one| one.key).collect()
}
