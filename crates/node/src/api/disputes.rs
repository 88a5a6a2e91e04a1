//! Disputes: what is claimed of calls, and what became of it. They are public, as what the
//! council decides is; of the call itself they say no more than the ledger.

use super::App;
use super::dto::{Dispute, Disputes};
use super::extract::Asked;
use super::failure::{Answer, Failure};
use super::views::{account_id, ledger, limit, named, number, time, version};
use ambar_gateway::ReceiptId;
use ambar_gateway::view::LedgerView;
use ambar_index::Subject;
use ambar_ledger::Key;
use ambar_ledger::object::{self, Claim, DisputeBook, DisputeState};
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use std::sync::Arc;

/// Most disputes that one request looks at.
const DISPUTES_SEEN_MAX: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct Listing {
    receipt: Option<String>,
    grant: Option<String>,
    node: Option<String>,
    open: Option<bool>,
    limit: Option<u32>,
}

/// Disputes about a receipt, a grant or a node, or the network's latest, newest first; with
/// `open` only those that nobody has decided.
#[utoipa::path(get, path = "/api/v1/disputes",
    operation_id = "list_disputes", tag = "receipts",
    params(("receipt" = Option<String>, Query), ("grant" = Option<String>, Query),
        ("node" = Option<String>, Query), ("open" = Option<bool>, Query),
        ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Disputes)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(listing): Asked<Listing>,
) -> Answer<Disputes> {
    let view = ledger(&app)?;
    let book: DisputeBook = view.object(&Key::DisputeBook)?.unwrap_or_default();
    let numbers = match listing.subject()? {
        Some(subject) => app.index.disputes(subject, DISPUTES_SEEN_MAX)?,
        None => (0..book.next).rev().take(DISPUTES_SEEN_MAX).collect(),
    };
    let (most, mut disputes) = (limit(listing.limit)?, Vec::new());
    for number in numbers {
        if disputes.len() == most {
            break;
        }
        // The index may be a block ahead or behind.
        let Some(one) = view.object::<object::Dispute>(&Key::Dispute(number))? else { continue };
        if one.is_open() || !listing.open.unwrap_or_default() {
            disputes.push(dispute(&app, &view, number, &one)?);
        }
    }
    let parameters = view.governance()?.parameters.latest().clone();
    let deposit = object::dispute_deposit(&parameters).unwrap_or_default().to_string();
    Ok(Json(Disputes { disputes, open: book.open, deposit }))
}

impl Listing {
    fn subject(&self) -> Result<Option<Subject>, Failure> {
        match (&self.receipt, &self.grant, &self.node) {
            (None, None, None) => Ok(None),
            (Some(receipt), None, None) => {
                let id: ReceiptId =
                    receipt.parse().map_err(|e| Failure::invalid(format!("{receipt}: {e}")))?;
                Ok(Some(Subject::Receipt(id.channel, id.n)))
            }
            (None, Some(grant), None) => Ok(Some(Subject::Grant(number("grant", grant)?))),
            (None, None, Some(node)) => Ok(Some(Subject::Node(number("node", node)?))),
            _ => Err(Failure::invalid("name a receipt, a grant or a node, or none of them")),
        }
    }
}

/// A dispute.
#[utoipa::path(get, path = "/api/v1/disputes/{dispute}",
    operation_id = "dispute", tag = "receipts",
    params(("dispute" = String, Path)),
    responses((status = 200, body = Dispute)))]
pub(super) async fn one(State(app): State<Arc<App>>, Path(text): Path<String>) -> Answer<Dispute> {
    let (view, number) = (ledger(&app)?, number("dispute", &text)?);
    let object: object::Dispute = view.must("dispute", number, &Key::Dispute(number))?;
    dispute(&app, &view, number, &object).map(Json)
}

/// The open disputes about something, newest first.
pub(super) fn open(app: &App, view: &LedgerView, of: Subject) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for number in app.index.disputes(of, DISPUTES_SEEN_MAX)? {
        let object: Option<object::Dispute> = view.object(&Key::Dispute(number))?;
        if object.is_some_and(|object| object.is_open()) {
            found.push(number.to_string());
        }
    }
    Ok(found)
}

fn dispute(
    app: &App,
    view: &LedgerView,
    number: u64,
    object: &object::Dispute,
) -> Result<Dispute, Failure> {
    let (called, _) = view.version(&object.capsule)?;
    let (_, capsule_name) = named(app, view, called)?;
    let (grant, line, datanet) = match object.claim {
        Claim::Breach(grant) => (Some(grant), None, None),
        Claim::Overstated(line) => (None, Some(line), None),
        Claim::Misattributed(claim) => {
            let datanet = version(view, claim.datanet)?;
            (None, Some(claim.line), Some(datanet.id))
        }
    };
    let (closed, ruled) = match &object.state {
        DisputeState::Open => (None, None),
        DisputeState::Upheld(ruled) | DisputeState::Dismissed(ruled) => {
            (Some(ruled.height), Some(ruled))
        }
        DisputeState::Withdrawn(height) | DisputeState::Lapsed(height) => (Some(*height), None),
    };
    let (channel, n) = object.receipt;
    Ok(Dispute {
        id: number.to_string(),
        receipt: ReceiptId { channel, n }.to_string(),
        capsule: object.capsule.to_string(),
        capsule_name,
        claim: object.claim.text().into(),
        grant: grant.map(|number| number.to_string()),
        line,
        datanet: datanet.map(|id| id.to_string()),
        node: object.node.map(|number| number.to_string()),
        claimant: account_id(view, object.claimant)?.to_string(),
        accused: account_id(view, object.accused)?.to_string(),
        price: object.price.to_string(),
        evidence: object.evidence.to_string(),
        statement: object.statement.clone(),
        deposit: object.deposit.to_string(),
        opened: time(object.opened),
        height: object.height.0,
        lapses: time(object.lapses()),
        state: object.state.text().into(),
        closed: closed.map(|height| height.0),
        refund: ruled.map(|ruled| ruled.refund.to_string()),
        reason: ruled.map(|ruled| ruled.reason.clone()),
    })
}
