//! Tying the engine's parts together for one validator.
//!
//! Consensus (simplex) votes on blocks; marshal keeps final blocks in order and fetches
//! missing ones; the stateful actor runs the ledger over the authenticated state. Nothing
//! here knows whether storage, time and network are real or simulated.

use crate::app::{App, Marshal};
use crate::begin::{self, far_ahead};
use crate::catch_up::{catch_up, go_on};
use crate::epochs;
use crate::feed::feed;
use crate::keep;
use crate::mark::VoteMark;
use crate::network::Channels;
use crate::on_demand::OnDemand;
use crate::parts;
use crate::peer_state::{self, PeerState};
use crate::schemes::Schemes;
use crate::state::Storing;
use crate::types::{ChainBlock, Key, Scheme, Sha, Votes};
use ambar_base::SEATS_MAX;
use ambar_consensus::core::Core;
use ambar_consensus::settings::{BlockLimits, Patience};
use commonware_broadcast::buffered;
use commonware_consensus::marshal::{
    self,
    core::Actor as MarshalActor,
    resolver::p2p as marshal_resolver,
    standard::{Deferred, Standard},
};
use commonware_consensus::simplex;
use commonware_cryptography::certificate::Verifier;
use commonware_cryptography::{Digested, Digestible};
use commonware_glue::stateful::{Stateful, SyncPlan};
use commonware_p2p::utils::mux;
use commonware_p2p::{Blocker, Manager, Receiver, Sender};
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Handle, Metrics, Storage};
use commonware_storage::archive::prunable;
use commonware_storage::translator::EightCap;
use rand_core_10::CryptoRng;
use std::sync::Arc;

/// What the engine needs of its surroundings, real or simulated.
pub trait Environment: Storing + Storage + Metrics + CryptoRng {}
impl<E: Storing + Storage + Metrics + CryptoRng> Environment for E {}

/// Who takes part, and how.
#[derive(Clone)]
pub struct Seat<N> {
    /// Under which key.
    pub me: Key,
    /// Who is on the network, who should be, and who must not.
    pub network: N,
    /// The digest of the block of height 0.
    pub genesis: Sha,
    /// In which epochs the key may have voted.
    pub mark: Arc<dyn VoteMark>,
    /// Before the names of everything stored.
    pub prefix: String,
    /// The most that goes into a block.
    pub limits: BlockLimits,
    /// How long to wait for others.
    pub patience: Patience,
}

/// The parts of a running validator. It has failed when any of them ends.
pub type Running = Vec<Handle<()>>;

/// Largest message that validators send, bytes.
pub fn message_bytes_max(limits: &BlockLimits) -> u32 {
    const SEATS: u32 = SEATS_MAX as u32;
    commonware_p2p::max_message_size(&[
        mux::prefixed(simplex::max_payload_size::<Scheme, Sha>(SEATS)),
        marshal::max_payload_size::<Standard<ChainBlock>, Scheme>(SEATS, limits),
        limits.bytes_max,
    ])
}

type Archive<E, V> = prunable::Archive<EightCap, E, Sha, V>;

async fn archives<E: Environment>(
    runtime: &E,
    prefix: &str,
    limits: BlockLimits,
    cache: &CacheRef,
) -> (Archive<E, Votes>, Archive<E, Arc<ChainBlock>>) {
    let unbounded = <Scheme as Verifier>::certificate_codec_config_unbounded();
    let finalizations = prunable::Archive::init(
        runtime.child("finalizations"),
        parts::archive(&format!("{prefix}finalizations"), cache.clone(), unbounded),
    );
    let blocks = prunable::Archive::init(
        runtime.child("blocks"),
        parts::archive(&format!("{prefix}blocks"), cache.clone(), limits),
    );
    match (finalizations.await, blocks.await) {
        (Ok(finalizations), Ok(blocks)) => (finalizations, blocks),
        (Err(error), _) | (_, Err(error)) => panic!("an archive does not open: {error}"),
    }
}

type Plan<E> = SyncPlan<E, Scheme, Standard<ChainBlock>>;

/// Where this node begins. One that has nothing yet may fetch its state from peers.
async fn aim<E: Environment>(
    runtime: &E,
    prefix: &str,
    core: &Core,
    (peers, known): (&PeerState<E>, &[Key]),
) -> Plan<E> {
    let mut plan = SyncPlan::init(runtime.child("plan"), format!("{prefix}plan")).await;
    if plan.may_sync() && plan.floor().is_none() && !known.is_empty() {
        plan = match far_ahead(core, peers, known, runtime).await {
            Some(votes) => plan.set_floor(votes).await,
            None => plan,
        };
    }
    if let Some(votes) = plan.floor() {
        core.begin_in(votes.proposal.round.epoch().get());
    }
    plan
}

