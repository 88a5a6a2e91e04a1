//! What submitters, readers and the engine share: the machine, the pool, the view.
//!
//! It deliberately knows no consensus, network or runtime: whoever runs the engine tells it
//! which blocks were executed and which are final.
//!
//! **Invariant**: a head is published only with the votes that make it final, after the
//! view has it; heads only ascend.

use crate::database::{Database, Finalized, Snapshot};
use crate::engine::{Committed, Head, Status};
use crate::error::{Fault, StoreError, SubmitError};
use crate::fates::Refusals;
use crate::machine::{Admission, Refusal, StateMachine, admit_all};
use crate::mempool::{Answer, Mempool};
use crate::participation::Hearing;
use crate::pending::{Doubtful, Pending};
use crate::settings::{Clock, Settings};
use crate::state::Entry;
use ambar_base::finality::{BlockHeader, Certificate, Evidence};
use ambar_base::{Coded, Committee, Digest, Height, Moment};
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::{Notify, mpsc, oneshot, watch};

mod committees;

use committees::committee_in;

/// How long the view may be ahead of its disk, ms.
const FLUSH_AFTER_MS: u64 = 1_000;

/// Most transactions on their way to peers; more are spread when somebody asks again.
const SPREAD_MAX: usize = 4_096;

/// What submitters and the engine hand each other.
struct Queue {
    pool: Mempool,
    status: Status,
}

/// The shared part of an engine.
pub struct Core {
    /// The ledger.
    pub machine: Arc<dyn StateMachine>,
    /// What the operator chose.
    pub settings: Settings,
    /// Where consensus time comes from.
    pub clock: Clock,
    queue: Mutex<Queue>,
    /// Rung when something new waits.
    pub fresh: Notify,
    pending: Mutex<Pending>,
    /// `None` once the engine is closed.
    stores: Mutex<Option<Stores>>,
    /// `None` once the engine is closed.
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    refusals: Mutex<Refusals>,
    hearing: Mutex<Hearing>,
    head: watch::Sender<Head>,
    /// The epoch of the next block that the view lacks.
    pub epoch: watch::Sender<u64>,
    /// How the engine's first start ended: the view is up to it, or why it is not.
    started: watch::Sender<Option<Result<(), StoreError>>>,
    /// The newest block that the engine has finished; 0 before its first start.
    pub finished: watch::Sender<Height>,
    /// Set when the engine must stop.
    pub stop: watch::Sender<bool>,
    /// Evidence against validators, one for a key.
    pub conflicts: watch::Sender<Vec<Evidence>>,
    /// Set when the engine must begin at its peers' state.
    pub begin_anew: AtomicBool,
    /// Set while the view is being replaced by the engine's state.
    pub importing: AtomicBool,
    /// Set when nothing more is written.
    pub closed: watch::Sender<bool>,
    spread: mpsc::Sender<Bytes>,
    to_spread: Arc<tokio::sync::Mutex<mpsc::Receiver<Bytes>>>,
}

/// The view's store, and how far it is.
struct Stores {
    database: Database,
    flushed: Moment,
    /// The newest block in it.
    height: Height,
    /// Blocks in it that wait for the votes of a later one.
    uncertified: Vec<Finalized>,
}

/// How a submission begins.
pub enum Submitted {
    /// It was final before.
    Final(Committed),
    /// It waits.
    Waiting(oneshot::Receiver<Answer>),
}

