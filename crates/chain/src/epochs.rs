//! One consensus engine for each epoch, started when the epoch before has ended.
//!
//! Votes of different epochs travel on one channel under the epoch's number. Whoever hears
//! of a later epoch asks the sender for the end of its own.
//!
//! **Invariant**: an epoch's engine starts from the final last block of the epoch before, and
//! at most one runs.

use crate::app::Marshal;
use crate::hearing::{Hearing, Listening};
use crate::mark::may_vote;
use crate::network::Channels;
use crate::parts;
use crate::schemes::Schemes;
use crate::types::{Context, Key, Scheme, Sha, Votes as Finalized, key, sha};
use crate::votes::{finalization, seats};
use crate::wire::{Environment, Seat};
use ambar_base::Height;
use ambar_base::finality::DESCENDANTS_MAX;
use ambar_consensus::core::Core;
use ambar_consensus::database::Snapshot;
use ambar_consensus::error::StoreError;
use commonware_consensus::simplex::types::Activity;
use commonware_consensus::simplex::{self, Floor};
use commonware_consensus::types::Height as ChainHeight;
use commonware_consensus::{CertifiableAutomaton, Relay, Reporter};
use commonware_p2p::utils::mux::{Builder as _, MuxHandle, Muxer};
use commonware_p2p::{Blocker, Manager, Message, Receiver, Sender, TrackedPeers};
use commonware_runtime::Handle;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_utils::channel::mpsc;
use commonware_utils::ordered::Set;
use commonware_utils::vec::NonEmptyVec;
use futures::future::{Either, select};
use std::io;
use std::pin::pin;
use std::sync::Arc;

/// What the engine of any epoch works with.
pub(super) struct Parts<E, N, A, F> {
    pub(super) runtime: E,
    pub(super) seat: Seat<N>,
    pub(super) core: Arc<Core>,
    pub(super) schemes: Schemes,
    pub(super) marshal: Marshal,
    pub(super) automaton: A,
    pub(super) follower: F,
    pub(super) cache: CacheRef,
    /// The block towards which state was or is being fetched.
    pub(super) began_at: Option<Finalized>,
}

/// How the partitions begin that keep a key from voting twice: an epoch's votes, and that it
/// was begun.
pub(super) const VOTES_KEPT: [&str; 2] = ["votes-", "begun-"];

type Elsewhere = mpsc::Receiver<(u64, Message<Key>)>;

/// The channels of consensus, split by epoch.
struct Split<S: Sender> {
    votes: MuxHandle<S>,
    certificates: MuxHandle<S>,
    resolver: MuxHandle<S>,
    /// Votes and certificates of epochs that do not run here.
    other_votes: Elsewhere,
    other_certificates: Elsewhere,
}

/// The engine of an epoch. Dropping it stops it.
struct Active {
    epoch: u64,
    engine: Handle<()>,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.engine.abort();
    }
}

fn split<E, S, R>(runtime: &E, core: &Arc<Core>, channels: Votes<S, R>) -> Split<S>
where
    E: Environment,
    S: Sender<PublicKey = Key>,
    R: Receiver<PublicKey = Key>,
{
    let Votes { votes, certificates, resolver } = channels;
    let heard = Listening::new(Arc::clone(core), votes.1);
    let (mux, votes, other_votes) =
        Muxer::builder(runtime.child("votes"), votes.0, heard).with_backup().build();
    mux.start();
    let (mux, certificates, other_certificates) =
        Muxer::builder(runtime.child("certificates"), certificates.0, certificates.1)
            .with_backup()
            .build();
    mux.start();
    let (mux, resolver) = Muxer::new(runtime.child("resolver"), resolver.0, resolver.1);
    mux.start();
    Split { votes, certificates, resolver, other_votes, other_certificates }
}

/// The channels that consensus uses.
pub(super) struct Votes<S, R> {
    votes: (S, R),
    certificates: (S, R),
    resolver: (S, R),
}

/// The channels of everything else.
pub(super) struct Blocks<S, R> {
    pub(super) backfill: (S, R),
    pub(super) blocks: (S, R),
    pub(super) transactions: (S, R),
    pub(super) state: (S, R),
}

/// Tells a validator's channels apart.
pub(super) fn part<S, R>(channels: Channels<S, R>) -> (Votes<S, R>, Blocks<S, R>) {
    let Channels { votes, certificates, resolver, backfill, blocks, transactions, state } =
        channels;
    let blocks = Blocks { backfill, blocks, transactions, state };
    (Votes { votes, certificates, resolver }, blocks)
}

