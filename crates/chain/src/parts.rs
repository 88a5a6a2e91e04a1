//! How each part of a validator's engine is set: buffers, windows, patience.
//!
//! **Invariant**: every queue, buffer and window has a bound named here.

use crate::app::{App, Marshal};
use crate::keep;
use crate::peer_state::{OPERATIONS_MAX, PeerState};
use crate::schemes::Schemes;
use crate::state;
use crate::states::StatesConfig;
use crate::types::{ChainBlock, Context, Key, Scheme, Sha};
use crate::wire::{Environment, Seat};
use ambar_consensus::core::Core;
use ambar_consensus::epoch::Epochs;
use ambar_consensus::settings::BlockLimits;
use commonware_broadcast::buffered;
use commonware_consensus::marshal::{
    self, core::Floor as MarshalFloor, resolver::p2p as marshal_resolver, standard::Standard,
};
use commonware_consensus::simplex::{
    self, Floor, SkipBudget,
    config::{ForwardPolicy, SkipPolicy},
    elector::RoundRobin,
    types::Activity,
};
use commonware_consensus::types::{Epoch, FixedEpocher, ViewDelta};
use commonware_consensus::{CertifiableAutomaton, Relay, Reporter};
use commonware_cryptography::{Digested, Sha256};
use commonware_glue::stateful::db::SyncEngineConfig;
use commonware_glue::stateful::{Config as StatefulConfig, SyncPlan};
use commonware_p2p::{Blocker, Manager};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::archive::prunable;
use commonware_storage::translator::EightCap;
use commonware_utils::{NZDuration, NZU16, NZU64, NZUsize};
use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Duration;

/// Buffer of each journal, bytes.
const BUFFER: NonZeroUsize = NZUsize!(1 << 16);
/// Messages that wait for one actor.
const MAILBOX: NonZeroUsize = NZUsize!(1_024);
/// Blocks that peers sent, by peer.
const BLOCKS_PER_PEER: usize = 16;
/// Views behind the last final one of which votes are kept.
const VIEWS_KEPT: ViewDelta = ViewDelta::new(256);
/// Final blocks whose ledger work may be under way.
pub(super) const UNACKNOWLEDGED: NonZeroUsize = NZUsize!(16);
/// Bytes of a page in memory.
const PAGE_BYTES: NonZeroU16 = NZU16!(4_096);
/// Pages in memory of who has a seat when the engine starts: it makes and checks blocks in time.
const PAGES_SEATED: NonZeroUsize = NZUsize!(2_048);
/// The same of who only follows; the system caches the same files.
const PAGES_FOLLOWING: NonZeroUsize = NZUsize!(256);
/// How long an answer of a peer may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long after a failure to ask again.
const FETCH_RETRY: Duration = Duration::from_millis(100);

/// What differs between the engines of epochs.
pub(super) struct Voting<A, F, H> {
    pub(super) scheme: Scheme,
    pub(super) epoch: u64,
    pub(super) floor: Floor<Scheme, Sha>,
    pub(super) partition: String,
    pub(super) automaton: A,
    pub(super) relay: F,
    pub(super) reporter: H,
    pub(super) cache: CacheRef,
}

/// The engine's configuration for these parts of ours.
type Engine<N, A, F, H> = simplex::Config<Scheme, RoundRobin<Sha256>, N, Sha, A, F, H, Sequential>;

/// The memory that all parts share for pages of their files.
pub(super) fn pages(core: &Core) -> CacheRef {
    let seated = core.newest_committee().seats().contains(&core.settings.key.public());
    CacheRef::new(PAGE_BYTES, if seated { PAGES_SEATED } else { PAGES_FOLLOWING })
}

/// Epochs as the engine counts them.
pub(super) fn epocher(epochs: Epochs) -> FixedEpocher {
    FixedEpocher::new(epochs.length())
}

