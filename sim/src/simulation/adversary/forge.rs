//! Proposing other blocks than the engine makes: the block that leaves is another, and the
//! engine's votes for its own leave as votes for that one.

use super::{Hand, Outgoing};
use ambar_base::finality::BlockHeader;
use ambar_chain::types::{ChainBlock, Sha};
use bytes::Bytes;
use commonware_codec::Encode as _;
use commonware_consensus::simplex::types::{Proposal, Vote};
use commonware_cryptography::Digestible as _;
use std::collections::HashMap;

/// Own blocks and what they were replaced by.
#[derive(Default)]
pub(super) struct Forge {
    replaced: HashMap<Sha, ChainBlock>,
    /// Votes that left the engine before their block did.
    held: Vec<Outgoing>,
}

/// Another header over these transactions.
pub(super) fn reforged(
    block: &ChainBlock,
    change: impl FnOnce(&mut BlockHeader, &mut Vec<Bytes>),
) -> Option<ChainBlock> {
    let (mut header, mut transactions) = (block.header().clone(), block.transactions().to_vec());
    change(&mut header, &mut transactions);
    header.transactions_root = ambar_consensus::block::root_of(&transactions);
    ChainBlock::new(header, transactions)
}

impl Forge {
    /// Sends what the engine sends, with own blocks replaced by what `change` makes of them.
    pub(super) fn send(
        &mut self,
        hand: &mut Hand,
        outgoing: Outgoing,
        change: impl FnOnce(&mut Hand, &ChainBlock) -> Option<ChainBlock>,
    ) {
        if let Some(block) = hand.own_block(&outgoing) {
            let digest = block.digest();
            let forge = || change(hand, &block).unwrap_or(block);
            let message = self.replaced.entry(digest).or_insert_with(forge).encode();
            hand.send(Outgoing { message, ..outgoing });
            for held in std::mem::take(&mut self.held) {
                self.send_vote(hand, held);
            }
            return;
        }
        self.send_vote(hand, outgoing);
    }

    fn send_vote(&mut self, hand: &mut Hand, outgoing: Outgoing) {
        let message = match Hand::vote(&outgoing) {
            Some(Vote::Notarize(vote)) if hand.leads(vote.proposal.round) => {
                match self.replacing(&vote.proposal) {
                    None => return self.held.push(outgoing),
                    Some(proposal) => hand.notarize(proposal),
                }
            }
            Some(Vote::Finalize(vote)) => {
                self.replacing(&vote.proposal).and_then(|proposal| hand.finalize(proposal))
            }
            _ => None,
        };
        let message = message.unwrap_or_else(|| outgoing.message.clone());
        hand.send(Outgoing { message, ..outgoing });
    }

    fn replacing(&self, proposal: &Proposal<Sha>) -> Option<Proposal<Sha>> {
        let forged = self.replaced.get(&proposal.payload)?;
        Some(Proposal { payload: forged.digest(), ..proposal.clone() })
    }
}
