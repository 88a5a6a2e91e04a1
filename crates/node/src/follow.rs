//! Following final blocks into the index.
//!
//! The index needs what the ledger attested about a batch, which the state forgets after
//! the settlement window. While the index is that close to the head, blocks are taken in
//! with the engine's state; an index that fell behind, or whose next block is not kept any
//! more, is built again on a ledger of its own: from genesis, or from the oldest block that is
//! kept.

use crate::error::NodeError;
use crate::progress::{Busy, Gauge, Phase};
use ambar_base::Height;
use ambar_consensus::{Block, Consensus, History, StoreError};
use ambar_gateway::view::LedgerView;
use ambar_index::{BlockInput, Index, IndexError};
use ambar_ledger::query::State;
use ambar_ledger::{Genesis, MemoryLedger};
use ambar_machine::rules;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Memory for the index's page cache, bytes.
pub(crate) const INDEX_CACHE_BYTES: usize = 4 << 20;
/// How long the follower waits after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(1);

fn input(block: &Block) -> BlockInput<'_> {
    let header = &block.finality.header;
    BlockInput {
        height: header.height,
        time: header.time,
        transactions: &block.transactions,
        outcomes: &block.outcomes,
    }
}

/// A block, or nothing if its votes are not stored yet: state comes first, so those of the `head`
/// and of a few below it may be on their way.
fn block_at(
    consensus: &dyn Consensus,
    height: Height,
    head: Height,
) -> Result<Option<Block>, NodeError> {
    let block = consensus.block(height)?;
    if block.is_some() || consensus.block(head)?.is_none() {
        return Ok(block);
    }
    let oldest = consensus.oldest()?;
    if height < oldest {
        let what = "the index lacks them, and is built again when the node is started";
        return Err(NodeError::NotKept { oldest, what });
    }
    Err(StoreError::Corrupt(format!("block {height} is missing")).into())
}

/// Takes in every final block that the index lacks.
pub(crate) fn catch_up(index: &Index, consensus: &dyn Consensus) -> Result<(), NodeError> {
    taken_in(index, consensus, &Gauge::default().begin(None))
}

fn taken_in(index: &Index, consensus: &dyn Consensus, busy: &Busy<'_>) -> Result<(), NodeError> {
    loop {
        let next = index.cursor().after(1);
        let view = LedgerView::latest(consensus)?;
        if view.head().height < next {
            return Ok(());
        }
        let Some(block) = block_at(consensus, next, view.head().height)? else { return Ok(()) };
        index.take(input(&block), &view)?;
        busy.at(Phase::Index, next.0, view.head().height.0);
    }
}

/// Opens the index and brings it up to the head.
pub(crate) fn open(
    directory: &std::path::Path,
    genesis: &Genesis,
    consensus: &dyn Consensus,
    gauge: &Gauge,
) -> Result<Index, NodeError> {
    let busy = gauge.begin(None);
    let index = Index::open(directory, genesis, INDEX_CACHE_BYTES)?;
    if is_near(&index, consensus)? {
        index.upgrade(&LedgerView::latest(consensus)?)?;
        return taken_in(&index, consensus, &busy).map(|()| index);
    }
    drop(index);
    Index::remove(directory)?;
    let index = rebuild(directory, genesis, consensus, &busy)?;
    taken_in(&index, consensus, &busy).map(|()| index)
}

/// Whether the state of now says all of the blocks that the index lacks, and they are here.
fn is_near(index: &Index, consensus: &dyn Consensus) -> Result<bool, NodeError> {
    let view = LedgerView::latest(consensus)?;
    let window = view.governance()?.parameters.latest().settlement_window;
    let known = index.cursor().after(window) >= view.head().height;
    Ok(known && index.cursor().after(1) >= consensus.oldest()?)
}

/// Takes in blocks with the state after each, from where they begin, until the settlement
/// window of the head begins.
fn rebuild(
    directory: &std::path::Path,
    genesis: &Genesis,
    consensus: &dyn Consensus,
    busy: &Busy<'_>,
) -> Result<Index, NodeError> {
    // Blocks are forgotten while they are taken in.
    let mut history = consensus.history()?;
    let (mut ledger, index) = beginning(directory, genesis, &history)?;
    tracing::info!(first = %index.first(), "building the index again");
    loop {
        while ledger.height() < history.head().height {
            let height = ledger.height().after(1);
            let missing = || StoreError::Corrupt(format!("block {height} is missing"));
            let block = history.block(height)?.ok_or_else(missing)?;
            apply(&mut ledger, &block)?;
            index.take(input(&block), &ledger)?;
            busy.at(Phase::Index, height.0, history.head().height.0);
        }
        if is_near(&index, consensus)? {
            return Ok(index.flush().map(|()| index)?);
        }
        history = consensus.history()?;
    }
}

