//! Making, checking and finishing blocks, as the engine asks for it.
//!
//! **Invariant**: what `propose` makes, `process` accepts on every node that has the
//! parent's state; a block whose header says anything else than executing it gives is
//! refused. Whether a block is accepted follows from it and its parents alone, so that all
//! nodes say the same of it.

use crate::catch_up::{LOOK_EVERY, needs_votes};
use crate::state::Storing;
use crate::states::{Batch, Sealed, States};
use crate::types::{ChainBlock, Context, Scheme, our_round};
use crate::votes::certificate;
use ambar_base::finality::{BlockHeader, Certificate};
use ambar_base::{Digest, Moment};
use ambar_consensus::Doubtful;
use ambar_consensus::block::Writes;
use ambar_consensus::core::{Core, unexpired};
use ambar_consensus::database::Finalized;
use ambar_consensus::draft::{Draft, Executed, Placing};
use ambar_consensus::engine::Head;
use ambar_consensus::error::{Fault, StoreError};
use ambar_consensus::execute::Failure;
use ambar_consensus::machine::BlockContext;
use bytes::Bytes;
use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_consensus::marshal::core::Mailbox as MarshalMailbox;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::types::Height as ChainHeight;
use commonware_glue::stateful::db::DatabaseSet;
use commonware_glue::stateful::{Application, Finality, Input, Proposed};
use commonware_runtime::Clock;
use futures::StreamExt;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use tokio::sync::Mutex;

/// The mailbox of the actor that keeps final blocks.
pub type Marshal = MarshalMailbox<Scheme, Standard<ChainBlock>>;

/// The ledger as the engine runs it.
#[derive(Clone)]
pub struct App {
    /// What it shares with submitters and readers.
    pub core: Arc<Core>,
    /// The block of height 0.
    pub genesis: ChainBlock,
    /// The state at height 0, which block 1 writes.
    pub genesis_writes: Arc<Writes>,
    /// Set before the first block.
    pub marshal: Arc<OnceLock<Marshal>>,
    /// Whose turn it is to bring the view further.
    pub turn: Arc<Mutex<()>>,
}

fn head_of(block: &ChainBlock) -> Head {
    Head::from(block.header())
}

impl App {
    /// The writes with which a child of `parent` begins.
    pub(super) fn writes_before(&self, parent: &Head) -> Writes {
        if parent.height.0 == 0 { (*self.genesis_writes).clone() } else { Writes::new() }
    }

    fn context(&self, parent: &Head, time: Moment) -> BlockContext {
        self.core.settings.rules.context(parent.height.after(1), time)
    }

    /// Executes what waits on top of `parent`.
    async fn try_candidates<E: Storing>(
        &self,
        parent: &Head,
        batch: &Batch<E>,
    ) -> Result<(Executed, Vec<Digest>), Fault> {
        let rules = &self.core.settings.rules;
        let limits = rules.block;
        // Strictly later than the parent, whatever the clock says.
        let time = (self.core.clock)().max(parent.time.after(1));
        let context = self.context(parent, time);
        let writes = self.writes_before(parent);
        let mut draft = Draft::begin(&*self.core.machine, context, batch, writes).await?;
        let (mut ids, mut refused) = (Vec::new(), Vec::new());
        for candidate in self.core.candidates(&parent.digest) {
            // The first always goes in, so that something does.
            if draft.writes() >= limits.writes_max && !draft.is_empty() {
                break;
            }
            let tried = match unexpired(candidate.expiry, draft.height()) {
                Err(error) => Err(error),
                Ok(()) => match draft.push(candidate.bytes).await {
                    Ok(_) => Ok(()),
                    Err(Failure::Refused(refusal)) => Err(refusal.into()),
                    Err(Failure::Store(error)) => return Err(error.into()),
                },
            };
            match tried {
                Ok(()) => ids.push(candidate.id),
                Err(error) => refused.push(Doubtful { id: candidate.id, error }),
            }
        }
        self.core.refused(parent, refused);
        Ok((draft.finish(rules.epochs()).await?, ids))
    }