// A panic while a lock is held cannot leave these values half-changed in a way that
// matters more than going on: the machine, the one foreign code, never runs under a lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// Around an open view.
    pub fn new(
        machine: Arc<dyn StateMachine>,
        settings: Settings,
        clock: Clock,
        database: Database,
    ) -> Result<Arc<Self>, StoreError> {
        let snapshot = database.snapshot()?;
        let epoch = settings.rules.epochs().containing(snapshot.head().height.after(1));
        let committee = committee_in(&snapshot, epoch)?;
        let hearing = Hearing::of(&committee, &settings.key.public());
        let (spread, to_spread) = mpsc::channel(SPREAD_MAX);
        let queue = Queue { pool: Mempool::new(settings.pool), status: Status::Running };
        let (flushed, height) = (clock(), snapshot.head().height);
        let stores = Stores { database, flushed, height, uncertified: Vec::new() };
        let core = Self {
            machine,
            clock,
            queue: Mutex::new(queue),
            fresh: Notify::new(),
            pending: Mutex::default(),
            hearing: Mutex::new(hearing),
            head: watch::Sender::new(snapshot.head()),
            epoch: watch::Sender::new(epoch),
            stores: Mutex::new(Some(stores)),
            snapshot: RwLock::new(Some(Arc::new(snapshot))),
            refusals: Mutex::new(Refusals::new(settings.pool.refusals_max)),
            started: watch::Sender::new(None),
            finished: watch::Sender::new(Height(0)),
            stop: watch::Sender::new(false),
            conflicts: watch::Sender::new(Vec::new()),
            begin_anew: AtomicBool::new(false),
            importing: AtomicBool::new(false),
            closed: watch::Sender::new(false),
            settings,
            spread,
            to_spread: Arc::new(tokio::sync::Mutex::new(to_spread)),
        };
        Ok(Arc::new(core))
    }

    // ----- reading

    /// The newest published block's state.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        snapshot.as_ref().map(Arc::clone).ok_or(StoreError::Closed)
    }

    /// The newest final block.
    pub fn head(&self) -> Head {
        *self.head.borrow()
    }

    /// Follows [`Core::head`].
    pub fn watch(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    /// How the engine is.
    pub fn status(&self) -> Status {
        locked(&self.queue).status.clone()
    }

    /// Whether a transaction waits.
    pub fn waits(&self, id: &Digest) -> bool {
        locked(&self.queue).pool.contains(id)
    }

    /// Why a transaction was refused not long ago.
    pub fn refusal(&self, id: &Digest) -> Option<Refusal> {
        locked(&self.refusals).get(id).cloned()
    }

    // ----- submitting

    /// Everything a submission goes through before it waits.
    pub fn enqueue(&self, transaction: Vec<u8>) -> Result<Submitted, SubmitError> {
        let admission = self.admit(&transaction)?;
        let snapshot = self.snapshot().map_err(|_| SubmitError::ShuttingDown)?;
        if let Some(committed) = committed(&snapshot, &admission.id)? {
            return Ok(Submitted::Final(committed));
        }
        unexpired(admission.expiry, snapshot.head().height.after(1))?;
        let mut queue = locked(&self.queue);
        if let Some(error) = refuses_all(&queue.status) {
            return Err(error);
        }
        let known = queue.pool.contains(&admission.id);
        let bytes = Bytes::from(transaction);
        let answer = queue.pool.insert(admission, bytes.clone())?;
        drop(queue);
        if !known {
            // A full channel loses no transaction: this node proposes it in its own turn.
            let _ = self.spread.try_send(bytes);
        }
        self.fresh.notify_waiters();
        Ok(Submitted::Waiting(answer))
    }

    /// Takes in transactions that peers spread; what is not admitted is dropped.
    pub fn hear(&self, transactions: &[Bytes]) {
        let Ok(snapshot) = self.snapshot() else { return };
        let next = snapshot.head().height.after(1);
        for (transaction, admission) in transactions.iter().zip(self.admit_all(transactions)) {
            let Ok(admission) = admission else { continue };
            let late = unexpired(admission.expiry, next).is_err();
            if late || !matches!(snapshot.place(&admission.id), Ok(None)) {
                continue;
            }
            // Nobody here waits for the answer, and a full pool takes no more.
            let _ = locked(&self.queue).pool.insert(admission, transaction.clone());
        }
        self.fresh.notify_waiters();
    }

    fn admit(&self, transaction: &[u8]) -> Result<Admission, SubmitError> {
        let bytes_max = self.transaction_bytes_max();
        if transaction.len() > bytes_max {
            let bytes = transaction.len();
            return Err(SubmitError::TransactionTooLarge { bytes, bytes_max });
        }
        let mut answers = admit_all(&*self.machine, &[transaction]);
        // One question has one answer.
        Ok(answers.swap_remove(0)?)
    }

    /// Admits many at once.
    pub fn admit_all(&self, transactions: &[Bytes]) -> Vec<Result<Admission, Refusal>> {
        admit_all(&*self.machine, transactions)
    }

    fn transaction_bytes_max(&self) -> usize {
        self.settings.pool.transaction_bytes_max.min(self.settings.rules.block.bytes_max)
    }

    // ----- proposing and executing

    /// Candidates for a child of `parent`.
    pub fn candidates(&self, parent: &Digest) -> Vec<crate::mempool::Candidate> {
        let taken = self.taken(parent);
        locked(&self.queue).pool.select(&self.settings.rules.block, &taken)
    }

    /// Whether there are candidates for a child of `parent`.
    pub fn has_candidates(&self, parent: &Digest) -> bool {
        let taken = self.taken(parent);
        locked(&self.queue).pool.has_besides(&taken)
    }

    fn taken(&self, parent: &Digest) -> HashSet<Digest> {
        locked(&self.pending).taken(parent)
    }

    /// Keeps an executed block until it is final or cannot be.
    pub fn executed(&self, block: Finalized) {
        locked(&self.pending).insert(block);
    }

    /// Notes refusals on top of `parent`. They reach submitters once it is final.
    pub fn refused(&self, parent: &Head, refused: Vec<Doubtful>) {
        if self.head().digest == parent.digest {
            return self.refuse(refused);
        }
        locked(&self.pending).doubt(parent.digest, parent.height, refused);
    }

    fn refuse(&self, refused: Vec<Doubtful>) {
        for Doubtful { id, error } in refused {
            let refusal = Refusal::new(error.code(), error.to_string());
            locked(&self.refusals).insert(id, refusal);
            locked(&self.queue).pool.resolve(&id, &Err(error));
        }
    }

    // ----- finality

    /// The executed form of a final block, if it was executed here.
    pub fn take_pending(&self, digest: &Digest) -> Option<Finalized> {
        locked(&self.pending).take(digest)
    }

    /// The height of the next block that the view lacks.
    pub fn next_height(&self) -> Height {
        let stores = locked(&self.stores);
        let height = stores.as_ref().map(|stores| stores.height);
        height.unwrap_or(self.head().height).after(1)
    }

    /// The newest state, even if the votes for its block have not come yet.
    pub fn latest(&self) -> Result<Snapshot, StoreError> {
        locked(&self.stores).as_ref().ok_or(StoreError::Closed)?.database.snapshot()
    }

    /// Takes in the next final block; it is published with the next votes.
    pub fn finalized(
        &self,
        block: Finalized,
        certificate: Option<&Certificate>,
    ) -> Result<(), StoreError> {
        let mut guard = locked(&self.stores);
        let stores = guard.as_mut().ok_or(StoreError::Closed)?;
        stores.database.commit(&block, certificate, self.settings.bodies_kept)?;
        stores.height = block.header.height;
        locked(&self.hearing).finalized(block.header.time, (self.clock)());
        if let Some(committee) = &block.executed.next_committee {
            self.turn_to(committee);
        }
        stores.uncertified.push(block);
        stores.flush_in_time((self.clock)());
        if certificate.is_none() {
            return Ok(());
        }
        let blocks = std::mem::take(&mut stores.uncertified);
        drop(guard);
        self.publish()?;
        blocks.iter().for_each(|block| self.answer(block));
        Ok(())
    }

    /// Replaces the view by the state after a block: see [`Database::replace`].
    pub fn replace(
        &self,
        header: &BlockHeader,
        certificate: &Certificate,
        entries: Vec<Entry>,
        next: Option<&Committee>,
    ) -> Result<(), StoreError> {
        let mut guard = locked(&self.stores);
        let stores = guard.as_mut().ok_or(StoreError::Closed)?;
        stores.database.replace(header, certificate, &mut entries.into_iter())?;
        stores.height = header.height;
        stores.uncertified.clear();
        if let Some(committee) = next {
            stores.database.learn(std::slice::from_ref(committee))?;
        }
        drop(guard);
        self.begin_in(self.settings.rules.epochs().containing(header.height.after(1)));
        self.publish()
    }

    /// Transactions to spread; one at a time may take them.
    pub async fn to_spread(&self) -> tokio::sync::OwnedMutexGuard<mpsc::Receiver<Bytes>> {
        Arc::clone(&self.to_spread).lock_owned().await
    }

    fn publish(&self) -> Result<(), StoreError> {
        let snapshot = self.latest()?;
        let head = snapshot.head();
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot));
        self.head.send_replace(head);
        Ok(())
    }

    /// Answers everybody whose transaction is final or was refused on the way.
    fn answer(&self, block: &Finalized) {
        let Finalized { header, executed, ids } = block;
        let (height, time) = (header.height, header.time);
        let refused = locked(&self.pending).settle(&header.digest(), height);
        let mut queue = locked(&self.queue);
        for ((id, outcome), index) in ids.iter().zip(executed.outcomes.iter().skip(1)).zip(1..) {
            let committed = Committed { height, time, index, outcome: outcome.clone() };
            queue.pool.resolve(id, &Ok(committed));
        }
        queue.pool.expire(height.after(1));
        drop(queue);
        self.refuse(refused);
    }

    // ----- ending

    /// Nothing moves until a person has looked.
    pub fn halt(&self, fault: Fault) {
        tracing::error!(code = %fault.code(), %fault, "the ledger halted");
        let mut queue = locked(&self.queue);
        queue.pool.fail_all(&fault.clone().into());
        queue.status = Status::Halted(fault);
    }

    /// Waits for the engine's first start.
    pub fn wait_for_start(&self) -> Result<(), StoreError> {
        let mut started = self.started.subscribe();
        let started = futures::executor::block_on(started.wait_for(Option::is_some));
        // The sender is this core's own, so waiting does not fail.
        started.map_or(Err(StoreError::Closed), |started| started.clone().unwrap_or(Ok(())))
    }

    fn note_start(&self, how: Result<(), StoreError>) {
        self.started.send_if_modified(|started| {
            let first = started.is_none();
            if first {
                *started = Some(how);
            }
            first
        });
    }

    /// The engine cannot write; it is tried again.
    pub fn stall(&self, error: StoreError) {
        self.note_start(Err(error.clone()));
        let mut queue = locked(&self.queue);
        if matches!(queue.status, Status::Running | Status::Stalled(_)) {
            queue.pool.tell_all(&error.clone().into());
            queue.status = Status::Stalled(error);
        }
    }

    /// The engine runs (again).
    pub fn run(&self) {
        self.note_start(Ok(()));
        let mut queue = locked(&self.queue);
        if matches!(queue.status, Status::Stalled(_)) {
            queue.status = Status::Running;
        }
    }

    /// Ends everything. Views that are out go on only as far as they are cached.
    pub fn close(&self) {
        let mut queue = locked(&self.queue);
        queue.pool.fail_all(&SubmitError::ShuttingDown);
        queue.status = Status::Stopped;
        drop(queue);
        let stores = locked(&self.stores).take();
        if let Some(Err(error)) = stores.as_ref().map(|stores| stores.database.flush()) {
            tracing::warn!(%error, "the view closes behind its engine");
        }
        // The store closes before anybody hears that it is closed.
        drop(stores);
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.closed.send_replace(true);
    }
}

