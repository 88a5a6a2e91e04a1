//! Leaves, as batches settle them, and what they bind.

use crate::{Reach, Target, promise, sample};
use ambar_base::{Encode, Height, Moment};
use ambar_receipt::batch::{line_hash, lines_by_node};
use ambar_receipt::{BatchHeader, Details, Leaf};

pub(super) const TARGET: Target = Target { name: "leaf", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let world = sample::world();
    let leaves = world.leaves.iter().map(Encode::to_bytes).collect();
    let details = world.bound.iter().take(1).map(|(details, _)| details.to_bytes()).collect();
    let void = Leaf::void(5, 17, Height(900), Moment(1_800_000_000_000)).to_bytes();
    [leaves, vec![void], details].concat()
}

fn attempt(input: &[u8]) -> Reach {
    if let Some(details) = promise::compact::<Details>(input) {
        let _ = details.digest();
        return Reach::Decoded;
    }
    let Some(leaf) = promise::compact::<Leaf>(input) else { return Reach::Refused };
    let _ = leaf.mu();
    let hashes = lines_by_node(std::slice::from_ref(&leaf));
    let lines: usize = hashes.values().map(Vec::len).sum();
    assert_eq!(lines, leaf.lines.len(), "every line is somebody's");
    assert!(line_hash(&leaf, leaf.lines.len()).is_none(), "a hash of no line");
    match BatchHeader::of(1, 0, std::slice::from_ref(&leaf)) {
        None => {
            assert_eq!(leaf.price(), None, "only prices overflow");
            Reach::Decoded
        }
        Some(header) => {
            assert_eq!(Some(header.price), leaf.price(), "the batch costs what its leaf does");
            Reach::Used
        }
    }
}
