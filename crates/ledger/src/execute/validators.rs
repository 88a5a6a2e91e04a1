//! Validators: who would vote on blocks, whom the council prefers, and what happens to who
//! cheats.

use super::nodes::check_council;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Balance, reserved};
use crate::postings;
use crate::refusal::{Refusal, Stop};
use crate::result::{EjectedResult, OperationResult};
use crate::roster::{RANKING_VALIDATORS_MAX, Roster, Status, Validator};
use crate::transaction::RegisterValidator;
use crate::view::View;
use ambar_base::finality::Evidence;
use ambar_base::{Amount, ErrorCode, PublicKey};
use std::collections::BTreeSet;

pub(super) fn register(
    view: &mut View<'_>,
    party: &Party,
    record: &RegisterValidator,
) -> Result<OperationResult, Stop> {
    if !record.key.is_sound() {
        let message = "a validator's key is an Ed25519 key that somebody can hold";
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    let (by_key, by_account) = (Key::ValidatorNumber(record.key), Key::ValidatorOf(party.account));
    view.require([by_key.clone(), by_account.clone()])?;
    if let Some(number) = view.get::<u64>(&by_key)? {
        return Err(taken(&view.expect(&Key::Validator(number))?).into());
    }
    if view.get::<u64>(&by_account)?.is_some() {
        let message = "the account has a validator";
        return Err(Refusal::new(ErrorCode::SeatTaken, message).into());
    }
    let (key, owner) = (record.key, party.account);
    let mut validator = Validator { key, owner, bond: Amount::ZERO, status: Status::Candidate };
    let bond = view.parameters()?.validator_bond;
    postings::bond(view, owner, &mut validator.bond, bond)?;
    let number = view.number(|numbers| &mut numbers.validators)?;
    view.put(&Key::Validator(number), &validator);
    view.put(&by_key, &number);
    view.put(&by_account, &number);
    Ok(OperationResult::Validator(number))
}

fn taken(validator: &Validator) -> Refusal {
    match validator.status {
        Status::Ejected(_) => ejected(&validator.key),
        _ => {
            let message = format!("validator {} is registered", validator.key.did());
            Refusal::new(ErrorCode::SeatTaken, message)
        }
    }
}

fn ejected(key: &PublicKey) -> Refusal {
    let message = format!("validator {} cheated and was ejected", key.did());
    Refusal::new(ErrorCode::ValidatorEjected, message)
}

/// The validator of an account.
fn own(view: &View<'_>, party: &Party) -> Result<(u64, Validator), Stop> {
    let by_account = Key::ValidatorOf(party.account);
    let number: u64 = view.named("validator", "of this account", &by_account)?;
    Ok((number, view.expect(&Key::Validator(number))?))
}

pub(super) fn retire(view: &mut View<'_>, party: &Party) -> Result<OperationResult, Stop> {
    let (number, mut validator) = own(view, party)?;
    validator.status = match validator.status {
        Status::Candidate => Status::Left(view.block.height),
        Status::Seated => Status::Leaving,
        other => {
            let message = format!("the validator has retired: it is {}", other.text());
            return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
        }
    };
    view.put(&Key::Validator(number), &validator);
    Ok(OperationResult::Done)
}

/// The bond stays within reach of evidence for a settlement window after the last vote.
pub(super) fn withdraw(view: &mut View<'_>, party: &Party) -> Result<OperationResult, Stop> {
    let (number, mut validator) = own(view, party)?;
    let locked = |message: String| Refusal::new(ErrorCode::BondLocked, message);
    let Status::Left(since) = validator.status else {
        let message = format!("the validator is {}: its bond is locked", validator.status.text());
        return Err(locked(message).into());
    };
    let until = since.after(view.parameters()?.settlement_window);
    if view.block.height <= until {
        return Err(locked(format!("the bond is locked up to height {until}")).into());
    }
    let bond = validator.bond;
    postings::release_bond(view, &mut validator.bond, party.account)?;
    view.remove(&Key::Validator(number));
    view.remove(&Key::ValidatorNumber(validator.key));
    view.remove(&Key::ValidatorOf(party.account));
    Ok(OperationResult::Withdrawn(bond))
}

pub(super) fn rank(
    view: &mut View<'_>,
    party: &Party,
    keys: &[PublicKey],
) -> Result<OperationResult, Stop> {
    check_council(view, party)?;
    check_ranking(keys)?;
    view.require(keys.iter().map(|key| Key::ValidatorNumber(*key)).chain([Key::Roster]))?;
    let number = |key: &PublicKey| view.named("validator", key.did(), &Key::ValidatorNumber(*key));
    let ranking = keys.iter().map(number).collect::<Result<Vec<u64>, Stop>>()?;
    view.require(ranking.iter().map(|number| Key::Validator(*number)))?;
    for number in &ranking {
        let validator: Validator = view.expect(&Key::Validator(*number))?;
        if matches!(validator.status, Status::Ejected(_)) {
            return Err(ejected(&validator.key).into());
        }
    }
    let roster: Roster = view.expect(&Key::Roster)?;
    view.put(&Key::Roster, &Roster { ranking, ..roster });
    Ok(OperationResult::Done)
}

fn check_ranking(keys: &[PublicKey]) -> Result<(), Refusal> {
    let distinct = keys.iter().collect::<BTreeSet<_>>().len();
    if distinct == keys.len() && keys.len() <= RANKING_VALIDATORS_MAX {
        return Ok(());
    }
    let message = format!("a ranking is at most {RANKING_VALIDATORS_MAX} validators, each once");
    Err(Refusal::new(ErrorCode::TransactionInvalid, message))
}

/// Ejects whoever cast both votes, and burns its bond. Its seat ends with the epoch.
pub(crate) fn report(view: &mut View<'_>, evidence: &Evidence) -> Result<OperationResult, Stop> {
    let key = evidence.key();
    let number: u64 = view.named("validator", key.did(), &Key::ValidatorNumber(key))?;
    let mut validator: Validator = view.expect(&Key::Validator(number))?;
    if matches!(validator.status, Status::Ejected(_)) {
        return Err(ejected(&key).into());
    }
    view.require([Key::Balance(reserved::BURN), Key::Balance(validator.owner)])?;
    let owner = view.expect::<Balance>(&Key::Balance(validator.owner))?.account;
    let burned = validator.bond;
    postings::release_bond(view, &mut validator.bond, reserved::BURN)?;
    validator.status = Status::Ejected(view.block.height);
    view.put(&Key::Validator(number), &validator);
    view.remove(&Key::ValidatorOf(validator.owner));
    Ok(OperationResult::Ejected(EjectedResult { validator: number, owner, burned }))
}
