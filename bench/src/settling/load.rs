//! What gateways settle, signed before the clock runs.

use crate::ledger::batches::Market;
use std::ops::Range;

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
    /// The batches of these numbers of each gateway, of `size` calls each.
    pub fn prepare(market: &Market, gateways: usize, numbers: Range<u64>, size: u64) -> Self {
        let each = (numbers.end - numbers.start) * size;
        let batches = |gateway| market.batches(gateway, numbers.clone(), size);
        let batches = (0..gateways).map(batches).collect();
        let opening = |gateway, number| market.opening(gateway, number, ACCOUNTS);
        let openings =
            |gateway| numbers.clone().map(|number| opening(gateway, number)).collect::<Vec<_>>();
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
