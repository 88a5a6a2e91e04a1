//! The invariants of the roster over a whole state: one validator for each account and key,
//! one seat for each validator, nothing left to lose for who was ejected.

use super::Violation;
use crate::roster::{Roster, Status, Validator};
use ambar_base::PublicKey;
use ambar_base::finality::SEATS_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that a state says of validators.
#[derive(Debug, Default)]
pub(super) struct Seats {
    pub(super) roster: Option<Roster>,
    pub(super) validators: BTreeMap<u64, Validator>,
    pub(super) by_key: BTreeMap<PublicKey, u64>,
    pub(super) by_account: BTreeMap<u64, u64>,
}

impl Seats {
    pub(super) fn check(&self) -> Result<(), Violation> {
        let seats = self.roster.as_ref().map_or(&[][..], |roster| &roster.seats);
        self.check_committee(seats).ok_or(Violation::Committee)?;
        let active = self.validators.values().filter(|one| !is_ejected(one)).count();
        let lengths = (self.by_key.len(), self.by_account.len());
        if lengths != (self.validators.len(), active) {
            return Err(Violation::Lists);
        }
        for (number, validator) in &self.validators {
            self.check_validator(*number, validator, seats.contains(number))?;
        }
        Ok(())
    }

    /// Seats are of validators, in the order of their keys, none of an account twice.
    fn check_committee(&self, seats: &[u64]) -> Option<()> {
        let holders = seats.iter().map(|number| self.validators.get(number));
        let holders = holders.collect::<Option<Vec<_>>>()?;
        let ascending = holders.is_sorted_by(|left, right| left.key < right.key);
        let owners: BTreeSet<_> = holders.iter().map(|holder| holder.owner).collect();
        let sound =
            ascending && (1..=SEATS_MAX).contains(&seats.len()) && owners.len() == seats.len();
        sound.then_some(())
    }

    fn check_validator(
        &self,
        number: u64,
        validator: &Validator,
        sits: bool,
    ) -> Result<(), Violation> {
        let agrees = match validator.status {
            Status::Seated | Status::Leaving => sits,
            Status::Candidate | Status::Left(_) => !sits,
            Status::Ejected(_) => true,
        };
        if !agrees {
            return Err(Violation::Seat(number));
        }
        let ejected = is_ejected(validator);
        if ejected && !validator.bond.is_zero() {
            return Err(Violation::EjectedBond(number));
        }
        // The number of one that was ejected is kept by its key, and its account is free.
        let by_account = self.by_account.get(&validator.owner) == Some(&number);
        let by_key = self.by_key.get(&validator.key) == Some(&number);
        if by_key && by_account != ejected { Ok(()) } else { Err(Violation::Lists) }
    }
}

fn is_ejected(validator: &Validator) -> bool {
    matches!(validator.status, Status::Ejected(_))
}
