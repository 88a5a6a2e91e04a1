//! The ledger as the gateway reads it: the state after the last final block.

use ambar_base::{Coded, Digest, NetworkId};
use ambar_consensus::limits::SCAN_ENTRIES_MAX;
use ambar_consensus::{Consensus, Head, StateView, StoreError};
use ambar_ledger::query::State;
use ambar_ledger::{Key, Refusal};

/// The state after one final block.
#[derive(Clone)]
pub struct LedgerView(StateView);

impl LedgerView {
    /// The state after the last final block.
    pub fn latest(consensus: &dyn Consensus) -> Result<Self, StoreError> {
        consensus.read().map(Self)
    }

    /// The state of a view.
    #[must_use]
    pub fn of(state: StateView) -> Self {
        Self(state)
    }

    /// The block after which this is the state.
    #[must_use]
    pub fn head(&self) -> Head {
        self.0.head()
    }
}

/// Most leases that are looked through for a node's own.
const LEASES_MAX: usize = 1 << 20;

impl LedgerView {
    /// The leases of a node: grants and periods.
    pub fn leases_of(&self, node: u64) -> Result<Vec<(u64, u64)>, StoreError> {
        let table = Key::Lease(Default::default()).table();
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..LEASES_MAX / SCAN_ENTRIES_MAX {
            let entries = self.0.scan(&table, after.as_deref(), SCAN_ENTRIES_MAX)?;
            let Some((last, _)) = entries.last() else { break };
            after = Some(last.clone());
            found.extend(entries.iter().filter_map(|(key, _)| match Key::parse(key) {
                Ok(Key::Lease((grant, (period, of)))) if of == node => Some((grant, period)),
                _ => None,
            }));
        }
        Ok(found)
    }
}

impl State for LedgerView {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        let read = self.0.get(key);
        let failed = |error: StoreError| Refusal::new(error.code(), error.to_string());
        read.map(|value| value.map(|bytes| bytes.to_vec())).map_err(failed)
    }
}

/// What the gateway's secrets are derived from: its node key, for one purpose each.
#[derive(Clone)]
pub struct Salts {
    secret: Digest,
    network: NetworkId,
}

impl Salts {
    /// Salts of the node with this key.
    #[must_use]
    pub fn new(network: NetworkId, key: &ambar_base::SecretKey) -> Self {
        let secret = ambar_base::Domain::Opening.digest(key.seed().as_slice());
        Self { secret, network }
    }

    /// The salt of a call's input and output: whoever holds it can open the hashes in the
    /// receipt.
    #[must_use]
    pub fn of(&self, channel: u64, n: u64) -> [u8; 32] {
        let parts =
            [&self.secret.0[..], &self.network.0.0, &channel.to_be_bytes(), &n.to_be_bytes()];
        Digest::of_parts(&parts).0
    }
}
