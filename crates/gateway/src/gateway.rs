//! The gateway: takes calls, and owns what they share.

mod accept;
mod error;

pub use error::GatewayError;

use crate::answers::Answers;
use crate::archive::{Archive, ArchiveError, Archived, ArchivedBatch};
use crate::books::Books;
use crate::call::{Accepted, CallError, CallRequest, Callable, ReceiptId};
use crate::catalogue;
use crate::certificate::{Certificates, Opened};
use crate::desk::{Desk, desk};
use crate::errand::{Errands, ErrandsSettings};
use crate::figures::Figures;
use crate::glance::Glance;
use crate::journal::{Journal, Settings as JournalSettings};
use crate::lessee::Lessee;
use crate::opening::opened;
use crate::peers::Peers;
use crate::pending::{Pending, RECEIPTS_PENDING_MAX};
use crate::recall::Recalls;
use crate::record::{Batched, Metered, Record};
use crate::recovery;
use crate::refusals::Refusals;
use crate::repeats::Repeats;
use crate::route::{Route, Router};
use crate::routing::{Health, Hedging};
use crate::serving::Serving;
use crate::settle::Settler;
use crate::view::{LedgerView, Salts};
use ambar_base::{Digest, Encode, Moment, NetworkId, SecretKey};
use ambar_consensus::{Clock, Committed, Consensus, Head, StoreError};
use ambar_ledger::Operation;
use ambar_receipt::leaf::call_id;
use futures::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest answer when a request names no limit, tokens.
pub const ANSWER_TOKENS_DEFAULT: u32 = 512;
/// Longest answer that a request may ask for, tokens.
pub const ANSWER_TOKENS_MAX: u32 = 32_768;
/// How far a leaf's time may run ahead of the last block, milliseconds.
const TIME_AHEAD_MS_MAX: u64 = 2_000;
/// Receipts that wait for settlement.
const SETTLING_MAX: usize = RECEIPTS_PENDING_MAX;
/// Memory for the archive's page cache, bytes.
const ARCHIVE_CACHE_BYTES: usize = 4 << 20;
/// How often kept answers are looked at that are over.
const ERASE_DELAY: Duration = Duration::from_secs(600);
/// How long calls under way may still run when the gateway stops.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// What a gateway is.
#[derive(Clone)]
pub struct GatewaySettings {
    /// Where journal and archive are.
    pub directory: PathBuf,
    /// The network.
    pub network: NetworkId,
    /// This node's number on the ledger.
    pub node: u64,
    /// This node's key.
    pub key: SecretKey,
    /// The clock.
    pub clock: Clock,
    /// Other nodes.
    pub peers: Arc<dyn Peers>,
    /// Where settling runs: apart from calls, which must not wait for it.
    pub settling: Handle,
    /// The percentile of a node's waits after which a second one is asked for the same answer;
    /// nobody is, unless said.
    pub hedge_percentile: Option<u8>,
}

/// What calls share.
pub(crate) struct Inner {
    pub network: NetworkId,
    pub node: u64,
    pub key: SecretKey,
    pub clock: Clock,
    pub peers: Arc<dyn Peers>,
    pub health: Health,
    pub hedging: Hedging,
    /// The last final block as the engine says it, and what was found on it.
    head: watch::Receiver<Head>,
    pub glance: Glance,
    pub salts: Salts,
    pub consensus: Arc<dyn Consensus>,
    pub serving: Arc<Serving>,
    pub certificates: Certificates,
    pub journal: Arc<Journal>,
    pub archive: Arc<Archive>,
    pub refusals: Refusals,
    pub answers: Answers,
    pub repeats: Repeats,
    pub books: Books,
    pub pending: Pending,
    pub figures: Arc<Figures>,
    pub settling: mpsc::Sender<Arc<Metered>>,
    pub desk: Desk,
    pub lessee: Lessee,
    pub recalls: Recalls,
    /// Ends waiting: for a full disk, for a ledger that does not answer.
    pub stop: CancellationToken,
    /// Cancels the engines of calls under way.
    pub cancel: CancellationToken,
    /// No new calls.
    pub closing: CancellationToken,
    pub tasks: TaskTracker,
}

