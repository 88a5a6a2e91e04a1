//! The audit: everything recomputed from genesis, or from the oldest state that is kept, and
//! compared with what is stored.
//!
//! Blocks are executed again by the engine's own replay, the invariants of the whole state
//! are checked with the ledger's own code, and every receipt that the gateway keeps is
//! compared with the leaf that settled, or with the proof that was kept when it did. The
//! decisions by which calls were admitted, and refused of late, are made again. From
//! genesis nothing here trusts the stored state; from a later block it trusts the state after
//! that block, which the report says.

mod decisions;
mod proofs;

use crate::api::dto::AuditReport;
use crate::engine::settings;
use crate::error::NodeError;
use crate::home::Home;
use crate::progress::{Busy, Gauge, Phase};
use ambar_base::{Amount, Digest, Height, Weight, codec};
use ambar_capsule::Plan;
use ambar_chain::Chain;
use ambar_consensus::replay::{self, Origin, ReplayError, Replayed};
use ambar_consensus::{
    Block, Consensus, History, Patience, Settings, State, StoreError, system_clock,
};
use ambar_gateway::archive::{Archive, ArchiveError};
use ambar_gateway::record::Metered;
use ambar_gateway::refusals::Refusals;
use ambar_gateway::{Gateway, GatewayError, ReceiptId};
use ambar_ledger::object::Version;
use ambar_ledger::transaction::{Operation, Settle, SignedTransaction};
use ambar_ledger::{Genesis, Key, invariants};
use ambar_machine::{LedgerMachine, genesis_state, rules};
use ambar_receipt::{CallOutcome, Leaf, bill};
use decisions::Decisions;
use proofs::Proofs;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Most problems that a report lists.
pub const PROBLEMS_MAX: usize = 100;
/// Receipts read from the archive at once.
const ARCHIVE_PAGE: usize = 1_000;
/// A ledger that is audited at rest makes no blocks.
const NO_HEARTBEAT: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a node keeps of calls.
#[derive(Clone, Copy)]
pub struct Receipts<'a> {
    /// Final receipts.
    pub archive: &'a Archive,
    /// Refusals.
    pub refusals: &'a Refusals,
    /// The gateway, if it runs: it has receipts that are not final.
    pub gateway: Option<&'a Gateway>,
}

impl<'a> Receipts<'a> {
    /// Those of a running gateway.
    #[must_use]
    pub fn of(gateway: &'a Gateway) -> Self {
        let (archive, refusals) = (gateway.archive(), gateway.refusals());
        Self { archive, refusals, gateway: Some(gateway) }
    }

    fn find(&self, id: ReceiptId) -> Result<Option<Arc<Metered>>, ArchiveError> {
        Ok(match self.gateway {
            Some(gateway) => gateway.receipt(id)?.map(|stored| stored.metered),
            None => self.archive.receipt(id)?.map(|archived| archived.metered),
        })
    }
}

/// What is audited.
pub struct Audit<'a> {
    /// The network.
    pub genesis: &'a Genesis,
    /// The ledger.
    pub consensus: &'a dyn Consensus,
    /// This node's number, if it is on the ledger.
    pub node: Option<u64>,
    /// Its receipts.
    pub receipts: Receipts<'a>,
    /// Where it tells how far it is.
    pub gauge: &'a Gauge,
    /// Whether only an audit from genesis will do.
    pub archive: bool,
}

/// A leaf of the chain.
struct OnChain {
    leaf: Digest,
    gateway: u64,
    charged: bool,
    /// Whether a receipt of it was found, and compared.
    compared: bool,
}

#[derive(Default)]
struct Findings {
    /// The first block that is executed again; 0 if genesis is made again.
    from: Height,
    height: Height,
    calls: u64,
    receipts: u64,
    settled: u64,
    decisions: u64,
    refusals: u64,
    debits: Amount,
    credits: Amount,
    problems: Vec<String>,
    leaves: HashMap<(u64, u64), OnChain>,
    plans: BTreeMap<u64, Plan>,
}

