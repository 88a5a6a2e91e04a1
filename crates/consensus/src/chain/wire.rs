//! Tying the engine's parts together for one validator.
//!
//! Consensus (simplex) votes on blocks; marshal keeps final blocks in order and fetches
//! missing ones; the stateful actor runs the ledger over the authenticated state. Nothing
//! here knows whether storage, time and network are real or simulated.

use super::app::App;
use super::network::Channels;
use super::on_demand::OnDemand;
use super::state::{self, Storing};
use super::types::{ChainBlock, Key, Scheme, Sha};
use crate::settings::{BlockLimits, Patience};
use commonware_broadcast::buffered;
use commonware_consensus::marshal::{
    self,
    core::Actor as MarshalActor,
    resolver::p2p as marshal_resolver,
    standard::{Deferred, Standard},
};
use commonware_consensus::simplex::{
    self, Floor, SkipBudget,
    config::{ForwardPolicy, SkipPolicy},
    elector::RoundRobin,
};
use commonware_consensus::types::{Epoch, FixedEpocher, ViewDelta};
use commonware_cryptography::certificate::{ConstantProvider, Verifier};
use commonware_cryptography::{Digested, Digestible, Sha256};
use commonware_glue::stateful::db::SyncEngineConfig;
use commonware_glue::stateful::{Config as StatefulConfig, PruneConfig, Stateful, SyncPlan};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Handle, Metrics, Storage};
use commonware_storage::archive::prunable;
use commonware_storage::translator::EightCap;
use commonware_utils::{NZDuration, NZU16, NZU64, NZUsize};
use rand_core_10::CryptoRng;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

/// What the engine needs of its surroundings, real or simulated.
pub(crate) trait Environment: Storing + Storage + Metrics + CryptoRng {}
impl<E: Storing + Storage + Metrics + CryptoRng> Environment for E {}

/// Buffer of each journal, bytes.
const BUFFER: NonZeroUsize = NZUsize!(1 << 16);
/// Messages that wait for one actor.
const MAILBOX: NonZeroUsize = NZUsize!(1_024);
/// Blocks that peers sent, by peer.
const BLOCKS_PER_PEER: usize = 16;
/// Operations fetched or served at a time.
const STATE_BATCH: NonZeroU64 = NZU64!(256);
/// Views behind the last final one of which votes are kept.
const VIEWS_KEPT: ViewDelta = ViewDelta::new(256);
/// Blocks between two prunings.
const PRUNE_EVERY: NonZeroUsize = NZUsize!(256);
/// Final blocks that a peer can still fetch from here, besides the newest few.
const BLOCKS_KEPT: usize = 4_096;
/// Final blocks whose ledger work may be under way.
const UNACKNOWLEDGED: NonZeroUsize = NZUsize!(16);
/// Pages in memory, and bytes of each.
const PAGES: (std::num::NonZeroU16, NonZeroUsize) = (NZU16!(4_096), NZUsize!(2_048));
/// How long an answer of a peer may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long after a failure to ask again.
const FETCH_RETRY: Duration = Duration::from_millis(100);

/// Who takes part, and how.
#[derive(Clone)]
pub(crate) struct Seat<P, B> {
    pub(crate) me: Key,
    pub(crate) scheme: Scheme,
    pub(crate) peers: P,
    pub(crate) blocker: B,
    /// Before the names of everything stored.
    pub(crate) prefix: String,
    pub(crate) limits: BlockLimits,
    pub(crate) patience: Patience,
}

/// The parts of a running validator. It has failed when any of them ends.
pub(crate) type Running = Vec<Handle<()>>;

fn archive<C>(name: String, cache: CacheRef, codec_config: C) -> prunable::Config<EightCap, C> {
    prunable::Config {
        translator: EightCap,
        metadata_partition: format!("{name}-metadata"),
        key_partition: format!("{name}-key"),
        key_page_cache: cache,
        value_partition: format!("{name}-value"),
        compression: None,
        codec_config,
        items_per_section: NZU64!(256),
        key_write_buffer: BUFFER,
        value_write_buffer: BUFFER,
        replay_buffer: BUFFER,
    }
}

/// Largest message that validators send, bytes.
pub(crate) fn message_bytes_max(seats: u32, limits: &BlockLimits) -> u32 {
    commonware_p2p::max_message_size(&[
        simplex::max_payload_size::<Scheme, Sha>(seats),
        marshal::max_payload_size::<Standard<ChainBlock>, Scheme>(seats, limits),
        limits.bytes_max,
    ])
}