/// A gateway. Clones share everything.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
    errands: Errands,
    settler: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// A receipt as the gateway holds it.
#[derive(Clone, Debug)]
pub struct StoredReceipt {
    /// The call.
    pub metered: Arc<Metered>,
    /// The final batch and the receipt's place in it; nothing while it is on its way.
    pub settled: Option<(ArchivedBatch, u64)>,
}

impl Gateway {
    /// Opens a gateway and takes up the calls that an earlier process left.
    pub async fn open(
        settings: GatewaySettings,
        consensus: Arc<dyn Consensus>,
        serving: Arc<Serving>,
    ) -> Result<Self, GatewayError> {
        let GatewaySettings { directory, network, node, key, clock, peers, .. } = settings;
        let (place, hedge_percentile) = (settings.settling, settings.hedge_percentile);
        std::fs::create_dir_all(&directory)
            .map_err(|error| GatewayError::Directory { path: directory.clone(), error })?;
        let archive = Archive::open(&directory.join("receipts.redb"), ARCHIVE_CACHE_BYTES)?;
        let (journal, found) = Journal::open(directory.join("calls"), &JournalSettings::default())?;
        let refusals = Refusals::open(&directory)?;
        let answers = Answers::open(&directory, clock())?;
        let mut recovered = recovery::recover(&found.records, &archive, &*consensus)?;
        let (settling, waiting) = mpsc::channel(SETTLING_MAX);
        let (desk, asks) = desk();
        let books = Books::default();
        let lessee = Lessee::new(
            (node, Arc::clone(&clock)),
            Arc::new(Arc::clone(&consensus)),
            books.clone(),
            desk.clone(),
        );
        let inner = Arc::new(Inner {
            network,
            node,
            key: key.clone(),
            clock,
            peers,
            health: Health::default(),
            hedging: Hedging::after(hedge_percentile),
            head: consensus.watch(),
            glance: Glance::default(),
            salts: Salts::new(network, &key),
            consensus,
            serving,
            certificates: Certificates::new(network, key.public()),
            journal: Arc::new(journal),
            archive: Arc::new(archive),
            refusals,
            answers,
            repeats: Repeats::default(),
            books,
            pending: Pending::default(),
            figures: Arc::default(),
            settling,
            desk,
            lessee,
            recalls: Recalls::default(),
            stop: CancellationToken::new(),
            cancel: CancellationToken::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let open = std::mem::take(&mut recovered.open);
        inner.take_up(recovered).await?;
        let settler = inner.settler(key, open);
        let settler = place.spawn(settler.run(waiting, asks, inner.stop.clone()));
        let recalls = inner.recalls.clone();
        tokio::spawn(recalls.watch(Arc::clone(&inner.consensus), inner.stop.clone()));
        tokio::spawn(inner.lessee.clone().keep(inner.stop.clone()));
        tokio::spawn(Arc::clone(&inner).erase());
        let errands = inner.errands(&directory)?;
        Ok(Self { inner, errands, settler: Arc::new(Mutex::new(Some(settler))) })
    }

    /// Takes a call: refuses it, or sets its price aside and starts it.
    pub async fn call(&self, request: CallRequest) -> Result<Accepted, CallError> {
        let (operation, stream) = request.job.told();
        let telemetry = self.inner.figures.telemetry();
        let mut told = Some(telemetry.call(operation, &request.capsule, stream));
        let result = self.inner.accept(request, &mut told).await;
        match (&result, told) {
            (Err(error), told) => {
                self.inner.figures.refused(error.code);
                told.into_iter().for_each(|told| told.failed(error.code, None));
            }
            // Whoever runs the call tells how it ends.
            (Ok(_), None) => {}
            (Ok(_), Some(told)) => told.replayed(),
        }
        result
    }

    /// Whether a call can be taken, before anything is known of it.
    ///
    /// # Errors
    /// The gateway closes, or too much waits to be settled.
    pub fn takes_calls(&self) -> Result<(), CallError> {
        self.inner.takes_calls()
    }

    /// Counts a call that was refused before it came here.
    #[must_use]
    pub fn refuse(&self, error: CallError) -> CallError {
        self.inner.figures.refused(error.code);
        error
    }

    /// What a certificate can call here.
    pub async fn callable(&self, certificate: &str) -> Result<Vec<Callable>, CallError> {
        let inner = &self.inner;
        let (view, opened) = inner.opened(certificate).await?;
        let (now, _) = inner.now(&view);
        let router = inner.router(&view, now);
        catalogue::callable(&router, &opened)
    }

    /// The certificate, if it is one for this gateway.
    pub async fn certificate(&self, certificate: &str) -> Result<Arc<Opened>, CallError> {
        self.inner.opened(certificate).await.map(|(_, opened)| opened)
    }

    /// A receipt by its id.
    pub fn receipt(&self, id: ReceiptId) -> Result<Option<StoredReceipt>, ArchiveError> {
        if let Some(metered) = self.inner.pending.receipt(id) {
            return Ok(Some(StoredReceipt { metered, settled: None }));
        }
        let Some(Archived { metered, batch, index }) = self.inner.archive.receipt(id)? else {
            return Ok(None);
        };
        let settled = self.inner.archive.batch(batch)?.map(|batch| (batch, index));
        Ok(Some(StoredReceipt { metered, settled }))
    }

    /// The receipt of a call by the holder's own idempotency key.
    pub fn receipt_of(
        &self,
        channel: u64,
        holder: &Digest,
        key: &str,
    ) -> Result<Option<ReceiptId>, ArchiveError> {
        let call = call_id(channel, holder, key);
        match self.inner.pending.of_call(&call) {
            Some(metered) => Ok(Some(metered.receipt())),
            None => self.inner.archive.of_call(&call),
        }
    }

    /// Final receipts in the order of their ids.
    pub fn archive(&self) -> &Archive {
        &self.inner.archive
    }

    /// Decisions by which calls were refused, of late.
    pub fn refusals(&self) -> &Refusals {
        &self.inner.refusals
    }

    /// How many receipts wait to be final.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.inner.pending.len()
    }

    /// What this node does for other gateways.
    #[must_use]
    pub fn errands(&self) -> &Errands {
        &self.errands
    }

    /// Does one operation in this node's name, and waits until it is final.
    ///
    /// # Errors
    /// What the ledger refuses, or that it cannot be asked.
    pub async fn act(&self, operation: Operation) -> Result<Committed, CallError> {
        self.inner.desk.ask(operation).await
    }

    /// Figures of this process.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.inner.figures
    }

