//! Settling: durable receipts become signed batches, batches become final on the ledger.
//!
//! One batch is on its way at a time, because batches are numbered without gaps; what
//! arrives meanwhile shares the next one. A leaf that the ledger refuses is voided at the
//! gateway's own cost: it never holds up the others.

mod cosign;

pub use cosign::Absent;
use cosign::Cosigned;

use crate::archive::{Archive, ArchivedBatch};
use crate::books::Books;
use crate::call::{CallError, ReceiptId};
use crate::desk::Ask;
use crate::figures::Figures;
use crate::journal::Journal;
use crate::peers::Peers;
use crate::pending::Pending;
use crate::record::{Batched, Final, Metered, Record};
use crate::recovery::{self, Place};
use crate::settled::Settled;
use crate::telemetry::Stage;
use crate::view::LedgerView;
use crate::vouchers;
use ambar_base::{Coded, Encode, ErrorCode, Height, NetworkId, Price, SecretKey};
use ambar_consensus::{Committed, Consensus, SubmitError};
use ambar_ledger::object::Node;
use ambar_ledger::query::State;
use ambar_ledger::transaction::{Actor, BatchSigners, Envelope, Settle, TRANSACTION_VERSION};
use ambar_ledger::{Key, Operation};
use ambar_receipt::batch::BATCH_LEAVES_MAX;
use ambar_receipt::{BatchHeader, CallOutcome, Leaf, SignedBatch};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Receipts of a batch, of the [`BATCH_LEAVES_MAX`] that the ledger takes: what a batch is made of
/// is in memory several times while it settles, and larger ones are hardly less work each.
const RECEIPTS_PER_BATCH_MAX: usize = BATCH_LEAVES_MAX / 4;
/// How long the first receipt of a batch waits for companions.
pub const BATCH_DELAY: Duration = Duration::from_millis(50);
/// How far apart batches begin while receipts keep coming: each makes a block, and all nodes sync
/// a dozen files for one, on the disk that calls wait for, too.
pub const BATCH_INTERVAL: Duration = Duration::from_millis(400);
/// How long to wait before the ledger is asked again.
pub const RETRY_DELAY: Duration = Duration::from_millis(500);
/// How often a node that is not there is asked again.
pub const ABSENT_DELAY: Duration = Duration::from_secs(3);
/// Heights within which a settlement may apply.
const EXPIRY_HEIGHTS: u64 = 1_000;
/// The highest fee that a gateway pays for a settlement, one credit.
const FEE_CAP: Price = Price::CREDIT;

/// What settling needs.
pub struct Settler {
    /// This network.
    pub network: NetworkId,
    /// This node's number.
    pub node: u64,
    /// This node's key.
    pub key: SecretKey,
    /// The ledger.
    pub consensus: Arc<dyn Consensus>,
    /// The call journal.
    pub journal: Arc<Journal>,
    /// Where final receipts go.
    pub archive: Arc<Archive>,
    /// The gateway's books.
    pub books: Books,
    /// Receipts that are not final.
    pub pending: Pending,
    /// Batches of an earlier process that may yet become final: the ledger's engine finishes
    /// after a crash what it had begun.
    pub open: Mutex<Vec<Batched>>,
    /// What is measured.
    pub figures: Arc<Figures>,
    /// Other nodes, which sign the lines that they served.
    pub peers: Arc<dyn Peers>,
    /// Calls that wait for a node which is not there, by its number.
    pub absent: Mutex<Absent>,
}

/// A batch that is ready to be submitted.
struct Draft {
    batched: Batched,
    transaction: Vec<u8>,
}

/// Why a batch is not final.
enum Trouble {
    /// The ledger refuses it for what it says.
    Refused(ambar_consensus::Refusal),
    /// It may be final later.
    Wait(String),
    /// A node that served some of its lines is not there.
    Absent(u64),
    /// A node does not know its lines of these calls.
    Unserved(BTreeSet<ReceiptId>),
}