    /// What is wrong with a block before it is executed, if anything is.
    fn check(&self, block: &ChainBlock, parent: &Head) -> Result<Vec<Digest>, &'static str> {
        let header = block.header();
        let context = self.context(parent, header.time);
        let placed = header.network == context.network
            && header.height == context.height
            && header.parent == parent.digest
            && header.protocol == context.protocol;
        if !placed {
            return Err("it does not continue the chain");
        }
        if header.time <= parent.time {
            return Err("its time is not later than its parent's");
        }
        let ids = self.admit(block)?;
        let distinct: HashSet<_> = ids.iter().collect();
        if distinct.len() == ids.len() { Ok(ids) } else { Err("it holds a transaction twice") }
    }

    /// Ids of a block's transactions, if each would be admitted in it.
    fn admit(&self, block: &ChainBlock) -> Result<Vec<Digest>, &'static str> {
        let (height, mut ids) = (block.header().height, Vec::new());
        for admission in self.core.admit_all(block.transactions()) {
            let admission = admission.map_err(|_| "it holds a transaction that is not admitted")?;
            if admission.expiry < height {
                return Err("it holds a transaction that expired");
            }
            ids.push(admission.id);
        }
        Ok(ids)
    }

    /// Executes a block whose parent's state is under `batch`.
    async fn execute<E: Storing>(
        &self,
        block: &ChainBlock,
        parent: &Head,
        batch: &Batch<E>,
    ) -> Result<Executed, Failure> {
        let context = self.context(parent, block.header().time);
        let writes = self.writes_before(parent);
        let mut draft = Draft::begin(&*self.core.machine, context, batch, writes).await?;
        for transaction in block.transactions() {
            draft.push(transaction.clone()).await?;
        }
        Ok(draft.finish(self.core.settings.rules.epochs()).await?)
    }

    /// Seals the writes of an executed block.
    async fn seal<E: Storing>(
        executed: &Executed,
        batch: Batch<E>,
    ) -> Result<Sealed<E>, StoreError> {
        let mut batch = batch;
        for (key, value) in &executed.writes {
            batch = batch.write(key.clone(), value.as_ref().map(|value| value.to_vec()));
        }
        batch.seal().await
    }

    fn placing<E: Storing>(context: &Context, parent: Digest, sealed: &Sealed<E>) -> Placing {
        let state = sealed.commitment();
        Placing { parent, round: our_round(context), state }
    }

    async fn checked<E: Storing>(
        &self,
        block: &ChainBlock,
        parent: &ChainBlock,
        batch: Batch<E>,
        finality: Finality,
    ) -> Option<Sealed<E>> {
        let parent = head_of(parent);
        let header = block.header();
        let ids = match finality {
            Finality::Candidate => self.check(block, &parent),
            Finality::Finalized => self.admit(block),
        };
        let refuse = |reason: &str| {
            tracing::warn!(height = %header.height, reason, "a block is refused");
        };
        let ids = ids.map_err(refuse).ok()?;
        let executed = match self.execute(block, &parent, &batch).await {
            Ok(executed) => executed,
            Err(Failure::Refused(refusal)) => {
                refuse(&refusal.message);
                return None;
            }
            // No verdict on the block: the store's failure ends the engine.
            Err(Failure::Store(error)) => panic!("the state cannot be read: {error}"),
        };
        let sealed = Self::seal(&executed, batch).await;
        let sealed = sealed.unwrap_or_else(|error| panic!("the state cannot be sealed: {error}"));
        let context = commonware_consensus::CertifiableBlock::context(block);
        let expect = executed.header(Self::placing(&context, parent.digest, &sealed));
        if expect != *header {
            refuse("executing it gives another header");
            return None;
        }
        self.core.executed(Finalized { header: expect, executed, ids });
        Some(sealed)
    }
}

impl<E: Storing> Application<E> for App {
    type SigningScheme = Scheme;
    type Context = Context;
    type Block = ChainBlock;
    type Databases = States<E>;
    type Captured = ();
    type Provider = ();
    type Input = ();

