//! Decisions made again: those by which calls were admitted, which their receipts bind, and
//! those by which calls were refused of late.
//!
//! What was spent and held at that time is the gateway's word. What the ledger says for ever
//! of a grant (when it was accepted, under which terms, for where, and from when it no longer
//! held) must be what was decided by.

use super::Findings;
use ambar_base::{Cid, codec};
use ambar_consensus::replay::Replayed;
use ambar_gateway::journal::JournalError;
use ambar_gateway::record::Metered;
use ambar_gateway::refusals::Refusals;
use ambar_ledger::object::Grant;
use ambar_ledger::query::State;
use ambar_ledger::{Key, Refusal};
use ambar_licence::{CallFacts, DecisionRecord, PartFacts, Terms, Territory};
use ambar_receipt::decision::admits;
use std::collections::HashMap;

/// The state that the audit made again.
struct Again<'a>(&'a Replayed);

impl State for Again<'_> {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        use ambar_consensus::State as _;
        let found = self.0.state.get(key);
        let found = found.map_err(|error| {
            Refusal::new(ambar_base::ErrorCode::LedgerCorrupt, error.to_string())
        })?;
        Ok(found.map(|bytes| bytes.to_vec()))
    }
}

/// Decides again by the state that the audit made again.
pub(super) struct Decisions<'a> {
    state: Again<'a>,
    terms: HashMap<Cid, Terms>,
    grants: HashMap<u64, Grant>,
}

impl<'a> Decisions<'a> {
    pub(super) fn new(replayed: &'a Replayed) -> Self {
        Self { state: Again(replayed), terms: HashMap::new(), grants: HashMap::new() }
    }

    /// The decision that admitted a call which was charged.
    pub(super) fn admitted(&mut self, metered: &Metered, findings: &mut Findings) {
        let Some(details) = &metered.details else { return };
        let mut again = || {
            let bytes = metered.decision.as_ref().ok_or("its decision is not kept")?;
            let record: DecisionRecord = codec::decode(bytes).map_err(|error| error.to_string())?;
            if record.digest() != details.decision || details.digest() != metered.leaf.details {
                return Err("its decision is not the one that it binds".to_owned());
            }
            admits(&record, &metered.leaf).map_err(|error| error.to_string())?;
            self.replay(&record)
        };
        match again() {
            Ok(()) => findings.decisions += 1,
            Err(why) => findings.problem(format!("receipt {}: {why}", metered.receipt())),
        }
    }

    /// The decisions that refused.
    pub(super) fn refusals(
        &mut self,
        refusals: &Refusals,
        findings: &mut Findings,
    ) -> Result<(), JournalError> {
        refusals.each(|record| {
            // What was decided after the audited block is for the next audit.
            let later = |record: &DecisionRecord| record.facts.height > findings.height;
            if record.as_ref().is_ok_and(later) {
                return;
            }
            let again = record.map_err(|error| error.to_string());
            match again.and_then(|record| self.refused(&record)) {
                Ok(()) => findings.refusals += 1,
                Err(why) => findings.problem(why),
            }
        })
    }

    fn refused(&mut self, record: &DecisionRecord) -> Result<(), String> {
        self.replay(record).map_err(|why| {
            let CallFacts { channel, now, .. } = record.facts;
            format!("a call on channel {channel}, refused at {} ms: {why}", now.0)
        })
    }

    fn replay(&mut self, record: &DecisionRecord) -> Result<(), String> {
        for part in &record.facts.parts {
            self.look_up(part).map_err(|refusal| refusal.message)?;
            self.grounded(&record.facts, part)?;
        }
        record.replay(|id| self.terms.get(id)).map_err(|error| error.to_string())
    }

    fn look_up(&mut self, part: &PartFacts) -> Result<(), Refusal> {
        if !self.terms.contains_key(&part.terms) {
            self.terms.insert(part.terms, self.state.terms(&part.terms)?);
        }
        if !self.grants.contains_key(&part.grant) {
            let grant = self.state.must("grant", part.grant, &Key::Grant(part.grant))?;
            self.grants.insert(part.grant, grant);
        }
        Ok(())
    }

    /// What was said of a grant is what the ledger says.
    fn grounded(&self, facts: &CallFacts, part: &PartFacts) -> Result<(), String> {
        let Some(grant) = self.grants.get(&part.grant) else { return Ok(()) };
        let territory = part.view.territory.map(Territory::as_str);
        let revoked = grant.revoked.is_some_and(|height| height <= facts.height);
        let held = (grant.accepted, grant.territory.as_deref(), revoked);
        // A decision is about the state after its block, in which a revocation of that block
        // stands that names the next height.
        let soon = grant.revoked.is_some_and(|height| height <= facts.height.after(1));
        let said = (part.view.accepted, territory, part.view.revoked);
        let agrees = said == held || (soon && said == (held.0, held.1, true));
        if agrees && (grant.terms == part.terms || !part.view.licensee_ok) {
            return Ok(());
        }
        Err(format!("what was decided by is not what the ledger says of grant {}", part.grant))
    }
}
