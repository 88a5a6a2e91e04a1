//! What an operator chooses. None of it changes what a block means.

use ambar_base::{Moment, NetworkId, SecretKey};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where consensus time comes from; tests drive it.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// The machine's clock. Before 1970 it says 0.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}

/// The most that goes into a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// Most transactions.
    pub transactions_max: usize,
    /// Most bytes of all transactions together.
    pub bytes_max: usize,
    /// Net writes after which no further transaction is added.
    pub writes_max: usize,
}

/// The most that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Most transactions.
    pub transactions_max: usize,
    /// Most bytes of all transactions together.
    pub bytes_max: usize,
    /// Longest transaction, bytes. At most the block's `bytes_max`.
    pub transaction_bytes_max: usize,
    /// Most submitters that wait for one and the same transaction.
    pub submitters_max: usize,
    /// Most refusals remembered.
    pub refusals_max: usize,
}

/// An engine's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The ledger.
    pub network: NetworkId,
    /// The key that signs blocks.
    pub key: SecretKey,
    /// The longest time between blocks when nothing happens.
    pub heartbeat: Duration,
    /// The most that goes into a block.
    pub block: BlockLimits,
    /// The most that waits.
    pub pool: PoolLimits,
    /// Memory for the store's page cache, bytes.
    pub cache_bytes: usize,
}

impl Settings {
    /// The usual settings: a heartbeat of one second, blocks of up to 10,000 transactions.
    #[must_use]
    pub fn new(network: NetworkId, key: SecretKey) -> Self {
        Self {
            network,
            key,
            heartbeat: Duration::from_secs(1),
            block: BlockLimits {
                transactions_max: 10_000,
                bytes_max: 16 << 20,
                writes_max: 65_536,
            },
            pool: PoolLimits {
                transactions_max: 50_000,
                bytes_max: 64 << 20,
                transaction_bytes_max: 4 << 20,
                submitters_max: 64,
                refusals_max: 16_384,
            },
            cache_bytes: 128 << 20,
        }
    }
}
