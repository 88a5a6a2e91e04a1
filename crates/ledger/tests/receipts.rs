//! What the ledger settles, a receipt shows: facts of a real settlement, verified offline.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod world;

use ambar_base::finality::root_over;
use ambar_base::tree::{Tree, leaf_hash};
use ambar_base::{
    BlockHeader, Checkpoint, Committee, Digest, Encode, FinalHeader, OutcomeProof, Round,
    SecretKey, StateCommitment,
};
use ambar_ledger::Key;
use ambar_ledger::object::Version;
use ambar_ledger::query::State as _;
use ambar_ledger::transaction::Operation;
use ambar_receipt::export::{Parts, Preimages, Settlement};
use ambar_receipt::{Leaf, ReceiptDocument, Tariff, verify};
use world::key;
use world::story::{Story, story};

fn preimages(story: &Story) -> Preimages {
    let mut preimages = Preimages::default();
    preimages.tariffs.push(Tariff::standard().encode().into());
    for (number, _) in story.parts {
        let ledger = &story.world.ledger;
        let version: Version = ledger.must("version", number, &Key::Version(number)).unwrap();
        preimages.plans.push(version.plan.to_bytes().into());
        preimages.terms.push(ledger.terms(&version.terms).unwrap().to_document().into());
    }
    preimages
}

/// The only validator.
fn validator() -> SecretKey {
    key("network")
}

fn checkpoint(story: &Story) -> Checkpoint {
    let committee = Committee::new(0, vec![validator().public()]).unwrap();
    Checkpoint { network: story.world.network, committee }
}

/// A block of one transaction, certified as the orderer would.
fn settlement(story: &Story, outcome: Vec<u8>) -> Settlement {
    let outcomes = [Vec::new(), outcome.clone()];
    let header = BlockHeader {
        network: story.world.network,
        protocol: 1,
        height: story.world.ledger.height(),
        time: story.world.ledger.time(),
        parent: Digest::ZERO,
        round: Round { epoch: 0, view: 2, parent_view: 1, leader: validator().public() },
        outcomes: 2,
        transactions_root: Digest::ZERO,
        outcomes_root: root_over(outcomes.iter().map(Vec::as_slice)),
        writes_digest: Digest::ZERO,
        state: StateCommitment {
            root: Digest::ZERO,
            operations_root: Digest::ZERO,
            first: 0,
            end: 0,
        },
        next_committee: None,
    };
    let Checkpoint { network, committee } = checkpoint(story);
    let certificate = committee.certify(network, &header.digest(), (2, 1), &[validator()]);
    let block = FinalHeader { header, descendants: Vec::new(), certificate };
    let path = Tree::new(outcomes.iter().map(|bytes| leaf_hash(bytes)).collect()).path(1);
    let proof = OutcomeProof { block, index: 1, path, handovers: Vec::new() }.to_bytes();
    Settlement { outcome, proof, result: 0 }
}

#[test]
fn what_settles_verifies_offline() {
    let mut story = story();
    let (last, mut treasury) = (story.leaf(2), story.leaf(1));
    treasury.lines[2].shares.clear();
    let void = Leaf::void(story.channel, 0, last.admitted, last.time);
    let leaves = vec![void, treasury, last];
    let secret = key("operator's node");
    let envelope = story.world.settlement("operator", story.node, leaves.clone());
    let [Operation::Settle(settle)] = &envelope.operations[..] else { unreachable!() };
    let batch = settle.batch.clone();
    let outcome = story.world.ledger.apply(&envelope.sign(&secret).to_bytes()).unwrap();
    let place = Key::Facts((story.node, batch.header.number));
    let facts: Vec<Vec<u8>> = story.world.ledger.must("facts", 0, &place).unwrap();
    for index in 0..leaves.len() {
        let document = ReceiptDocument::assemble(Parts {
            network: story.world.network,
            batch: &batch,
            leaves: &leaves,
            index,
            details: None,
            decision: None,
            facts: &facts,
            settlement: Some(settlement(&story, outcome.clone())),
            preimages: &preimages(&story),
        });
        let file = document.unwrap().seal(&secret);
        let report = verify(&file, Some(&checkpoint(&story)));
        assert!(report.ok, "{report:#?}");
    }
}
