//! Whoever votes against itself is caught, ejected and unseated, and nobody else.

use super::Case;
use ambar_base::codec;
use ambar_base::{Height, PublicKey};
use ambar_consensus::Block;
use ambar_ledger::Key;
use ambar_ledger::roster::{Status, Validator};
use std::collections::{BTreeMap, BTreeSet};

/// Evidence is true, convicts adversaries only, and is there if somebody was sent both votes
/// while nothing befell anybody. Whoever is caught is ejected and has no seat in the next epoch.
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
    accused.extend(ejected(case).into_keys());
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
    punished(case, broken);
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

/// Whoever was caught in time is ejected, and seats are empty from the next epoch on.
fn punished(case: &Case<'_>, broken: &mut Vec<String>) {
    let ejected = ejected(case);
    for (key, member) in &case.record.caught {
        if !ejected.contains_key(key) {
            let validator = key.did();
            broken.push(format!("evidence: member {member} caught {validator}, still unpunished"));
        }
    }
    for (block, seats) in elections(case) {
        let at = block.finality.header.height;
        for (key, _) in ejected.iter().filter(|(_, since)| **since <= at) {
            if seats.contains(key) {
                let validator = key.did();
                broken.push(format!("evidence: {validator} was ejected and elected at {at}"));
            }
        }
    }
}

/// How many were ejected and have lost their seat.
pub(super) fn unseated(case: &Case<'_>) -> usize {
    let last = elections(case).last().map(|(block, _)| block.finality.header.height);
    let ejected = ejected(case).into_values();
    ejected.filter(|since| last.is_some_and(|last| *since <= last)).count()
}

/// The last blocks of epochs with the committees that they elect.
fn elections<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Block, Vec<PublicKey>)> {
    let blocks = case.longest().map_or(&[][..], |longest| &longest.blocks).iter();
    let last = blocks.filter(|block| block.finality.header.next_committee.is_some());
    last.filter_map(|block| Some((block, codec::decode(block.outcomes.last()?).ok()?)))
}

/// Whom the ledger has ejected, and in which block.
fn ejected(case: &Case<'_>) -> BTreeMap<PublicKey, Height> {
    let Some(longest) = case.longest() else { return BTreeMap::new() };
    let validator = |(key, value): &(Vec<u8>, _)| match Key::parse(key) {
        Ok(Key::Validator(_)) => codec::decode::<Validator>(AsRef::<[u8]>::as_ref(value)).ok(),
        _ => None,
    };
    let validators = longest.state.iter().filter_map(validator);
    let ejected = validators.filter_map(|one| match one.status {
        Status::Ejected(since) => Some((one.key, since)),
        _ => None,
    });
    ejected.collect()
}
