//! Pools: what is gathered for datanets. Everything that the ledger says of them is public;
//! the content of a record is for its contributor and those who decide on it.

use super::App;
use super::dto;
use super::extract::Asked;
use super::failure::{Answer, Failure, blocking};
use super::party::Party;
use super::views::{account_id, ledger, limit, number, time};
use ambar_base::{Digest, ErrorCode};
use ambar_capsule::chunks::ContentRoot;
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object::{Pool, PoolRecord, PoolRules, Proposal, Submission, SubmissionState};
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

impl Page {
    /// The numbers below `end` that are asked for, and the last of them if there are more.
    fn of(&self, what: &str, end: u64) -> Result<(Vec<u64>, Option<String>), Failure> {
        let after = self.after.as_deref().map(|text| number(what, text)).transpose()?;
        let first = after.map_or(0, |after| after.saturating_add(1));
        let numbers: Vec<u64> = (first..end).take(limit(self.limit)?).collect();
        let last = numbers.last().copied().filter(|last| last + 1 < end);
        Ok((numbers, last.map(|last| last.to_string())))
    }
}

/// Pools, ascending by number.
#[utoipa::path(get, path = "/api/v1/pools",
    operation_id = "list_pools", tag = "datanets",
    params(("after" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = dto::Pools)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(page): Asked<Page>,
) -> Answer<dto::Pools> {
    let view = ledger(&app)?;
    let end: u64 = view.object(&Key::PoolBook)?.unwrap_or_default();
    let (numbers, next) = page.of("pool", end)?;
    let one = |number: u64| pool(&view, number, view.must("pool", number, &Key::Pool(number))?);
    Ok(Json(dto::Pools { pools: numbers.into_iter().map(one).collect::<Result<_, _>>()?, next }))
}

/// A pool, by number or name.
#[utoipa::path(get, path = "/api/v1/pools/{pool}",
    operation_id = "pool", tag = "datanets",
    params(("pool" = String, Path)),
    responses((status = 200, body = dto::Pool)))]
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
) -> Answer<dto::Pool> {
    let view = ledger(&app)?;
    let (number, object) = find(&view, &text)?;
    pool(&view, number, object).map(Json)
}

fn find(view: &LedgerView, text: &str) -> Result<(u64, Pool), Failure> {
    let unknown = || Failure::not_found(format!("there is no pool {text}"));
    let number = match text.parse() {
        Ok(number) => number,
        Err(_) => view.object(&Key::PoolName(text.to_owned()))?.ok_or_else(unknown)?,
    };
    Ok((number, view.object(&Key::Pool(number))?.ok_or_else(unknown)?))
}

fn accounts(view: &LedgerView, numbers: &[u64]) -> Result<Vec<String>, Failure> {
    numbers.iter().map(|number| Ok(account_id(view, *number)?.to_string())).collect()
}

fn pool(view: &LedgerView, number: u64, object: Pool) -> Result<dto::Pool, Failure> {
    Ok(dto::Pool {
        number: number.to_string(),
        steward: account_id(view, object.steward)?.to_string(),
        rules: rules(&object.rules),
        reviewers: accounts(view, &object.reviewers)?,
        revision: object.revision,
        forked_from: object.forked_from.map(|from| from.to_string()),
        members: object.members,
        contributors: object.contributors,
        records: object.records,
        submissions: object.submissions,
        proposals: object.proposals,
        name: object.name,
        theme: object.theme,
    })
}

fn rules(rules: &PoolRules) -> dto::PoolRules {
    dto::PoolRules {
        open: rules.open,
        agreeing: rules.agreeing,
        deposit: rules.deposit.to_string(),
        bytes_max: rules.bytes_max,
        licences: rules.licences.clone(),
        quality: (rules.quality != Digest::ZERO).then(|| rules.quality.to_string()),
        sharing: dto::Sharing::of(&rules.sharing),
    }
}

/// What was submitted to a pool, ascending by number.
#[utoipa::path(get, path = "/api/v1/pools/{pool}/submissions",
    operation_id = "list_submissions", tag = "datanets",
    params(("pool" = String, Path), ("after" = Option<String>, Query),
        ("limit" = Option<u32>, Query)),
    responses((status = 200, body = dto::Submissions)))]
pub(super) async fn submissions(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    Asked(page): Asked<Page>,
) -> Answer<dto::Submissions> {
    let view = ledger(&app)?;
    let (number, pool) = find(&view, &text)?;
    let (numbers, next) = page.of("submission", pool.submissions)?;
    let one = |at: u64| submission(&view, at, &submitted(&view, number, at)?);
    let submissions = numbers.into_iter().map(one).collect::<Result<_, _>>()?;
    Ok(Json(dto::Submissions { submissions, next }))
}

