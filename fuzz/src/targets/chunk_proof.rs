//! Proofs of single groups of a content, and outboards.

use crate::{Reach, Target, promise};
use ambar_base::Encode;
use ambar_capsule::chunks::{
    CHAINING_VALUE_BYTES, ChunkTree, GROUP_BYTES, GroupProof, Outboard, VerifiedOutboard,
};
use std::sync::OnceLock;

pub(super) const TARGET: Target = Target { name: "chunk_proof", seeds, attempt };

/// Five groups, the last one short.
const CONTENT_BYTES: usize = 4 * GROUP_BYTES + 100;

struct Known {
    content: Vec<u8>,
    tree: ChunkTree,
    outboard: VerifiedOutboard,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let content: Vec<u8> = (0..CONTENT_BYTES).map(|at| (at / 7) as u8).collect();
        let tree = ChunkTree::of(&content).expect("the content is short");
        let outboard = tree.outboard.clone().verify(&tree.root).expect("it is the tree's own");
        Known { content, tree, outboard }
    })
}

/// Which group is shown with which proof.
type Shown = (GroupProof, u64);

fn seeds() -> Vec<Vec<u8>> {
    let Known { tree, outboard, .. } = known();
    let shown = |index| (outboard.prove(index).expect("the group exists"), index);
    let proofs = (0..outboard.groups()).map(|index| Encode::to_bytes(&shown(index)));
    // The root alone is the outboard of a content of one group that nobody has.
    proofs.chain([tree.outboard.as_bytes().to_vec(), tree.root.0.to_vec()]).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let verified = outboard_verifies(input);
    let Some((proof, group)) = promise::compact::<Shown>(input) else {
        return if verified { Reach::Used } else { Reach::Refused };
    };
    let (known, groups) = (known(), known().outboard.groups());
    let bytes = known.content.chunks(GROUP_BYTES).nth((group % groups) as usize).unwrap_or(&[]);
    match proof.verify(&known.tree.root, bytes) {
        Err(_) => Reach::Decoded,
        Ok(last) => {
            assert_eq!(proof.index, group % groups, "a group stands in two places");
            assert_eq!(last, proof.index + 1 == groups, "the content's length is not bound");
            assert_eq!(known.outboard.prove(proof.index).as_ref(), Ok(&proof), "two proofs");
            Reach::Used
        }
    }
}

/// Several outboards have one root, because one may stop above the groups: no bytes verify
/// by any but the whole one, nor at another place.
fn outboard_verifies(input: &[u8]) -> bool {
    let Ok(outboard) = Outboard::from_bytes(input) else { return false };
    assert!(outboard.as_bytes() == input, "an outboard has one spelling");
    assert_eq!(input.len() % CHAINING_VALUE_BYTES, 0, "chaining values are whole");
    let Known { content, tree, .. } = known();
    let Ok(verified) = outboard.verify(&tree.root) else { return false };
    let whole = input == tree.outboard.as_bytes();
    for (place, bytes) in (0..).zip(content.chunks(GROUP_BYTES)) {
        for index in 0..verified.groups() {
            let checked = verified.check_group(index, bytes).is_ok();
            assert_eq!(checked, whole && index == place, "a group stands at its place only");
        }
    }
    true
}
