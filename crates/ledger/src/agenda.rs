//! What happens at the beginning of a block: its time is noted, ids of calls and facts of
//! batches whose settlement window is over are forgotten, channels whose window is over are
//! paid out, leases under which nothing settles any more go back to their quota.
//!
//! **Invariant**: the beginning of a block reads and writes a bounded number of keys
//! whatever was scheduled for it; the rest is done at the next height. Nothing is ever done
//! before its window is over.

use crate::execute;
use crate::key::Key;
use crate::object::{Agenda, Channel, ForgetBatch, Lease, QuotaCount, reserved};
use crate::postings;
use crate::refusal::{Gather, Refusal, Stop};
use crate::view::View;
use ambar_base::{Digest, ErrorCode, Height};

/// Most calls that the beginning of one block forgets; one batch is always forgotten.
pub const FORGET_CALLS_MAX: u64 = 32 * 1024;
/// Most batches that the beginning of one block forgets.
pub const FORGET_BATCHES_MAX: usize = 4096;
/// Most channels that the beginning of one block pays out.
pub const CLOSE_CHANNELS_MAX: usize = 4096;
/// Most leases that the beginning of one block looks at.
pub const RECLAIM_LEASES_MAX: usize = 4096;

/// Runs the agenda of the view's block.
pub fn begin(view: &mut View<'_>) -> Result<(), Stop> {
    let height = view.block.height;
    let next = Key::Agenda(height.after(1));
    view.require([Key::Parameters, Key::Agenda(height), next.clone()])?;
    note_time(view)?;
    let Some(mut agenda) = view.get::<Agenda>(&Key::Agenda(height))? else { return Ok(()) };
    let rest = agenda.split_rest();
    let channels = agenda.channels.iter().map(|number| Key::Channel(*number));
    let leases = agenda.leases.iter().flat_map(|place| lease_keys(*place));
    view.require(channels.chain(leases))?;
    let mut gather = Gather::default();
    gather.take(close(view, &agenda.channels))?;
    gather.take(reclaim(view, &agenda.leases))?;
    gather.finish()?;
    for batch in &agenda.batches {
        let number = (batch.gateway, batch.number);
        view.remove(&Key::Calls(number));
        view.remove(&Key::Facts(number));
    }
    view.remove(&Key::Agenda(height));
    if rest != Agenda::default() {
        let later = view.get::<Agenda>(&next)?.unwrap_or_default();
        view.put(&next, &rest.followed_by(later));
    }
    Ok(())
}

fn note_time(view: &mut View<'_>) -> Result<(), Stop> {
    let height = view.block.height;
    let window = view.parameters()?.settlement_window;
    view.put(&Key::Time(height), &view.block.time.clone());
    if let Some(old) = height.0.checked_sub(window + 1) {
        view.remove(&Key::Time(Height(old)));
    }
    Ok(())
}

fn close(view: &mut View<'_>, numbers: &[u64]) -> Result<(), Stop> {
    let channel = |number: &u64| view.expect::<Channel>(&Key::Channel(*number));
    let mut channels = numbers.iter().map(channel).collect::<Result<Vec<_>, Stop>>()?;
    let payers = channels.iter().map(|channel| channel.payer);
    let payers = payers.flat_map(|payer| [Key::Balance(payer), Key::Department(payer)]);
    view.require(payers.chain([Key::Balance(reserved::DEPOSITS)]))?;
    for (number, channel) in numbers.iter().zip(&mut channels) {
        postings::close_channel(view, channel)?;
        execute::departments::closed_channel(view, channel.payer)?;
        view.remove(&Key::Channel(*number));
        view.remove(&Key::Revocations(*number));
    }
    Ok(())
}

/// Where a lease lies, and what it is a part of.
fn lease_keys(place: (u64, (u64, u64))) -> [Key; 2] {
    let (grant, (period, _)) = place;
    [Key::Lease(place), Key::Quota((grant, period))]
}

/// Gives what is left of leases back, unless calls under them may yet settle: those that were
/// extended are looked at again.
fn reclaim(view: &mut View<'_>, places: &[(u64, (u64, u64))]) -> Result<(), Stop> {
    let mut over = Vec::with_capacity(places.len());
    let mut extended = Vec::new();
    for place in places {
        let lease: Lease = view.expect(&Key::Lease(*place))?;
        match due_after(view, lease.until)? {
            Key::Agenda(due) if due > view.block.height => extended.push((*place, lease.until)),
            _ => over.push((*place, lease)),
        }
    }
    let later = extended.iter().map(|(_, until)| due_after(view, *until));
    view.require(later.collect::<Result<Vec<_>, Stop>>()?)?;
    for (place, until) in extended {
        schedule_lease(view, place, until)?;
    }
    for (place, lease) in over {
        let [key, quota] = lease_keys(place);
        let mut count: QuotaCount = view.expect(&quota)?;
        count.release(lease.share()).ok_or_else(miscounted)?;
        view.put(&quota, &count);
        view.remove(&key);
    }
    Ok(())
}

