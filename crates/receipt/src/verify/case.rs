//! A receipt whose parts can be read, and the order in which it is checked.

use super::facts::Facts;
use super::report::{Checks, Fault, Verdict};
use super::{amounts, decision, documents, inclusion, shares, split};
use crate::batch::SignedBatch;
use crate::export::{Kind, ReceiptDocument, Sealed, Settlement};
use crate::leaf::{CallOutcome, DECLARATION_BYTES_MAX, Details, LINES_MAX, Leaf, Line};
use crate::outcome::{BatchOutcome, TransactionOutcome};
use ambar_base::codec::{self, Decode, DecodeError, Reader};
use ambar_base::{Digest, OutcomeProof, PublicKey};
use std::collections::BTreeMap;

/// The tag of a settled batch among the ledger's results of operations.
pub(super) const RESULT_SETTLED: u8 = 7;

/// A receipt's parts.
pub(super) struct Case<'a> {
    pub document: &'a ReceiptDocument,
    /// The key that sealed the file.
    pub key: PublicKey,
    pub leaf: &'a Leaf,
    pub batch: SignedBatch,
    /// Where the batch settled, if the file says and it can be read.
    pub settled: Option<Settled>,
    pub documents: BTreeMap<Kind, BTreeMap<Digest, &'a [u8]>>,
    pub facts: Facts,
}

/// Where a batch settled.
pub(super) struct Settled {
    /// The transaction's outcome, as the block's tree holds it.
    pub outcome: Vec<u8>,
    pub batch: BatchOutcome,
    pub proof: OutcomeProof,
}

/// The ledger's result of an operation, if it is that of a settled batch.
struct SettledResult(BatchOutcome);

impl Decode for SettledResult {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.tag()? {
            RESULT_SETTLED => Decode::decode(reader).map(Self),
            tag => Err(DecodeError::Tag(tag)),
        }
    }
}

impl Settled {
    pub(super) fn read(settlement: &Settlement) -> Result<Self, Fault> {
        let outcome: TransactionOutcome =
            codec::decode(&settlement.outcome).map_err(Fault::failed)?;
        let index = usize::try_from(settlement.result).ok();
        let result = index.and_then(|index| outcome.results.get(index));
        let result = result.ok_or(Fault::failed("the outcome has no such result"))?;
        let SettledResult(batch) = codec::decode(result).map_err(|error| {
            Fault::failed(format!("the result is not that of a settled batch: {error}"))
        })?;
        let proof = codec::decode(&settlement.proof).map_err(Fault::failed)?;
        Ok(Self { outcome: settlement.outcome.clone(), batch, proof })
    }
}

/// A leaf that the ledger could have settled.
pub(super) fn well_formed(leaf: Leaf) -> Result<Leaf, Fault> {
    if leaf.outcome == CallOutcome::Void {
        let blank = Leaf::void(leaf.channel, leaf.n, leaf.admitted, leaf.time);
        let void = leaf == blank;
        return if void { Ok(leaf) } else { Err(Fault::failed("a void leaf carries nothing")) };
    }
    if !(1..=LINES_MAX).contains(&leaf.lines.len()) {
        return Err(Fault::failed(format!("a call has 1 to {LINES_MAX} lines")));
    }
    let declared = [&leaf.purpose, &leaf.territory];
    if declared.into_iter().flatten().any(|text| text.len() > DECLARATION_BYTES_MAX) {
        return Err(Fault::failed("a declaration is too long"));
    }
    Ok(leaf)
}

impl<'a> Case<'a> {
    pub(super) fn new(
        sealed: &'a Sealed,
        leaf: &'a Leaf,
        batch: SignedBatch,
        settled: Option<Settled>,
    ) -> Self {
        let document = &sealed.document;
        let by_digest = |kind: Kind| (kind, document.preimages.by_digest(kind));
        Self {
            document,
            key: sealed.key,
            leaf,
            batch,
            settled,
            documents: Kind::ALL.into_iter().map(by_digest).collect(),
            facts: Facts::read(&document.facts, leaf.admitted),
        }
    }

    /// Makes every check that can be made.
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.add("facts-complete", self.facts_complete());
        checks.add("facts-root", inclusion::facts_root(self));
        checks.add("outcome-path", inclusion::outcome_path(self));
        checks.add("batch-outcome", inclusion::batch_outcome(self));
        checks.add("gateway", inclusion::gateway(self));
        checks.add("batch-signature", inclusion::batch_signature(self));
        checks.add("leaf-path", inclusion::leaf_path(self));
        checks.add("line-paths", inclusion::line_paths(self));
        checks.add("node-signatures", inclusion::node_signatures(self));
        for (name, kind) in documents::CHECKS {
            checks.add(name, documents::digests(self, kind));
        }
        checks.add("grants", documents::grants(self));
        checks.add("mu", amounts::mu(self));
        checks.add("royalty", amounts::royalty(self));
        checks.add("node-fee", amounts::node_fee(self));
        checks.add("network-fee", amounts::network_fee(self));
        checks.add("price", amounts::price(self));
        match split::payments(self) {
            Ok((payments, detail)) => {
                checks.pay(payments);
                checks.add("split", Ok(detail));
            }
            Err(fault) => checks.add("split", Err(fault)),
        }
        checks.add("shares", shares::recomputed(self));
        let told = |_| "The details are those that the leaf binds.".into();
        checks.add("details", self.details().map(told));
        checks.add("decision", decision::replayed(self));
    }

    fn facts_complete(&self) -> Verdict {
        // Whom a line pays is not known without its plan.
        let attested = |line: &&Line| self.facts.version(line.version).is_ok();
        for line in self.leaf.lines.iter().filter(attested) {
            documents::plan(self, line.version)?;
        }
        // Nor, without its grant's terms, whether these have tiers.
        let attested = |line: &&Line| self.facts.grant(line.grant).is_ok();
        for line in self.leaf.lines.iter().filter(attested) {
            documents::terms(self, line.grant)?;
        }
        let plan = |version| documents::plan(self, version).ok();
        let tiered =
            |grant| documents::terms(self, grant).is_ok_and(|terms| !terms.tiers.is_empty());
        self.facts.complete(self.leaf, self.batch.header.gateway, plan, tiered)
    }

    /// What the leaf binds without showing it.
    pub(super) fn details(&self) -> Result<Details, Fault> {
        let Some(bytes) = &self.document.details else {
            return Err(Fault::absent("the file does not show the details to its reader"));
        };
        let details: Details = codec::decode(bytes).map_err(Fault::failed)?;
        if details.digest() == self.leaf.details {
            Ok(details)
        } else {
            Err(Fault::failed("the details are not those that the leaf binds"))
        }
    }
}
