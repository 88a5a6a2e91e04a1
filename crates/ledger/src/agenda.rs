//! What happens at the beginning of a block: its time is noted, ids of calls and
//! facts of batches whose settlement window is over are forgotten, channels whose window is over are paid out.

use crate::key::Key;
use crate::object::{Agenda, Channel};
use crate::postings;
use crate::refusal::Stop;
use crate::view::View;
use ambar_base::{Digest, Height};

/// Runs the agenda of the view's block.
pub fn begin(view: &mut View<'_>) -> Result<(), Stop> {
    let height = view.block.height;
    let window = view.parameters()?.settlement_window;
    view.put(&Key::Time(height), &view.block.time.clone());
    if let Some(old) = height.0.checked_sub(window + 1) {
        view.remove(&Key::Time(Height(old)));
    }
    let key = Key::Agenda(height);
    let Some(agenda) = view.get::<Agenda>(&key)? else { return Ok(()) };
    view.require(agenda.channels.iter().map(|number| Key::Channel(*number)))?;
    for number in &agenda.channels {
        close(view, *number)?;
    }
    for call in agenda.calls {
        view.remove(&Key::Call(call));
    }
    for batch in agenda.facts {
        view.remove(&Key::Facts(batch));
    }
    view.remove(&key);
    Ok(())
}

/// Forgets a batch's calls and facts when its settlement window is over.
pub fn forget_batch(
    view: &mut View<'_>,
    batch: (u64, u64),
    calls: Vec<Digest>,
) -> Result<(), Stop> {
    amend(view, |agenda| {
        agenda.calls.extend(calls);
        agenda.facts.push(batch);
    })
}

/// Pays a channel out when calls under way have had time to settle.
pub fn schedule_close(view: &mut View<'_>, channel: u64) -> Result<(), Stop> {
    amend(view, |agenda| agenda.channels.push(channel))
}

/// The height at which what a transaction of this block schedules happens.
pub fn due(view: &View<'_>) -> Result<Height, Stop> {
    let window = view.parameters()?.settlement_window;
    Ok(view.block.height.after(window + 1))
}

fn amend(view: &mut View<'_>, change: impl FnOnce(&mut Agenda)) -> Result<(), Stop> {
    let key = Key::Agenda(due(view)?);
    let mut agenda = view.get::<Agenda>(&key)?.unwrap_or_default();
    change(&mut agenda);
    view.put(&key, &agenda);
    Ok(())
}

fn close(view: &mut View<'_>, number: u64) -> Result<(), Stop> {
    let key = Key::Channel(number);
    let mut channel: Channel = view.expect(&key)?;
    postings::close_channel(view, &mut channel)?;
    view.remove(&key);
    Ok(())
}