fn submitted(view: &LedgerView, pool: u64, at: u64) -> Result<Submission, Failure> {
    Ok(view.must("submission", at, &Key::Submission((pool, at)))?)
}

fn submission(
    view: &LedgerView,
    number: u64,
    object: &Submission,
) -> Result<dto::Submission, Failure> {
    let (mut accepting, mut rejecting, mut closed, mut reason) = (vec![], vec![], None, None);
    match &object.state {
        SubmissionState::Committed => {}
        SubmissionState::Revealed(revealed) => {
            accepting = accounts(view, &revealed.accepting)?;
            rejecting = accounts(view, &revealed.rejecting)?;
        }
        SubmissionState::Accepted(decided) => closed = Some(decided.height.0),
        SubmissionState::Rejected(decided) => {
            (closed, reason) = (Some(decided.height.0), Some(decided.reason.clone()));
        }
        SubmissionState::Withdrawn(taken) => closed = Some(taken.height.0),
    }
    Ok(dto::Submission {
        number: number.to_string(),
        contributor: account_id(view, object.contributor)?.to_string(),
        committed: time(object.committed),
        opens: time(object.opens()),
        deposit: object.deposit.to_string(),
        state: object.state.text().into(),
        record: object.record().map(record),
        accepting,
        rejecting,
        closed,
        reason,
    })
}

fn record(record: &PoolRecord) -> dto::PoolRecord {
    dto::PoolRecord {
        content: ContentRoot(record.content.0).to_string(),
        bytes: record.bytes,
        title: record.title.clone(),
        licence: record.licence.clone(),
        source_kind: record.source.kind().into(),
        source: record.source.to_string(),
    }
}

/// The content of a record that was revealed: for its contributor, the pool's steward and its
/// reviewers, by their signature.
#[utoipa::path(get, path = "/api/v1/pools/{pool}/submissions/{submission}/content",
    operation_id = "submission_content", tag = "datanets",
    params(("pool" = String, Path), ("submission" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub(super) async fn content(
    State(app): State<Arc<App>>,
    Path((text, at)): Path<(String, String)>,
    party: Party,
) -> Result<Response, Failure> {
    let view = ledger(&app)?;
    let ((pool_number, pool), at) = (find(&view, &text)?, number("submission", &at)?);
    let submission = submitted(&view, pool_number, at)?;
    let asker = view.account_number(&party.account(&view)?.to_string())?;
    let decides = pool.steward == asker || pool.reviewers.contains(&asker);
    if !decides && submission.contributor != asker {
        let message = "a record is for its contributor, and for those who decide on it";
        return Err(Failure::new(ErrorCode::NotAuthorised, message));
    }
    let unknown = || Failure::not_found(format!("submission {at} has not been revealed"));
    let root = ContentRoot(submission.record().ok_or_else(unknown)?.content.0);
    let bytes = blocking(move || Ok(app.store.get(&root)?)).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// Rules that were proposed for a pool, ascending by number.
#[utoipa::path(get, path = "/api/v1/pools/{pool}/proposals",
    operation_id = "list_proposals", tag = "datanets",
    params(("pool" = String, Path), ("after" = Option<String>, Query),
        ("limit" = Option<u32>, Query)),
    responses((status = 200, body = dto::Proposals)))]
pub(super) async fn proposals(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    Asked(page): Asked<Page>,
) -> Answer<dto::Proposals> {
    let view = ledger(&app)?;
    let (pool_number, pool) = find(&view, &text)?;
    let (numbers, next) = page.of("proposal", pool.proposals)?;
    let one = |at: u64| {
        let object = view.must("proposal", at, &Key::Proposal((pool_number, at)))?;
        proposal(&view, &pool, at, &object)
    };
    let proposals = numbers.into_iter().map(one).collect::<Result<_, _>>()?;
    Ok(Json(dto::Proposals { proposals, next }))
}

fn proposal(
    view: &LedgerView,
    pool: &Pool,
    number: u64,
    object: &Proposal,
) -> Result<dto::Proposal, Failure> {
    let state = match object.passed {
        Some(_) => "passed",
        None if object.revision == pool.revision => "open",
        None => "overtaken",
    };
    Ok(dto::Proposal {
        number: number.to_string(),
        by: account_id(view, object.by)?.to_string(),
        rules: rules(&object.rules),
        reviewers: accounts(view, &object.reviewers)?,
        height: object.height.0,
        ayes: object.ayes.len() as u64,
        noes: object.noes.len() as u64,
        state: state.into(),
    })
}