    fn sync_targets(block: &ChainBlock) -> <States<E> as DatabaseSet<E>>::SyncTargets {
        block.target().clone()
    }

    async fn genesis(&mut self) -> ChainBlock {
        self.genesis.clone()
    }

    async fn propose(
        &mut self,
        (_, context): (E, Context),
        ancestry: impl Ancestry<ChainBlock>,
        batch: Batch<E>,
        _input: Input<(), ()>,
    ) -> Option<Proposed<Self, E>> {
        let mut ancestry = Box::pin(ancestry);
        let parent = head_of(ancestry.next().await?.inner());
        let (executed, ids) = match self.try_candidates(&parent, &batch).await {
            Ok(done) => done,
            // Nobody has to look at it: the store's failure ends the engine, which starts again.
            Err(Fault::Store(error)) => panic!("the state cannot be read: {error}"),
            Err(fault) => {
                self.core.halt(fault);
                return None;
            }
        };
        let sealed = Self::seal(&executed, batch).await;
        let sealed = sealed.unwrap_or_else(|error| panic!("the state cannot be sealed: {error}"));
        let header = executed.header(Self::placing(&context, parent.digest, &sealed));
        let transactions: Vec<Bytes> = executed.transactions.clone();
        let block = ChainBlock::new(header.clone(), transactions)?;
        self.core.executed(Finalized { header, executed, ids });
        Some(Proposed { block, merkleized: sealed })
    }

    async fn process(
        &mut self,
        _context: (E, Context),
        ancestry: impl Ancestry<ChainBlock>,
        batch: Batch<E>,
        finality: Finality,
    ) -> Option<Sealed<E>> {
        let mut ancestry = Box::pin(ancestry);
        let block = ancestry.next().await?;
        let parent = ancestry.next().await?;
        self.checked(block.inner(), parent.inner(), batch, finality).await
    }

    async fn capture(
        &mut self,
        _context: (E, Context),
        _block: &ChainBlock,
        _sealed: &Sealed<E>,
        _readers: <States<E> as DatabaseSet<E>>::Readers,
    ) {
    }

    async fn finalized(
        &mut self,
        (runtime, _): (E, Context),
        block: &ChainBlock,
        _captured: (),
        readers: <States<E> as DatabaseSet<E>>::Readers,
    ) {
        let header: &BlockHeader = block.header();
        if header.height < self.core.next_height() {
            // Delivered again, or for the engine alone: the view has it.
            self.core.take_pending(&header.digest());
        } else {
            self.follow(&runtime, block, readers).await;
        }
        self.core.finished.send_replace(header.height);
    }
}

impl App {
    /// Brings the view to a final block.
    async fn follow<E: Storing>(
        &self,
        runtime: &E,
        block: &ChainBlock,
        readers: <States<E> as DatabaseSet<E>>::Readers,
    ) {
        let header = block.header();
        let Some(marshal) = self.marshal.get() else { return };
        let _turn = self.turn.lock().await;
        let certificate = votes(runtime, marshal, header).await;
        let finished = match self.core.take_pending(&header.digest()) {
            Some(finished) if header.height == self.core.next_height() => {
                self.core.finalized(finished, certificate.as_ref())
            }
            // The engine is ahead of the view: it fetched its state from peers.
            other => {
                let next = other.and_then(|executed| executed.executed.next_committee);
                let certificate = certificate.as_ref();
                crate::import::import(&self.core, block, certificate, next.as_ref(), readers).await
            }
        };
        finished.unwrap_or_else(|error| panic!("the view cannot follow: {error}"));
    }
}

/// The votes for a final block, if it was voted on itself; those that it needs are waited for.
async fn votes(clock: &impl Clock, marshal: &Marshal, header: &BlockHeader) -> Option<Certificate> {
    loop {
        let votes = marshal.get_finalization(ChainHeight::new(header.height.0)).await;
        if votes.is_some() || !needs_votes(header) {
            return votes.as_ref().map(certificate);
        }
        clock.sleep(LOOK_EVERY).await;
    }
}
