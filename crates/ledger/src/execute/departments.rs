//! Departments: what their organisation sets, and what their keys may do.
//!
//! A department never holds money for long: what it lacks for a fee, a deposit or a channel
//! comes from its organisation when it is needed, within the budget (`postings.rs`).
//!
//! **Invariant**: money leaves a department through channels, deposits, fees and its
//! organisation only, and in no period more is drawn than the largest budget in it.

use super::accounts::{self, number_of};
use crate::admission::Admitted;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Account, Balance, Budget, Department, Member};
use crate::postings;
use crate::refusal::{Refusal, Stop};
use crate::result::{AccountResult, DrawnResult, OperationResult};
use crate::transaction::{CreateDepartment, Operation, Recall, SetBudget, SetMembers};
use crate::view::{Drawing, View};
use ambar_base::{AccountId, Amount, ErrorCode, Price};

/// Longest name of a department, bytes.
pub const DEPARTMENT_NAME_BYTES_MAX: usize = 64;
/// Most departments of one organisation, closed ones too.
pub const DEPARTMENTS_MAX: usize = 256;

/// Whether the signers of a department's transaction may ask for its operations. From then on
/// it draws what it lacks.
pub(crate) fn admit(view: &mut View<'_>, number: u64, admitted: &Admitted) -> Result<(), Stop> {
    let Some(department) = view.get::<Department>(&Key::Department(number))? else { return Ok(()) };
    for operation in &admitted.envelope().operations {
        check_role(&department, admitted, operation)?;
    }
    view.drawing = Some(Drawing { department: number, drawn: Amount::ZERO });
    Ok(())
}

fn check_role(
    department: &Department,
    admitted: &Admitted,
    operation: &Operation,
) -> Result<(), Refusal> {
    let refuse = |message| Err(Refusal::new(ErrorCode::NotAuthorised, message));
    let Some(role) = operation.role() else {
        return refuse("no role of a department covers this: its organisation does it".into());
    };
    match admitted.signers().find(|key| !department.allows(key, role)) {
        None => Ok(()),
        Some(key) => {
            refuse(format!("key {} lacks the role `{}` of the department", key.did(), role.text()))
        }
    }
}

/// A department pays nobody's fee but its own.
pub(crate) fn pays_for_itself(view: &View<'_>, payer: u64) -> Result<(), Stop> {
    if view.get::<Department>(&Key::Department(payer))?.is_none() {
        return Ok(());
    }
    let message = "a department pays no fee but its own";
    Err(Refusal::new(ErrorCode::NotAuthorised, message).into())
}

/// What the acting department drew, if something.
pub(crate) fn drawn(view: &View<'_>) -> Result<Option<OperationResult>, Stop> {
    let Some(Drawing { department: number, drawn }) = view.drawing else { return Ok(None) };
    if drawn.is_zero() {
        return Ok(None);
    }
    let department: Department = view.expect(&Key::Department(number))?;
    let id = |number| Ok::<_, Stop>(view.expect::<Balance>(&Key::Balance(number))?.account);
    Ok(Some(OperationResult::Drawn(DrawnResult {
        organisation: id(department.organisation)?,
        department: id(number)?,
        amount: drawn,
    })))
}

/// Whether an account is a department of another.
pub(super) fn belongs(view: &View<'_>, number: u64, organisation: u64) -> Result<bool, Stop> {
    let department: Option<Department> = view.get(&Key::Department(number))?;
    Ok(department.is_some_and(|department| department.organisation == organisation))
}

/// Counts a channel that the acting department opened.
pub(super) fn opened_channel(view: &mut View<'_>, payer: u64) -> Result<(), Stop> {
    if view.drawing.is_none_or(|drawing| drawing.department != payer) {
        return Ok(());
    }
    let key = Key::Department(payer);
    let mut department: Department = view.expect(&key)?;
    department.channels = department.channels.checked_add(1).ok_or_else(Refusal::overflow)?;
    view.put(&key, &department);
    Ok(())
}

/// Counts a channel that was paid out, if its payer is a department.
pub(crate) fn closed_channel(view: &mut View<'_>, payer: u64) -> Result<(), Stop> {
    let key = Key::Department(payer);
    let Some(mut department) = view.get::<Department>(&key)? else { return Ok(()) };
    let miscounted = || Refusal::new(ErrorCode::LedgerCorrupt, "a department has no such channel");
    department.channels = department.channels.checked_sub(1).ok_or_else(miscounted)?;
    view.put(&key, &department);
    Ok(())
}