/// An index with the ledger on which the blocks that it lacks are executed.
fn beginning(
    directory: &std::path::Path,
    genesis: &Genesis,
    history: &History,
) -> Result<(MemoryLedger, Index), NodeError> {
    let rules = rules(genesis).ok_or(NodeError::GenesisUnsound)?;
    let Some(base) = history.base(&rules)? else {
        let ledger = MemoryLedger::new(genesis).ok_or(NodeError::GenesisUnsound)?;
        return Ok((ledger, Index::open(directory, genesis, INDEX_CACHE_BYTES)?));
    };
    let header = &base.block.header;
    let entries = base.state.entries().map(|(key, value)| (key.to_vec(), value.to_vec()));
    let ledger = MemoryLedger::after(genesis.network(), (header.height, header.time), entries);
    let index = Index::begin(directory, genesis, &ledger, INDEX_CACHE_BYTES)?;
    Ok((ledger, index))
}

/// Executes a final block on a ledger in memory.
pub(crate) fn apply(ledger: &mut MemoryLedger, block: &Block) -> Result<(), NodeError> {
    ledger.begin(block.finality.header.time)?;
    for transaction in &block.transactions {
        ledger.apply(transaction)?;
    }
    let header = &block.finality.header;
    if header.next_committee.is_some() {
        ledger.end_epoch(header.round.epoch)?;
    }
    Ok(())
}

