//! What settling a batch changes, leaf by leaf, before anything is posted.

use crate::key::Key;
use crate::object::{Channel, Lease, QuotaCount};
use crate::refusal::Refusal;
use crate::view::View;
use ambar_base::{Digest, ErrorCode, Height};
use std::collections::{BTreeMap, BTreeSet};

/// Channels, quotas and calls of a batch.
#[derive(Debug)]
pub struct Progress {
    /// Channels by number.
    pub channels: BTreeMap<u64, Channel>,
    /// What is counted under a grant, and what the gateway's lease holds: (grant, period).
    pub quotas: BTreeMap<(u64, u64), (QuotaCount, Lease)>,
    /// Charged lines under each grant whose terms have tiers.
    pub calls: BTreeMap<u64, u64>,
    /// Calls that settled before, or stand in the batch twice.
    repeated: BTreeSet<Digest>,
    settled: Vec<Digest>,
}

impl Progress {
    pub(super) fn new(channels: BTreeMap<u64, Channel>, repeated: BTreeSet<Digest>) -> Self {
        Self {
            channels,
            quotas: BTreeMap::new(),
            calls: BTreeMap::new(),
            repeated,
            settled: Vec::new(),
        }
    }

    pub(super) fn channel(&self, number: u64) -> Result<&Channel, Refusal> {
        self.channels.get(&number).ok_or_else(|| Refusal::unknown("channel", number))
    }

    /// Settles a sequence number of a channel, unless it has before.
    pub(super) fn settle_number(&mut self, channel: u64, n: u64) -> Result<(), Refusal> {
        let unknown = || Refusal::unknown("channel", channel);
        let channel = self.channels.get_mut(&channel).ok_or_else(unknown)?;
        let settled = channel.settled.settle(n);
        settled.map_err(|error| Refusal::new(ErrorCode::NonceStale, error.to_string()))
    }

    /// The gateway's lease on a grant's quota, if calls admitted at `admitted` may use it; else
    /// why not.
    pub(super) fn lease(
        &self,
        grant: u64,
        period: u64,
        admitted: Height,
    ) -> Result<&Lease, String> {
        let Some((_, lease)) = self.quotas.get(&(grant, period)) else {
            return Err(format!("the gateway has no lease on grant {grant} in period {period}"));
        };
        if admitted < lease.until {
            return Ok(lease);
        }
        Err(format!(
            "the gateway's lease on grant {grant} admits calls below height {}",
            lease.until
        ))
    }

    /// Notes that a call settles, unless it has before.
    pub(super) fn settle_call(&mut self, call: Digest) -> Result<(), Refusal> {
        if call == Digest::ZERO || self.repeated.contains(&call) {
            let message = format!("call {call} has settled before, or stands here twice");
            return Err(Refusal::new(ErrorCode::IdempotencyConflict, message));
        }
        self.settled.push(call);
        Ok(())
    }

    /// Writes what changed; the calls that settled, ascending.
    pub(super) fn write(mut self, view: &mut View<'_>, gateway: u64) -> Vec<Digest> {
        for (number, channel) in &self.channels {
            view.put(&Key::Channel(*number), channel);
        }
        for (key, (count, lease)) in &self.quotas {
            view.put(&Key::Quota(*key), count);
            view.put(&Key::Lease((key.0, (key.1, gateway))), lease);
        }
        self.settled.sort_unstable();
        self.settled
    }
}
