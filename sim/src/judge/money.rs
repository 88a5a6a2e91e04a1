//! Money is conserved, nothing is paid twice, and nothing is paid that nobody made.

use super::Case;
use crate::told::{Answer, Record};
use ambar_base::codec;
use ambar_consensus::Block;
use ambar_ledger::{Operation, SignedTransaction, invariants};
use ambar_receipt::Leaf;
use std::collections::BTreeSet;

/// The ledger's own invariants on every state, and what the chain holds against what clients
/// made and were told.
pub(super) fn judge(case: &Case<'_>, broken: &mut Vec<String>) {
    for witness in &case.ended.witnesses {
        let entries = witness.state.iter();
        let entries = entries.map(|(key, value)| (key.as_slice(), value.as_ref()));
        if let Err(violation) = invariants::check(entries) {
            broken.push(format!("money: member {}: {violation}", witness.member));
        }
    }
    let Some(longest) = case.longest() else { return };
    once(&longest.blocks, broken);
    invented(&longest.blocks, case.record, broken);
    for answer in &case.record.answers {
        if case.is_honest(answer.member) && !holds(&longest.blocks, answer) {
            let Answer { member, height, index, .. } = answer;
            broken.push(format!(
                "money: member {member} said that a transaction is final at height {height}, \
                 place {index}, and it is not"
            ));
        }
    }
}

fn transactions(blocks: &[Block]) -> impl Iterator<Item = (u64, &Vec<u8>)> {
    blocks.iter().flat_map(|block| {
        let height = block.finality.header.height.0;
        block.transactions.iter().map(move |transaction| (height, transaction))
    })
}

fn once(blocks: &[Block], broken: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (height, transaction) in transactions(blocks) {
        if !seen.insert(transaction) {
            broken.push(format!("money: a transaction is final again at height {height}"));
        }
    }
}

fn leaves(transaction: &[u8]) -> Vec<Leaf> {
    let Ok(signed) = codec::decode::<SignedTransaction>(transaction) else { return Vec::new() };
    let operations = signed.envelope.operations.into_iter();
    let leaves = operations.filter_map(|operation| match operation {
        Operation::Settle(settle) => Some(settle.leaves),
        _ => None,
    });
    leaves.flatten().collect()
}

fn invented(blocks: &[Block], record: &Record, broken: &mut Vec<String>) {
    let mut settled = BTreeSet::new();
    for (height, transaction) in transactions(blocks) {
        if record.forged.contains(transaction) {
            broken.push(format!("money: a forged settlement is final at height {height}"));
        }
        for leaf in leaves(transaction) {
            let (channel, n) = (leaf.channel, leaf.n);
            if !record.calls.contains(&leaf.call) {
                broken.push(format!("money: call {channel}-{n} was paid and never made"));
            }
            if !settled.insert((channel, n)) {
                broken.push(format!("money: call {channel}-{n} was paid twice"));
            }
        }
    }
}

fn holds(blocks: &[Block], answer: &Answer) -> bool {
    let block = usize::try_from(answer.height).ok().and_then(|height| blocks.get(height));
    let place = usize::try_from(answer.index).ok().and_then(|index| index.checked_sub(1));
    let found = block.zip(place).and_then(|(block, place)| block.transactions.get(place));
    found.is_some_and(|transaction| *transaction == answer.transaction)
}
