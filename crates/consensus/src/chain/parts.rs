//! How each part of a validator's engine is set: buffers, windows, patience.
//!
//! **Invariant**: every queue, buffer and window has a bound named here.

use super::app::{App, Marshal};
use super::state;
use super::state_source::Nowhere;
use super::types::{ChainBlock, Context, Key, Scheme, Sha};
use super::wire::{Environment, Seat};
use crate::settings::BlockLimits;
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
use commonware_cryptography::certificate::ConstantProvider;
use commonware_cryptography::{Digested, Sha256};
use commonware_glue::stateful::db::SyncEngineConfig;
use commonware_glue::stateful::{Config as StatefulConfig, PruneConfig, SyncPlan};
use commonware_p2p::{Blocker, Provider};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::archive::prunable;
use commonware_storage::translator::EightCap;
use commonware_utils::{NZDuration, NZU16, NZU64, NZUsize};
use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};
use std::time::Duration;

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
const PAGES: (NonZeroU16, NonZeroUsize) = (NZU16!(4_096), NZUsize!(2_048));
/// How long an answer of a peer may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long after a failure to ask again.
const FETCH_RETRY: Duration = Duration::from_millis(100);

/// The vote's engine for these parts of ours.
type Voting<B, A, F> = simplex::Config<Scheme, RoundRobin<Sha256>, B, Sha, A, F, F, Sequential>;

/// The memory that all parts share for pages of their files.
pub(super) fn pages() -> CacheRef {
    CacheRef::new(PAGES.0, PAGES.1)
}

/// Epochs do not end.
pub(super) fn epochs() -> FixedEpocher {
    FixedEpocher::new(NonZeroU64::MAX)
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

impl<P: Provider<PublicKey = Key>, B: Blocker<PublicKey = Key>> Seat<P, B> {
    /// Sending blocks around.
    pub(super) fn broadcast(&self) -> buffered::Config<Key, BlockLimits, P, Sequential> {
        buffered::Config {
            public_key: self.me.clone(),
            mailbox_size: MAILBOX,
            deque_size: BLOCKS_PER_PEER,
            priority: false,
            codec_config: self.limits,
            peer_provider: self.peers.clone(),
            strategy: Sequential,
        }
    }

    /// Fetching missing blocks.
    pub(super) fn backfill(&self) -> marshal_resolver::Config<Key, P, B> {
        marshal_resolver::Config {
            public_key: self.me.clone(),
            peer_provider: self.peers.clone(),
            blocker: self.blocker.clone(),
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
        cache: CacheRef,
    ) -> marshal::Config<
        ConstantProvider<Scheme, Epoch>,
        FixedEpocher,
        Sequential,
        ChainBlock,
        Digested<ChainBlock>,
    > {
        marshal::Config {
            provider: ConstantProvider::new(self.scheme.clone()),
            epocher: epochs(),
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
        cache: CacheRef,
    ) -> StatefulConfig<E, App, Standard<ChainBlock>, Nowhere<E>, Sequential> {
        StatefulConfig {
            application,
            db_config: state::config(&self.prefix, cache),
            provider: (),
            marshal,
            mailbox_size: MAILBOX,
            plan,
            resolvers: Nowhere::new(),
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
        }
    }

    /// Voting.
    pub(super) fn voting<A, F>(
        self,
        (automaton, follower): (A, F),
        genesis: Sha,
        cache: CacheRef,
    ) -> Voting<B, A, F>
    where
        A: CertifiableAutomaton<Context = Context>,
        F: Relay + Reporter<Activity = Activity<Scheme, Sha>>,
    {
        simplex::Config {
            scheme: self.scheme,
            elector: RoundRobin::<Sha256>::default(),
            blocker: self.blocker,
            automaton,
            relay: follower.clone(),
            reporter: follower,
            strategy: Sequential,
            partition: format!("{}votes", self.prefix),
            mailbox_size: MAILBOX,
            epoch: Epoch::zero(),
            floor: Floor::Genesis(genesis),
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
