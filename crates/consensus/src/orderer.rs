//! The engine of one machine: a single orderer on an embedded transactional store.
//!
//! It proposes on demand: at once when transactions wait, and at each heartbeat when none
//! do. Whatever arrives while a block is being made durable shares the next one.

use crate::block::{Block, Writes};
use crate::database::{Database, Snapshot};
use crate::engine::{Committed, Consensus, Fate, Head, Status};
use crate::error::{OpenError, StoreError, SubmitError};
use crate::machine::{Admission, Refusal, StateMachine};
use crate::mempool::Answer;
use crate::settings::{Clock, Settings};
use crate::shared::Shared;
use crate::state::StateView;
use crate::worker::{Worker, committed, unexpired};
use ambar_base::finality::OutcomeProof;
use ambar_base::{Digest, ErrorCode, Height};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use redb::StorageBackend;
use redb::backends::{FileBackend, InMemoryBackend};
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use tokio::sync::{oneshot, watch};

/// The store's file in the ledger's directory.
pub const FILE_NAME: &str = "ledger.redb";

/// An engine of one machine. Dropping it stops it.
pub struct LocalOrderer {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

impl LocalOrderer {
    /// Opens the ledger in `dir`, which is created if it does not exist. `genesis` is the
    /// state at height 0.
    ///
    /// # Errors
    /// [`OpenError::HomeInUse`] if a process has it open, [`OpenError::HomeMismatch`] if
    /// its network, key, genesis or format is another.
    pub fn open(
        dir: &Path,
        settings: Settings,
        machine: Arc<dyn StateMachine>,
        genesis: Vec<(Vec<u8>, Vec<u8>)>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        fs::create_dir_all(dir)?;
        let path = dir.join(FILE_NAME);
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let backend = Box::new(FileBackend::new(file)?);
        let orderer = Self::open_on(backend, settings, machine, genesis, clock)?;
        // The file's own content is durable by now; its name must be too.
        File::open(dir)?.sync_all()?;
        Ok(orderer)
    }

    /// A ledger that is gone when it is dropped: for tests and dry runs.
    pub fn in_memory(
        settings: Settings,
        machine: Arc<dyn StateMachine>,
        genesis: Vec<(Vec<u8>, Vec<u8>)>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        Self::open_on(Box::new(InMemoryBackend::new()), settings, machine, genesis, clock)
    }

    pub(crate) fn open_on(
        backend: Box<dyn StorageBackend>,
        settings: Settings,
        machine: Arc<dyn StateMachine>,
        genesis: Vec<(Vec<u8>, Vec<u8>)>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let (database, snapshot) = open_database(backend, &settings, genesis_writes(genesis))?;
        let shared = Arc::new(Shared::new(machine, settings, clock, snapshot));
        let worker = Worker::new(Arc::clone(&shared), database);
        let thread = thread::Builder::new().name("orderer".into()).spawn(|| worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Everything a submission goes through before it waits.
    fn enqueue(&self, transaction: Vec<u8>) -> Result<Submitted, SubmitError> {
        let Shared { settings, machine, .. } = &*self.shared;
        let bytes_max = settings.pool.transaction_bytes_max.min(settings.block.bytes_max);
        if transaction.len() > bytes_max {
            let bytes = transaction.len();
            return Err(SubmitError::TransactionTooLarge { bytes, bytes_max });
        }
        let admission = admit_one(machine.as_ref(), &transaction)?;
        let closed = |_| SubmitError::ShuttingDown;
        let snapshot = self.shared.snapshot().map_err(closed)?;
        if let Some(committed) = committed(&snapshot, &admission.id)? {
            return Ok(Submitted::Final(committed));
        }
        unexpired(admission.expiry, snapshot.head().height.after(1))?;
        let mut queue = self.shared.queue();
        if let Some(error) = Shared::refuses_all(&queue) {
            return Err(error);
        }
        let answer = queue.pool.insert(admission, transaction)?;
        self.shared.announce(&mut queue);
        Ok(Submitted::Waiting(answer))
    }
}

fn admit_one(machine: &dyn StateMachine, transaction: &[u8]) -> Result<Admission, Refusal> {
    let unanswered = || Refusal::new(ErrorCode::Internal, "admission gave no answer");
    machine.admit(&[transaction]).pop().ok_or_else(unanswered)?
}

/// The embedded store panics on some damaged files: that is damage, not our fault.
fn open_database(
    backend: Box<dyn StorageBackend>,
    settings: &Settings,
    genesis: Writes,
) -> Result<(Database, Snapshot), OpenError> {
    let open = || {
        let database = Database::open(backend, settings, genesis)?;
        let snapshot = database.snapshot()?;
        Ok((database, snapshot))
    };
    let damaged = |_| Err(StoreError::Corrupt("the store cannot be opened".into()).into());
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(damaged)
}

enum Submitted {
    Final(Committed),
    Waiting(oneshot::Receiver<Answer>),
}

pub(crate) fn genesis_writes(genesis: Vec<(Vec<u8>, Vec<u8>)>) -> Writes {
    genesis.into_iter().map(|(key, value)| (key, Some(Bytes::from(value)))).collect()
}

impl Consensus for LocalOrderer {
    fn submit(&self, transaction: Vec<u8>) -> BoxFuture<'static, Answer> {
        match self.enqueue(transaction) {
            Err(error) => ready(Err(error)).boxed(),
            Ok(Submitted::Final(committed)) => ready(Ok(committed)).boxed(),
            Ok(Submitted::Waiting(answer)) => {
                answer.map(|answer| answer.unwrap_or(Err(SubmitError::ShuttingDown))).boxed()
            }
        }
    }

    fn head(&self) -> Head {
        *self.shared.head.borrow()
    }

    fn watch(&self) -> watch::Receiver<Head> {
        self.shared.head.subscribe()
    }

    fn read(&self) -> Result<StateView, StoreError> {
        let snapshot = self.shared.snapshot()?;
        Ok(StateView::new(snapshot.head(), snapshot))
    }

    fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        self.shared.snapshot()?.block(height)
    }

    fn proof(&self, height: Height, index: u64) -> Result<Option<OutcomeProof>, StoreError> {
        Ok(self.block(height)?.and_then(|block| block.proof(index)))
    }

    fn fate(&self, id: &Digest) -> Result<Fate, StoreError> {
        // Waiting is asked first: what leaves the pool is final or refused by then.
        if self.shared.queue().pool.contains(id) {
            return Ok(Fate::Waiting);
        }
        if let Some((height, index)) = self.shared.snapshot()?.place(id)? {
            return Ok(Fate::Final { height, index });
        }
        let refusal = self.shared.refusals().get(id).cloned();
        Ok(refusal.map_or(Fate::Unknown, Fate::Refused))
    }

    fn status(&self) -> Status {
        self.shared.queue().status.clone()
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        self.shared.stop();
        let mut closed = self.shared.closed.subscribe();
        async move {
            // The sender lives in what the thread holds: if it is gone, so is the store.
            let _ = closed.wait_for(|closed| *closed).await;
        }
        .boxed()
    }
}

impl Drop for LocalOrderer {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}
