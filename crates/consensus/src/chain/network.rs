//! The channels between validators, and the network of a committee of one.
//!
//! **Invariant**: a committee of one opens no port.

use super::types::Key;
use commonware_actor::{Feedback, Unreliable};
use commonware_p2p::{
    BlockedSubscription, Blocker, CheckedSender, LimitedSender, Manager, Message,
    PeerSetSubscription, PeerSetUpdate, Provider, Receiver, Recipients, TrackedPeers,
};
use commonware_runtime::IoBufs;
use commonware_utils::NZUsize;
use commonware_utils::channel::{mpsc, ring};
use commonware_utils::ordered::Set;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Both ends of every channel of one validator.
pub(crate) struct Channels<S, R> {
    pub(crate) votes: (S, R),
    pub(crate) certificates: (S, R),
    pub(crate) resolver: (S, R),
    pub(crate) backfill: (S, R),
    pub(crate) blocks: (S, R),
    pub(crate) transactions: (S, R),
    pub(crate) state: (S, R),
}

/// How many channels there are: they are numbered from 0 in the order of the fields.
pub(crate) const CHANNELS: u64 = 7;

impl<S, R> Channels<S, R> {
    /// Opens each channel by its number.
    pub(crate) fn open(mut open: impl FnMut(u64) -> (S, R)) -> Self {
        Self {
            votes: open(0),
            certificates: open(1),
            resolver: open(2),
            backfill: open(3),
            blocks: open(4),
            transactions: open(5),
            state: open(CHANNELS - 1),
        }
    }
}

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

/// The end of a channel that nobody hears.
#[derive(Clone, Debug)]
pub(crate) struct Unheard;

/// The end of a channel on which nobody speaks.
#[derive(Debug)]
pub(crate) struct Silence;

impl Alone {
    pub(crate) fn new(me: Key) -> Self {
        Self { me, open: Arc::default() }
    }

    /// Its channels.
    pub(crate) fn channels() -> Channels<Unheard, Silence> {
        Channels::open(|_| (Unheard, Silence))
    }

    fn open(&self) -> MutexGuard<'_, Subscriptions> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self) -> TrackedPeers<Key> {
        TrackedPeers::primary(Set::from_iter_dedup([self.me.clone()]))
    }
}

impl LimitedSender for Unheard {
    type PublicKey = Key;
    type Checked<'a> = Self;

    fn check(&mut self, _: Recipients<Key>) -> Result<Self, SystemTime> {
        Ok(self.clone())
    }
}

impl CheckedSender for Unheard {
    type PublicKey = Key;

    fn recipients(&self) -> Vec<Key> {
        Vec::new()
    }

    fn send(self, _: impl Into<IoBufs> + Send, _: bool) -> Unreliable<Feedback> {
        Unreliable::new(Feedback::Ok)
    }
}

impl Receiver for Silence {
    type Error = Infallible;
    type PublicKey = Key;

    async fn recv(&mut self) -> Result<Message<Key>, Infallible> {
        std::future::pending().await
    }

    fn capacity(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
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
