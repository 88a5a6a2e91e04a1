//! Blocks, and the audit over all of them.

use super::App;
use super::dto::{AuditReport, Block, BlockRow, BlockTransaction, Progress};
use super::extract::Asked;
use super::failure::{Answer, Failure, blocking};
use super::views::{corrupt, limit, number, operation, progress, time};
use crate::audit::{Audit, Receipts};
use crate::submit::results;
use ambar_base::{Encode, ErrorCode, Height, codec};
use ambar_ledger::transaction::{Actor, Operation, SignedTransaction};
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Page {
    after: Option<u64>,
    limit: Option<u32>,
}

/// Blocks above a height, oldest first; without one the newest.
#[utoipa::path(get, path = "/api/v1/blocks",
    operation_id = "list_blocks", tag = "ledger",
    params(("after" = Option<u64>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Vec<BlockRow>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(page): Asked<Page>,
) -> Answer<Vec<BlockRow>> {
    let (head, limit) = (app.consensus.head().height.0, limit(page.limit)? as u64);
    let oldest = app.consensus.oldest()?.0;
    let newest = head.saturating_sub(limit).max(oldest.saturating_sub(1));
    let after = page.after.unwrap_or(newest);
    let last = head.min(after.saturating_add(limit));
    let mut rows = Vec::new();
    for height in after.saturating_add(1)..=last {
        let block = block_at(&app, height)?;
        let header = &block.finality.header;
        rows.push(BlockRow {
            height,
            time: time(header.time),
            digest: header.digest().to_string(),
            transactions: block.transactions.len() as u64,
        });
    }
    Ok(Json(rows))
}

fn block_at(app: &App, height: u64) -> Result<ambar_consensus::Block, Failure> {
    if let Some(block) = app.consensus.block(Height(height))? {
        return Ok(block);
    }
    let oldest = app.consensus.oldest()?;
    if height < oldest.0 {
        let message = format!("block {height} is not kept here; the oldest that is, is {oldest}");
        return Err(Failure::new(ErrorCode::HistoryMissing, message));
    }
    Err(Failure::not_found(format!("there is no block {height}")))
}

/// A block.
#[utoipa::path(get, path = "/api/v1/blocks/{height}",
    operation_id = "block", tag = "ledger",
    params(("height" = u64, Path)),
    responses((status = 200, body = Block)))]
pub(super) async fn one(State(app): State<Arc<App>>, Path(text): Path<String>) -> Answer<Block> {
    let height = number("block", &text)?;
    let block = block_at(&app, height)?;
    let header = &block.finality.header;
    let outcomes = block.outcomes.iter().skip(1);
    let transactions = block.transactions.iter().zip(outcomes);
    let transactions = transactions.map(|(bytes, outcome)| transaction(bytes, outcome));
    Ok(Json(Block {
        height,
        time: time(header.time),
        digest: header.digest().to_string(),
        parent: header.parent.to_string(),
        header: hex::encode(block.finality.to_bytes()),
        transactions: transactions.collect::<Result<_, _>>()?,
    }))
}

fn transaction(bytes: &[u8], outcome: &[u8]) -> Result<BlockTransaction, Failure> {
    let damaged = |error: codec::DecodeError| corrupt(error.to_string());
    let transaction: SignedTransaction = codec::decode(bytes).map_err(damaged)?;
    let (fee, results) = results(outcome).map_err(damaged)?;
    let envelope = transaction.envelope;
    Ok(BlockTransaction {
        id: envelope.id().to_string(),
        actor: match &envelope.actor {
            Actor::Account(id) => id.to_string(),
            Actor::Node(number) => format!("node {number}"),
            Actor::Nobody => "nobody".into(),
        },
        operations: envelope.operations.iter().map(|o| name_of(o).to_owned()).collect(),
        fee: fee.to_string(),
        results: results.iter().map(operation).collect(),
    })
}