impl Findings {
    fn problem(&mut self, problem: impl std::fmt::Display) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem.to_string());
        }
    }

    fn report(mut self) -> AuditReport {
        if self.debits != self.credits {
            let (debits, credits) = (self.debits, self.credits);
            self.problem(format!("calls took {debits} credits and gave {credits}"));
        }
        AuditReport {
            ok: self.problems.is_empty(),
            from: self.from.0,
            height: self.height.0,
            calls: self.calls,
            receipts: self.receipts,
            settled: self.settled,
            decisions: self.decisions,
            refusals: self.refusals,
            debits: self.debits.to_string(),
            credits: self.credits.to_string(),
            problems: self.problems,
        }
    }
}

impl Audit<'_> {
    /// Recomputes everything. What disagrees is in the report; an error means that
    /// something could not be read.
    ///
    /// # Errors
    /// [`NodeError::NotKept`] if it has to begin at genesis, and blocks are not here any more.
    pub fn run(&self) -> Result<AuditReport, NodeError> {
        let busy = self.gauge.begin(None);
        let mut findings = Findings::default();
        let network = self.genesis.network();
        let machine = LedgerMachine::new(network);
        let genesis = genesis_state(self.genesis).ok_or(NodeError::GenesisUnsound)?;
        let rules = rules(self.genesis).ok_or(NodeError::GenesisUnsound)?;
        let origin = Origin { rules, machine: &machine, genesis };
        // Blocks are made and forgotten meanwhile.
        let history = self.consensus.history()?;
        if self.archive && history.oldest() > Height(0) {
            let (oldest, what) = (history.oldest(), "an audit of the archive begins at genesis");
            return Err(NodeError::NotKept { oldest, what });
        }
        match replayed(&history, &origin, &mut findings, &busy) {
            Err(ReplayError::Store(error)) => return Err(error.into()),
            Err(error) => findings.problem(error),
            Ok(replayed) => self.recomputed(&history, &replayed, &mut findings, &busy)?,
        }
        Ok(findings.report())
    }

    fn recomputed(
        &self,
        history: &History,
        replayed: &Replayed,
        findings: &mut Findings,
        busy: &Busy<'_>,
    ) -> Result<(), NodeError> {
        findings.height = replayed.head.height;
        let entries = replayed.state.entries().map(|(key, value)| (key, value.as_ref()));
        if let Err(violation) = invariants::check(entries) {
            findings.problem(violation);
        }
        for height in findings.from.0.max(1)..=replayed.head.height.0 {
            take_block(&block_at(history, height)?, replayed, findings);
            busy.at(Phase::Calls, height, replayed.head.height.0);
        }
        let mut decisions = Decisions::new(replayed);
        let compared = self.compare_receipts(&mut decisions, findings, busy);
        compared.map_err(GatewayError::Archive)?;
        let refusals = decisions.refusals(self.receipts.refusals, findings);
        Ok(refusals.map_err(GatewayError::Journal)?)
    }

    /// Every receipt of a charged call has its leaf on the chain, and the other way round.
    fn compare_receipts(
        &self,
        decisions: &mut Decisions<'_>,
        findings: &mut Findings,
        busy: &Busy<'_>,
    ) -> Result<(), ArchiveError> {
        let archive = self.receipts.archive;
        let mut proofs = Proofs::new(self.genesis, self.consensus, archive);
        let mut after = None;
        loop {
            let page = archive.receipts(after, ARCHIVE_PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.metered.receipt());
            for archived in page {
                let batch = archive.batch(archived.batch)?;
                match &batch {
                    // What settled after the audited block is for the next audit.
                    Some(batch) if batch.height > findings.height => {}
                    Some(batch) if batch.height < findings.from => {
                        let proven = proofs.settled(batch)?;
                        compare_proven(&archived.metered.leaf, proven, findings);
                    }
                    _ => compare(&archived.metered.leaf, findings),
                }
                if batch.is_none_or(|batch| batch.height <= findings.height) {
                    decisions.admitted(&archived.metered, findings);
                }
            }
            busy.at(Phase::Receipts, findings.receipts, findings.calls);
        }
        self.find_missing(decisions, findings)
    }

    /// Calls that settled and of which the archive had no receipt: a gateway that runs archives
    /// a little after the block, and has them until then.
    fn find_missing(
        &self,
        decisions: &mut Decisions<'_>,
        findings: &mut Findings,
    ) -> Result<(), ArchiveError> {
        let own = |on_chain: &OnChain| {
            Some(on_chain.gateway) == self.node && on_chain.charged && !on_chain.compared
        };
        let ids: Vec<(u64, u64)> = findings
            .leaves
            .iter()
            .filter(|(_, on_chain)| own(on_chain))
            .map(|(id, _)| *id)
            .collect();
        for (channel, n) in ids {
            let id = ReceiptId { channel, n };
            match self.receipts.find(id)? {
                Some(metered) => {
                    compare(&metered.leaf, findings);
                    decisions.admitted(&metered, findings);
                }
                None => findings.problem(format!("call {id} settled, but its receipt is missing")),
            }
        }
        Ok(())
    }
}

