//! The states of blocks: the authenticated database, and beside it the index of the ids that
//! its entries list.
//!
//! **Invariant**: the index belongs to the state that is applied, and layers over it to blocks
//! that are not final yet, so what a batch finds follows from its parent's state alone. It
//! is made anew from the database whenever that is opened or fetched.

use crate::state::{Config, StateDb, Storing, SyncTarget};
use crate::types::our_digest;
use ambar_base::Digest;
use ambar_base::finality::StateCommitment;
use ambar_consensus::error::StoreError;
use ambar_consensus::execute::Fetch;
use ambar_consensus::listing::{Layer, Listing, Lists};
use bytes::Bytes;
use commonware_cryptography::Digest as DigestBytes;
use commonware_glue::stateful::db::{
    Anchor, Barrier, DatabaseSet, Merkleized as _, Shared, StateSyncSet, SyncEngineConfig,
    TipUpdate, Unmerkleized as _,
};
use commonware_runtime::Metrics;
use commonware_utils::channel::ring;
use futures::StreamExt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

type Database<E> = Shared<StateDb<E>>;
type Inner<E> = <Database<E> as DatabaseSet<E>>::Unmerkleized;
type InnerSealed<E> = <Database<E> as DatabaseSet<E>>::Merkleized;
/// How the applied state is opened.
#[derive(Clone)]
pub struct StatesConfig {
    /// The authenticated database.
    pub(super) database: Config,
    /// Which of its entries list ids.
    pub(super) lists: Option<Lists>,
    /// The oldest state that is still needed.
    pub(super) oldest: Option<SyncTarget>,
}

/// Reads of the applied state.
pub type Readers<E> = <Database<E> as DatabaseSet<E>>::Readers;

/// The applied state, as the engine shares it.
pub struct States<E: Storing> {
    database: Database<E>,
    listing: Arc<RwLock<Listing>>,
}

impl<E: Storing> Clone for States<E> {
    fn clone(&self) -> Self {
        Self { database: self.database.clone(), listing: Arc::clone(&self.listing) }
    }
}

/// A block's layer, over those of the blocks before it that are not applied.
struct Layered {
    layer: Layer,
    /// Nothing once this block is applied, so that layers do not pile up.
    below: Mutex<Option<Arc<Layered>>>,
}

impl Layered {
    fn below(&self) -> MutexGuard<'_, Option<Arc<Self>>> {
        self.below.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A block's reads and writes on top of its parent's state.
pub struct Batch<E: Storing> {
    inner: Inner<E>,
    listing: Arc<RwLock<Listing>>,
    parent: Option<Arc<Layered>>,
    layer: Layer,
}

/// The state after a block.
pub struct Sealed<E: Storing> {
    inner: InnerSealed<E>,
    listing: Arc<RwLock<Listing>>,
    layered: Arc<Layered>,
}

impl<E: Storing> Clone for Sealed<E> {
    fn clone(&self) -> Self {
        let (listing, layered) = (Arc::clone(&self.listing), Arc::clone(&self.layered));
        Self { inner: self.inner.clone(), listing, layered }
    }
}

// A panic while a lock is held leaves at most places too many.
fn layer(listing: &RwLock<Listing>) -> Layer {
    listing.read().unwrap_or_else(PoisonError::into_inner).layer()
}

impl<E: Storing> Batch<E> {
    fn new(inner: Inner<E>, listing: Arc<RwLock<Listing>>, parent: Option<Arc<Layered>>) -> Self {
        let layer = layer(&listing);
        Self { inner, listing, parent, layer }
    }

    /// Writes a key, or removes it.
    pub fn write(mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Self {
        self.layer.write(&key, value.as_deref());
        self.inner = self.inner.write(key, value);
        self
    }

    /// The state after these writes.
    pub async fn seal(self) -> Result<Sealed<E>, StoreError> {
        let Self { inner, listing, parent, layer } = self;
        let inner = inner.merkleize().await;
        let inner = inner.map_err(|error| StoreError::Io(error.to_string()))?;
        let layered = Arc::new(Layered { layer, below: Mutex::new(parent) });
        Ok(Sealed { inner, listing, layered })
    }
}

impl<E: Storing> Sealed<E> {
    /// What a header says of this state.
    pub fn commitment(&self) -> StateCommitment {
        StateCommitment {
            root: our_digest(&self.inner.root()),
            operations_root: our_digest(&self.inner.ops_root()),
            first: *self.inner.sync_boundary(),
            end: *self.inner.bounds().tip.size,
        }
    }
}

impl<E: Storing> Fetch for Batch<E> {
    async fn fetch<'a>(&'a self, keys: &'a [Vec<u8>]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let keys: Vec<&Vec<u8>> = keys.iter().collect();
        let values = self.inner.get_many(&keys).await;
        let values = values.map_err(|error| StoreError::Io(error.to_string()))?;
        Ok(values.into_iter().map(|value| value.map(Bytes::from)).collect())
    }

