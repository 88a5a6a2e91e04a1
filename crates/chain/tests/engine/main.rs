//! Tests of the engine on a toy ledger.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod committee;
mod crash;
mod damage;
mod epochs;
mod evidence;
mod joining;
mod mark;
mod order;
mod replay;
mod rest;
mod retention;
mod toy;

/// The database commits, without an entry, to what genesis says.
#[test]
fn genesis_commits_to_the_empty_database() {
    assert_eq!(ambar_chain::state::empty(), ambar_consensus::draft::STATE_BEFORE);
}
