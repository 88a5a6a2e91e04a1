//! What a seed draws.

use crate::cast::Cast;
use crate::faults;
use crate::simulation::{Adversary, Draw, Member, Part, Plan};
use ambar_consensus::{BlockLimits, Patience, PoolLimits, Rules, Settings};
use ambar_machine::{LedgerMachine, genesis_state, rules};
use std::sync::Arc;
use std::time::Duration;

/// Smallest and largest committee.
const MEMBERS: std::ops::RangeInclusive<u64> = 4..=7;
/// Heights of an epoch: several end within a run, or none.
const EPOCH_BLOCKS: std::ops::RangeInclusive<u64> = 10..=100;
/// The same where somebody can be caught: a seat is lost at the end of an epoch.
const EPOCH_BLOCKS_CAUGHT: std::ops::RangeInclusive<u64> = 10..=24;
/// When the last fault is over, s.
const HEALING_S: std::ops::RangeInclusive<u64> = 8..=14;
/// How long after healing everybody has to be far enough.
pub const GRACE: Duration = Duration::from_secs(60);
/// The most that a clock is ahead of another, ms: less than what validators accept.
const AHEAD_MS_MAX: u64 = 1_000;
/// The most that the clock of whoever proposes wrong blocks is ahead, ms: some honest clocks
/// allow a vote for its sound blocks and others do not.
const AHEAD_MS_WRONG: u64 = 3_000;
/// Longest transaction, bytes.
const TRANSACTION_BYTES_MAX: usize = 32 << 10;

/// The limits of blocks: small, so that an adversary reaches them.
const BLOCK: BlockLimits =
    BlockLimits { transactions_max: 64, bytes_max: 128 << 10, writes_max: 4_096 };

/// The limits of pools.
const POOL: PoolLimits = PoolLimits {
    transactions_max: 512,
    bytes_max: 1 << 20,
    transaction_bytes_max: TRANSACTION_BYTES_MAX,
    submitters_max: 64,
    refusals_max: 4_096,
};

/// A scenario: who, and what befalls them.
pub struct Scenario {
    /// Everybody.
    pub cast: Cast,
    /// The run.
    pub plan: Plan,
}

fn settings(cast: &Cast, draw: &mut Draw) -> Settings {
    let rules = rules(&cast.genesis).expect("a drawn genesis is sound");
    let rules = Rules { block: BLOCK, ..rules };
    let heartbeat = Duration::from_millis(draw.within(300..=1_000));
    Settings {
        patience: Patience::with_heartbeat(heartbeat),
        pool: POOL,
        ..Settings::new(rules, cast.members[0].clone())
    }
}

fn members(cast: &Cast, draw: &mut Draw, adversary: Option<Adversary>) -> Vec<Member> {
    let size = cast.members.len();
    let bad = adversary.map_or(0, |_| (size - 1) / 3);
    let bad: Vec<_> = draw.shuffled((0..size).collect()).into_iter().take(bad).collect();
    let member = |(number, key): (usize, &ambar_base::SecretKey)| {
        let part = match adversary.filter(|_| bad.contains(&number)) {
            Some(adversary) => Part::Adversary(adversary),
            None => Part::Honest,
        };
        let ahead_max = match part {
            Part::Adversary(Adversary::BadRoot) => AHEAD_MS_WRONG,
            _ => AHEAD_MS_MAX,
        };
        Member { key: key.clone(), ahead_ms: draw.below(ahead_max), part }
    };
    cast.members.iter().enumerate().map(member).collect()
}

impl Scenario {
    /// The scenario of a seed, with as many adversaries as the committee can bear.
    #[must_use]
    pub fn draw(seed: u64, adversary: Option<Adversary>) -> Self {
        let draw = Draw::new(seed);
        let size = draw.fork(1).within(MEMBERS) as usize;
        let caught = adversary.is_some_and(Adversary::leaves_evidence);
        let epoch_blocks = if caught { EPOCH_BLOCKS_CAUGHT } else { EPOCH_BLOCKS };
        let epoch_blocks = draw.fork(9).within(epoch_blocks);
        let cast = Cast::new(seed, size, epoch_blocks);
        let healing = Duration::from_secs(draw.fork(2).within(HEALING_S));
        let link = faults::link(&mut draw.fork(3));
        let events = faults::draw(&mut draw.fork(4), size, (link, healing));
        let genesis = genesis_state(&cast.genesis).expect("a drawn genesis is sound");
        let plan = Plan {
            seed: draw.fork(5).number(),
            settings: settings(&cast, &mut draw.fork(6)),
            machine: Arc::new(LedgerMachine::new(cast.network)),
            genesis,
            members: members(&cast, &mut draw.fork(7), adversary),
            link,
            events,
            healing,
            healed_link: link,
            grace: GRACE,
            blocks_after: 2 * size as u64,
            blocking: draw.fork(8).chance(50),
        };
        Self { cast, plan }
    }
}
