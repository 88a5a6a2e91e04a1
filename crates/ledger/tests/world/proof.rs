//! From a settled batch to receipt files, as a node with one validator makes them.

use super::{World, key};
use ambar_base::finality::root_over;
use ambar_base::tree::{Tree, leaf_hash};
use ambar_base::{
    BlockHeader, Checkpoint, Committee, Digest, Encode, FinalHeader, OutcomeProof, Round,
    SecretKey, StateCommitment,
};
use ambar_ledger::Key;
use ambar_ledger::object::{Grant, Version};
use ambar_ledger::query::State as _;
use ambar_ledger::transaction::Operation;
use ambar_receipt::export::{Parts, Preimages, Settlement};
use ambar_receipt::{Leaf, ReceiptDocument, Tariff};
use std::collections::BTreeSet;

fn preimages(world: &World, leaf: &Leaf) -> Preimages {
    let mut preimages = Preimages::default();
    preimages.tariffs.push(Tariff::standard().encode().into());
    let lines: BTreeSet<_> = leaf.lines.iter().map(|line| (line.version, line.grant)).collect();
    for (version, grant) in lines {
        let ledger = &world.ledger;
        let version: Version = ledger.must("version", version, &Key::Version(version)).unwrap();
        let grant: Grant = ledger.must("grant", grant, &Key::Grant(grant)).unwrap();
        preimages.plans.push(version.plan.to_bytes().into());
        preimages.terms.push(ledger.terms(&grant.terms).unwrap().to_document().into());
    }
    preimages
}

/// The only validator.
fn validator() -> SecretKey {
    key("network")
}

/// What somebody trusts who knows the validator.
pub fn checkpoint(world: &World) -> Checkpoint {
    let committee = Committee::new(0, vec![validator().public()]).unwrap();
    Checkpoint { network: world.network, committee }
}

/// A block of one transaction, certified as the orderer would.
fn settlement(world: &World, outcome: Vec<u8>) -> Settlement {
    let outcomes = [Vec::new(), outcome.clone()];
    let header = BlockHeader {
        network: world.network,
        protocol: 1,
        height: world.ledger.height(),
        time: world.ledger.time(),
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
    let Checkpoint { network, committee } = checkpoint(world);
    let certificate = committee.certify(network, &header.digest(), (2, 1), &[validator()]);
    let block = FinalHeader { header, descendants: Vec::new(), certificate };
    let path = Tree::new(outcomes.iter().map(|bytes| leaf_hash(bytes)).collect()).path(1);
    let proof = OutcomeProof { block, index: 1, path, handovers: Vec::new() }.to_bytes();
    Settlement { outcome, proof, result: 0 }
}

/// Settles leaves by the gateway of `name`; the receipt of each.
pub fn settle(world: &mut World, name: &str, node: u64, leaves: &[Leaf]) -> Vec<ReceiptDocument> {
    let secret = key(&format!("{name}'s node"));
    let envelope = world.settlement(name, node, leaves.to_vec());
    let [Operation::Settle(settle)] = &envelope.operations[..] else { unreachable!() };
    let batch = settle.batch.clone();
    let outcome = world.ledger.apply(&envelope.sign(&secret).to_bytes()).unwrap();
    let place = Key::Facts((node, batch.header.number));
    let facts: Vec<Vec<u8>> = world.ledger.must("facts", 0, &place).unwrap();
    let document = |index: usize| {
        let document = ReceiptDocument::assemble(Parts {
            network: world.network,
            batch: &batch,
            leaves,
            index,
            details: None,
            decision: None,
            facts: &facts,
            settlement: Some(settlement(world, outcome.clone())),
            preimages: &preimages(world, &leaves[index]),
        });
        document.unwrap()
    };
    (0..leaves.len()).map(document).collect()
}
