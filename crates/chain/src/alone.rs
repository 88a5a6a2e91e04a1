//! The network of a committee of one.

use crate::types::Key;
use commonware_actor::Feedback;
use commonware_p2p::{
    BlockedSubscription, Blocker, Manager, PeerSetSubscription, PeerSetUpdate, Provider,
    TrackedPeers,
};
use commonware_utils::NZUsize;
use commonware_utils::channel::{mpsc, ring};
use commonware_utils::ordered::Set;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A network without anybody else in it.
#[derive(Clone, Debug)]
pub(crate) struct Alone {
    me: Key,
    /// Whoever listens for changes takes the end of these as the end of the network.
    open: Arc<Mutex<Subscriptions>>,
}

#[derive(Debug, Default)]
struct Subscriptions {
    peers: Vec<mpsc::UnboundedSender<PeerSetUpdate<Key>>>,
    blocked: Vec<ring::Sender<Set<Key>>>,
}

impl Alone {
    /// Alone under this key.
    pub(crate) fn new(me: Key) -> Self {
        Self { me, open: Arc::default() }
    }

    fn open(&self) -> MutexGuard<'_, Subscriptions> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self) -> TrackedPeers<Key> {
        TrackedPeers::primary(Set::from_iter_dedup([self.me.clone()]))
    }
}

impl Provider for Alone {
    type PublicKey = Key;

    async fn peer_set(&mut self, _: u64) -> Option<TrackedPeers<Key>> {
        Some(self.peers())
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<Key> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let update = PeerSetUpdate { index: 0, latest: self.peers(), all: self.peers() };
        // The receiver is in hand.
        let _ = sender.send(update);
        self.open().peers.push(sender);
        receiver
    }
}

impl Manager for Alone {
    fn track<R>(&mut self, _: u64, _: R) -> Feedback
    where
        R: Into<TrackedPeers<Key>> + Send,
    {
        Feedback::Ok
    }
}

impl Blocker for Alone {
    type PublicKey = Key;

    fn block(&mut self, _: Key) -> Feedback {
        Feedback::Ok
    }

    fn blocked(&mut self) -> BlockedSubscription<Key> {
        let (sender, receiver) = ring::channel(NZUsize!(1));
        self.open().blocked.push(sender);
        receiver
    }
}
