//! Where an adversary's messages leave it: what the engine behind it sends is handed to the
//! adversary, and whatever that makes of it goes out.
//!
//! Honest members have the same taps without an adversary, so that the engine is compiled
//! once for all.

use super::adversary::{Actor, Hand, Outgoing};
use ambar_chain::types::Key;
use bytes::Bytes;
use commonware_actor::{Feedback, Unreliable};
use commonware_p2p::{
    CheckedSender, LimitedSender, Message, Receiver, Recipients, Sender as _, simulated,
};
use commonware_runtime::IoBufs;
use commonware_runtime::deterministic::Context;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The sending end of a channel of the simulated network.
pub(super) type Plain = simulated::Sender<Key, Context>;

/// An adversary with all its channels.
pub(super) struct Stage(Mutex<Playing>);

struct Playing {
    actor: Box<dyn Actor>,
    hand: Hand,
    senders: Vec<Plain>,
}

impl Stage {
    pub(super) fn new(actor: Box<dyn Actor>, hand: Hand, senders: Vec<Plain>) -> Self {
        Self(Mutex::new(Playing { actor, hand, senders }))
    }

    fn playing(&self) -> MutexGuard<'_, Playing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, outgoing: Outgoing) {
        self.playing().play(|actor, hand| actor.send(hand, outgoing));
    }

    fn hear(&self, channel: usize, from: &Key, message: &Bytes) {
        self.playing().play(|actor, hand| actor.hear(hand, channel, from, message));
    }

    /// Lets the adversary act of its own accord.
    pub(super) fn tick(&self) {
        self.playing().play(|actor, hand| actor.tick(hand));
    }
}

impl Playing {
    fn play(&mut self, act: impl FnOnce(&mut dyn Actor, &mut Hand)) {
        act(&mut *self.actor, &mut self.hand);
        for outgoing in self.hand.take() {
            let Outgoing { channel, to, message, priority } = outgoing;
            self.senders[channel].send(to, message, priority);
        }
    }
}

/// The sending end of a channel.
#[derive(Clone)]
pub(super) struct TapSender {
    pub(super) channel: usize,
    pub(super) plain: Plain,
    pub(super) stage: Option<Arc<Stage>>,
}

impl LimitedSender for TapSender {
    type PublicKey = Key;
    type Checked<'a> = Checked<'a>;

    fn check(&mut self, to: Recipients<Key>) -> Result<Checked<'_>, SystemTime> {
        let plain = self.plain.check(to.clone())?;
        let played = self.stage.as_ref().map(|stage| (Arc::clone(stage), self.channel, to));
        Ok(Checked { plain, played })
    }
}

/// A message that may be sent.
pub(super) struct Checked<'a> {
    plain: <Plain as LimitedSender>::Checked<'a>,
    played: Option<(Arc<Stage>, usize, Recipients<Key>)>,
}

impl CheckedSender for Checked<'_> {
    type PublicKey = Key;

    fn recipients(&self) -> Vec<Key> {
        self.plain.recipients()
    }

    fn send(self, message: impl Into<IoBufs> + Send, priority: bool) -> Unreliable<Feedback> {
        let Some((stage, channel, to)) = self.played else {
            return self.plain.send(message, priority);
        };
        let message = Bytes::from(message.into().coalesce());
        stage.send(Outgoing { channel, to, message, priority });
        Unreliable::new(Feedback::Ok)
    }
}

/// The receiving end of a channel.
pub(super) struct TapReceiver {
    pub(super) channel: usize,
    pub(super) plain: simulated::Receiver<Key>,
    pub(super) stage: Option<Arc<Stage>>,
}

impl fmt::Debug for TapReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapReceiver").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Receiver for TapReceiver {
    type Error = simulated::Error;
    type PublicKey = Key;

    async fn recv(&mut self) -> Result<Message<Key>, simulated::Error> {
        let (from, message) = self.plain.recv().await?;
        if let Some(stage) = &self.stage {
            stage.hear(self.channel, &from, &Bytes::from(message.clone()));
        }
        Ok((from, message))
    }

    fn capacity(&self) -> NonZeroUsize {
        self.plain.capacity()
    }
}
