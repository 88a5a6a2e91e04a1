//! Decisions, as receipts bind them.

use crate::{Reach, Target, promise, sample};
use ambar_base::Encode;
use ambar_licence::call::{Answer, DecisionRecord};
use ambar_licence::{Right, Terms};
use ambar_receipt::decision::admits;

pub(super) const TARGET: Target = Target { name: "decision", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    sample::world().bound.iter().map(|(_, decision)| decision.to_bytes()).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Some(record) = promise::compact::<DecisionRecord>(input) else { return Reach::Refused };
    let terms = Terms::granting([Right::Call, Right::Compose]);
    let again = record.replay(|_| Some(&terms));
    // What is decided again and written down replays.
    let all: Vec<_> = record.facts.parts.iter().map(|_| &terms).collect();
    let decided = record.facts.decide(&all);
    let fresh = record.facts.clone().recorded(&decided);
    assert_eq!(fresh.replay(|_| Some(&terms)), Ok(()), "a decision is a function of its facts");
    assert_eq!(again.is_ok(), fresh == record, "another answer is found");
    match (&fresh.answer, sample::world().leaves.first()) {
        (Answer::Deny(_), Some(leaf)) => {
            assert!(admits(&fresh, leaf).is_err(), "a refusal admits nothing");
            Reach::Decoded
        }
        _ => Reach::Used,
    }
}
