//! How a node sets its engine.

use ambar_base::SecretKey;
use ambar_consensus::{Rules, Settings};
use ambar_ledger::transaction::TRANSACTION_BYTES_MAX;

/// Memory for the ledger's page cache, bytes: a node at rest stays small.
pub(crate) const LEDGER_CACHE_BYTES: usize = 8 << 20;

/// The engine's settings on this machine.
pub(crate) fn settings(rules: Rules, key: &SecretKey) -> Settings {
    let settings = Settings::new(rules, key.clone());
    let mut pool = settings.pool;
    pool.transaction_bytes_max = TRANSACTION_BYTES_MAX;
    Settings { cache_bytes: LEDGER_CACHE_BYTES, pool, ..settings }
}
