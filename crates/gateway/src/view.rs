//! The ledger as the gateway reads it: the state after the last final block.

use ambar_base::{Coded, Digest, NetworkId};
use ambar_consensus::{Consensus, Head, StateView, StoreError};
use ambar_ledger::Refusal;
use ambar_ledger::query::State;

/// The state after one final block.
#[derive(Clone)]
pub struct LedgerView(StateView);

impl LedgerView {
    /// The state after the last final block.
    pub fn latest(consensus: &dyn Consensus) -> Result<Self, StoreError> {
        consensus.read().map(Self)
    }

    /// The block after which this is the state.
    #[must_use]
    pub fn head(&self) -> Head {
        self.0.head()
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