/// Executes every block that is kept up to the head, and compares the stored state.
fn replayed(
    history: &History,
    origin: &Origin<'_>,
    findings: &mut Findings,
    busy: &Busy<'_>,
) -> Result<Replayed, ReplayError> {
    let head = history.head().height.0;
    let block = |height| {
        busy.at(Phase::Blocks, height, head);
        block_at(history, height)
    };
    let replayed = match history.base(&origin.rules)? {
        None => replay::replay(origin, (0..=head).map(block))?,
        Some(base) => {
            findings.from = base.block.header.height.after(1);
            replay::replay_from(origin, base, (findings.from.0..=head).map(block))?
        }
    };
    busy.at(Phase::State, 0, 0);
    replay::compare(&replayed, &history.state()).map(|()| replayed)
}

fn block_at(history: &History, height: u64) -> Result<Block, StoreError> {
    let missing = || StoreError::Corrupt(format!("block {height} is missing"));
    history.block(Height(height))?.ok_or_else(missing)
}

/// Compares a receipt whose block is not kept with the proof that is.
fn compare_proven(leaf: &Leaf, proven: Result<(), String>, findings: &mut Findings) {
    if leaf.outcome == CallOutcome::Void {
        return;
    }
    findings.receipts += 1;
    match proven {
        Ok(()) => findings.settled += 1,
        Err(why) => findings.problem(format!("receipt {}-{}: {why}", leaf.channel, leaf.n)),
    }
}

fn compare(leaf: &Leaf, findings: &mut Findings) {
    if leaf.outcome == CallOutcome::Void {
        return;
    }
    findings.receipts += 1;
    let id = ReceiptId { channel: leaf.channel, n: leaf.n };
    let known = findings.leaves.get_mut(&(leaf.channel, leaf.n));
    let same = known.map(|on_chain| {
        on_chain.compared = true;
        on_chain.leaf == leaf.hash()
    });
    match same {
        Some(true) => findings.settled += 1,
        Some(false) => findings.problem(format!("receipt {id} is not the call that settled")),
        None => findings.problem(format!("receipt {id} did not settle")),
    }
}

fn take_block(block: &Block, replayed: &Replayed, findings: &mut Findings) {
    for transaction in &block.transactions {
        let Ok(transaction) = codec::decode::<SignedTransaction>(transaction) else {
            // The replay executed it, so it decodes.
            findings.problem(format!(
                "a transaction of block {} does not decode",
                block.finality.header.height
            ));
            continue;
        };
        for operation in &transaction.envelope.operations {
            if let Operation::Settle(settle) = operation {
                take_batch(settle, replayed, findings);
            }
        }
    }
}

