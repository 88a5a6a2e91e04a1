//! The decoders: one file each.

mod batch;
mod block;
mod chunk_proof;
mod conflict;
mod contributors;
mod decision;
mod errand;
mod evidence;
mod fact;
mod frame;
mod journal;
mod leaf;
mod manifest;
mod one_call;
mod outcome;
mod plan;
mod quality_index;
mod quality_rules;
mod receipt_document;
mod receipt_file;
mod receipt_leaf;
mod sealing;
mod served_line;
mod sign_request;
mod span_proof;
mod state;
mod tariff;
mod terms_document;
mod terms_text;
mod text;
mod transaction;

use crate::Target;

/// Every target, alphabetical.
pub const TARGETS: &[Target] = &[
    batch::TARGET,
    block::TARGET,
    chunk_proof::TARGET,
    conflict::TARGET,
    contributors::TARGET,
    decision::TARGET,
    errand::TARGET,
    evidence::TARGET,
    fact::TARGET,
    frame::TARGET,
    journal::TARGET,
    leaf::TARGET,
    manifest::TARGET,
    one_call::TARGET,
    outcome::TARGET,
    plan::TARGET,
    quality_index::TARGET,
    quality_rules::TARGET,
    receipt_document::TARGET,
    receipt_file::TARGET,
    receipt_leaf::TARGET,
    sealing::TARGET,
    served_line::TARGET,
    sign_request::TARGET,
    span_proof::TARGET,
    state::TARGET,
    tariff::TARGET,
    terms_document::TARGET,
    terms_text::TARGET,
    text::TARGET,
    transaction::TARGET,
];

#[cfg(test)]
mod tests {
    use super::TARGETS;
    use crate::Reach;

    #[test]
    fn targets_are_alphabetical() {
        assert!(TARGETS.is_sorted_by(|a, b| a.name < b.name));
    }

    /// A target whose seeds are refused would look at nothing but refusals.
    #[test]
    fn seeds_decode_and_one_of_them_is_used() {
        for target in TARGETS {
            let reached: Vec<Reach> =
                (target.seeds)().iter().map(|seed| (target.attempt)(seed)).collect();
            assert!(!reached.contains(&Reach::Refused), "{}: {reached:?}", target.name);
            assert!(reached.contains(&Reach::Used), "{}: {reached:?}", target.name);
        }
    }

    #[test]
    fn every_target_has_its_libfuzzer_wrapper() {
        for target in TARGETS {
            let path = format!("{}/fuzz_targets/{}.rs", env!("CARGO_MANIFEST_DIR"), target.name);
            let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{path}"));
            assert!(text.contains(&format!("attempt(\"{}\"", target.name)), "{path}");
        }
    }
}
