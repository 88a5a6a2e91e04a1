//! The invariants of the ledger, written once: property tests, the simulator and `audit`
//! run this code over a whole state.

mod departments;
mod disputes;
mod pools;
mod quotas;
mod seats;
mod volumes;

use crate::key::Key;
use crate::object::{Agenda, Balance, Channel, Grant, Node, Submission, reserved};
use crate::roster::Validator;
use ambar_base::codec::{self, Decode};
use ambar_base::{Amount, DecodeError};
use ambar_licence::Terms;
use departments::Departments;
use disputes::Disputes;
use pools::Pools;
use quotas::Quotas;
use seats::Seats;
use volumes::Volumes;

/// Where all credits are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// What genesis issued.
    pub issued: Amount,
    /// In balances, pending included; burned credits are the balance of `burn`.
    pub balances: Amount,
    /// Left in channels.
    pub channels: Amount,
    /// In bonds of nodes and validators.
    pub bonds: Amount,
}

/// What is wrong with a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An object does not decode.
    #[error("the object at {key:?} is damaged: {error}")]
    Damaged {
        /// Where.
        key: Box<Key>,
        /// How.
        error: DecodeError,
    },
    /// A key does not decode.
    #[error("a key of the state is damaged: {0}")]
    Key(DecodeError),
    /// The credits do not sum to what was issued.
    #[error("{held} credits are held, {issued} were issued")]
    Sum {
        /// Sum of all places.
        held: Amount,
        /// What genesis issued.
        issued: Amount,
    },
    /// A channel spent more than was put in.
    #[error("channel {0} has spent more than was put in")]
    Overspent(u64),
    /// A channel in voucher mode spent more than its vouchers cover.
    #[error("channel {0} has spent more than its vouchers cover")]
    Unvouched(u64),
    /// Validators are not listed as they should be.
    #[error("validators are not listed once by key and once by account")]
    Lists,
    /// Seats are not of validators, in the order of their keys, one for each account.
    #[error("the seats are not those of a committee")]
    Committee,
    /// A validator's status and the seats contradict one another.
    #[error("validator {0} has a seat and should not, or the other way round")]
    Seat(u64),
    /// Somebody who was ejected has a bond.
    #[error("validator {0} was ejected, and its bond was not burned")]
    EjectedBond(u64),
    /// More is settled and leased of a quota than the terms allow.
    #[error("more is settled and leased under grant {0} in period {1} than its terms allow")]
    Quota(u64, u64),
    /// What is counted as leased is not what leases hold.
    #[error("what is leased under grant {0} in period {1} is not what its leases hold")]
    Leased(u64, u64),
    /// A lease is not looked at once when it is over.
    #[error("the lease on grant {0} in period {1} for gateway {2} is not scheduled once")]
    Unscheduled(u64, u64, u64),
    /// A department contradicts its account, its organisation or its channels.
    #[error("department {0} does not agree with its account, its organisation or its channels")]
    Department(u64),
    /// Deposits that are owed are not there.
    #[error("{owed} credits are owed as deposits, {held} are held")]
    Deposits {
        /// What the reserved account holds.
        held: Amount,
        /// What channels and open disputes were opened with.
        owed: Amount,
    },
    /// Disputes are not numbered without gaps, or not counted.
    #[error("disputes are not numbered without gaps, or the open ones are not counted")]
    Disputes,
    /// A pool does not count what it has, or a submission is not as its content says.
    #[error("pool {0} does not agree with its members, records or proposals")]
    Pool(u64),
    /// A grant's tier is not what its calls have reached.
    #[error("the tier of grant {0} is not the one that its settled calls have reached")]
    Tier(u64),
    /// A sum does not fit.
    #[error("the credits of the state do not fit their type")]
    Overflow,
}

/// Checks a whole state.
pub fn check<'a>(state: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<Holdings, Violation> {
    let mut holdings = Holdings::default();
    let mut seats = Seats::default();
    let mut quotas = Quotas::default();
    let mut departments = Departments::default();
    let mut disputes = Disputes::default();
    let mut volumes = Volumes::default();
    let mut pools = Pools::default();
    for (key, value) in state {
        let key = Key::parse(key).map_err(Violation::Key)?;
        holdings.add(&key, value)?;
        seats.add(&key, value)?;
        quotas.add(&key, value)?;
        departments.add(&key, value)?;
        disputes.add(&key, value)?;
        volumes.add(&key, value)?;
        pools.add(&key, value)?;
    }
    seats.check()?;
    quotas.check()?;
    departments.check()?;
    disputes.check()?;
    volumes.check()?;
    pools.check()?;
    let parts = [holdings.balances, holdings.channels, holdings.bonds];
    let held = ambar_base::amount::total(parts).ok_or(Violation::Overflow)?;
    let issued = holdings.issued;
    if held == issued { Ok(holdings) } else { Err(Violation::Sum { held, issued }) }
}

