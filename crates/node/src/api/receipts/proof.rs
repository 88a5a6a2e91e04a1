//! A receipt as a file that verifies offline: the leaf, its way into the batch and the
//! block, the facts that the ledger attested, and the documents behind them.

use super::{Known, find, holds, version};
use crate::api::App;
use crate::api::failure::{Failure, blocking};
use crate::api::party::Party;
use crate::api::views::{corrupt, ledger};
use crate::serve::signed_manifest;
use ambar_base::finality::{HANDOVERS_MAX, OutcomeProof};
use ambar_base::{Encode, ErrorCode, codec};
use ambar_gateway::settled::Settled;
use ambar_gateway::view::LedgerView;
use ambar_index::ReceiptEntry;
use ambar_ledger::Key;
use ambar_ledger::object::Grant;
use ambar_ledger::query::State as _;
use ambar_ledger::transaction::{Operation, Settle, SignedTransaction};
use ambar_receipt::export::{ByteBuf, Parts, Preimages, Settlement};
use ambar_receipt::{Leaf, ReceiptDocument, SignedBatch};
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
    operation_id = "receipt_proof", tag = "receipts",
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
    let Shown { batch, leaves, facts, settlement } = shown(app, entry)?;
    let metered = known.metered.as_ref().filter(|_| sees_details(view, party, known));
    let document = ReceiptDocument::assemble(Parts {
        network: app.network,
        batch: &batch,
        leaves: &leaves,
        index: usize::try_from(entry.index).unwrap_or(usize::MAX),
        details: metered.and_then(|metered| metered.details.as_ref()),
        decision: metered.and_then(|metered| metered.decision.clone()),
        facts: &facts,
        settlement: Some(settlement),
        preimages: &preimages(view, known)?,
    })?;
    Ok(document.seal(&app.home.node_key))
}

/// Input, output, holder and the certificate's limits are the caller's side's to show.
fn sees_details(view: &LedgerView, party: &Party, known: &Known) -> bool {
    match party {
        Party::Certificate(opened) => holds(opened, known),
        _ => party.is(view, &known.payer),
    }
}

/// A settled batch, and what is shown of it.
struct Shown {
    batch: SignedBatch,
    leaves: Vec<Leaf>,
    facts: Vec<Vec<u8>>,
    settlement: Settlement,
}

/// What this node's gateway kept when the batch settled; else what its block says.
fn shown(app: &App, entry: &ReceiptEntry) -> Result<Shown, Failure> {
    let (gateway, number) = entry.batch;
    if gateway == app.node
        && let Some(kept) = kept(app, number)?
    {
        return Ok(kept);
    }
    let row = app.index.batch(gateway, number)?;
    let row = row.ok_or_else(|| forgotten(app, entry))?;
    let block = app.consensus.block(row.height)?.ok_or_else(|| forgotten(app, entry))?;
    let missing = || corrupt(format!("block {} lacks the batch", row.height));
    let at = usize::try_from(row.outcome).unwrap_or(usize::MAX);
    let outcome = block.outcomes.get(at).ok_or_else(missing)?.clone();
    let transaction = at.checked_sub(1).and_then(|at| block.transactions.get(at));
    let Settle { batch, leaves, .. } =
        operation(transaction.ok_or_else(missing)?, row.operation)?.ok_or_else(missing)?;
    let proof = block.proof(row.outcome).ok_or_else(missing)?;
    let settlement = settlement(app, outcome, proof, row.operation)?;
    Ok(Shown { batch, leaves, facts: row.facts, settlement })
}

/// The operation of a transaction that settles a batch.
fn operation(transaction: &[u8], at: u64) -> Result<Option<Settle>, Failure> {
    let transaction: SignedTransaction =
        codec::decode(transaction).map_err(|error| corrupt(error.to_string()))?;
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    Ok(match transaction.envelope.operations.into_iter().nth(at) {
        Some(Operation::Settle(settle)) => Some(settle),
        _ => None,
    })
}

/// A batch of this node, from its archive.
fn kept(app: &App, number: u64) -> Result<Option<Shown>, Failure> {
    let archive = app.gateway.archive();
    let (Some(settled), Some(batch)) = (archive.settled(number)?, archive.batch(number)?) else {
        return Ok(None);
    };
    let Some(leaves) = archive.leaves(&batch)? else { return Ok(None) };
    let Settled { operation, outcome, proof, facts } = settled;
    let settlement = settlement(app, outcome, proof, operation)?;
    Ok(Some(Shown { batch: batch.batched.batch, leaves, facts, settlement }))
}

/// The proof as a receipt shows it: with how the committees gave way to one another.
fn settlement(
    app: &App,
    outcome: Vec<u8>,
    mut proof: OutcomeProof,
    result: u64,
) -> Result<Settlement, Failure> {
    let epoch = proof.block.certificate.epoch;
    proof.handovers = app.consensus.handovers(epoch.saturating_sub(EPOCHS_SHOWN), epoch)?;
    Ok(Settlement { outcome, proof: proof.to_bytes(), result })
}

/// Neither the block is here nor a proof that was kept.
fn forgotten(app: &App, entry: &ReceiptEntry) -> Failure {
    let (height, (gateway, _)) = (entry.height, entry.batch);
    let message = format!("the receipt settled in block {height}, which is not kept here");
    let help = if gateway == app.node {
        "ask an archive node, one with `archive = true` that has followed since genesis".into()
    } else {
        format!(
            "ask node {gateway}, whose call it is and which keeps the proof, or an archive node"
        )
    };
    Failure { help: Some(help), ..Failure::new(ErrorCode::HistoryMissing, message) }
}

/// Every document that the leaf can refer to; the assembly keeps those it does.
fn preimages(view: &LedgerView, known: &Known) -> Result<Preimages, Failure> {
    let mut found = Preimages::default();
    let versions: BTreeSet<u64> = known.leaf.lines.iter().map(|line| line.version).collect();
    for number in versions {
        let version = version(view, number)?;
        found.plans.push(ByteBuf::from(version.plan.to_bytes()));
    }
    let grants: BTreeSet<u64> = known.leaf.lines.iter().map(|line| line.grant).collect();
    for number in grants {
        let grant: Grant = view.must("grant", number, &Key::Grant(number))?;
        let terms: Vec<u8> = view.must("terms", grant.terms, &Key::Terms(grant.terms))?;
        found.terms.push(ByteBuf::from(terms));
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
