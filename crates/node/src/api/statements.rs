//! Statements: every movement of an account's money, or of an organisation's and all its
//! departments'.

use super::App;
use super::departments::listed;
use super::dto::{Statement, StatementAccount, StatementRow};
use super::extract::Asked;
use super::failure::{Answer, Failure};
use super::party::Party;
use super::views::{ledger, limit, time};
use ambar_base::{AccountId, Height};
use ambar_index::Placed;
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<u32>,
    consolidated: Option<bool>,
}

/// A part of an account's statement; with `consolidated`, of its departments' too.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/statement",
    operation_id = "statement", tag = "accounts",
    params(("account" = String, Path), ("after" = Option<String>, Query),
        ("limit" = Option<u32>, Query), ("consolidated" = Option<bool>, Query)),
    responses((status = 200, body = Statement)))]
pub(super) async fn statement(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    Asked(page): Asked<Page>,
    party: Party,
) -> Answer<Statement> {
    let view = ledger(&app)?;
    let account = party.may_read(&view, &text)?;
    let limit = limit(page.limit)?;
    let after = page.after.as_deref();
    let (accounts, rows) = if page.consolidated.unwrap_or_default() {
        let departments = listed(&view, view.account_number(&text)?)?;
        let departments = departments.into_iter().map(|(id, name, _)| (id, Some(name)));
        let accounts: Vec<_> = [(account, None)].into_iter().chain(departments).collect();
        let rows = consolidated(&app, &accounts, after, limit)?;
        (accounts, rows)
    } else {
        let after = after.map(cursor::<2>).transpose()?;
        let after = after.map(place).transpose()?;
        let placed = app.index.statement(&account, after, limit)?;
        (Vec::new(), placed.iter().map(row).collect())
    };
    let full = rows.len() >= limit;
    let next = rows.last().filter(|_| full).map(|row| row.cursor.clone());
    let first = Some(app.index.first().0).filter(|first| *first > 1);
    let accounts = accounts.into_iter();
    let accounts = accounts.map(|(id, name)| StatementAccount { id: id.to_string(), name });
    let accounts = accounts.collect();
    Ok(Json(Statement { account: account.to_string(), first, accounts, rows, next }))
}

fn consolidated(
    app: &App,
    accounts: &[(AccountId, Option<String>)],
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<StatementRow>, Failure> {
    let ids: Vec<AccountId> = accounts.iter().map(|(id, _)| *id).collect();
    let after = after.map(cursor::<3>).transpose()?;
    let after = after.map(|numbers| {
        let [height, ordinal, at] = numbers;
        let (height, ordinal) = place([height, ordinal])?;
        Ok::<_, Failure>((height, ordinal, usize::try_from(at).map_err(|_| no_cursor())?))
    });
    let merged = app.index.statements(&ids, after.transpose()?, limit)?;
    let of = |(at, placed): &(usize, Placed)| {
        let counterpart = placed.entry.counterpart;
        StatementRow {
            cursor: format!("{}-{}-{at}", placed.height, placed.ordinal),
            of: Some(ids[*at].to_string()),
            internal: counterpart.is_some_and(|other| ids.contains(&other)),
            ..row(placed)
        }
    };
    Ok(merged.iter().map(of).collect())
}

fn no_cursor() -> Failure {
    Failure::invalid("after is no cursor")
}

/// The numbers of a cursor.
fn cursor<const N: usize>(text: &str) -> Result<[u64; N], Failure> {
    let numbers = text.split('-').map(str::parse).collect::<Result<Vec<u64>, _>>();
    numbers.ok().and_then(|numbers| numbers.try_into().ok()).ok_or_else(no_cursor)
}

fn place([height, ordinal]: [u64; 2]) -> Result<(Height, u32), Failure> {
    Ok((Height(height), u32::try_from(ordinal).map_err(|_| no_cursor())?))
}

fn row(placed: &Placed) -> StatementRow {
    let entry = &placed.entry;
    StatementRow {
        cursor: format!("{}-{}", placed.height, placed.ordinal),
        height: placed.height.0,
        time: time(entry.time),
        kind: entry.kind.text().into(),
        direction: if entry.incoming { "in" } else { "out" }.into(),
        amount: entry.amount.to_string(),
        receipt: entry.receipt.map(|(channel, n)| format!("{channel}-{n}")),
        counterpart: entry.counterpart.map(|account| account.to_string()),
        capsule: entry.capsule.map(|id| id.to_string()),
        channel: entry.channel.map(|number| number.to_string()),
        of: None,
        internal: false,
    }
}