impl Holdings {
    fn add(&mut self, key: &Key, value: &[u8]) -> Result<(), Violation> {
        match key {
            Key::Issued => self.issued = object(key, value)?,
            Key::Balance(_) => {
                let sum = object::<Balance>(key, value)?.sum().ok_or(Violation::Overflow)?;
                self.balances = self.balances.checked_add(sum).ok_or(Violation::Overflow)?;
            }
            Key::Channel(number) => {
                let channel: Channel = object(key, value)?;
                if channel.vouched.is_some_and(|total| channel.spent > Amount::from(total)) {
                    return Err(Violation::Unvouched(*number));
                }
                let left = channel.funded.checked_sub(channel.spent);
                let left = left.ok_or(Violation::Overspent(*number))?;
                self.channels = self.channels.checked_add(left).ok_or(Violation::Overflow)?;
            }
            Key::Node(_) => {
                let bond = object::<Node>(key, value)?.bond;
                self.bonds = self.bonds.checked_add(bond).ok_or(Violation::Overflow)?;
            }
            Key::Validator(_) => {
                let bond = object::<Validator>(key, value)?.bond;
                self.bonds = self.bonds.checked_add(bond).ok_or(Violation::Overflow)?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Seats {
    fn add(&mut self, key: &Key, value: &[u8]) -> Result<(), Violation> {
        match key {
            Key::Roster => self.roster = Some(object(key, value)?),
            Key::Validator(number) => {
                self.validators.insert(*number, object(key, value)?);
            }
            Key::ValidatorNumber(validator) => {
                self.by_key.insert(*validator, object(key, value)?);
            }
            Key::ValidatorOf(account) => {
                self.by_account.insert(*account, object(key, value)?);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Quotas {
    fn add(&mut self, key: &Key, value: &[u8]) -> Result<(), Violation> {
        match key {
            Key::Terms(id) => {
                let document: Vec<u8> = object(key, value)?;
                // Terms that do not read have no quota, so that whatever is counted is too much.
                let quota = Terms::from_document(&document).ok().and_then(|terms| terms.quota);
                self.terms.extend(quota.map(|quota| (*id, quota)));
            }
            Key::Grant(number) => {
                self.grants.insert(*number, object::<Grant>(key, value)?.terms);
            }
            Key::Quota(place) => {
                self.counts.insert(*place, object(key, value)?);
            }
            Key::Lease(place) => {
                self.leases.insert(*place, object(key, value)?);
            }
            Key::Agenda(_) => self.scheduled.extend(object::<Agenda>(key, value)?.leases),
            _ => {}
        }
        Ok(())
    }
}

impl Disputes {
    fn add(&mut self, key: &Key, value: &[u8]) -> Result<(), Violation> {
        match key {
            Key::Balance(reserved::DEPOSITS) => {
                self.held = object::<Balance>(key, value)?.sum().ok_or(Violation::Overflow)?;
            }
            Key::Channel(_) => {
                let deposit = object::<Channel>(key, value)?.deposit;
                self.channels = self.channels.checked_add(deposit).ok_or(Violation::Overflow)?;
            }
            Key::Submission(_) => {
                let deposit = object::<Submission>(key, value)?.deposit;
                self.submissions =
                    self.submissions.checked_add(deposit).ok_or(Violation::Overflow)?;
            }
            Key::Dispute(number) => {
                self.disputes.insert(*number, object(key, value)?);
            }
            Key::DisputeBook => self.book = object(key, value)?,
            _ => {}
        }
        Ok(())
    }
}

impl Volumes {
    fn add(&mut self, key: &Key, value: &[u8]) -> Result<(), Violation> {
        match key {
            Key::Terms(id) => {
                let document: Vec<u8> = object(key, value)?;
                // Nothing is counted under terms that do not read.
                let terms = Terms::from_document(&document).ok();
                let tiered = terms.filter(|terms| !terms.tiers.is_empty());
                self.terms.extend(tiered.map(|terms| (*id, terms)));
            }
            Key::Grant(number) => {
                self.grants.insert(*number, object::<Grant>(key, value)?.terms);
            }
            Key::Volume(grant) => {
                self.volumes.insert(*grant, object(key, value)?);
            }
            _ => {}
        }
        Ok(())
    }
}

fn object<T: Decode>(key: &Key, value: &[u8]) -> Result<T, Violation> {
    codec::decode(value).map_err(|error| Violation::Damaged { key: Box::new(key.clone()), error })
}
