//! Receipts: for those who paid, for those who were paid, and as files.

pub(super) mod proof;

use super::dto::{PartRouting, Receipt, ReceiptLine, ReceiptRow, RoutingCandidate};
use super::extract::Asked;
use super::failure::{Answer, Failure};
use super::party::Party;
use super::views::{self, account_id, ledger, limit, named, number, payment, time};
use super::{App, disputes};
use ambar_base::{AccountId, ErrorCode, Height};
use ambar_gateway::certificate::Opened;
use ambar_gateway::record::Metered;
use ambar_gateway::view::LedgerView;
use ambar_gateway::{ReceiptId, StoredReceipt};
use ambar_index::{Facts, Payout, ReceiptEntry, Subject, payouts};
use ambar_ledger::Key;
use ambar_ledger::object::Channel;
use ambar_ledger::query::State as _;
use ambar_receipt::audit::is_drawn;
use ambar_receipt::{CallOutcome, Candidate, Leaf, Line, Routing, Verdict};
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use std::sync::Arc;

/// A call as this node knows it: from its own gateway, from the ledger, or both.
pub(super) struct Known {
    pub id: ReceiptId,
    pub leaf: Leaf,
    pub payer: AccountId,
    /// What the gateway keeps, if it is this node's.
    pub metered: Option<Arc<Metered>>,
    /// Where it settled.
    pub settled: Option<ReceiptEntry>,
}

/// A receipt that the party may see.
pub(super) fn find(
    app: &App,
    view: &LedgerView,
    party: &Party,
    text: &str,
) -> Result<Known, Failure> {
    let id: ReceiptId = text.parse().map_err(|e| Failure::invalid(format!("{text}: {e}")))?;
    let known = known(app, view, id)?;
    may_see(app, view, party, &known)?;
    Ok(known)
}

fn known(app: &App, view: &LedgerView, id: ReceiptId) -> Result<Known, Failure> {
    let stored = app.gateway.receipt(id)?;
    let settled = match (app.index.receipt(id.channel, id.n)?, &stored) {
        (None, Some(stored)) => archived(app, stored)?,
        (indexed, _) => indexed,
    };
    let metered = stored.map(|stored| stored.metered);
    let leaf = settled.as_ref().map(|entry| &entry.leaf).or(metered.as_ref().map(|m| &m.leaf));
    let unknown = || Failure::not_found(format!("there is no receipt {id}"));
    let leaf = leaf.cloned().ok_or_else(unknown)?;
    let payer = match &settled {
        Some(entry) => entry.payer,
        None => {
            let channel: Channel = view.must("channel", id.channel, &Key::Channel(id.channel))?;
            account_id(view, channel.payer)?
        }
    };
    Ok(Known { id, leaf, payer, metered, settled })
}

/// Where a call of this node's gateway settled, if it was before the index begins.
fn archived(app: &App, stored: &StoredReceipt) -> Result<Option<ReceiptEntry>, Failure> {
    let Some((batch, index)) = &stored.settled else { return Ok(None) };
    let (height, number) = (batch.height, batch.batched.batch.header.number);
    if height >= app.index.first() {
        return Ok(None);
    }
    let Some(settled) = app.gateway.archive().settled(number)? else { return Ok(None) };
    let leaf = stored.metered.leaf.clone();
    let Some(payer) = Facts::read(&settled.facts)?.payer(leaf.channel) else { return Ok(None) };
    let batch = (batch.batched.batch.header.gateway, number);
    Ok(Some(ReceiptEntry { leaf, payer, batch, index: *index, height }))
}

/// What the ledger attested about a batch.
fn facts_of(app: &App, (gateway, number): (u64, u64)) -> Result<Option<Facts>, Failure> {
    let facts = match app.index.batch(gateway, number)? {
        Some(batch) => Some(batch.facts),
        None if gateway == app.node => {
            app.gateway.archive().settled(number)?.map(|settled| settled.facts)
        }
        None => None,
    };
    Ok(facts.map(|facts| Facts::read(&facts)).transpose()?)
}

/// Whoever paid or was paid, and the holder of the certificate that called. A certificate
/// that nobody has narrowed speaks for its channel.
fn may_see(app: &App, view: &LedgerView, party: &Party, known: &Known) -> Result<(), Failure> {
    let seen = match party {
        Party::Nobody => return party.signed().map(drop),
        Party::Certificate(opened) => holds(opened, known),
        Party::Signed(_) => {
            party.is(view, &known.payer)
                || payments(app, view, known)?.iter().any(|paid| party.is(view, &paid.account))
        }
    };
    let message = format!("receipt {} is between other parties", known.id);
    if seen { Ok(()) } else { Err(Failure::new(ErrorCode::NotAuthorised, message)) }
}

