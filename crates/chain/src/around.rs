//! Whoever is around a validator, be it nobody: one type for both, so that the engine is
//! compiled once.
//!
//! **Invariant**: a committee of one opens no port.

use crate::alone::Alone;
use crate::network::Channels;
use crate::peers;
use crate::types::Key;
use commonware_actor::{Feedback, Unreliable};
use commonware_p2p::authenticated::discovery::Oracle;
use commonware_p2p::{
    BlockedSubscription, Blocker, CheckedSender, LimitedSender, Manager, Message,
    PeerSetSubscription, Provider, Receiver, Recipients, TrackedPeers,
};
use commonware_runtime::IoBufs;
use std::num::NonZeroUsize;
use std::time::SystemTime;

/// Who is around.
#[derive(Clone, Debug)]
pub(crate) enum Around {
    /// Nobody.
    Nobody(Alone),
    /// Other validators.
    Peers(Oracle<Key>),
}

/// The channels to others, if there are any.
pub(crate) type Lines = Channels<Speaking, Hearing>;

/// The sending end of a channel.
#[derive(Clone)]
pub(crate) struct Speaking(pub(crate) Option<peers::Sender>);

/// The receiving end of a channel.
#[derive(Debug)]
pub(crate) struct Hearing(pub(crate) Option<peers::Receiver>);

/// A message that may be sent.
pub(crate) struct Allowed<'a>(Option<<peers::Sender as LimitedSender>::Checked<'a>>);

/// The channels of somebody who is alone.
pub(crate) fn silence() -> Lines {
    Channels::open(|_| (Speaking(None), Hearing(None)))
}

impl LimitedSender for Speaking {
    type PublicKey = Key;
    type Checked<'a> = Allowed<'a>;

    fn check(&mut self, to: Recipients<Key>) -> Result<Allowed<'_>, SystemTime> {
        let Some(sender) = &mut self.0 else { return Ok(Allowed(None)) };
        Ok(Allowed(Some(sender.check(to)?)))
    }
}

impl CheckedSender for Allowed<'_> {
    type PublicKey = Key;

    fn recipients(&self) -> Vec<Key> {
        self.0.as_ref().map(CheckedSender::recipients).unwrap_or_default()
    }

    fn send(self, message: impl Into<IoBufs> + Send, priority: bool) -> Unreliable<Feedback> {
        match self.0 {
            Some(checked) => checked.send(message, priority),
            None => Unreliable::new(Feedback::Ok),
        }
    }
}

impl Receiver for Hearing {
    type Error = <peers::Receiver as Receiver>::Error;
    type PublicKey = Key;

    async fn recv(&mut self) -> Result<Message<Key>, Self::Error> {
        match &mut self.0 {
            Some(receiver) => receiver.recv().await,
            None => std::future::pending().await,
        }
    }

    fn capacity(&self) -> NonZeroUsize {
        self.0.as_ref().map_or(NonZeroUsize::MIN, Receiver::capacity)
    }
}

impl Provider for Around {
    type PublicKey = Key;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<Key>> {
        match self {
            Self::Nobody(alone) => alone.peer_set(id).await,
            Self::Peers(oracle) => oracle.peer_set(id).await,
        }
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<Key> {
        match self {
            Self::Nobody(alone) => alone.subscribe().await,
            Self::Peers(oracle) => oracle.subscribe().await,
        }
    }
}

impl Manager for Around {
    fn track<R>(&mut self, id: u64, peers: R) -> Feedback
    where
        R: Into<TrackedPeers<Key>> + Send,
    {
        match self {
            Self::Nobody(alone) => alone.track(id, peers),
            Self::Peers(oracle) => oracle.track(id, peers),
        }
    }
}

impl Blocker for Around {
    type PublicKey = Key;

    fn block(&mut self, peer: Key) -> Feedback {
        match self {
            Self::Nobody(alone) => alone.block(peer),
            Self::Peers(oracle) => oracle.block(peer),
        }
    }

    fn blocked(&mut self) -> BlockedSubscription<Key> {
        match self {
            Self::Nobody(alone) => alone.blocked(),
            Self::Peers(oracle) => oracle.blocked(),
        }
    }
}