/// Starts a validator.
pub(crate) async fn start<E, P, B, S, R>(
    runtime: E,
    seat: Seat<P, B>,
    app: App,
    channels: Channels<S, R>,
) -> Running
where
    E: Environment,
    P: Provider<PublicKey = Key>,
    B: Blocker<PublicKey = Key>,
    S: Sender<PublicKey = Key>,
    R: Receiver<PublicKey = Key>,
{
    let cache = CacheRef::new(PAGES.0, PAGES.1);
    let genesis = app.genesis.clone();
    let plan = SyncPlan::init(runtime.child("plan"), format!("{}plan", seat.prefix)).await;

    let (broadcast, buffer) = buffered::Engine::new(
        runtime.child("broadcast"),
        buffered::Config {
            public_key: seat.me.clone(),
            mailbox_size: MAILBOX,
            deque_size: BLOCKS_PER_PEER,
            priority: false,
            codec_config: seat.limits,
            peer_provider: seat.peers.clone(),
            strategy: Sequential,
        },
    );
    let broadcast = broadcast.start(channels.blocks);
    let resolver = marshal_resolver::init(
        runtime.child("marshal_resolver"),
        marshal_resolver::Config {
            public_key: seat.me.clone(),
            peer_provider: seat.peers.clone(),
            blocker: seat.blocker.clone(),
            mailbox_size: MAILBOX,
            fetch_timeout: NZDuration!(FETCH_TIMEOUT),
            fetch_retry_delay: FETCH_RETRY,
            priority_requests: false,
            priority_responses: false,
        },
        channels.backfill,
    );
    let unbounded = <Scheme as Verifier>::certificate_codec_config_unbounded();
    let finalizations = prunable::Archive::init(
        runtime.child("finalizations"),
        archive(format!("{}finalizations", seat.prefix), cache.clone(), unbounded),
    );
    let blocks = prunable::Archive::init(
        runtime.child("blocks"),
        archive(format!("{}blocks", seat.prefix), cache.clone(), seat.limits),
    );
    let opened = (finalizations.await, blocks.await);
    let (finalizations, blocks) = match opened {
        (Ok(finalizations), Ok(blocks)) => (finalizations, blocks),
        (Err(error), _) | (_, Err(error)) => panic!("an archive does not open: {error}"),
    };
    let epocher = FixedEpocher::new(NonZeroU64::MAX);
    let anchor = Digested::precomputed(genesis.clone(), genesis.digest());
    let (marshal_actor, marshal, floor) =
        MarshalActor::<_, Standard<ChainBlock>, _, _, _, _, _>::init(
            runtime.child("marshal"),
            finalizations,
            blocks,
            marshal::Config {
                provider: ConstantProvider::new(seat.scheme.clone()),
                epocher: epocher.clone(),
                start: plan.marshal_start(anchor),
                partition_prefix: format!("{}marshal", seat.prefix),
                mailbox_size: MAILBOX,
                view_retention: VIEWS_KEPT,
                prunable_items_per_section: NZU64!(256),
                page_cache: cache.clone(),
                replay_buffer: BUFFER,
                key_write_buffer: BUFFER,
                value_write_buffer: BUFFER,
                block_codec_config: seat.limits,
                max_repair: NZUsize!(32),
                max_pending_acks: UNACKNOWLEDGED,
                strategy: Sequential,
            },
        )
        .await;
    // Set once for each start; a second start has an application of its own.
    let _ = app.marshal.set(marshal.clone());
    let (stateful, ledger) = Stateful::new(
        runtime.child("stateful"),
        StatefulConfig {
            application: app.clone(),
            db_config: state::config(&seat.prefix, cache.clone()),
            provider: (),
            marshal: (marshal.clone(), floor),
            mailbox_size: MAILBOX,
            plan,
            resolvers: super::state_source::Nowhere::new(),
            sync_config: SyncEngineConfig {
                fetch_batch_size: STATE_BATCH,
                apply_batch_size: NZU64!(1_024),
                max_outstanding_requests: NZUsize!(8),
            },
            prune_config: Some(PruneConfig {
                maintenance_interval: PRUNE_EVERY,
                retained_marshal_blocks: BLOCKS_KEPT,
                retained_qmdb_blocks: 0,
            }),
            strategy: Sequential,
        },
    );
    let deferred =
        Deferred::new(runtime.child("deferred"), ledger.clone(), marshal.clone(), epocher);
    let automaton =
        OnDemand::new(runtime.child("proposer"), Arc::clone(&app.core), deferred.clone());
    let marshal_handle = marshal_actor.start(ledger, buffer, resolver);
    super::catch_up::catch_up(&app, &marshal).await;
    let stateful = stateful.start();
    let engine = simplex::Engine::new(
        runtime.child("engine"),
        simplex::Config {
            scheme: seat.scheme,
            elector: RoundRobin::<Sha256>::default(),
            blocker: seat.blocker,
            automaton,
            relay: deferred.clone(),
            reporter: deferred,
            strategy: Sequential,
            partition: format!("{}votes", seat.prefix),
            mailbox_size: MAILBOX,
            epoch: Epoch::zero(),
            floor: Floor::Genesis(genesis.digest()),
            replay_buffer: NZUsize!(1 << 20),
            write_buffer: BUFFER,
            page_cache: cache,
            leader_timeout: seat.patience.leader,
            certification_timeout: seat.patience.view,
            timeout_retry: Duration::from_millis(500),
            view_retention: VIEWS_KEPT,
            skip: SkipPolicy::Enabled {
                timeout: seat.patience.silence,
                budget: SkipBudget::Participants,
            },
            fetch_timeout: NZDuration!(FETCH_TIMEOUT),
            fetch_retry_delay: FETCH_RETRY,
            forward: ForwardPolicy::Disabled,
            track_historical_votes: true,
        },
    );
    let engine = engine.start(channels.votes, channels.certificates, channels.resolver);
    let gossip = super::gossip::start(runtime.child("gossip"), app.core, channels.transactions);
    vec![broadcast, marshal_handle, stateful, engine, gossip]
}