fn name_of(operation: &Operation) -> &'static str {
    match operation {
        Operation::CreateAccount(_) => "create_account",
        Operation::RotateKeys(_) => "rotate_keys",
        Operation::BeginRecovery(_) => "begin_recovery",
        Operation::CancelRecovery => "cancel_recovery",
        Operation::FinishRecovery(_) => "finish_recovery",
        Operation::Transfer(_) => "transfer",
        Operation::Publish(_) => "publish",
        Operation::RegisterName(_) => "register_name",
        Operation::TransferLine(_) => "transfer_line",
        Operation::TransferRoyalty(_) => "transfer_royalty",
        Operation::OfferRoyalty(_) => "offer_royalty",
        Operation::WithdrawOffer(_) => "withdraw_offer",
        Operation::BuyRoyalty(_) => "buy_royalty",
        Operation::Accept(_) => "accept",
        Operation::RevokeGrant(_) => "revoke_grant",
        Operation::RevokeCertificate(_) => "revoke_certificate",
        Operation::TakeLease(_) => "take_lease",
        Operation::ReturnLease(_) => "return_lease",
        Operation::OpenChannel(_) => "open_channel",
        Operation::FundChannel(_) => "fund_channel",
        Operation::CloseChannel(_) => "close_channel",
        Operation::RegisterNode(_) => "register_node",
        Operation::SetAsk(_) => "set_ask",
        Operation::SetEndpoint(_) => "set_endpoint",
        Operation::AllowServing(_) => "allow_serving",
        Operation::Settle(_) => "settle",
        Operation::SetParameters(_) => "set_parameters",
        Operation::PublishTariff(_) => "publish_tariff",
        Operation::RegisterValidator(_) => "register_validator",
        Operation::RetireValidator => "retire_validator",
        Operation::WithdrawBond => "withdraw_bond",
        Operation::RankValidators(_) => "rank_validators",
        Operation::ReportConflict(_) => "report_conflict",
        Operation::CreateDepartment(_) => "create_department",
        Operation::SetBudget(_) => "set_budget",
        Operation::SetMembers(_) => "set_members",
        Operation::Recall(_) => "recall",
        Operation::CloseDepartment(_) => "close_department",
        Operation::RevokeGrantFor(_) => "revoke_grant_for",
        Operation::OpenDispute(_) => "open_dispute",
        Operation::ResolveDispute(_) => "resolve_dispute",
        Operation::WithdrawDispute(_) => "withdraw_dispute",
        Operation::LapseDispute(_) => "lapse_dispute",
        Operation::CreatePool(_) => "create_pool",
        Operation::JoinPool(_) => "join_pool",
        Operation::LeavePool(_) => "leave_pool",
        Operation::SubmitRecord(_) => "submit_record",
        Operation::RevealRecord(_) => "reveal_record",
        Operation::ReviewRecord(_) => "review_record",
        Operation::WithdrawRecord(_) => "withdraw_record",
        Operation::ProposeRules(_) => "propose_rules",
        Operation::VoteRules(_) => "vote_rules",
        Operation::OfferTerms(_) => "offer_terms",
        Operation::WithdrawTerms(_) => "withdraw_terms",
    }
}

#[derive(Deserialize)]
pub(super) struct How {
    archive: Option<bool>,
}

/// Recomputes everything from the oldest block that is kept; with `archive` from genesis or not
/// at all. One audit runs at a time.
#[utoipa::path(get, path = "/api/v1/audit",
    operation_id = "audit", tag = "ledger",
    params(("archive" = Option<bool>, Query)),
    responses((status = 200, body = AuditReport)))]
pub(super) async fn audit(
    State(app): State<Arc<App>>,
    Asked(how): Asked<How>,
) -> Answer<AuditReport> {
    let auditing = Arc::clone(&app);
    let turn = Arc::clone(&app.auditing).lock_owned().await;
    let report = blocking(move || {
        let _turn = turn;
        let audit = Audit {
            genesis: &auditing.home.genesis,
            consensus: &*auditing.consensus,
            node: Some(auditing.node),
            receipts: Receipts::of(&auditing.gateway),
            gauge: &auditing.audit_gauge,
            archive: how.archive.unwrap_or_default(),
        };
        Ok(audit.run()?)
    });
    report.await.map(Json)
}

/// How far the audit under way is. The phase is `idle` if there is none.
#[utoipa::path(get, path = "/api/v1/audit/progress",
    operation_id = "audit_progress", tag = "ledger",
    responses((status = 200, body = Progress)))]
pub(super) async fn audit_progress(State(app): State<Arc<App>>) -> Json<Progress> {
    Json(progress(app.audit_gauge.work()))
}
