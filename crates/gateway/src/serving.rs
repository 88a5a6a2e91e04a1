//! What this node serves, and with what. Engines are the node's own configuration: a
//! capsule never names one.

use crate::supply::{QueueLimits, Supply};
use ambar_base::Cid;
use ambar_corpus::Corpus;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// With what a version is served.
#[derive(Clone)]
pub enum Offer {
    /// An engine: models.
    Engine(Supply),
    /// Records that can be searched and traced: datasets.
    Datanet(Arc<Corpus>),
    /// Nothing but its manifest: prompts, whose components do the work.
    Template,
}

/// The versions that this node serves.
#[derive(Default)]
pub struct Serving {
    limits: QueueLimits,
    changes: AtomicU64,
    offers: RwLock<BTreeMap<Cid, Offer>>,
}

impl Serving {
    /// Nothing yet; what comes has queues of these lengths before it.
    #[must_use]
    pub fn with(limits: QueueLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// How long the queues before engines are.
    #[must_use]
    pub fn limits(&self) -> QueueLimits {
        self.limits
    }

    /// Serves a version from now on.
    pub fn insert(&self, version: Cid, offer: Offer) {
        self.write().insert(version, offer);
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Serves a version with something else, if it is still served.
    pub fn replace(&self, version: &Cid, offer: Offer) {
        if let Some(place) = self.write().get_mut(version) {
            *place = offer;
            self.changes.fetch_add(1, Ordering::Release);
        }
    }

    /// Serves a version no longer; calls under way end.
    pub fn remove(&self, version: &Cid) {
        self.write().remove(version);
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// How often what is served has changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// With what a version is served.
    #[must_use]
    pub fn get(&self, version: &Cid) -> Option<Offer> {
        self.read().get(version).cloned()
    }

    /// The versions served.
    #[must_use]
    pub fn versions(&self) -> Vec<Cid> {
        self.read().keys().copied().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Cid, Offer>> {
        self.offers.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Cid, Offer>> {
        self.offers.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