impl Stores {
    /// A disk that refuses now is asked again later: the engine's blocks are durable.
    fn flush_in_time(&mut self, now: Moment) {
        // A clock that was set back flushes once too often, never too late.
        if self.flushed.distance_ms(now) < FLUSH_AFTER_MS {
            return;
        }
        if let Err(error) = self.database.flush() {
            tracing::warn!(%error, "the view waits for the disk");
        }
        self.flushed = now;
    }
}

/// Why nothing can be submitted, if nothing can.
fn refuses_all(status: &Status) -> Option<SubmitError> {
    match status {
        Status::Halted(fault) => Some(fault.clone().into()),
        Status::Stalled(error) => Some(error.clone().into()),
        Status::Stopped => Some(SubmitError::ShuttingDown),
        Status::Running => None,
    }
}

/// Refuses a transaction whose expiry lies before the next block.
pub fn unexpired(expiry: Height, next: Height) -> Result<(), SubmitError> {
    if next <= expiry { Ok(()) } else { Err(SubmitError::TransactionExpired { expiry, next }) }
}

/// The outcome of a transaction that is final already.
fn committed(snapshot: &Snapshot, id: &Digest) -> Result<Option<Committed>, StoreError> {
    let Some((height, index)) = snapshot.place(id)? else { return Ok(None) };
    let found = snapshot.stored(height)?.and_then(|stored| {
        let outcome = stored.outcomes.get(usize::try_from(index).ok()?)?.clone();
        Some(Committed { height, time: stored.header.time, index, outcome })
    });
    let missing = || StoreError::Corrupt(format!("block {height} lacks outcome {index}"));
    found.ok_or_else(missing).map(Some)
}
