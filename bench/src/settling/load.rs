//! What gateways settle, signed before the clock runs.

use crate::ledger::batches::Market;

/// Accounts opened with each batch.
const ACCOUNTS: u64 = 4;

/// The transactions of each gateway, in their order.
pub struct Load {
    /// A gateway's batches.
    pub batches: Vec<Vec<Vec<u8>>>,
    /// With each batch, the transaction that opens accounts.
    pub openings: Vec<Vec<Vec<u8>>>,
    calls: u64,
}

impl Load {
    /// About so many calls of so many gateways, in batches of `size`.
    pub fn prepare(market: &Market, gateways: usize, calls: u64, size: u64) -> Self {
        let each = calls / gateways as u64 / size * size;
        let batches: Vec<_> =
            (0..gateways).map(|gateway| market.batches(gateway, each, size)).collect();
        let openings = |gateway: usize| {
            (0..each / size).map(|number| market.opening(gateway, number, ACCOUNTS)).collect()
        };
        let openings = (0..gateways).map(openings).collect();
        Self { batches, openings, calls: each * gateways as u64 }
    }

    /// The number of calls.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Bytes of the batches.
    pub fn bytes(&self) -> usize {
        self.batches.iter().flatten().map(Vec::len).sum()
    }
}
