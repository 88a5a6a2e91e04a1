//! The committees' keys by epoch, as the engine asks for them.

use crate::types::Scheme;
use crate::votes::scheme;
use ambar_consensus::core::Core;
use commonware_consensus::types::Epoch;
use commonware_cryptography::certificate::{Provider, Scoped};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Epochs whose keys stay prepared in memory.
const PREPARED_MAX: usize = 16;

/// How the votes of each epoch are checked.
#[derive(Clone)]
pub struct Schemes {
    core: Arc<Core>,
    prepared: Arc<Mutex<BTreeMap<u64, Arc<Scheme>>>>,
}

impl Schemes {
    /// By the committees that `core` knows.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, prepared: Arc::default() }
    }

    /// How an epoch's votes are checked, if its committee is known here.
    pub fn checking(&self, epoch: u64) -> Option<Arc<Scheme>> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scheme) = prepared.get(&epoch) {
            return Some(Arc::clone(scheme));
        }
        let scheme = Arc::new(self.make(epoch, false)?);
        prepared.insert(epoch, Arc::clone(&scheme));
        if prepared.len() > PREPARED_MAX {
            prepared.pop_first();
        }
        Some(scheme)
    }

    /// How an epoch's votes are checked, and cast if this node has a seat.
    pub fn voting(&self, epoch: u64) -> Option<Scheme> {
        self.make(epoch, true)
    }

    fn make(&self, epoch: u64, voting: bool) -> Option<Scheme> {
        let settings = &self.core.settings;
        let committee = self.core.committee(epoch).ok().flatten()?;
        let key = voting.then_some(&settings.key);
        // A committee's keys are sound: it was decoded.
        scheme(settings.rules.network(), &committee, key).ok()
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        self.checking(epoch.get()).map(Scoped::scheme)
    }
}
