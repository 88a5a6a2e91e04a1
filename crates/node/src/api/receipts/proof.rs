//! A receipt as a file that verifies offline: the leaf, its way into the batch and the
//! block, the facts that the ledger attested, and the documents behind them.

use super::{Known, find, holds, version};
use crate::api::App;
use crate::api::failure::{Failure, blocking};
use crate::api::party::Party;
use crate::api::views::{corrupt, ledger};
use crate::serve::signed_manifest;
use ambar_base::finality::HANDOVERS_MAX;
use ambar_base::{Encode, ErrorCode, codec};
use ambar_gateway::view::LedgerView;
use ambar_index::BatchRow;
use ambar_ledger::Key;
use ambar_ledger::query::State as _;
use ambar_ledger::transaction::{Operation, Settle, SignedTransaction};
use ambar_receipt::ReceiptDocument;
use ambar_receipt::export::{ByteBuf, Parts, Preimages, Settlement};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Epochs through which a receipt leads from a committee to the one of its block: as many as a
/// verifier accepts.
const EPOCHS_SHOWN: u64 = HANDOVERS_MAX as u64;

/// A receipt as a COSE_Sign1 file, sealed by this node.
#[utoipa::path(get, path = "/api/v1/receipts/{receipt}/proof",
    params(("receipt" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/cose")))]
pub(in crate::api) async fn proof(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    party: Party,
) -> Result<impl IntoResponse, Failure> {
    let file = blocking(move || {
        let view = ledger(&app)?;
        let known = find(&app, &view, &party, &text)?;
        seal(&app, &view, &party, &known)
    });
    Ok(([(CONTENT_TYPE, "application/cose")], file.await?))
}

fn seal(app: &App, view: &LedgerView, party: &Party, known: &Known) -> Result<Vec<u8>, Failure> {
    let Some(entry) = &known.settled else {
        let message = format!("receipt {} has not settled yet", known.id);
        let help = Some("try again in a moment".into());
        return Err(Failure { help, ..Failure::new(ErrorCode::NotFound, message) });
    };
    let (gateway, number) = entry.batch;
    let batch = app.index.batch(gateway, number)?;
    let batch = batch.ok_or_else(|| corrupt(format!("batch {number} is not indexed")))?;
    let (settle, settlement) = settled(app, &batch)?;
    let details = known.metered.as_ref().and_then(|metered| metered.details.as_ref());
    let document = ReceiptDocument::assemble(Parts {
        network: app.network,
        batch: &settle.batch,
        leaves: &settle.leaves,
        index: usize::try_from(entry.index).unwrap_or(usize::MAX),
        details: details.filter(|_| sees_details(view, party, known)),
        facts: &batch.facts,
        settlement: Some(settlement),
        preimages: &preimages(view, known)?,
    })?;
    Ok(document.seal(&app.home.node_key))
}

/// Input, output and holder are the caller's side's to show.
fn sees_details(view: &LedgerView, party: &Party, known: &Known) -> bool {
    match party {
        Party::Certificate(opened) => holds(opened, known),
        _ => party.is(view, &known.payer),
    }
}

/// The transaction that settled a batch, and the proof that it is final.
fn settled(app: &App, batch: &BatchRow) -> Result<(Settle, Settlement), Failure> {
    let missing = || corrupt(format!("block {} lacks the batch", batch.height));
    let block = app.consensus.block(batch.height)?.ok_or_else(missing)?;
    let at = usize::try_from(batch.outcome).unwrap_or(usize::MAX);
    let outcome = block.outcomes.get(at).ok_or_else(missing)?;
    let transaction = at.checked_sub(1).and_then(|at| block.transactions.get(at));
    let transaction: SignedTransaction = codec::decode(transaction.ok_or_else(missing)?)
        .map_err(|error| corrupt(error.to_string()))?;
    let operation = usize::try_from(batch.operation).unwrap_or(usize::MAX);
    let operation = transaction.envelope.operations.into_iter().nth(operation);
    let Some(Operation::Settle(settle)) = operation else { return Err(missing()) };
    let mut proof = block.proof(batch.outcome).ok_or_else(missing)?;
    let epoch = proof.block.certificate.epoch;
    proof.handovers = app.consensus.handovers(epoch.saturating_sub(EPOCHS_SHOWN), epoch)?;
    let (outcome, result) = (outcome.clone(), batch.operation);
    Ok((settle, Settlement { outcome, proof: proof.to_bytes(), result }))
}

/// Every document that the leaf can refer to; the assembly keeps those it does.
fn preimages(view: &LedgerView, known: &Known) -> Result<Preimages, Failure> {
    let mut found = Preimages::default();
    let versions: BTreeSet<u64> = known.leaf.lines.iter().map(|line| line.version).collect();
    for number in versions {
        let version = version(view, number)?;
        let terms: Vec<u8> = view.must("terms", version.terms, &Key::Terms(version.terms))?;
        found.terms.push(ByteBuf::from(terms));
        found.plans.push(ByteBuf::from(version.plan.to_bytes()));
    }
    let tariffs: BTreeSet<u64> = known.leaf.lines.iter().map(|line| line.tariff).collect();
    for number in tariffs {
        let tariff: Vec<u8> = view.must("tariff", number, &Key::Tariff(number))?;
        found.tariffs.push(ByteBuf::from(tariff));
    }
    let shares = known.leaf.lines.iter().flat_map(|line| &line.shares);
    for datanet in shares.map(|shares| shares.datanet).collect::<BTreeSet<u64>>() {
        found.manifests.push(ByteBuf::from(signed_manifest(view, datanet)?.bytes));
    }
    let evidence = known.metered.iter().flat_map(|metered| metered.evidence.iter().cloned());
    found.evidence.extend(evidence.map(ByteBuf::from));
    Ok(found)
}
