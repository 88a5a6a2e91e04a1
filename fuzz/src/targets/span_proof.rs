//! Proofs that a span stands in a datanet: none holds for another root or other words than the
//! one it was made for.

use crate::{Reach, Target, promise};
use ambar_attribution::proof::PROOF_BYTES_MAX;
use ambar_attribution::record::{chunks_root, chunks_tree, records_tree, root};
use ambar_attribution::{Proven, RecordLeaf, SpanProof};
use ambar_base::Digest;
use ambar_base::tree::Tree;

pub(super) const TARGET: Target = Target { name: "span_proof", seeds, attempt };

/// Bytes of the records.
const RECORDS: [usize; 3] = [700, 5_000, 2_048];
/// What is proven: record, from and to.
const SPANS: [(usize, usize, usize); 3] = [(0, 10, 60), (1, 1_000, 4_100), (2, 1_024, 2_048)];

fn text(record: usize) -> Vec<u8> {
    let byte = |at: usize| b'a' + ((at * 7 + at / 26 + record) % 26) as u8;
    (0..RECORDS[record]).map(byte).collect()
}

fn leaf(record: usize) -> RecordLeaf {
    let (text, title) = (text(record), Digest::of(&[record as u8]));
    let bytes = text.len() as u32;
    RecordLeaf { contributor: record as u32, title, bytes, chunks: chunks_root(&text) }
}

fn tree() -> Tree {
    records_tree((0..RECORDS.len()).map(leaf))
}

fn seeds() -> Vec<Vec<u8>> {
    let proof = |(record, from, to): (usize, usize, usize)| {
        let (place, text) = ((RECORDS.len() as u32, record as u32), text(record));
        SpanProof::of((&tree(), &chunks_tree(&text)), place, &leaf(record), &text, from..to)
    };
    SPANS.into_iter().filter_map(proof).map(|proof| proof.encode()).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let decoded = promise::document(input, PROOF_BYTES_MAX, SpanProof::decode, SpanProof::encode);
    let Some(proof) = decoded else { return Reach::Refused };
    let root = root(RECORDS.len() as u64, &tree().root());
    let mut reach = Reach::Decoded;
    for (record, from, to) in SPANS {
        let Ok(proven) = proof.verify(&root, &text(record)[from..to]) else { continue };
        let (number, offset) = (record as u32, from as u32);
        let expect = Proven { document: number, contributor: number, offset };
        assert_eq!(proven, expect, "what is proven is so");
        let made = seeds().iter().any(|seed| seed == input);
        assert!(made, "there is one proof of a span");
        reach = Reach::Used;
    }
    reach
}
