//! Recovering an account whose keys are lost, by keys that it named before.
//!
//! The recovery keys change nothing at once. What they ask for waits where everybody sees it,
//! and the account's present keys can end it meanwhile: so recovery keys that were stolen do
//! not take an account whose owner looks after it. They do nothing for an owner whose present
//! keys were stolen: a thief of those names other recovery keys.

use super::accounts::number_of;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Account, RECOVERY_DELAY_BLOCKS, RECOVERY_DELAY_MS, Recovery};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::BeginRecovery;
use crate::view::View;
use ambar_base::account::AccountError;
use ambar_base::{AccountId, ErrorCode};
use ambar_licence::calendar;

/// Anyone may submit it, so that an account without keys needs none to pay the fee.
pub(super) fn begin(view: &mut View<'_>, record: &BeginRecovery) -> Result<OperationResult, Stop> {
    let number = number_of(view, &record.account)?;
    view.require([Key::Account(number), Key::Recovery(number)])?;
    let account: Account = view.expect(&Key::Account(number))?;
    check_set(&account, record)?;
    if record.nonce != account.nonce {
        let message = format!(
            "the recovery was signed for nonce {}, the account's next one is {}",
            record.nonce, account.nonce
        );
        return Err(Refusal::new(ErrorCode::NonceStale, message).into());
    }
    // Otherwise whoever read the signatures in a block could begin it anew for ever.
    if let Some(running) = view.get::<Recovery>(&Key::Recovery(number))? {
        let message =
            format!("a recovery of account {} is under way, {}", account.id, since(&running));
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    let recovery = Recovery {
        keys: record.keys.clone(),
        next: record.next,
        from: view.block.time.after(RECOVERY_DELAY_MS),
        from_height: view.block.height.after(RECOVERY_DELAY_BLOCKS),
    };
    view.put(&Key::Recovery(number), &recovery);
    Ok(OperationResult::Done)
}

fn since(recovery: &Recovery) -> String {
    let (from, height) = (calendar::print(recovery.from), recovery.from_height);
    format!("it can be finished from {from} and block {height} on")
}

/// Whether the account named these recovery keys, and enough of them signed.
fn check_set(account: &Account, record: &BeginRecovery) -> Result<(), Refusal> {
    let BeginRecovery { recovery, keys, signatures, .. } = record;
    if account.recovery != Some(recovery.digest()) {
        let message = format!("account {} named no such keys for its recovery", account.id);
        return Err(Refusal::new(ErrorCode::NotAuthorised, message));
    }
    let code = |code: ErrorCode| move |error: AccountError| Refusal::new(code, error.to_string());
    recovery.check().map_err(code(ErrorCode::TransactionInvalid))?;
    keys.check().map_err(code(ErrorCode::TransactionInvalid))?;
    let signers = signatures.iter().map(|(key, _)| key);
    recovery.authorise(signers).map_err(code(ErrorCode::SignatureInvalid))
}

pub(super) fn cancel(view: &mut View<'_>, party: &Party) -> Result<OperationResult, Stop> {
    let key = Key::Recovery(party.account);
    let _: Recovery = view.named("recovery", "of this account", &key)?;
    view.remove(&key);
    Ok(OperationResult::Done)
}

pub(super) fn finish(view: &mut View<'_>, id: &AccountId) -> Result<OperationResult, Stop> {
    let number = number_of(view, id)?;
    let (key, place) = (Key::Account(number), Key::Recovery(number));
    view.require([key.clone(), place.clone()])?;
    let recovery: Recovery = view.named("recovery", format!("of account {id}"), &place)?;
    if view.block.time < recovery.from || view.block.height < recovery.from_height {
        let message = format!("the recovery of account {id} is not due: {}", since(&recovery));
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    let mut account: Account = view.expect(&key)?;
    account.keys = Some(recovery.keys);
    account.recovery = recovery.next;
    // The same recovery keys may be named again: what they signed is of the past.
    account.nonce += 1;
    view.put(&key, &account);
    view.remove(&place);
    Ok(OperationResult::Done)
}
