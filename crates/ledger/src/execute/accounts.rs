//! Opening accounts, rotating their keys, moving credits.

use crate::execution::Party;
use crate::key::Key;
use crate::object::{Account, Balance, Recovery};
use crate::postings;
use crate::refusal::{Refusal, Stop};
use crate::result::{AccountResult, OperationResult};
use crate::transaction::{RotateKeys, Transfer};
use crate::view::View;
use ambar_base::{AccountId, Amount, ErrorCode, SignedInception};

pub(super) fn create(
    view: &mut View<'_>,
    record: &SignedInception,
) -> Result<OperationResult, Stop> {
    let invalid = |error: ambar_base::account::AccountError| {
        Refusal::new(ErrorCode::SignatureInvalid, error.to_string())
    };
    let inception = &record.inception;
    inception.check().map_err(invalid)?;
    let id = inception.id(view.block.network);
    let first = Key::FirstKey(inception.first);
    view.require([first.clone(), Key::AccountNumber(id)])?;
    if view.get::<u64>(&first)?.is_some() {
        let message = format!("key {} has opened an account before", inception.first.did());
        return Err(Refusal::new(ErrorCode::KeyNameTaken, message).into());
    }
    let keys = Some(inception.keys.clone());
    let account = Account { id, keys, recovery: inception.recovery, nonce: 0, name: None };
    let number = open(view, &account)?;
    view.put(&first, &number);
    Ok(OperationResult::Account(AccountResult { number, id }))
}

/// Opens an account of any kind.
pub(super) fn open(view: &mut View<'_>, account: &Account) -> Result<u64, Stop> {
    let number = view.number(|numbers| &mut numbers.accounts)?;
    view.put(&Key::AccountNumber(account.id), &number);
    view.put(&Key::Account(number), account);
    view.put(&Key::Balance(number), &Balance::empty(account.id));
    Ok(number)
}

/// The escrow account of a contributor without a key, opened if need be.
pub(super) fn escrow(view: &mut View<'_>, id: AccountId, name: &str) -> Result<u64, Stop> {
    if let Some(number) = view.get(&Key::AccountNumber(id))? {
        return Ok(number);
    }
    let name = Some(name.to_owned());
    open(view, &Account { id, keys: None, recovery: None, nonce: 0, name })
}

/// The number of an account that must exist.
pub(super) fn number_of(view: &View<'_>, id: &AccountId) -> Result<u64, Stop> {
    view.named("account", id, &Key::AccountNumber(*id))
}

pub(super) fn rotate(
    view: &mut View<'_>,
    party: &Party,
    record: &RotateKeys,
) -> Result<OperationResult, Stop> {
    let invalid = |error: ambar_base::account::AccountError| {
        Refusal::new(ErrorCode::TransactionInvalid, error.to_string())
    };
    record.keys.check().map_err(invalid)?;
    // Whoever has the keys needs no recovery, and may not have begun the one that runs.
    if view.get::<Recovery>(&Key::Recovery(party.account))?.is_some() {
        view.remove(&Key::Recovery(party.account));
    }
    let key = Key::Account(party.account);
    let mut account: Account = view.expect(&key)?;
    account.keys = Some(record.keys.clone());
    account.recovery = record.recovery;
    view.put(&key, &account);
    Ok(OperationResult::Done)
}

pub(super) fn transfer(
    view: &mut View<'_>,
    party: &Party,
    record: &Transfer,
) -> Result<OperationResult, Stop> {
    let to = number_of(view, &record.to)?;
    view.require([Key::Balance(party.account), Key::Balance(to)])?;
    postings::transfer(view, party.account, to, Amount::from(record.amount))?;
    Ok(OperationResult::Done)
}