/// The peers of an epoch: its committee, and whoever this node knows besides.
pub(super) fn track<N: Manager<PublicKey = Key>>(network: &mut N, core: &Core, epoch: u64) {
    let Ok(Some(committee)) = core.committee(epoch) else { return };
    let Ok(primary) = seats(&committee) else { return };
    network.track(epoch, TrackedPeers::new(primary, Set::from_iter_dedup(known(core))));
}

/// Peers that this node was told of.
pub(super) fn known(core: &Core) -> Vec<Key> {
    let known = core.settings.peers.iter().flat_map(|peers| &peers.known);
    known.filter_map(|(peer, _)| key(peer).ok()).collect()
}

impl<E, N, A, F> Parts<E, N, A, F>
where
    E: Environment,
    N: Manager<PublicKey = Key> + Blocker<PublicKey = Key> + Sync,
    A: CertifiableAutomaton<Context = Context, Digest = Sha>,
    F: Relay<Digest = Sha, PublicKey = Key, Plan = simplex::Plan<Key>>
        + Reporter<Activity = Activity<Scheme, Sha>>,
{
    /// Runs one epoch after another.
    pub(super) fn start<S, R>(mut self, channels: Votes<S, R>) -> Handle<()>
    where
        S: Sender<PublicKey = Key>,
        R: Receiver<PublicKey = Key>,
    {
        let runtime = self.runtime.child("epochs");
        runtime.spawn(move |runtime| async move {
            let mut split = split(&runtime, &self.core, channels);
            let mut epoch = self.core.epoch.subscribe();
            let first = *epoch.borrow_and_update();
            let Some(mut active) = self.enter(first, &mut split).await else { return };
            loop {
                let event = next(&mut epoch, &mut active, &mut split).await;
                match event {
                    Event::Ended => return,
                    Event::Heard(later, from) => self.hint(active.epoch, later, from),
                    Event::Next(epoch) => {
                        let Some(next) = self.enter(epoch, &mut split).await else { return };
                        active = next;
                        self.forget(epoch).await;
                    }
                }
            }
        })
    }

    fn votes(&self, epoch: u64) -> String {
        format!("{}{}{epoch}", self.seat.prefix, VOTES_KEPT[0])
    }

    fn begun(&self, epoch: u64) -> String {
        format!("{}{}{epoch}", self.seat.prefix, VOTES_KEPT[1])
    }

    /// What an epoch builds on: the newest final block of its own, or the end of the epoch
    /// before. Votes up to a final block decide nothing any more, and one who began in the
    /// middle of an epoch has none.
    fn floor(&self, epoch: u64) -> Result<Floor<Scheme, Sha>, StoreError> {
        let snapshot = self.core.latest()?;
        if let Some(newest) = newest_of(&snapshot, epoch)? {
            return Ok(Floor::Finalized(newest));
        }
        let Some(before) = epoch.checked_sub(1) else {
            return Ok(Floor::Genesis(self.seat.genesis));
        };
        let height = self.core.settings.rules.epochs().last(before);
        if let Some(header) = snapshot.last_header(before, height)? {
            return Ok(Floor::Genesis(sha(&header.digest())));
        }
        let of_now = |votes: &Finalized| votes.proposal.round.epoch().get() == epoch;
        let began_at = self.began_at.clone().filter(of_now);
        let missing = || StoreError::Corrupt(format!("block {height} is missing"));
        began_at.map(Floor::Finalized).ok_or_else(missing)
    }

    /// Starts an epoch's engine, unless the network ends meanwhile.
    async fn enter<S: Sender<PublicKey = Key>>(
        &mut self,
        epoch: u64,
        split: &mut Split<S>,
    ) -> Option<Active> {
        track(&mut self.seat.network, &self.core, epoch);
        let scheme = self.scheme(epoch).await;
        let floor = self.floor(epoch);
        let floor = floor.unwrap_or_else(|error| panic!("epoch {epoch} cannot begin: {error}"));
        let voting = self.seat.voting(parts::Voting {
            scheme,
            epoch,
            floor,
            partition: self.votes(epoch),
            automaton: self.automaton.clone(),
            relay: self.follower.clone(),
            reporter: Hearing::new(Arc::clone(&self.core), self.follower.clone()),
            cache: self.cache.clone(),
        });
        let runtime = self.runtime.child("engine").with_attribute("epoch", epoch);
        let engine = simplex::Engine::new(runtime, voting);
        let votes = split.votes.register(epoch).await;
        let certificates = split.certificates.register(epoch).await;
        let resolver = split.resolver.register(epoch).await;
        let (votes, certificates, resolver) = (votes.ok()?, certificates.ok()?, resolver.ok()?);
        tracing::info!(epoch, "an epoch begins");
        Some(Active { epoch, engine: engine.start(votes, certificates, resolver) })
    }

    /// How this node votes in an epoch. One whose votes of the epoch are lost only follows.
    async fn scheme(&mut self, epoch: u64) -> Scheme {
        use commonware_cryptography::certificate::Scheme as _;
        let scheme = self.schemes.voting(epoch);
        let scheme = scheme.unwrap_or_else(|| panic!("nobody knows who votes in epoch {epoch}"));
        if scheme.me().is_none() {
            return scheme;
        }
        let may = self.may_vote(epoch).await;
        if may.unwrap_or_else(|error| panic!("the mark of votes: {error}")) {
            return scheme;
        }
        tracing::error!(epoch, "this node's votes are lost: it does not vote in this epoch");
        self.core.sit_out(epoch);
        let checking = self.schemes.checking(epoch);
        checking.map_or(scheme, |checking| Scheme::clone(&checking))
    }

    /// Whether this node may vote in an epoch. Where its votes are kept it is noted that the
    /// epoch was begun, before the mark says that the key may have voted: a crash in between
    /// costs nothing.
    async fn may_vote(&mut self, epoch: u64) -> io::Result<bool> {
        let begun = self.begun(epoch);
        let found = self.runtime.scan(&begun).await.is_ok_and(|blobs| !blobs.is_empty());
        let may = may_vote(&*self.seat.mark, epoch, found)?;
        if may && !found {
            self.runtime.open(&begun, b"begun").await.map_err(io::Error::other)?;
            self.seat.mark.raise(epoch)?;
        }
        Ok(may)
    }

    /// Asks whoever speaks of a later epoch for the end of this one.
    fn hint(&self, ours: u64, theirs: u64, from: Key) {
        if theirs > ours {
            let Height(last) = self.core.settings.rules.epochs().last(ours);
            self.marshal.hint_finalized(ChainHeight::new(last), NonEmptyVec::new(from));
        }
    }

    /// Removes the votes of an epoch that cannot be asked for again.
    async fn forget(&mut self, entered: u64) {
        if let Some(old) = entered.checked_sub(2) {
            // They may be gone already.
            let _ = self.runtime.remove(&self.votes(old), None).await;
            let _ = self.runtime.remove(&self.begun(old), None).await;
        }
    }
}

