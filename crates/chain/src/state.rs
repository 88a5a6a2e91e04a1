//! The authenticated state: a database that proves presence and absence of keys under one
//! root (QMDB, "Quick Merkle Database", arXiv:2501.05262; its `current` ordered variant).

use crate::types::{Sha, our_digest};
use ambar_base::Digest;
use ambar_base::finality::StateCommitment;
use ambar_consensus::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use commonware_codec::RangeCfg;
use commonware_cryptography::Sha256;
use commonware_glue::stateful::db::ManagedDb;
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Spawner};
use commonware_storage::Context as StorageContext;
use commonware_storage::journal::contiguous::variable::Config as LogConfig;
use commonware_storage::merkle::{full::Config as TreeConfig, mmr};
use commonware_storage::qmdb::any::ordered::variable::Operation;
use commonware_storage::qmdb::current::{VariableConfig, ordered::variable};
use commonware_storage::qmdb::sync::Target;
use commonware_storage::translator::EightCap;
use commonware_utils::{NZU64, NZUsize, range::NonEmptyRange};

/// Bytes of one chunk of the bitmap of active operations.
const CHUNK_BYTES: usize = 32;

/// The database.
pub type StateDb<E> =
    variable::Db<mmr::Family, E, Vec<u8>, Vec<u8>, Sha256, EightCap, CHUNK_BYTES, Sequential>;
/// An operation of its log.
pub type StateOp = Operation<mmr::Family, Vec<u8>, Vec<u8>>;
/// What a block commits to of the database.
pub type SyncTarget = Target<mmr::Family, Sha>;

type Lengths = (RangeCfg<usize>, ());
/// How long keys and values of a logged operation may be.
pub(super) fn op_lengths() -> (Lengths, Lengths) {
    let bytes = |max: usize| (RangeCfg::new(0..=max), ());
    (bytes(KEY_BYTES_MAX), bytes(VALUE_BYTES_MAX))
}

/// How the database is opened.
pub(super) type Config = VariableConfig<EightCap, (Lengths, Lengths), Sequential>;

/// What an engine's storage and time must be able to do.
pub trait Storing: Spawner + StorageContext + Clock {}
impl<E: Spawner + StorageContext + Clock> Storing for E {}

/// The database's configuration under `prefix`.
pub fn config(prefix: &str, page_cache: CacheRef) -> Config {
    let buffer = NZUsize!(1 << 16);
    VariableConfig {
        merkle_config: TreeConfig {
            journal_partition: format!("{prefix}state-nodes"),
            metadata_partition: format!("{prefix}state-pins"),
            items_per_blob: NZU64!(1 << 16),
            write_buffer: buffer,
            replay_buffer: buffer,
            strategy: Sequential,
            page_cache: page_cache.clone(),
        },
        journal_config: LogConfig {
            partition: format!("{prefix}state-log"),
            // A section is removed whole, and an operation may be a list of some thousand ids.
            items_per_section: NZU64!(1 << 12),
            compression: None,
            codec_config: op_lengths(),
            page_cache,
            write_buffer: buffer,
            replay_buffer: buffer,
        },
        grafted_metadata_partition: format!("{prefix}state-bitmap"),
        translator: EightCap,
        init_cache: Some(NZUsize!(1 << 16)),
        init_buffer: NZUsize!(1 << 21),
        init_concurrency: (),
    }
}

fn commitment(root: Digest, target: &SyncTarget) -> StateCommitment {
    StateCommitment {
        root,
        operations_root: our_digest(&target.root),
        first: *target.range.start(),
        end: *target.range.end(),
    }
}

/// What the database without an entry commits to, which is what genesis says.
#[must_use]
pub fn empty() -> StateCommitment {
    type Db = StateDb<commonware_runtime::tokio::Context>;
    let target = <Db as ManagedDb<commonware_runtime::tokio::Context>>::initial_sync_target();
    commitment(Digest::ZERO, &target)
}

/// What a header's commitment asks of a database.
pub fn sync_target(state: &StateCommitment) -> Option<SyncTarget> {
    let (first, end) = (mmr::Location::new(state.first), mmr::Location::new(state.end));
    let range = NonEmptyRange::new(first..end).ok()?;
    Some(Target::new(crate::types::sha(&state.operations_root), range))
}