    fn places<'a>(&'a self, ids: &'a [Digest]) -> Vec<Vec<Vec<u8>>> {
        // Layers first: one whose block becomes final meanwhile is in the index then.
        let mut layers = Vec::new();
        let mut next = self.parent.clone();
        while let Some(layered) = next {
            next = layered.below().clone();
            layers.push(layered);
        }
        let listing = self.listing.read().unwrap_or_else(PoisonError::into_inner);
        let places = |id| {
            let above = layers.iter().flat_map(|layered| layered.layer.places(id));
            above.chain(listing.places(id)).map(<[u8]>::to_vec).collect()
        };
        ids.iter().map(places).collect()
    }
}

/// The index of the entries in a database.
async fn listing_of<E: Storing>(database: &Database<E>, lists: Option<Lists>) -> Listing {
    let mut listing = Listing::new(lists);
    let Some(Lists { prefix, .. }) = lists else { return listing };
    let database = database.read().await;
    let from = (Bound::Included(prefix.to_vec()), Bound::Unbounded);
    let stream = database.stream_range(from);
    futures::pin_mut!(stream);
    while let Some(entry) = stream.next().await {
        let (key, value) = entry.unwrap_or_else(|error| panic!("the state is damaged: {error}"));
        if !key.starts_with(prefix) {
            break;
        }
        listing.write(&key, Some(&value));
    }
    listing
}

impl<E: Storing> States<E> {
    /// The database alone, to be shown to peers.
    pub(super) fn database(&self) -> Database<E> {
        self.database.clone()
    }

    async fn of(database: Database<E>, lists: Option<Lists>) -> Self {
        let listing = listing_of(&database, lists).await;
        Self { database, listing: Arc::new(RwLock::new(listing)) }
    }

    /// Prunes to a state that the database has passed; one that is given the view's blocks may
    /// not have come there yet.
    async fn forget_before(&self, oldest: &SyncTarget) {
        let applied = self.database.committed_targets().await;
        if oldest.range.end() <= applied.range.end() {
            self.database.prune(oldest).await;
        }
    }
}

impl<E: Storing> DatabaseSet<E> for States<E> {
    type Unmerkleized = Batch<E>;
    type Merkleized = Sealed<E>;
    type Readers = Readers<E>;
    type Config = StatesConfig;
    type SyncTargets = SyncTarget;

    async fn init(runtime: E, config: Self::Config, expected: Option<SyncTarget>) -> Self {
        let StatesConfig { database, lists, oldest } = config;
        let database = <Database<E> as DatabaseSet<E>>::init(runtime, database, expected).await;
        let states = Self::of(database, lists).await;
        if let Some(oldest) = oldest {
            states.forget_before(&oldest).await;
        }
        states
    }

    fn initial_sync_targets() -> SyncTarget {
        <Database<E> as DatabaseSet<E>>::initial_sync_targets()
    }

    async fn new_batches(&self) -> Batch<E> {
        Batch::new(self.database.new_batches().await, Arc::clone(&self.listing), None)
    }

    fn fork_batches(parent: &Sealed<E>) -> Batch<E> {
        let inner = <Database<E> as DatabaseSet<E>>::fork_batches(&parent.inner);
        Batch::new(inner, Arc::clone(&parent.listing), Some(Arc::clone(&parent.layered)))
    }

    fn matches_sync_targets(sealed: &Sealed<E>, target: &SyncTarget) -> bool {
        <Database<E> as DatabaseSet<E>>::matches_sync_targets(&sealed.inner, target)
    }

    fn readers(&self) -> Readers<E> {
        self.database.readers()
    }

    async fn apply(&self, sealed: Sealed<E>) {
        // The index first: places too many are looked at and found wanting.
        let Sealed { inner, layered, .. } = sealed;
        self.listing.write().unwrap_or_else(PoisonError::into_inner).absorb(&layered.layer);
        *layered.below() = None;
        self.database.apply(inner).await;
    }

    async fn finalize(&self) -> Barrier {
        self.database.finalize().await
    }

    async fn prune(&self, target: &SyncTarget) {
        self.database.prune(target).await;
    }

    async fn committed_targets(&self) -> SyncTarget {
        self.database.committed_targets().await
    }
}

impl<E, R> StateSyncSet<E, R> for States<E>
where
    E: Storing + Metrics,
    R: Send + 'static,
    Database<E>: StateSyncSet<E, R> + DatabaseSet<E, Config = Config, SyncTargets = SyncTarget>,
{
    type Error = <Database<E> as StateSyncSet<E, R>>::Error;

    async fn sync<D: DigestBytes>(
        runtime: E,
        config: Self::Config,
        sources: R,
        anchor: Anchor<D>,
        target: SyncTarget,
        tips: ring::Receiver<TipUpdate<D, SyncTarget>>,
        sync: SyncEngineConfig,
    ) -> Result<(Self, Anchor<D>), Self::Error> {
        let StatesConfig { database, lists, .. } = config;
        let synced = <Database<E> as StateSyncSet<E, R>>::sync(
            runtime, database, sources, anchor, target, tips, sync,
        );
        let (database, anchor) = synced.await?;
        Ok((Self::of(database, lists).await, anchor))
    }
}
