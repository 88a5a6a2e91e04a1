//! What happens at the end of an epoch: the next committee is elected and seated.
//!
//! It reads the roster, then every validator that has a seat or is ranked: two rounds, and
//! no more keys than the limits of seats and ranking together.
//!
//! **Invariant**: the outcome is what the state says afterwards, and validators who do not
//! sit have no status that says so.

use crate::committee::{Contender, Rules, Sitting, elect};
use crate::key::Key;
use crate::object::Parameters;
use crate::refusal::{Refusal, Stop};
use crate::roster::{Roster, Status, Validator};
use crate::view::View;
use ambar_base::{Encode, ErrorCode, Height, PublicKey};
use std::collections::BTreeMap;

/// Validators by number.
type Validators = BTreeMap<u64, Validator>;

/// Ends an epoch; the encoded keys of the next committee, ascending.
pub(crate) fn end(view: &mut View<'_>, epoch: u64) -> Result<Vec<u8>, Stop> {
    view.require([Key::Roster, Key::Parameters])?;
    let mut roster: Roster = view.expect(&Key::Roster)?;
    if roster.epoch != epoch {
        return Err(another_epoch(roster.epoch, epoch).into());
    }
    let mut validators = read(view, &roster)?;
    let seats = next_seats(&roster, &validators, &view.parameters()?);
    let keys: Vec<PublicKey> = seats.keys().copied().collect();
    roster.epoch = epoch.checked_add(1).ok_or_else(Refusal::overflow)?;
    roster.seats = seats.into_values().collect();
    for (number, validator) in &mut validators {
        let seated = roster.seats.contains(number);
        let status = validator.status.after_election(seated, view.block.height);
        if status != validator.status {
            validator.status = status;
            view.put(&Key::Validator(*number), validator);
        }
    }
    view.put(&Key::Roster, &roster);
    Ok(keys.to_bytes())
}

fn another_epoch(running: u64, ended: u64) -> Refusal {
    let message = format!("epoch {running} is running, and not {ended}");
    Refusal::new(ErrorCode::LedgerCorrupt, message)
}

/// Those that have a seat or are ranked. Who has taken its bond back is no validator.
fn read(view: &View<'_>, roster: &Roster) -> Result<Validators, Stop> {
    let numbers = || roster.seats.iter().chain(&roster.ranking);
    view.require(numbers().map(|number| Key::Validator(*number)))?;
    let mut validators = Validators::new();
    for number in numbers() {
        if let Some(validator) = view.get(&Key::Validator(*number))? {
            validators.insert(*number, validator);
        }
    }
    Ok(validators)
}

/// The next seats: keys, ascending, and validator numbers.
fn next_seats(
    roster: &Roster,
    validators: &Validators,
    parameters: &Parameters,
) -> BTreeMap<PublicKey, u64> {
    let of = |numbers: &[u64]| -> Vec<&Validator> {
        numbers.iter().filter_map(|number| validators.get(number)).collect()
    };
    let sitting = |validator: &Validator| Sitting {
        contender: contender(validator),
        ejected: matches!(validator.status, Status::Ejected(_)),
    };
    let current: Vec<_> = of(&roster.seats).into_iter().map(sitting).collect();
    let ranked = of(&roster.ranking).into_iter().filter(|one| one.status.is_willing());
    let ranked: Vec<_> = ranked.map(contender).collect();
    let elected = elect(&current, &ranked, &rules(parameters));
    let sits = |(number, one): (&u64, &Validator)| {
        elected.binary_search(&one.key).is_ok().then_some((one.key, *number))
    };
    validators.iter().filter_map(sits).collect()
}

fn contender(validator: &Validator) -> Contender {
    Contender { key: validator.key, owner: validator.owner }
}

fn rules(parameters: &Parameters) -> Rules {
    let Parameters { committee_min, committee_max, churn, .. } = *parameters;
    let [min, max, churn] = [committee_min, committee_max, churn].map(usize::from);
    Rules { min, max, churn }
}

impl Status {
    /// The status in the epoch that begins after `height`.
    fn after_election(self, seated: bool, height: Height) -> Self {
        match (self, seated) {
            (Self::Candidate, true) => Self::Seated,
            (Self::Seated, false) => Self::Candidate,
            (Self::Leaving, false) => Self::Left(height),
            (other, _) => other,
        }
    }
}