/// The newest block of an epoch that was voted final itself.
fn newest_of(view: &Snapshot, epoch: u64) -> Result<Option<Finalized>, StoreError> {
    let Some(committee) = view.committee(epoch)? else { return Ok(None) };
    let Height(head) = view.head().height;
    // Nobody votes for genesis.
    for height in (head.saturating_sub(DESCENDANTS_MAX as u64).max(1)..=head).rev() {
        let Some(block) = view.final_header(Height(height))? else { continue };
        if block.certificate.epoch == epoch && block.descendants.is_empty() {
            return Ok(finalization(&block, &committee));
        }
    }
    Ok(None)
}

enum Event {
    Next(u64),
    Heard(u64, Key),
    Ended,
}

async fn next<S: Sender<PublicKey = Key>>(
    epoch: &mut tokio::sync::watch::Receiver<u64>,
    active: &mut Active,
    split: &mut Split<S>,
) -> Event {
    let mut turned = epoch.clone();
    let changed = pin!(turned.changed());
    let heard = pin!(async {
        let votes = pin!(split.other_votes.recv());
        let certificates = pin!(split.other_certificates.recv());
        select(votes, certificates).await.factor_first().0
    });
    let heard = select(&mut active.engine, heard);
    let changed = match select(changed, heard).await {
        Either::Left((changed, _)) => changed.is_ok(),
        Either::Right((Either::Right((Some((theirs, (from, _))), _)), _)) => {
            return Event::Heard(theirs, from);
        }
        Either::Right((Either::Right((None, _)), _)) => false,
        Either::Right((Either::Left((Ok(()), _)), _)) => false,
        Either::Right((Either::Left((Err(error), _)), _)) => {
            panic!("consensus ended: {error}")
        }
    };
    if changed { Event::Next(*epoch.borrow_and_update()) } else { Event::Ended }
}
