//! What the ledger settles, a receipt shows: facts of a real settlement, verified offline.

use crate::world::story::story;
use crate::world::{key, proof};
use ambar_receipt::{Leaf, verify};

#[test]
fn what_settles_verifies_offline() {
    let mut story = story();
    let (last, mut treasury) = (story.leaf(2), story.leaf(1));
    treasury.lines[2].shares.clear();
    let void = Leaf::void(story.channel, 0, last.admitted, last.time);
    let (node, leaves) = (story.node, [void, treasury, last]);
    for document in proof::settle(&mut story.world, "operator", node, &leaves) {
        let file = document.seal(&key("operator's node"));
        let report = verify(&file, Some(&proof::checkpoint(&story.world)));
        assert!(report.ok, "{report:#?}");
    }
}
