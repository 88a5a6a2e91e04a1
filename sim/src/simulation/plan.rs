//! What a run consists of: who takes part, what befalls them when, and when it must be over.

use super::adversary::Adversary;
use ambar_base::SecretKey;
use ambar_consensus::machine::StateMachine;
use ambar_consensus::settings::Settings;
use std::sync::Arc;
use std::time::Duration;

/// A run.
#[derive(Clone)]
pub struct Plan {
    /// What every chance of runtime, network and disks follows from.
    pub seed: u64,
    /// The engine's settings; the key is each member's own.
    pub settings: Settings,
    /// The ledger.
    pub machine: Arc<dyn StateMachine>,
    /// The state at height 0.
    pub genesis: Vec<(Vec<u8>, Vec<u8>)>,
    /// The committee's members, in any order.
    pub members: Vec<Member>,
    /// The links at first.
    pub link: Link,
    /// What happens when, in ascending order of time. All of it before `healing`.
    pub events: Vec<(Duration, Event)>,
    /// When links are whole again, disks sound and everybody runs.
    pub healing: Duration,
    /// The links from then on.
    pub healed_link: Link,
    /// How long after `healing` everybody has for `blocks_after`.
    pub grace: Duration,
    /// How many blocks past the highest at `healing` every honest member must have.
    pub blocks_after: u64,
    /// Whether a member that blocks another no longer hears it.
    pub blocking: bool,
}

/// A member of the committee.
#[derive(Clone, Debug)]
pub struct Member {
    /// The key with which it votes.
    pub key: SecretKey,
    /// How far its clock is ahead, ms.
    pub ahead_ms: u64,
    /// What it does.
    pub part: Part,
}

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the protocol says.
    Honest,
    /// Something else.
    Adversary(Adversary),
}

impl Member {
    /// Whether it does what the protocol says.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        self.part == Part::Honest
    }
}

/// How messages travel from one member to another, in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Mean of the delay, ms.
    pub delay_ms: u64,
    /// Standard deviation of the delay, ms.
    pub jitter_ms: u64,
    /// How many of a hundred messages are lost.
    pub loss_percent: u64,
}

/// How many of a thousand operations of any disk fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFaults {
    /// Of writes.
    pub write_permille: u64,
    /// Of making durable.
    pub sync_permille: u64,
    /// Of reads.
    pub read_permille: u64,
}

/// What befalls members; they are numbered as in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// All links become like this.
    Links(Link),
    /// Members of the group and the others do not hear each other.
    Split(Vec<usize>),
    /// Everybody hears everybody again.
    Join,
    /// A member stops in the middle of what it does. What was not durable is gone.
    Crash(usize, ViewLoss),
    /// A member that crashed starts on what it had made durable.
    Restart(usize),
    /// Disks fail so often from now on.
    Disks(DiskFaults),
}

/// What a crash takes of the view, which the engine's own blocks give again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewLoss {
    /// Nothing.
    Nothing,
    /// Everything since the start before.
    SinceStart,
    /// All of it.
    All,
}
