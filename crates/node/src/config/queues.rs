//! `[gateway]` of `node.toml`: how many calls the node has in hand, how many an upstream gets at
//! once, how many of one payer wait for an engine, and when a second node is asked.
//!
//! It deliberately knows no engine and no queue: what the numbers do is the gateway's.
//!
//! **Invariant**: what is not said here is left to the gateway, and every number that is read is
//! above zero and within its limit.

use ambar_gateway::QueueLimits;
use ambar_gateway::entrance::IN_HAND_MAX;
use ambar_gateway::flow::WAITING_MAX;
use ambar_gateway::routing::hedge::HEDGE_PERCENTILES;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// Most calls that are under way at one upstream: each takes a connection.
pub const UPSTREAM_CALLS_MAX: u32 = 16_384;

/// The queues before engines, as the operator wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queues {
    /// Calls under way at one upstream; further ones wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_calls: Option<NonZeroU32>,
    /// Calls of one payer that wait for one engine; further ones are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_per_payer: Option<NonZeroU32>,
    /// Calls that the node has in hand, whatever its threads could do; further ones are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_at_once: Option<NonZeroU32>,
    /// The percentile of a node's waits after which a second one is asked for the same answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hedge_percentile: Option<u8>,
}

/// Why `[gateway]` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} = {value} is not {min} to {max}")]
pub struct QueuesError {
    name: &'static str,
    value: u32,
    min: usize,
    max: usize,
}

fn count(number: NonZeroU32) -> usize {
    usize::try_from(number.get()).unwrap_or(usize::MAX)
}

impl Queues {
    /// What engines are served with.
    #[must_use]
    pub fn limits(&self) -> QueueLimits {
        let default = QueueLimits::default();
        QueueLimits {
            upstream_calls: self.upstream_calls.map_or(default.upstream_calls, count),
            waiting_per_payer: self.waiting_per_payer.map_or(default.waiting_per_payer, count),
        }
    }

    /// How many calls the node has in hand at most.
    #[must_use]
    pub fn in_hand(&self) -> usize {
        self.calls_at_once.map_or(IN_HAND_MAX, count)
    }

    pub(super) fn read(written: Option<Self>) -> Result<Self, QueuesError> {
        let queues = written.unwrap_or_default();
        let limits = [
            ("upstream_calls", queues.upstream_calls, UPSTREAM_CALLS_MAX as usize),
            ("waiting_per_payer", queues.waiting_per_payer, WAITING_MAX),
            ("calls_at_once", queues.calls_at_once, IN_HAND_MAX),
        ];
        for (name, value, max) in limits {
            if let Some(value) = value.filter(|value| count(*value) > max) {
                return Err(QueuesError { name, value: value.get(), min: 1, max });
            }
        }
        if let Some(percentile) = queues.hedge_percentile.filter(|p| !HEDGE_PERCENTILES.contains(p))
        {
            let (min, max) = (*HEDGE_PERCENTILES.start(), *HEDGE_PERCENTILES.end());
            return Err(QueuesError {
                name: "hedge_percentile",
                value: percentile.into(),
                min: min.into(),
                max: max.into(),
            });
        }
        Ok(queues)
    }

    pub(super) fn written(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_left_to_the_gateway() {
        assert_eq!(Queues::default().limits(), QueueLimits::default());
        let queues = Queues { waiting_per_payer: NonZeroU32::new(3), ..Queues::default() };
        let expect = QueueLimits { waiting_per_payer: 3, ..QueueLimits::default() };
        assert_eq!(queues.limits(), expect);
        assert_eq!(queues.in_hand(), IN_HAND_MAX);
        let queues = Queues { calls_at_once: NonZeroU32::new(4), ..Queues::default() };
        assert_eq!((queues.in_hand(), queues.limits()), (4, QueueLimits::default()));
    }

    #[test]
    fn a_percentile_is_within_its_range() {
        let read = |percentile| {
            Queues::read(Some(Queues { hedge_percentile: Some(percentile), ..Queues::default() }))
        };
        assert_eq!(read(95).unwrap().hedge_percentile, Some(95));
        for percentile in [0, 49, 100, 255] {
            let error = read(percentile).unwrap_err().to_string();
            assert_eq!(error, format!("hedge_percentile = {percentile} is not 50 to 99"));
        }
    }
}