pub(super) fn holds(opened: &Opened, known: &Known) -> bool {
    let details = known.metered.as_ref().and_then(|metered| metered.details.as_ref());
    let own = details.is_some_and(|details| details.holder == opened.holder);
    opened.channel == known.id.channel && (own || opened.blocks.len() == 1)
}

/// Who was paid, once it settled.
fn payments(app: &App, view: &LedgerView, known: &Known) -> Result<Vec<Payout>, Failure> {
    let Some(settled) = &known.settled else { return Ok(Vec::new()) };
    let Some(facts) = facts_of(app, settled.batch)? else { return Ok(Vec::new()) };
    let plan = |number| {
        let version: Result<ambar_ledger::object::Version, _> =
            view.must("version", number, &Key::Version(number));
        Ok(version?.plan)
    };
    Ok(payouts(&known.leaf, &facts, plan)?)
}

/// A receipt.
#[utoipa::path(get, path = "/api/v1/receipts/{receipt}",
    operation_id = "receipt", tag = "receipts",
    params(("receipt" = String, Path)),
    responses((status = 200, body = Receipt)))]
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    party: Party,
) -> Answer<Receipt> {
    let view = ledger(&app)?;
    let known = find(&app, &view, &party, &text)?;
    let leaf = &known.leaf;
    let lines = leaf.lines.iter().map(|line| line_view(&app, &view, line));
    let paid = payments(&app, &view, &known)?;
    let paid = paid.iter().map(|payout| payment(&app, &view, leaf, payout));
    Ok(Json(Receipt {
        id: known.id.to_string(),
        channel: leaf.channel.to_string(),
        payer: known.payer.to_string(),
        call: leaf.call.to_string(),
        admitted: leaf.admitted.0,
        time: time(leaf.time),
        outcome: outcome(leaf).into(),
        purpose: leaf.purpose.clone(),
        territory: leaf.territory.clone(),
        lines: lines.collect::<Result<_, _>>()?,
        network_fee: leaf.network_fee.to_string(),
        price: leaf.price().unwrap_or_default().to_string(),
        mu: leaf.mu().unwrap_or_default().to_string(),
        settled: known.settled.as_ref().map(|entry| entry.height.0),
        audit: drawn(&app, &known)?,
        payments: paid.collect::<Result<_, _>>()?,
        disputes: disputes::open(&app, &view, Subject::Receipt(leaf.channel, leaf.n))?,
        routing: routing(&known),
    }))
}

/// Whether it is drawn for an audit, as far as this node can say.
fn drawn(app: &App, known: &Known) -> Result<Option<bool>, Failure> {
    let Some(settled) = &known.settled else { return Ok(None) };
    let after = app.consensus.block(settled.height.after(1))?;
    Ok(after.map(|block| is_drawn(&block.finality.header.digest(), known.id)))
}

/// Why the nodes on the lines were chosen, as far as this node knows.
fn routing(known: &Known) -> Vec<PartRouting> {
    let details = known.metered.as_ref().and_then(|metered| metered.details.as_ref());
    let routings = details.map_or(&[][..], |details| &details.routing);
    let candidate = |candidate: &Candidate| {
        let (verdict, code) = match &candidate.verdict {
            Verdict::Served => ("served", None),
            Verdict::Failed(code) => ("failed", Some(code.clone())),
            Verdict::Spare => ("spare", None),
            Verdict::TooDear => ("too_dear", None),
            Verdict::Resting => ("resting", None),
            Verdict::Overtaken => ("overtaken", None),
        };
        RoutingCandidate {
            node: candidate.node.to_string(),
            ask: candidate.ask.to_string(),
            first_ms: candidate.first_ms,
            succeeded: candidate.succeeded,
            calls: candidate.calls,
            verdict: verdict.into(),
            code,
        }
    };
    let part = |routing: &Routing| PartRouting {
        line: routing.part,
        candidates: routing.candidates.iter().map(candidate).collect(),
    };
    routings.iter().map(part).collect()
}

fn outcome(leaf: &Leaf) -> &'static str {
    match leaf.outcome {
        CallOutcome::Full => "full",
        CallOutcome::Partial => "partial",
        CallOutcome::Void => "void",
    }
}