impl Settler {
    /// Settles what arrives until the channel closes, and asks between two batches for what
    /// else is wanted; `stop` ends waiting for a ledger that does not answer.
    pub(crate) async fn run(
        self,
        mut metered: mpsc::Receiver<Arc<Metered>>,
        mut asks: mpsc::Receiver<Ask>,
        stop: CancellationToken,
    ) {
        let mut calls = Vec::new();
        let (mut due, mut began) = (None, None);
        let mut again = tokio::time::interval(ABSENT_DELAY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = again.tick() => {
                    let waiting = self.take_absent();
                    if !waiting.is_empty() {
                        self.settle(waiting, &stop).await;
                    }
                }
                Some(ask) = asks.recv() => {
                    let answer = self.act(ask.operation, &stop).await;
                    // Whoever went away does not want to know.
                    let _ = ask.answer.send(answer);
                }
                // Those that come later wait where they are: nobody is woken for each of them.
                received = metered.recv_many(&mut calls, RECEIPTS_PER_BATCH_MAX), if due.is_none() => {
                    if received == 0 {
                        return;
                    }
                    due = Some(if metered.is_closed() { Instant::now() } else { next_batch(began) });
                }
                () = until(due, &stop), if due.is_some() => {
                    (due, began) = (None, Some(Instant::now()));
                    while calls.len() < RECEIPTS_PER_BATCH_MAX && let Ok(next) = metered.try_recv() {
                        calls.push(next);
                    }
                    self.settle(std::mem::take(&mut calls), &stop).await;
                    if stop.is_cancelled() && metered.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Does one operation in the node's name. Whether a lease was given back must be known:
    /// what waits for a full disk may yet be final.
    async fn act(
        &self,
        operation: Operation,
        stop: &CancellationToken,
    ) -> Result<Committed, CallError> {
        let failed = |why| CallError::new(ErrorCode::LedgerCorrupt, why);
        let waits = matches!(operation, Operation::TakeLease(_) | Operation::ReturnLease(_));
        let (view, node) = self.now().map_err(failed)?;
        let transaction = self.transaction(&view, &node, operation);
        loop {
            match self.consensus.submit(transaction.clone()).await {
                Err(SubmitError::Store(_)) if waits && !stop.is_cancelled() => pause(stop).await,
                submitted => return submitted.map_err(|error| CallError::of(&error)),
            }
        }
    }

    /// The newest state, and what it says of this node.
    fn now(&self) -> Result<(LedgerView, Node), String> {
        let view = LedgerView::latest(&*self.consensus).map_err(|error| error.to_string())?;
        let node = view.must("node", self.node, &Key::Node(self.node));
        Ok((view, node.map_err(|error| error.to_string())?))
    }

    fn transaction(&self, view: &LedgerView, node: &Node, operation: Operation) -> Vec<u8> {
        let envelope = Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor: Actor::Node(self.node),
            nonce: node.nonce,
            expires: view.head().height.after(EXPIRY_HEIGHTS),
            fee_payer: None,
            fee_cap: FEE_CAP,
            operations: vec![operation],
        };
        envelope.sign(&self.key).to_bytes()
    }

    /// Settles these calls, in halves where the ledger refuses the whole.
    async fn settle(&self, calls: Vec<Arc<Metered>>, stop: &CancellationToken) {
        let mut left = vec![calls];
        while let Some(calls) = left.pop() {
            let mut calls = self.without_absent(self.without_final(calls));
            if calls.is_empty() {
                continue;
            }
            match self.attempt(&calls, stop).await {
                Ok(()) => {}
                Err(Trouble::Wait(why)) => {
                    tracing::warn!(calls = calls.len(), why, "settlement waits");
                    if stop.is_cancelled() {
                        return;
                    }
                    pause(stop).await;
                    left.push(calls);
                }
                Err(Trouble::Absent(node)) => {
                    self.note_absent(node);
                    left.push(self.overdue(calls, stop).await);
                }
                Err(Trouble::Unserved(unserved)) => {
                    left.push(self.unserved(calls, &unserved, stop).await);
                }
                Err(Trouble::Refused(refusal)) if is_void(&calls) => {
                    tracing::error!(why = refusal.message, "the ledger refuses a void leaf");
                    if stop.is_cancelled() {
                        return;
                    }
                    pause(stop).await;
                    left.push(calls);
                }
                Err(Trouble::Refused(refusal)) if calls.len() == 1 => {
                    let why = format!("{}: {}", refusal.code, refusal.message);
                    left.push(vec![self.void(&calls[0], &why, stop).await]);
                }
                Err(Trouble::Refused(_)) => {
                    let second = calls.split_off(calls.len() / 2);
                    left.push(second);
                    left.push(calls);
                }
            }
        }
    }

    /// Finishes a batch of an earlier process that is final by now; the calls that are left.
    fn without_final(&self, calls: Vec<Arc<Metered>>) -> Vec<Arc<Metered>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.iter().find_map(|batched| {
            let place = recovery::place_of(batched, &*self.consensus).ok().flatten()?;
            let member = |(channel, n): &(u64, u64)| {
                let is = |call: &&Arc<Metered>| (call.leaf.channel, call.leaf.n) == (*channel, *n);
                calls.iter().find(is).cloned()
            };
            let members = batched.members.iter().map(member).collect::<Option<Vec<_>>>()?;
            self.finish(batched, place, &members).ok().map(|()| members)
        });
        let Some(members) = found else { return calls };
        open.clear();
        let ids: BTreeSet<_> = members.iter().map(|call| call.receipt()).collect();
        calls.into_iter().filter(|call| !ids.contains(&call.receipt())).collect()
    }

    /// A leaf that the ledger refuses costs the gateway, not the caller. The journal says so
    /// before the batch does, so that recovery never takes the charge for settled.
    pub(crate) async fn void(
        &self,
        call: &Metered,
        why: &str,
        stop: &CancellationToken,
    ) -> Arc<Metered> {
        let leaf = &call.leaf;
        tracing::error!(receipt = %call.receipt(), why, "a call cannot settle; it is voided");
        self.books.finalise(&call.claim(), call.price(), Height(0));
        let void = Arc::new(Metered::void(leaf.channel, leaf.n, leaf.admitted, leaf.time));
        let record = Record::Metered(Arc::clone(&void)).to_bytes();
        while let Err(error) = self.journal.commit(vec![record.clone()]).await {
            tracing::warn!(%error, "a voided call cannot be written");
            if stop.is_cancelled() {
                break;
            }
            pause(stop).await;
        }
        self.pending.add(&void);
        void
    }

    async fn attempt(
        &self,
        calls: &[Arc<Metered>],
        stop: &CancellationToken,
    ) -> Result<(), Trouble> {
        let wait = |error: &dyn Coded| Trouble::Wait(error.to_string());
        let draft = self.draft(calls).await?;
        let record = Record::Batched(draft.batched.clone()).to_bytes();
        self.journal.commit(vec![record]).await.map_err(|error| wait(&error))?;
        let place = self.submit(&draft, stop).await?;
        while let Err(why) = self.finish(&draft.batched, place, calls) {
            tracing::warn!(why, "a final batch waits to be archived");
            if stop.is_cancelled() {
                // The journal still has the batch: recovery archives it.
                break;
            }
            pause(stop).await;
        }
        Ok(())
    }

    async fn draft(&self, calls: &[Arc<Metered>]) -> Result<Draft, Trouble> {
        let (view, node) = self.now().map_err(Trouble::Wait)?;
        let leaves: Vec<Leaf> = calls.iter().map(|call| call.leaf.clone()).collect();
        let header = BatchHeader::of(self.node, node.next_batch, &leaves)
            .ok_or_else(|| Trouble::Wait("the prices of a batch overflow".into()))?;
        let Cosigned { keys, signatures } = self.cosigned(&view, &header, &leaves).await?;
        let signers = BatchSigners { gateway: self.key.public(), nodes: keys };
        let signature = header.sign(self.network, &self.key);
        let batch = SignedBatch { header, signature, nodes: signatures };
        let members = calls.iter().map(|call| (call.leaf.channel, call.leaf.n)).collect();
        let batched = Batched { batch: batch.clone(), members };
        let vouchers = vouchers::of_batch(&view, calls.iter().map(AsRef::as_ref));
        let vouchers = vouchers.map_err(Trouble::Wait)?;
        let settle = Operation::Settle(Settle { batch, signers, leaves, vouchers });
        Ok(Draft { batched, transaction: self.transaction(&view, &node, settle) })
    }

    /// Submits the same bytes until the ledger has decided: what waits for a full disk may
    /// yet be final.
    async fn submit(&self, draft: &Draft, stop: &CancellationToken) -> Result<Place, Trouble> {
        loop {
            match self.consensus.submit(draft.transaction.clone()).await {
                Ok(committed) => {
                    return Ok(Place { height: committed.height, index: committed.index });
                }
                Err(SubmitError::Refused(refusal)) => return self.refused(draft, refusal),
                Err(SubmitError::Store(error)) if !stop.is_cancelled() => {
                    tracing::warn!(%error, "the ledger cannot make a settlement durable");
                    pause(stop).await;
                }
                Err(error) => return Err(Trouble::Wait(error.to_string())),
            }
        }
    }

    fn refused(&self, draft: &Draft, refusal: ambar_consensus::Refusal) -> Result<Place, Trouble> {
        let final_already = recovery::place_of(&draft.batched, &*self.consensus);
        if let Ok(Some(place)) = final_already {
            return Ok(place);
        }
        match refusal.code {
            // Nothing is wrong with the leaves: the gateway looks at the state again.
            ErrorCode::NonceStale
            | ErrorCode::BalanceTooLow
            | ErrorCode::FeeTooLow
            | ErrorCode::LedgerCorrupt
            | ErrorCode::Internal => Err(Trouble::Wait(refusal.message)),
            _ => Err(Trouble::Refused(refusal)),
        }
    }

    /// Archives a final batch, then lets books and journal forget its calls.
    fn finish(
        &self,
        batched: &Batched,
        place: Place,
        calls: &[Arc<Metered>],
    ) -> Result<(), String> {
        let archived =
            ArchivedBatch { batched: batched.clone(), height: place.height, index: place.index };
        let settled = Settled::read(batched, place, &*self.consensus);
        let settled = settled.map_err(|error| error.to_string())?;
        let kept = self.archive.keep(&archived, calls, settled.as_ref());
        kept.map_err(|error| error.to_string())?;
        for call in calls.iter().filter(|call| !call.blocks.is_empty()) {
            self.books.finalise(&call.claim(), call.price(), place.height);
        }
        let ids: Vec<_> = calls.iter().map(|call| call.receipt()).collect();
        for waited in self.pending.remove(&ids) {
            self.figures.telemetry().stages.record(Stage::Settle, waited);
        }
        let number = batched.batch.header.number;
        let record = Record::Final(Final { number, height: place.height });
        let needed = self.journal.append(&record.to_bytes()).and_then(|_| {
            // The end first: what is reserved after it is not older.
            let end = self.journal.end();
            self.journal.retain_from(self.pending.oldest().unwrap_or(end))
        });
        if let Err(error) = needed {
            // The archive has the calls: recovery finds them there.
            tracing::warn!(%error, "the journal could not be trimmed");
        }
        Ok(())
    }
}

/// When the batch is made whose first receipt has just come, if the last one was begun then.
fn next_batch(began: Option<Instant>) -> Instant {
    let soon = Instant::now() + BATCH_DELAY;
    began.map_or(soon, |began| soon.max(began + BATCH_INTERVAL))
}

/// Waits for a moment, or until the gateway stops.
async fn until(due: Option<Instant>, stop: &CancellationToken) {
    let Some(due) = due else { return std::future::pending().await };
    tokio::select! {
        () = tokio::time::sleep_until(due) => {}
        () = stop.cancelled() => {}
    }
}

/// Waits before the ledger is asked again, or until the gateway stops.
async fn pause(stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(RETRY_DELAY) => {}
        () = stop.cancelled() => {}
    }
}

/// Whether this is one call that carries nothing: there is nothing left to void.
fn is_void(calls: &[Arc<Metered>]) -> bool {
    matches!(calls, [call] if call.leaf.outcome == CallOutcome::Void)
}
