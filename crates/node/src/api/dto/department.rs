//! Departments of an organisation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an account is that is a department.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Department {
    /// The account of its organisation.
    pub organisation: String,
    /// Its keys and what each may sign for.
    pub members: Vec<Member>,
    /// What it may draw per period, 9 decimals.
    pub budget: String,
    /// By what that is counted: `day`, `month` (UTC) or `term` (all its time).
    pub per: String,
    /// What it drew in the running period, 18 decimals.
    pub drawn: String,
    /// What it may still draw in it, 18 decimals.
    pub left: String,
    /// Its channels that are not paid out.
    pub channels: u64,
    /// Whether it is closed.
    pub closed: bool,
}

/// A key of a department.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Its DID.
    pub key: String,
    /// `spend`, `publish`, `read`, `admin`.
    pub roles: Vec<String>,
}

/// A department of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DepartmentRow {
    /// Its account.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is closed.
    pub closed: bool,
}

/// An account whose rows are in a consolidated statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementAccount {
    /// Its id.
    pub id: String,
    /// The department's name; absent for the organisation itself.
    pub name: Option<String>,
}
