//! Departments belong to accounts that are none, and have the keys and channels they say.

use super::{Violation, object};
use crate::key::Key;
use crate::object::{Account, Channel, Department, Member};
use std::collections::BTreeMap;

/// Departments of a state, and what they must agree with.
#[derive(Default)]
pub(super) struct Departments {
    all: BTreeMap<u64, Department>,
    accounts: BTreeMap<u64, Account>,
    listed: Vec<(u64, u64)>,
    channels: BTreeMap<u64, u64>,
}

impl Departments {
    pub(super) fn add(&mut self, key: &Key, value: &[u8]) -> Result<(), Violation> {
        match key {
            Key::Department(number) => {
                self.all.insert(*number, object(key, value)?);
            }
            // Other accounts are only asked whether they are there.
            Key::Account(number) => {
                self.accounts.insert(*number, object(key, value)?);
            }
            Key::Departments(organisation) => {
                let numbers: Vec<u64> = object(key, value)?;
                self.listed.extend(numbers.into_iter().map(|number| (number, *organisation)));
            }
            Key::Channel(_) => {
                *self.channels.entry(object::<Channel>(key, value)?.payer).or_default() += 1;
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn check(mut self) -> Result<(), Violation> {
        self.listed.sort_unstable();
        let belongs =
            |(number, department): (&u64, &Department)| (*number, department.organisation);
        let belonging: Vec<_> = self.all.iter().map(belongs).collect();
        if let Some((one, other)) =
            self.listed.iter().zip(&belonging).find(|(one, other)| one != other)
        {
            return Err(Violation::Department(one.0.min(other.0)));
        }
        if self.listed.len() != belonging.len() {
            let last = self.listed.last().max(belonging.last());
            return Err(Violation::Department(last.map_or(0, |(number, _)| *number)));
        }
        let wrong = self.all.iter().find(|(number, one)| !self.agrees(**number, one));
        wrong.map_or(Ok(()), |(number, _)| Err(Violation::Department(*number)))
    }

    fn agrees(&self, number: u64, department: &Department) -> bool {
        let Some(account) = self.accounts.get(&number) else { return false };
        let organisation = department.organisation;
        let depth =
            self.accounts.contains_key(&organisation) && !self.all.contains_key(&organisation);
        let keys = match &account.keys {
            None => department.closed && department.members.is_empty() && department.channels == 0,
            Some(keys) => {
                let set = Member::key_set(&department.members, keys.threshold);
                !department.closed && set.as_ref() == Ok(keys)
            }
        };
        let channels = self.channels.get(&number).copied().unwrap_or_default();
        depth && keys && channels == department.channels && account.recovery.is_none()
    }
}