/// A quota does not hold what a lease of it holds.
pub(crate) fn miscounted() -> Refusal {
    Refusal::new(ErrorCode::LedgerCorrupt, "a lease holds more than was leased")
}

/// The agenda that what a transaction of this block schedules goes to.
pub fn due(view: &View<'_>) -> Result<Key, Stop> {
    due_after(view, view.block.height)
}

/// The agenda after the last block in which a call admitted below `height`, or at it, settles.
pub(crate) fn due_after(view: &View<'_>, height: Height) -> Result<Key, Stop> {
    let window = view.parameters()?.settlement_window;
    Ok(Key::Agenda(height.after(window + 1)))
}

/// Forgets a batch's calls and facts when its settlement window is over.
pub fn forget_batch(
    view: &mut View<'_>,
    gateway: u64,
    number: u64,
    calls: &Vec<Digest>,
) -> Result<(), Stop> {
    view.put(&Key::Calls((gateway, number)), calls);
    let calls = calls.len() as u64;
    let due = due(view)?;
    amend(view, &due, |agenda| agenda.batches.push(ForgetBatch { gateway, number, calls }))
}

/// Pays a channel out when calls under way have had time to settle.
pub fn schedule_close(view: &mut View<'_>, channel: u64) -> Result<(), Stop> {
    let due = due(view)?;
    amend(view, &due, |agenda| agenda.channels.push(channel))
}

/// Looks at a lease when no call under it settles any more, unless it was extended.
pub(crate) fn schedule_lease(
    view: &mut View<'_>,
    place: (u64, (u64, u64)),
    until: Height,
) -> Result<(), Stop> {
    let due = due_after(view, until)?;
    amend(view, &due, |agenda| agenda.leases.push(place))
}

fn amend(view: &mut View<'_>, key: &Key, change: impl FnOnce(&mut Agenda)) -> Result<(), Stop> {
    let mut agenda = view.get::<Agenda>(key)?.unwrap_or_default();
    change(&mut agenda);
    view.put(key, &agenda);
    Ok(())
}

impl Agenda {
    /// Keeps what one block does; the rest.
    fn split_rest(&mut self) -> Self {
        let mut calls = 0;
        let fits = |batch: &&ForgetBatch| {
            calls += batch.calls;
            calls <= FORGET_CALLS_MAX
        };
        let fit = self.batches.iter().take_while(fits).count().max(1);
        let batches = fit.min(FORGET_BATCHES_MAX).min(self.batches.len());
        let channels = CLOSE_CHANNELS_MAX.min(self.channels.len());
        let leases = RECLAIM_LEASES_MAX.min(self.leases.len());
        Self {
            batches: self.batches.split_off(batches),
            channels: self.channels.split_off(channels),
            leases: self.leases.split_off(leases),
        }
    }

    fn followed_by(mut self, later: Self) -> Self {
        self.batches.extend(later.batches);
        self.channels.extend(later.channels);
        self.leases.extend(later.leases);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_does_a_bounded_part() {
        let check = |calls: &[u64], channels: usize, leases: usize, expect| {
            let batch = |calls: &u64| ForgetBatch { gateway: 1, number: 2, calls: *calls };
            let batches = calls.iter().map(batch).collect();
            let (channels, leases) = (vec![7; channels], vec![(1, (2, 3)); leases]);
            let whole = Agenda { batches, channels, leases };
            let mut now = whole.clone();
            let rest = now.split_rest();
            let done = (now.batches.len(), now.channels.len(), now.leases.len());
            assert_eq!(done, expect);
            assert_eq!(now.followed_by(rest), whole);
        };
        check(&[], 0, 0, (0, 0, 0));
        check(&[8192; 3], 5, 6, (3, 5, 6));
        check(&[8192; 5], CLOSE_CHANNELS_MAX + 1, 0, (4, CLOSE_CHANNELS_MAX, 0));
        check(&[FORGET_CALLS_MAX + 1, 1], 0, 0, (1, 0, 0));
        check(&[1; FORGET_BATCHES_MAX + 1], 0, 0, (FORGET_BATCHES_MAX, 0, 0));
        check(&[], 0, RECLAIM_LEASES_MAX + 1, (0, 0, RECLAIM_LEASES_MAX));
    }
}
