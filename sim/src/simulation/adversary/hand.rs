//! What an adversary has: its identity, chance, and what it wants sent.

use super::{BLOCKS, TRANSACTIONS, VOTES};
use crate::simulation::Draw;
use ambar_chain::schemes::Schemes;
use ambar_chain::types::{ChainBlock, Key, Scheme, Sha, our_key};
use ambar_consensus::settings::BlockLimits;
use bytes::Bytes;
use commonware_codec::varint::UInt;
use commonware_codec::{Decode as _, DecodeExt as _, Encode as _};
use commonware_consensus::Epochable as _;
use commonware_consensus::simplex::elector::{
    Config as _, Elector as _, RoundRobin, RoundRobinElector,
};
use commonware_consensus::simplex::types::{Finalize, Notarize, Proposal, Vote};
use commonware_consensus::types::{Epoch, Round};
use commonware_cryptography::Sha256;
use commonware_cryptography::certificate::Scheme as _;
use commonware_p2p::Recipients;
use commonware_p2p::utils::mux;
use commonware_runtime::IoBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most forged transactions that are kept, the newest.
const FORGED_MAX: usize = 64;

/// A message on its way out.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) channel: usize,
    pub(crate) to: Recipients<Key>,
    pub(crate) message: Bytes,
    pub(crate) priority: bool,
}

/// Transactions that must never be final, made by clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forged(Arc<Mutex<Vec<Bytes>>>);

impl Forged {
    pub(crate) fn add(&self, transaction: Bytes) {
        let mut forged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if forged.len() == FORGED_MAX {
            forged.remove(0);
        }
        forged.push(transaction);
    }

    fn any(&self, draw: &mut Draw) -> Option<Bytes> {
        let forged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forged.get(draw.index(forged.len())).cloned()
    }
}

/// What adversaries did that somebody must have noticed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fame(Arc<(AtomicBool, AtomicU64)>);

impl Fame {
    /// Nothing hinders anybody from noticing any more.
    pub(crate) fn count_from_now(&self) {
        self.0.0.store(true, Ordering::SeqCst);
    }

    /// Somebody was sent a contradiction.
    pub(super) fn contradicted(&self) {
        if self.0.0.load(Ordering::SeqCst) {
            self.0.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(crate) fn contradictions(&self) -> u64 {
        self.0.1.load(Ordering::SeqCst)
    }
}

/// What an adversary has.
pub(crate) struct Hand {
    pub(crate) me: Key,
    schemes: Schemes,
    pub(crate) peers: Vec<Key>,
    pub(crate) limits: BlockLimits,
    pub(crate) draw: Draw,
    forged: Forged,
    pub(super) fame: Fame,
    out: Vec<Outgoing>,
}

impl Hand {
    pub(crate) fn new(
        me: Key,
        (schemes, peers): (Schemes, Vec<Key>),
        limits: BlockLimits,
        draw: Draw,
    ) -> Self {
        let (forged, fame, out) = Default::default();
        Self { me, schemes, peers, limits, draw, forged, fame, out }
    }

    /// With what it shares with other adversaries.
    pub(crate) fn with(self, forged: Forged, fame: Fame) -> Self {
        Self { forged, fame, ..self }
    }

    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        self.out.push(outgoing);
    }

    /// Sends to everybody.
    pub(super) fn spread(&mut self, channel: usize, message: Bytes) {
        self.send(Outgoing { channel, to: Recipients::All, message, priority: true });
    }

    /// What is to be sent now.
    pub(crate) fn take(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.out)
    }

    /// A transaction that clients forged.
    pub(super) fn forged(&mut self) -> Option<Bytes> {
        self.forged.any(&mut self.draw)
    }

    /// Spreads a transaction as if somebody had submitted it here.
    pub(super) fn gossip(&mut self, transaction: Bytes) {
        self.spread(TRANSACTIONS, transaction);
    }

    pub(super) fn digest(&mut self) -> Sha {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&self.draw.bytes(32));
        Sha::from(bytes)
    }

    /// How this member votes in an epoch; nothing if it has no seat in it.
    pub(super) fn scheme(&self, epoch: Epoch) -> Option<Scheme> {
        self.schemes.voting(epoch.get()).filter(|scheme| scheme.me().is_some())
    }

    /// Whether this member leads the round.
    pub(super) fn leads(&self, round: Round) -> bool {
        let Some(scheme) = self.scheme(round.epoch()) else { return false };
        let seats = scheme.participants();
        let elector: RoundRobinElector<Scheme> = RoundRobin::<Sha256>::default().build(seats);
        let me = scheme.me().and_then(|me| me.signer());
        me == Some(elector.elect(round, ()))
    }

    /// A vote in a message, if it is one of this engine.
    pub(super) fn vote(outgoing: &Outgoing) -> Option<Vote<Scheme, Sha>> {
        if outgoing.channel != VOTES {
            return None;
        }
        let (_, vote) = mux::parse(IoBuf::from(outgoing.message.clone())).ok()?;
        Vote::decode(vote).ok()
    }

    /// A vote as it travels: under the number of its epoch.
    pub(super) fn seal(vote: &Vote<Scheme, Sha>) -> Bytes {
        let epoch = UInt(vote.epoch().get());
        [epoch.encode(), vote.encode()].concat().into()
    }

    /// An own block in a message.
    pub(super) fn own_block(&self, outgoing: &Outgoing) -> Option<ChainBlock> {
        let is_block = outgoing.channel == BLOCKS;
        let block = is_block
            .then(|| ChainBlock::decode_cfg(outgoing.message.clone(), &self.limits).ok())??;
        (block.header().round.leader == our_key(&self.me)).then_some(block)
    }

    /// The own vote for a block.
    pub(super) fn notarize(&self, proposal: Proposal<Sha>) -> Option<Bytes> {
        let scheme = self.scheme(proposal.round.epoch())?;
        Some(Self::seal(&Vote::Notarize(Notarize::sign(&scheme, proposal)?)))
    }

    /// The own vote that a block is final.
    pub(super) fn finalize(&self, proposal: Proposal<Sha>) -> Option<Bytes> {
        let scheme = self.scheme(proposal.round.epoch())?;
        Some(Self::seal(&Vote::Finalize(Finalize::sign(&scheme, proposal)?)))
    }
}