    /// Takes no new calls, lets those under way end, settles what it can, and closes.
    pub async fn shutdown(&self) {
        let inner = &self.inner;
        inner.closing.cancel();
        inner.tasks.close();
        if tokio::time::timeout(SHUTDOWN_GRACE, inner.tasks.wait()).await.is_err() {
            inner.cancel.cancel();
            let _ = tokio::time::timeout(SHUTDOWN_GRACE, inner.tasks.wait()).await;
        }
        let settled = async {
            while !inner.pending.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(SHUTDOWN_GRACE, settled).await;
        inner.lessee.close().await;
        inner.stop.cancel();
        if let Some(settler) = self.settler.lock().await.take() {
            settler.abort();
            let _ = settler.await;
        }
    }
}

impl Inner {
    fn settler(self: &Arc<Self>, key: SecretKey, open: Vec<Batched>) -> Settler {
        Settler {
            network: self.network,
            node: self.node,
            key,
            consensus: Arc::clone(&self.consensus),
            journal: Arc::clone(&self.journal),
            archive: Arc::clone(&self.archive),
            books: self.books.clone(),
            pending: self.pending.clone(),
            peers: Arc::clone(&self.peers),
            figures: Arc::clone(&self.figures),
            absent: std::sync::Mutex::default(),
            open: std::sync::Mutex::new(open),
        }
    }

    /// What this node serves for other gateways, over the same state and engines.
    fn errands(&self, directory: &Path) -> Result<Errands, GatewayError> {
        let settings = ErrandsSettings {
            network: self.network,
            node: self.node,
            key: self.key.clone(),
            clock: Arc::clone(&self.clock),
        };
        let (consensus, serving) = (Arc::clone(&self.consensus), Arc::clone(&self.serving));
        Ok(Errands::open(directory, settings, consensus, serving, self.cancel.child_token())?)
    }