pub(super) fn create(
    view: &mut View<'_>,
    party: &Party,
    record: &CreateDepartment,
) -> Result<OperationResult, Stop> {
    check_name(&record.name)?;
    let keys = Member::key_set(&record.members, record.threshold)?;
    let organisation: Balance = view.expect(&Key::Balance(party.account))?;
    let id = AccountId::department(&organisation.account, &record.name);
    let listed = Key::Departments(party.account);
    view.require([listed.clone(), Key::AccountNumber(id)])?;
    if view.get::<u64>(&Key::AccountNumber(id))?.is_some() {
        let message = format!("a department is or was called {}", record.name);
        return Err(Refusal::new(ErrorCode::NameTaken, message).into());
    }
    let mut list: Vec<u64> = view.get(&listed)?.unwrap_or_default();
    if list.len() >= DEPARTMENTS_MAX {
        let message = format!("an organisation has at most {DEPARTMENTS_MAX} departments");
        return Err(Refusal::new(ErrorCode::LimitExceeded, message).into());
    }
    let name = Some(record.name.clone());
    let account = Account { id, keys: Some(keys), recovery: None, nonce: 0, name };
    let number = accounts::open(view, &account)?;
    list.push(number);
    let department = Department {
        organisation: party.account,
        members: record.members.clone(),
        budget: record.budget,
        since: view.block.time,
        period: 0,
        drawn: Amount::ZERO,
        channels: 0,
        closed: false,
    };
    view.put(&listed, &list);
    view.put(&Key::Department(number), &department);
    Ok(OperationResult::Account(AccountResult { number, id }))
}

/// Names are parts of paths and of what people type.
fn check_name(name: &str) -> Result<(), Refusal> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let plain = name.bytes().all(|byte| letter(byte) || b"-._".contains(&byte));
    let begins = name.bytes().next().is_some_and(letter);
    if plain && begins && name.len() <= DEPARTMENT_NAME_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "a department's name is 1 to {DEPARTMENT_NAME_BYTES_MAX} of a-z 0-9 - . _ and begins \
         with a letter or digit"
    );
    Err(Refusal::new(ErrorCode::TransactionInvalid, message))
}

/// A department that is not closed, and its number.
fn open_department(view: &View<'_>, id: &AccountId) -> Result<(u64, Department), Stop> {
    let (number, department) = department_of(view, id)?;
    if department.closed {
        return Err(Refusal::new(ErrorCode::NotFound, format!("department {id} is closed")).into());
    }
    Ok((number, department))
}

fn department_of(view: &View<'_>, id: &AccountId) -> Result<(u64, Department), Stop> {
    let number = number_of(view, id)?;
    view.require([Key::Department(number), Key::Account(number), Key::Balance(number)])?;
    Ok((number, view.named("department", id, &Key::Department(number))?))
}

fn check_organisation(party: &Party, department: &Department) -> Result<(), Refusal> {
    if department.organisation == party.account {
        return Ok(());
    }
    let message = "the department belongs to another organisation";
    Err(Refusal::new(ErrorCode::NotAuthorised, message))
}

pub(super) fn set_budget(
    view: &mut View<'_>,
    party: &Party,
    record: &SetBudget,
) -> Result<OperationResult, Stop> {
    let (number, mut department) = open_department(view, &record.department)?;
    check_organisation(party, &department)?;
    department.set_budget(view.block.time, record.budget);
    view.put(&Key::Department(number), &department);
    Ok(OperationResult::Done)
}

pub(super) fn set_members(
    view: &mut View<'_>,
    party: &Party,
    record: &SetMembers,
) -> Result<OperationResult, Stop> {
    let keys = Member::key_set(&record.members, record.threshold)?;
    let (number, mut department) = open_department(view, &record.department)?;
    if number != party.account {
        check_organisation(party, &department)?;
    }
    department.members.clone_from(&record.members);
    view.put(&Key::Department(number), &department);
    set_keys(view, number, Some(keys))?;
    Ok(OperationResult::Done)
}

fn set_keys(
    view: &mut View<'_>,
    number: u64,
    keys: Option<ambar_base::KeySet>,
) -> Result<(), Stop> {
    let key = Key::Account(number);
    let mut account: Account = view.expect(&key)?;
    account.keys = keys;
    view.put(&key, &account);
    Ok(())
}

/// A closed department too: its capsules may still earn.
pub(super) fn recall(
    view: &mut View<'_>,
    party: &Party,
    record: &Recall,
) -> Result<OperationResult, Stop> {
    let (number, department) = department_of(view, &record.department)?;
    check_organisation(party, &department)?;
    let amount = record.amount.map(Amount::from);
    give_back(view, number, party.account, amount).map(OperationResult::Recalled)
}

/// Moves an amount, or everything that can be spent, from a department to its organisation.
fn give_back(
    view: &mut View<'_>,
    number: u64,
    organisation: u64,
    amount: Option<Amount>,
) -> Result<Amount, Stop> {
    let balance: Balance = view.expect(&Key::Balance(number))?;
    let amount = amount.unwrap_or_else(|| balance.available_at(view.block.height));
    postings::transfer(view, number, organisation, amount)?;
    Ok(amount)
}

pub(super) fn close(
    view: &mut View<'_>,
    party: &Party,
    id: &AccountId,
) -> Result<OperationResult, Stop> {
    let (number, mut department) = open_department(view, id)?;
    check_organisation(party, &department)?;
    if department.channels > 0 {
        let message = format!(
            "department {id} has {} channels: close them, and wait until they are paid out",
            department.channels
        );
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    let amount = give_back(view, number, party.account, None)?;
    department.members = Vec::new();
    department.budget = Budget { amount: Price(0), ..department.budget };
    department.closed = true;
    view.put(&Key::Department(number), &department);
    set_keys(view, number, None)?;
    Ok(OperationResult::Recalled(amount))
}
