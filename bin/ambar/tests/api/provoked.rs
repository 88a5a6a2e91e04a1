//! Every failure that the document names can be had, and no other comes: the rows of its table
//! that nobody provokes fail the test, and so do answers that it does not have.

use crate::world::{Section, World};
use crate::{calls, content, excluded, ledger, parties, requests, starting};
use std::collections::BTreeSet;
use std::thread;

/// Everything that is provoked, in this order.
const SECTIONS: [&[Section]; 6] = [
    parties::SECTIONS,
    requests::SECTIONS,
    calls::SECTIONS,
    content::SECTIONS,
    ledger::SECTIONS,
    starting::SECTIONS,
];

#[test]
fn every_documented_failure_is_provoked() {
    let mut world = World::open();
    let mut broken = Vec::new();
    for (name, provoke) in SECTIONS.concat() {
        // One run tells everything that is wrong.
        let ended = thread::scope(|scope| scope.spawn(|| provoke(&world)).join());
        if ended.is_err() {
            broken.push(name);
        }
    }
    calls::provoke_erased(&mut world);
    let mut problems: Vec<String> =
        broken.iter().map(|name| format!("broke off: {name}")).collect();
    problems.append(&mut world.complaints.lock().unwrap());
    problems.extend(judged(&world));
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// What was seen, compared with what the document says.
fn judged(world: &World) -> Vec<String> {
    let (seen, strays) = world.witness.seen();
    let mut documented = BTreeSet::new();
    for operation in &world.witness.document().operations {
        let own = operation.failures.iter();
        documented.extend(own.map(|(_, code)| (operation.id.clone(), code.clone())));
    }
    excluded::check(&documented);
    let strays = strays.into_iter().map(|stray| format!("not in the document: {stray}"));
    let judge = |(id, code): &(String, String)| match (
        excluded::is(id, code),
        seen.contains(&(id.clone(), code.clone())),
    ) {
        (false, false) => Some(format!("nobody provokes: {id} {code}")),
        (true, true) => Some(format!("excluded, and provoked all the same: {id} {code}")),
        _ => None,
    };
    strays.chain(documented.iter().filter_map(judge)).collect()
}