    pub(crate) fn router<'a>(&'a self, view: &'a LedgerView, now: Moment) -> Router<'a> {
        Router { view, serving: &self.serving, node: self.node, now, elsewhere: true }
    }

    /// Counts what earlier processes spent, and settles what they left.
    async fn take_up(&self, recovered: recovery::Recovered) -> Result<(), GatewayError> {
        for (block, spent) in self.archive.spent()? {
            self.books.remember(block, spent);
        }
        self.remember_final()?;
        for (channel, next) in recovered.next {
            self.books.advance(channel, next);
        }
        let mut records = Vec::new();
        for (metered, position, new) in recovered.calls {
            if new {
                records.push(Record::Metered(Arc::clone(&metered)).to_bytes());
            }
            self.books.charge(&metered.claim(), metered.price());
            metered.voucher.into_iter().for_each(|voucher| self.books.vouch(voucher));
            self.repeats.remember(&metered);
            self.pending.reserve(metered.receipt(), position);
            self.pending.add(&metered);
        }
        self.journal.commit(records).await?;
        for metered in self.pending.receipts() {
            // As many as were pending before, so they fit.
            let _ = self.settling.try_send(metered);
        }
        Ok(())
    }

    /// Erases what retries may no longer ask for, until the gateway stops.
    async fn erase(self: Arc<Self>) {
        let stop = self.stop.clone();
        while stop.run_until_cancelled(tokio::time::sleep(ERASE_DELAY)).await.is_some() {
            if let Err(error) = self.answers.erase((self.clock)()) {
                tracing::warn!(%error, "kept answers cannot be erased");
            }
        }
    }

    /// The newest state. Calls between two blocks share it.
    pub(crate) fn view(&self) -> Result<LedgerView, CallError> {
        let head = *self.head.borrow();
        if let Some(view) = self.glance.view(&head) {
            return Ok(view);
        }
        self.newest()
    }

    /// The newest state as the engine has it, which may be ahead of what it says.
    pub(crate) fn newest(&self) -> Result<LedgerView, CallError> {
        let view = LedgerView::latest(&*self.consensus);
        let view = view.map_err(|error: StoreError| CallError::of(&error))?;
        self.glance.keep_view(&view);
        Ok(view)
    }

    async fn opened(&self, token: &str) -> Result<(LedgerView, Arc<Opened>), CallError> {
        let (view, hash) = (self.view()?, *blake3::hash(token.as_bytes()).as_bytes());
        if let Some(opened) = self.glance.opened(&view, &hash) {
            return Ok((view, opened));
        }
        let (view, opened) = opened(&*self.consensus, &self.certificates, token).await?;
        self.glance.keep_opened(&view, hash, &opened);
        Ok((view, opened))
    }

    /// The route to what a request asks for.
    pub(crate) fn route(
        &self,
        view: &LedgerView,
        channel: u64,
        capsule: &str,
        now: Moment,
    ) -> Result<Arc<Route>, CallError> {
        let (ground, place) = ((view, self.serving.changes()), (channel, capsule));
        if let Some(route) = self.glance.route(ground, place, now) {
            return Ok(route);
        }
        let route = Arc::new(self.router(view, now).route(channel, capsule)?);
        self.glance.keep_route(ground, place, &route);
        Ok(route)
    }

    /// The consensus time of a call admitted now: the clock's, never before the last block
    /// and never so far behind it that the leaf would be refused.
    pub(crate) fn now(&self, view: &LedgerView) -> (Moment, u64) {
        let (clock, head) = ((self.clock)(), view.head().time);
        let latest = head.after(TIME_AHEAD_MS_MAX);
        (clock.clamp(head, latest), clock.0.saturating_sub(head.0))
    }
}

impl crate::dialect::Calls for Gateway {
    fn call(&self, request: CallRequest) -> BoxFuture<'_, Result<Accepted, CallError>> {
        Box::pin(Self::call(self, request))
    }

    fn callable(&self, certificate: &str) -> BoxFuture<'_, Result<Vec<Callable>, CallError>> {
        let certificate = certificate.to_owned();
        Box::pin(async move { Self::callable(self, &certificate).await })
    }
}