fn take_batch(settle: &Settle, replayed: &Replayed, findings: &mut Findings) {
    let gateway = settle.batch.header.gateway;
    for leaf in &settle.leaves {
        let charged = leaf.outcome != CallOutcome::Void;
        let id = (leaf.channel, leaf.n);
        let on_chain = OnChain { leaf: leaf.hash(), gateway, charged, compared: false };
        if findings.leaves.insert(id, on_chain).is_some() {
            findings.problem(format!("call {}-{} settled twice", id.0, id.1));
        }
        if charged {
            findings.calls += 1;
            add_up(leaf, replayed, findings);
        }
    }
}

/// Adds what a call took and what it gave, each computed on its own.
fn add_up(leaf: &Leaf, replayed: &Replayed, findings: &mut Findings) {
    let mut given = Amount::ZERO;
    let mut give = |amount: Amount| given.0 = given.0.saturating_add(amount.0);
    for line in &leaf.lines {
        let paid = match plan(line.version, replayed, &mut findings.plans) {
            Some(plan) => bill::pay_line(line, plan, |_, amount| give(amount)),
            None => {
                let version = line.version;
                findings.problem(format!("capsule version {version} is not on the ledger"));
                Ok(())
            }
        };
        if let Err(error) = paid {
            findings.problem(format!("call {}-{}: {error}", leaf.channel, leaf.n));
        }
    }
    // How much of the fee burns does not change its sum.
    bill::pay_network_fee(leaf.network_fee, Weight::ONE, |_, amount| give(amount));
    let taken = leaf.price().map(Amount::from);
    let sums = (
        taken.and_then(|taken| findings.debits.checked_add(taken)),
        findings.credits.checked_add(given),
    );
    match sums {
        (Some(debits), Some(credits)) => (findings.debits, findings.credits) = (debits, credits),
        _ => findings.problem("the sum of all calls overflows"),
    }
}

/// The plan of a version, which never changes.
fn plan<'a>(
    version: u64,
    replayed: &Replayed,
    plans: &'a mut BTreeMap<u64, Plan>,
) -> Option<&'a Plan> {
    match plans.entry(version) {
        Entry::Occupied(known) => Some(known.into_mut()),
        Entry::Vacant(place) => {
            let bytes = replayed.state.get(&Key::Version(version).bytes()).ok()??;
            let object: Version = codec::decode(&bytes).ok()?;
            Some(place.insert(object.plan))
        }
    }
}

/// Audits a home that no node uses.
pub async fn audit_home(home: &Home) -> Result<AuditReport, NodeError> {
    let network = home.genesis.network();
    let genesis = genesis_state(&home.genesis).ok_or(NodeError::GenesisUnsound)?;
    let rules = rules(&home.genesis).ok_or(NodeError::GenesisUnsound)?;
    let patience = Patience::with_heartbeat(NO_HEARTBEAT);
    let bodies_kept = home.config()?.retention.blocks();
    let settings = Settings { patience, bodies_kept, ..settings(rules, &home.validator) };
    let machine = Arc::new(LedgerMachine::new(network));
    let clock = system_clock();
    let ledger = home.directory("ledger");
    let consensus = Chain::open(&ledger, settings, machine, genesis, clock)?;
    let report = audit_closed(home, &consensus);
    consensus.shutdown().await;
    report
}

fn audit_closed(home: &Home, consensus: &dyn Consensus) -> Result<AuditReport, NodeError> {
    use ambar_ledger::query::State as _;
    let directory = home.directory("journal");
    std::fs::create_dir_all(&directory).map_err(|error| NodeError::file(&directory, error))?;
    let archive =
        Archive::open(&directory.join("receipts.redb"), 1 << 20).map_err(GatewayError::Archive)?;
    let refusals = &Refusals::open(&directory).map_err(GatewayError::Journal)?;
    let view = ambar_gateway::view::LedgerView::latest(consensus)?;
    let node: Option<u64> = view.object(&Key::NodeNumber(home.node_key.public()))?;
    let receipts = Receipts { archive: &archive, refusals, gateway: None };
    let gauge = &Gauge::default();
    let genesis = &home.genesis;
    Audit { genesis, consensus, node, receipts, gauge, archive: false }.run()
}