fn line_view(app: &App, view: &LedgerView, line: &Line) -> Result<ReceiptLine, Failure> {
    let (capsule, capsule_name) = named(app, view, line.version)?;
    let counters = line.counters.iter();
    Ok(ReceiptLine {
        capsule: capsule.to_string(),
        capsule_name,
        grant: line.grant.to_string(),
        node: line.node.to_string(),
        counters: counters.map(|(counter, n)| (counter.text().to_owned(), n)).collect(),
        mu: line.mu.to_string(),
        royalty: line.royalty.to_string(),
        node_fee: line.node_fee.to_string(),
    })
}

fn row(
    app: &App,
    view: &LedgerView,
    leaf: &Leaf,
    settled: Option<Height>,
) -> Result<ReceiptRow, Failure> {
    let called = leaf.lines.first().map(|line| named(app, view, line.version)).transpose()?;
    let (capsule, capsule_name) =
        called.map_or_else(Default::default, |(id, name)| (id.to_string(), name));
    Ok(ReceiptRow {
        id: format!("{}-{}", leaf.channel, leaf.n),
        channel: leaf.channel.to_string(),
        capsule,
        capsule_name,
        time: time(leaf.time),
        outcome: outcome(leaf).into(),
        price: leaf.price().unwrap_or_default().to_string(),
        mu: leaf.mu().unwrap_or_default().to_string(),
        settled: settled.map(|height| height.0),
    })
}

#[derive(Deserialize)]
pub(super) struct Listing {
    account: Option<String>,
    channel: Option<String>,
    idempotency_key: Option<String>,
    limit: Option<u32>,
}

/// Receipts of a payer, of a channel, or of the call with an idempotency key.
#[utoipa::path(get, path = "/api/v1/receipts",
    operation_id = "list_receipts", tag = "receipts",
    params(("account" = Option<String>, Query), ("channel" = Option<String>, Query),
        ("idempotency_key" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Vec<ReceiptRow>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(listing): Asked<Listing>,
    party: Party,
) -> Answer<Vec<ReceiptRow>> {
    let (view, limit) = (ledger(&app)?, limit(listing.limit)?);
    if let Some(key) = &listing.idempotency_key {
        return of_key(&app, &view, &party, key).map(Json);
    }
    let entries = match (&listing.account, &listing.channel) {
        (Some(account), None) => {
            let account = party.may_read(&view, account)?;
            app.index.receipts_of_account(&account, limit)?
        }
        (_, Some(channel)) => of_channel(&app, &view, &party, number("channel", channel)?, limit)?,
        (None, None) => return Err(Failure::invalid("name an account, a channel or a key")),
    };
    let rows = entries.iter().map(|entry| row(&app, &view, &entry.leaf, Some(entry.height)));
    rows.collect::<Result<_, _>>().map(Json)
}

fn of_channel(
    app: &App,
    view: &LedgerView,
    party: &Party,
    channel: u64,
    limit: usize,
) -> Result<Vec<ReceiptEntry>, Failure> {
    let mut entries = app.index.receipts_of_channel(channel, limit)?;
    match party {
        Party::Certificate(opened) => {
            let own = |entry: &ReceiptEntry| {
                let id = ReceiptId { channel: entry.leaf.channel, n: entry.leaf.n };
                known(app, view, id).is_ok_and(|known| holds(opened, &known))
            };
            entries.retain(own);
        }
        _ => {
            let payer = match entries.first() {
                Some(entry) => entry.payer,
                None => {
                    let object: Channel = view.must("channel", channel, &Key::Channel(channel))?;
                    account_id(view, object.payer)?
                }
            };
            party.may_read(view, &payer.to_string())?;
        }
    }
    Ok(entries)
}

/// The call that the certificate's holder made with this key.
fn of_key(
    app: &App,
    view: &LedgerView,
    party: &Party,
    key: &str,
) -> Result<Vec<ReceiptRow>, Failure> {
    let Party::Certificate(opened) = party else {
        return Err(Failure::new(
            ErrorCode::Unauthenticated,
            "an idempotency key belongs to the holder of a certificate: send it as bearer",
        ));
    };
    let id = app.gateway.receipt_of(opened.channel, &opened.holder, key)?;
    let Some(id) = id else { return Ok(Vec::new()) };
    let known = known(app, view, id)?;
    let settled = known.settled.as_ref().map(|entry| entry.height);
    Ok(vec![row(app, view, &known.leaf, settled)?])
}

/// The version of a line.
fn version(view: &LedgerView, number: u64) -> Result<ambar_ledger::object::Version, Failure> {
    views::version(view, number)
}