pub(super) fn archive<C>(
    name: &str,
    cache: CacheRef,
    codec_config: C,
) -> prunable::Config<EightCap, C> {
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

impl<N: Manager<PublicKey = Key> + Blocker<PublicKey = Key>> Seat<N> {
    /// Sending blocks around.
    pub(super) fn broadcast(&self) -> buffered::Config<Key, BlockLimits, N, Sequential> {
        buffered::Config {
            public_key: self.me.clone(),
            mailbox_size: MAILBOX,
            deque_size: BLOCKS_PER_PEER,
            priority: false,
            codec_config: self.limits,
            peer_provider: self.network.clone(),
            strategy: Sequential,
        }
    }

    /// Fetching missing blocks.
    pub(super) fn backfill(&self) -> marshal_resolver::Config<Key, N, N> {
        marshal_resolver::Config {
            public_key: self.me.clone(),
            peer_provider: self.network.clone(),
            blocker: self.network.clone(),
            mailbox_size: MAILBOX,
            fetch_timeout: NZDuration!(FETCH_TIMEOUT),
            fetch_retry_delay: FETCH_RETRY,
            priority_requests: false,
            priority_responses: false,
        }
    }

    /// Keeping final blocks in order.
    pub(super) fn marshal(
        &self,
        start: marshal::Start<Scheme, Sha, Digested<ChainBlock>>,
        (provider, epochs): (Schemes, Epochs),
        cache: CacheRef,
    ) -> marshal::Config<Schemes, FixedEpocher, Sequential, ChainBlock, Digested<ChainBlock>> {
        marshal::Config {
            provider,
            epocher: epocher(epochs),
            start,
            partition_prefix: format!("{}marshal", self.prefix),
            mailbox_size: MAILBOX,
            view_retention: VIEWS_KEPT,
            prunable_items_per_section: NZU64!(256),
            page_cache: cache,
            replay_buffer: BUFFER,
            key_write_buffer: BUFFER,
            value_write_buffer: BUFFER,
            block_codec_config: self.limits,
            max_repair: NZUsize!(32),
            max_pending_acks: UNACKNOWLEDGED,
            strategy: Sequential,
        }
    }

    /// Running the ledger over the state.
    pub(super) fn ledger<E: Environment>(
        &self,
        application: App,
        marshal: (Marshal, MarshalFloor),
        plan: SyncPlan<E, Scheme, Standard<ChainBlock>>,
        peers: PeerState<E>,
        cache: CacheRef,
    ) -> StatefulConfig<E, App, Standard<ChainBlock>, PeerState<E>, Sequential> {
        let lists = application.core.machine.lists();
        let (pruning, oldest) = keep::of(&application.core);
        StatefulConfig {
            application,
            db_config: StatesConfig { database: state::config(&self.prefix, cache), lists, oldest },
            provider: (),
            marshal,
            mailbox_size: MAILBOX,
            plan,
            resolvers: peers,
            sync_config: SyncEngineConfig {
                fetch_batch_size: NZU64!(OPERATIONS_MAX),
                apply_batch_size: NZU64!(1_024),
                max_outstanding_requests: NZUsize!(8),
            },
            prune_config: Some(pruning),
            strategy: Sequential,
        }
    }

    /// Voting in an epoch.
    pub(super) fn voting<A, F, H>(&self, voting: Voting<A, F, H>) -> Engine<N, A, F, H>
    where
        A: CertifiableAutomaton<Context = Context>,
        F: Relay,
        H: Reporter<Activity = Activity<Scheme, Sha>>,
    {
        let Voting { scheme, automaton, relay, reporter, partition, epoch, floor, cache } = voting;
        simplex::Config {
            scheme,
            elector: RoundRobin::<Sha256>::default(),
            blocker: self.network.clone(),
            automaton,
            relay,
            reporter,
            strategy: Sequential,
            partition,
            mailbox_size: MAILBOX,
            epoch: Epoch::new(epoch),
            floor,
            replay_buffer: NZUsize!(1 << 20),
            write_buffer: BUFFER,
            page_cache: cache,
            leader_timeout: self.patience.leader,
            certification_timeout: self.patience.view,
            timeout_retry: Duration::from_millis(500),
            view_retention: VIEWS_KEPT,
            skip: SkipPolicy::Enabled {
                timeout: self.patience.silence,
                budget: SkipBudget::Participants,
            },
            fetch_timeout: NZDuration!(FETCH_TIMEOUT),
            fetch_retry_delay: FETCH_RETRY,
            forward: ForwardPolicy::Disabled,
            track_historical_votes: true,
        }
    }
}
