//! Departments: what the API says of them, and whose statements are consolidated.

use super::dto::{Department, DepartmentRow, Member};
use super::failure::Failure;
use super::views::{account_id, corrupt};
use ambar_base::AccountId;
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object::{self, Account};
use ambar_ledger::query::State;

/// What an account is, if it is a department.
pub(super) fn one(view: &LedgerView, number: u64) -> Result<Option<Department>, Failure> {
    let department: Option<object::Department> = view.object(&Key::Department(number))?;
    let Some(department) = department else { return Ok(None) };
    let now = view.head().time;
    let member = |member: &object::Member| Member {
        key: member.key.did(),
        roles: member.roles.iter().map(|role| role.text().to_owned()).collect(),
    };
    Ok(Some(Department {
        organisation: account_id(view, department.organisation)?.to_string(),
        members: department.members.iter().map(member).collect(),
        budget: department.budget.amount.to_string(),
        per: department.budget.per.text().to_owned(),
        drawn: department.drawn_at(now).to_string(),
        left: department.left_at(now).to_string(),
        channels: department.channels,
        closed: department.closed,
    }))
}

/// The departments of an account.
pub(super) fn of(view: &LedgerView, number: u64) -> Result<Vec<DepartmentRow>, Failure> {
    let row = |(id, name, number): (AccountId, String, u64)| {
        let key = Key::Department(number);
        let department: object::Department = view.must("department", number, &key)?;
        Ok(DepartmentRow { id: id.to_string(), name, closed: department.closed })
    };
    listed(view, number)?.into_iter().map(row).collect()
}

/// Id, name and number of an account's departments, oldest first: a list that only grows.
pub(super) fn listed(
    view: &LedgerView,
    number: u64,
) -> Result<Vec<(AccountId, String, u64)>, Failure> {
    let numbers: Option<Vec<u64>> = view.object(&Key::Departments(number))?;
    let named = |number: u64| {
        let account: Account = view.must("account", number, &Key::Account(number))?;
        let nameless = || corrupt(format!("department {number} has no name"));
        Ok((account.id, account.name.ok_or_else(nameless)?, number))
    };
    numbers.unwrap_or_default().into_iter().map(named).collect()
}
