//! The simulated network as one member manages it, and who blocked whom: a validator blocks
//! a peer that it caught at something no honest peer does.

use ambar_chain::types::Key;
use commonware_actor::Feedback;
use commonware_p2p::simulated::{self, Control};
use commonware_p2p::{
    BlockedSubscription, Blocker, Manager, PeerSetSubscription, Provider, TrackedPeers,
};
use commonware_runtime::deterministic::Context;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Pairs of who blocked and who is blocked.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocked(Arc<Mutex<BTreeSet<(Key, Key)>>>);

impl Blocked {
    pub(super) fn pairs(&self) -> Vec<(Key, Key)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn note(&self, from: &Key, to: &Key) {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.insert((from.clone(), to.clone()));
    }
}

/// One member's reach. Its blocks are always noted, and carried out if the run wants it.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) me: Key,
    pub(super) control: Control<Key, Context>,
    pub(super) peers: simulated::Manager<Key, Context>,
    pub(super) noted: Blocked,
    pub(super) blocking: bool,
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach").field("me", &self.me).finish_non_exhaustive()
    }
}

impl Provider for Reach {
    type PublicKey = Key;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<Key>> {
        self.peers.peer_set(id).await
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<Key> {
        self.peers.subscribe().await
    }
}

impl Manager for Reach {
    fn track<R>(&mut self, id: u64, peers: R) -> Feedback
    where
        R: Into<TrackedPeers<Key>> + Send,
    {
        // The first member to enter an epoch tells the network; all would tell it the same.
        self.peers.track(id, peers)
    }
}

impl Blocker for Reach {
    type PublicKey = Key;

    fn block(&mut self, peer: Key) -> Feedback {
        self.noted.note(&self.me, &peer);
        if self.blocking { self.control.block(peer) } else { Feedback::Ok }
    }

    fn blocked(&mut self) -> BlockedSubscription<Key> {
        self.control.blocked()
    }
}
