//! Receipts whose blocks are not kept, against the proofs that are.
//!
//! **Invariant**: a batch counts as settled only if its kept proof leads from the network's
//! first committee to a final outcome that names this batch's header, and its receipts make
//! that header again.

use ambar_base::{Checkpoint, Height};
use ambar_consensus::Consensus;
use ambar_gateway::archive::{Archive, ArchiveError, ArchivedBatch};
use ambar_ledger::Genesis;
use ambar_receipt::BatchHeader;
use std::collections::BTreeMap;

/// What is known of old batches so far.
pub(super) struct Proofs<'a> {
    consensus: &'a dyn Consensus,
    archive: &'a Archive,
    /// The committee of an epoch, reached from genesis.
    trusted: BTreeMap<u64, Checkpoint>,
    batches: BTreeMap<u64, Result<(), String>>,
}

impl<'a> Proofs<'a> {
    pub(super) fn new(
        genesis: &Genesis,
        consensus: &'a dyn Consensus,
        archive: &'a Archive,
    ) -> Self {
        let first = genesis.checkpoint().map(|trusted| (0, trusted));
        Self { consensus, archive, trusted: first.into_iter().collect(), batches: BTreeMap::new() }
    }

    /// Whether a batch settled, or why that is not shown.
    pub(super) fn settled(
        &mut self,
        batch: &ArchivedBatch,
    ) -> Result<Result<(), String>, ArchiveError> {
        let number = batch.batched.batch.header.number;
        if let Some(known) = self.batches.get(&number) {
            return Ok(known.clone());
        }
        let found = self.find(batch)?;
        self.batches.insert(number, found.clone());
        Ok(found)
    }

    fn find(&mut self, batch: &ArchivedBatch) -> Result<Result<(), String>, ArchiveError> {
        let (header, height) = (&batch.batched.batch.header, batch.height);
        let Some(settled) = self.archive.settled(header.number)? else {
            let no_proof = format!("block {height} is not kept, and no proof that it settled");
            return Ok(Err(no_proof));
        };
        let leaves = self.archive.leaves(batch)?.unwrap_or_default();
        let again = BatchHeader::of(header.gateway, header.number, &leaves);
        if again.as_ref() != Some(header) {
            return Ok(Err("the receipts of its batch are not those that were signed".into()));
        }
        let epoch = settled.proof.block.certificate.epoch;
        Ok(self.trusted(epoch, height).and_then(|trusted| {
            settled.verify(header, &trusted).map_err(|error| format!("its proof fails: {error}"))
        }))
    }

    fn trusted(&mut self, epoch: u64, height: Height) -> Result<Checkpoint, String> {
        let lost = || format!("nothing leads from genesis to the committee of block {height}");
        let (since, nearest) = self.trusted.range(..=epoch).next_back().ok_or_else(lost)?;
        let handovers = self.consensus.handovers(*since, epoch);
        let handovers = handovers.map_err(|error| error.to_string())?;
        let reached = nearest.clone().reach(epoch, &handovers).map_err(|_| lost())?;
        self.trusted.insert(epoch, reached.clone());
        Ok(reached)
    }
}