/// Starts a validator.
pub async fn start<E, N, S, R>(
    runtime: E,
    mut seat: Seat<N>,
    app: App,
    channels: Channels<S, R>,
) -> Running
where
    E: Environment,
    N: Manager<PublicKey = Key> + Blocker<PublicKey = Key> + Sync,
    S: Sender<PublicKey = Key>,
    R: Receiver<PublicKey = Key>,
{
    let (cache, genesis) = (parts::pages(&app.core), app.genesis.clone());
    let (first, epochs) = (genesis.digest(), app.core.settings.rules.epochs());
    let schemes = Schemes::new(Arc::clone(&app.core));
    let (votes, channels) = epochs::part(channels);
    epochs::track(&mut seat.network, &app.core, *app.core.epoch.borrow());
    let (peers, serving) =
        peer_state::start(runtime.child("peer_state"), Arc::clone(&app.core), channels.state);
    let known = epochs::known(&app.core);
    let plan = aim(&runtime, &seat.prefix, &app.core, (&peers, &known)).await;
    let began_at = plan.floor().cloned();
    let (broadcast, buffer) = buffered::Engine::new(runtime.child("broadcast"), seat.broadcast());
    let broadcast = broadcast.start(channels.blocks);
    let resolver = marshal_resolver::init(
        runtime.child("marshal_resolver"),
        seat.backfill(),
        channels.backfill,
    );
    let (finalizations, blocks) = archives(&runtime, &seat.prefix, seat.limits, &cache).await;
    let anchor = plan.marshal_start(Digested::precomputed(genesis, first));
    let (marshal_actor, marshal, floor) =
        MarshalActor::<_, Standard<ChainBlock>, _, _, _, _, _>::init(
            runtime.child("marshal"),
            finalizations,
            blocks,
            seat.marshal(anchor, (schemes.clone(), epochs), cache.clone()),
        )
        .await;
    // Set once for each start; a second start has an application of its own.
    let _ = app.marshal.set(marshal.clone());
    let ledger =
        seat.ledger(app.clone(), (marshal.clone(), floor), plan, peers.clone(), cache.clone());
    let (stateful, ledger) = Stateful::new(runtime.child("stateful"), ledger);
    let follower = Deferred::new(
        runtime.child("deferred"),
        ledger.clone(),
        marshal.clone(),
        parts::epocher(epochs),
    );
    let (core, proposer) = (Arc::clone(&app.core), runtime.child("proposer"));
    let automaton = OnDemand::new(proposer, Arc::clone(&core), marshal.clone(), follower.clone());
    let marshal_task = marshal_actor.start(ledger, buffer, resolver);
    let brought = meet(&runtime, (&app, &marshal), began_at.is_none(), || stateful.start()).await;
    let parts = epochs::Parts {
        runtime: runtime.child("consensus"),
        seat,
        core: Arc::clone(&core),
        schemes,
        marshal,
        automaton,
        follower,
        cache,
        began_at,
    };
    let engines = parts.start(votes);
    let running = [broadcast, marshal_task, engines, serving].into_iter().chain(brought);
    running.chain(beside(&runtime, core, channels.transactions, (peers, known))).collect()
}

/// Brings the view up to the engine, starts the latter's ledger, and brings it up to the view,
/// unless it begins at its peers' state. What runs then: the ledger, and what brings the view
/// further if that must wait.
async fn meet<E: Environment>(
    runtime: &E,
    (app, marshal): (&App, &Marshal),
    by_itself: bool,
    start: impl FnOnce() -> Handle<()>,
) -> Vec<Handle<()>> {
    let turn = Arc::clone(&app.turn).lock_owned().await;
    if !catch_up(app, marshal).await {
        let later = go_on(runtime.child("later"), (app.clone(), marshal.clone()), turn);
        // The engine is ahead of the view: it has nothing to be given.
        return vec![start(), later];
    }
    drop(turn);
    keep::forget(&app.core, marshal).await;
    let ledger = start();
    if by_itself {
        feed(app, marshal).await;
    }
    vec![ledger]
}

/// What runs beside consensus.
fn beside<E: Environment, S, R>(
    runtime: &E,
    core: Arc<Core>,
    transactions: (S, R),
    (peers, known): (PeerState<E>, Vec<Key>),
) -> [Handle<()>; 2]
where
    S: Sender<PublicKey = Key>,
    R: Receiver<PublicKey = Key>,
{
    let gossip = runtime.child("gossip");
    let gossip = crate::gossip::start(gossip, Arc::clone(&core), transactions);
    [gossip, begin::start_watch(runtime.child("progress"), core, peers, known)]
}