/// Follows the head until told to stop.
pub(crate) async fn follow(
    index: Arc<Index>,
    consensus: Arc<dyn Consensus>,
    stop: CancellationToken,
) {
    let mut head = consensus.watch();
    while !stop.is_cancelled() {
        let (index, engine) = (Arc::clone(&index), Arc::clone(&consensus));
        let caught_up = tokio::task::spawn_blocking(move || catch_up(&index, &*engine)).await;
        if let Ok(Err(error)) = caught_up {
            tracing::error!(%error, "the index does not follow the ledger");
            tokio::select! {
                () = tokio::time::sleep(RETRY_AFTER) => {}
                () = stop.cancelled() => {}
            }
            let built_again = matches!(
                error,
                NodeError::NotKept { .. } | NodeError::Index(IndexError::FactsForgotten(..))
            );
            if built_again {
                return;
            }
            continue;
        }
        tokio::select! {
            changed = head.changed() => if changed.is_err() { return },
            () = stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::settings;
    use crate::progress::Work;
    use ambar_base::finality::{Evidence, Handover, OutcomeProof};
    use ambar_base::{Digest, SecretKey};
    use ambar_chain::Chain;
    use ambar_consensus::{
        Committed, Fate, Head, Participation, Patience, Settings, StateView, Status, SubmitError,
        system_clock,
    };
    use ambar_machine::{LedgerMachine, genesis_state};
    use futures::future::BoxFuture;
    use tokio::sync::watch;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_index_that_fell_behind_is_built_again() {
        let key = SecretKey::from_seed(&[5; 32]);
        let mut genesis = Genesis::development(key.public(), [5; 32]);
        genesis.parameters.settlement_window = 2;
        genesis.epoch_blocks = 4;
        let patience = Patience::with_heartbeat(Duration::from_millis(2));
        let settings = Settings { patience, ..settings(rules(&genesis).unwrap(), &key) };
        let machine = Arc::new(LedgerMachine::new(genesis.network()));
        let ledger = tempfile::tempdir().unwrap();
        let state = genesis_state(&genesis).unwrap();
        let chain = Chain::open(ledger.path(), settings, machine, state, system_clock()).unwrap();
        let mut head = chain.watch();
        head.wait_for(|head| head.height.0 > 10).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let gauge = Gauge::default();
        let mut seen = gauge.watch();
        let index = open(directory.path(), &genesis, &chain, &gauge).unwrap();
        assert!(seen.has_changed().unwrap(), "the work was told");
        assert_eq!(*seen.borrow_and_update(), Work::default(), "and that it is over");
        assert!(index.cursor().0 > 10);
        let rows = index.statement(&genesis.account(key.public()), None, 10).unwrap();
        // What genesis gave, and the validator's bond.
        assert_eq!(rows.len(), 2);
        chain.shutdown().await;
    }

    /// A chain some of whose blocks are kept back.
    struct Partial {
        chain: Chain,
        lacks: fn(Height) -> bool,
    }

    impl Consensus for Partial {
        fn submit(
            &self,
            transaction: Vec<u8>,
        ) -> BoxFuture<'static, Result<Committed, SubmitError>> {
            self.chain.submit(transaction)
        }
        fn head(&self) -> Head {
            self.chain.head()
        }
        fn watch(&self) -> watch::Receiver<Head> {
            self.chain.watch()
        }
        fn read(&self) -> Result<StateView, StoreError> {
            self.chain.read()
        }
        fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
            if (self.lacks)(height) { Ok(None) } else { self.chain.block(height) }
        }
        fn oldest(&self) -> Result<Height, StoreError> {
            self.chain.oldest()
        }
        fn bodies_kept(&self) -> Option<u64> {
            self.chain.bodies_kept()
        }
        fn history(&self) -> Result<History, StoreError> {
            self.chain.history()
        }
        fn proof(&self, height: Height, index: u64) -> Result<Option<OutcomeProof>, StoreError> {
            self.chain.proof(height, index)
        }
        fn fate(&self, id: &Digest) -> Result<Fate, StoreError> {
            self.chain.fate(id)
        }
        fn status(&self) -> Status {
            self.chain.status()
        }
        fn participation(&self) -> Participation {
            self.chain.participation()
        }
        fn conflicts(&self) -> watch::Receiver<Vec<Evidence>> {
            self.chain.conflicts()
        }
        fn handovers(&self, since: u64, until: u64) -> Result<Vec<Handover>, StoreError> {
            self.chain.handovers(since, until)
        }
        fn shutdown(&self) -> BoxFuture<'static, ()> {
            self.chain.shutdown()
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn votes_that_come_later_are_waited_for_and_a_hole_is_not() {
        let key = SecretKey::from_seed(&[5; 32]);
        let genesis = Genesis::development(key.public(), [5; 32]);
        let patience = Patience::with_heartbeat(Duration::from_millis(2));
        let settings = Settings { patience, ..settings(rules(&genesis).unwrap(), &key) };
        let machine = Arc::new(LedgerMachine::new(genesis.network()));
        let ledger = tempfile::tempdir().unwrap();
        let state = genesis_state(&genesis).unwrap();
        let chain = Chain::open(ledger.path(), settings, machine, state, system_clock()).unwrap();
        let mut head = chain.watch();
        head.wait_for(|head| head.height.0 > 5).await.unwrap();
        let mut partial = Partial { chain, lacks: |height| height > Height(3) };
        let directory = tempfile::tempdir().unwrap();
        let index = open(directory.path(), &genesis, &partial, &Gauge::default()).unwrap();
        assert_eq!(index.cursor(), Height(3), "the votes of what follows are on their way");
        partial.lacks = |height| height == Height(4);
        let hole = catch_up(&index, &partial).unwrap_err();
        assert!(hole.to_string().contains("block 4 is missing"), "{hole}");
        partial.lacks = |_| false;
        catch_up(&index, &partial).unwrap();
        assert!(index.cursor() > Height(5));
        partial.shutdown().await;
    }

    /// A chain whose first blocks are forgotten, and an index that was lost.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_index_begins_where_the_blocks_begin() {
        let key = SecretKey::from_seed(&[5; 32]);
        let mut genesis = Genesis::development(key.public(), [5; 32]);
        genesis.parameters.settlement_window = 2;
        genesis.epoch_blocks = 64;
        let patience = Patience::with_heartbeat(Duration::from_millis(2));
        let bodies_kept = Some(100);
        let settings =
            Settings { patience, bodies_kept, ..settings(rules(&genesis).unwrap(), &key) };
        let machine = Arc::new(LedgerMachine::new(genesis.network()));
        let ledger = tempfile::tempdir().unwrap();
        let state = genesis_state(&genesis).unwrap();
        let chain = Chain::open(ledger.path(), settings, machine, state, system_clock()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let gauge = Gauge::default();
        let opened = || open(directory.path(), &genesis, &chain, &gauge).unwrap();
        drop(opened());
        chain.watch().wait_for(|head| head.height.0 > 130).await.unwrap();
        // The index stands at blocks that are gone.
        let index = opened();
        assert!(index.first().0 > 10, "{}", index.first());
        assert!(index.cursor().0 > 130);
        let rows = index.statement(&genesis.account(key.public()), None, 10).unwrap();
        assert_eq!(rows[0].entry.kind, ambar_index::EntryKind::Opening);
        let first = index.first();
        drop(index);
        assert_eq!(opened().first(), first, "and it goes on");
        chain.shutdown().await;
    }
}
