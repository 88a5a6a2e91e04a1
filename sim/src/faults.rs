//! What befalls a committee, drawn from a seed.

use crate::simulation::{DiskFaults, Draw, Event, Link, ViewLoss};
use std::time::Duration;

/// How long nothing happens at first, ms.
const QUIET_MS: u64 = 2_000;
/// Shortest and longest episode, ms.
const EPISODE_MS: std::ops::RangeInclusive<u64> = 500..=5_000;
/// Most episodes; they may overlap.
const EPISODES_MAX: u64 = 5;

/// What happens in an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Split,
    Loss,
    Delay,
    Crash,
    Blackout,
    Disks,
}

const KINDS: [Kind; 6] =
    [Kind::Split, Kind::Loss, Kind::Delay, Kind::Crash, Kind::Blackout, Kind::Disks];

/// The links of a healthy network somewhere between one building and two continents.
pub fn link(draw: &mut Draw) -> Link {
    let delay_ms = draw.within(1..=80);
    Link { delay_ms, jitter_ms: draw.below(delay_ms / 3 + 1), loss_percent: 0 }
}

fn view_loss(draw: &mut Draw) -> ViewLoss {
    match draw.below(3) {
        0 => ViewLoss::Nothing,
        1 => ViewLoss::SinceStart,
        _ => ViewLoss::All,
    }
}

fn some(draw: &mut Draw, size: usize) -> Vec<usize> {
    let count = 1 + draw.index(size - 1);
    draw.shuffled((0..size).collect()).into_iter().take(count).collect()
}

/// Events before `healing` for a committee of `size` with these links, in order of time.
pub fn draw(
    draw: &mut Draw,
    size: usize,
    (usual, healing): (Link, Duration),
) -> Vec<(Duration, Event)> {
    let mut events = Vec::new();
    let end = healing.as_millis() as u64;
    for _ in 0..1 + draw.below(EPISODES_MAX) {
        let from = draw.within(QUIET_MS..=end - 1);
        let until = (from + draw.within(EPISODE_MS)).min(end - 1);
        let mut put = |at: u64, event| events.push((Duration::from_millis(at), event));
        match KINDS[draw.index(KINDS.len())] {
            Kind::Split => {
                put(from, Event::Split(some(draw, size)));
                put(until, Event::Join);
            }
            Kind::Loss => {
                let loss_percent = draw.within(2..=40);
                put(from, Event::Links(Link { loss_percent, ..usual }));
                put(until, Event::Links(usual));
            }
            Kind::Delay => {
                let delay_ms = draw.within(200..=1_500);
                let jitter_ms = delay_ms / 3;
                put(from, Event::Links(Link { delay_ms, jitter_ms, ..usual }));
                put(until, Event::Links(usual));
            }
            Kind::Crash => {
                for member in some(draw, size) {
                    put(from, Event::Crash(member, view_loss(draw)));
                    put(draw.within(from..=until), Event::Restart(member));
                }
            }
            Kind::Blackout => {
                (0..size).for_each(|member| put(from, Event::Crash(member, view_loss(draw))));
                (0..size).for_each(|member| put(until, Event::Restart(member)));
            }
            Kind::Disks => {
                let write_permille = draw.below(8);
                let sync_permille = draw.below(8);
                let read_permille = draw.below(2);
                let faults = DiskFaults { write_permille, sync_permille, read_permille };
                put(from, Event::Disks(faults));
                put(until, Event::Disks(DiskFaults::default()));
            }
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events
}
