//! Datanets, and tracing a text in their records.

use super::App;
use super::dto::{
    CapsuleRow, Contributor, Datanet, TraceAnswer, TraceRequest, TraceShare, TraceSpan,
};
use super::extract::Sent;
use super::failure::{Answer, Failure, blocking};
use super::views::{
    self, LIMIT_DEFAULT, account_id, account_name, capsule_row, did, ledger, method_name,
};
use crate::serve::manifest;
use ambar_attribution::{Evidence, Method, SpanEvidence, SpanParameters, shares};
use ambar_base::{Cid, Digest, ErrorCode, Weight};
use ambar_capsule::{Body, Manifest};
use ambar_corpus::Corpus;
use ambar_gateway::Offer;
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object;
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;

/// Datanets, newest first.
#[utoipa::path(get, path = "/api/v1/datanets",
    operation_id = "list_datanets", tag = "datanets",
    responses((status = 200, body = Vec<CapsuleRow>)))]
pub(super) async fn list(State(app): State<Arc<App>>) -> Answer<Vec<CapsuleRow>> {
    let view = ledger(&app)?;
    let rows = app.index.capsules(Some("dataset"), LIMIT_DEFAULT)?;
    rows.iter().map(|row| capsule_row(&view, row)).collect::<Result<_, _>>().map(Json)
}

/// A datanet by id or registered name.
#[utoipa::path(get, path = "/api/v1/datanets/{datanet}",
    operation_id = "datanet", tag = "datanets",
    params(("datanet" = String, Path)),
    responses((status = 200, body = Datanet)))]
pub(super) async fn one(State(app): State<Arc<App>>, Path(text): Path<String>) -> Answer<Datanet> {
    let view = ledger(&app)?;
    let found = find(&view, &text)?;
    let line = views::line(&view, found.version.line)?;
    let declared = found.manifest.datanet.as_ref();
    let methods = declared.map_or(Vec::new(), |declared| {
        let one = |(method, weight): &(u16, Weight)| format!("{} {weight}", method_name(*method));
        declared.methods.iter().map(one).collect()
    });
    let contributors = found.object.contributors.iter();
    let contributors = contributors.map(|number| contributor(&app, &view, *number));
    let records = match &found.manifest.body {
        Body::Dataset(body) => body.records,
        _ => 0,
    };
    Ok(Json(Datanet {
        id: found.version.id.to_string(),
        owner: account_id(&view, line.owner)?.to_string(),
        treasury: account_id(&view, found.object.treasury)?.to_string(),
        records,
        share: declared.map_or(Weight::ZERO, |declared| declared.share).to_string(),
        methods,
        contributors: contributors.collect::<Result<_, _>>()?,
        served: app.serving.get(&found.version.id).is_some(),
        name: found.manifest.name,
    }))
}

struct Found {
    version: object::Version,
    manifest: Manifest,
    object: object::Datanet,
}

fn find(view: &LedgerView, text: &str) -> Result<Found, Failure> {
    let (number, version) = view.version_named(text)?;
    let object = view.object(&Key::Datanet(number))?;
    let object = object.ok_or_else(|| Failure::not_found(format!("{text} is no datanet")))?;
    Ok(Found { version, manifest: manifest(view, number)?, object })
}

fn contributor(app: &App, view: &LedgerView, number: u64) -> Result<Contributor, Failure> {
    let id = account_id(view, number)?;
    Ok(Contributor { account: id.to_string(), did: did(app, &id)?, name: account_name(view, &id)? })
}

/// What a contributor is called in a trace.
fn label(app: &App, view: &LedgerView, number: u64) -> Result<String, Failure> {
    let Contributor { account, did, name } = contributor(app, view, number)?;
    Ok(name.or(did).unwrap_or(account))
}

/// Where a text's words stand in a datanet's records, and whose they are.
#[utoipa::path(post, path = "/api/v1/trace",
    operation_id = "trace", tag = "datanets",
    request_body = TraceRequest,
    responses((status = 200, body = TraceAnswer)))]
pub(super) async fn trace(
    State(app): State<Arc<App>>,
    Sent(request): Sent<TraceRequest>,
) -> Answer<TraceAnswer> {
    blocking(move || answer(&app, &request)).await.map(Json)
}

fn answer(app: &App, request: &TraceRequest) -> Result<TraceAnswer, Failure> {
    let view = ledger(app)?;
    let found = find(&view, &request.datanet)?;
    let Some(Offer::Datanet(corpus)) = app.serving.get(&found.version.id) else {
        let message = format!("this node does not have the records of {}", found.version.id);
        return Err(Failure::new(ErrorCode::Unavailable, message));
    };
    let text = request.text.as_bytes();
    let digest = Digest::of(text);
    let evidence = corpus.trace(text, digest, &SpanParameters::default())?;
    let label = |index: u32| {
        let number = found.object.contributors.get(index as usize);
        let number = number.ok_or_else(|| views::corrupt("a record's contributor is not known"))?;
        label(app, &view, *number)
    };
    let spans = spans(&corpus, &evidence, label)?;
    let shares = divided(evidence, digest, found.version.id)?;
    let shares = shares.into_iter().map(|(index, weight)| {
        Ok(TraceShare { contributor: label(index)?, weight: weight.to_string() })
    });
    Ok(TraceAnswer { spans, shares: shares.collect::<Result<_, Failure>>()? })
}

fn spans(
    corpus: &Corpus,
    evidence: &SpanEvidence,
    label: impl Fn(u32) -> Result<String, Failure>,
) -> Result<Vec<TraceSpan>, Failure> {
    let mut rows = Vec::new();
    for span in &evidence.spans {
        for occurrence in &span.occurrences {
            let document = corpus.documents().get(occurrence.document as usize);
            rows.push(TraceSpan {
                start: span.start,
                end: span.end,
                document: document.map(|entry| entry.title.clone()).unwrap_or_default(),
                contributor: label(occurrence.contributor)?,
                offset: occurrence.offset,
                count: span.count,
            });
        }
    }
    Ok(rows)
}

/// The whole divided by the verbatim spans alone, as a call with only this method would.
fn divided(
    evidence: SpanEvidence,
    call: Digest,
    datanet: Cid,
) -> Result<Vec<(u32, Weight)>, Failure> {
    let mix = [(Method::VerbatimSpan, Weight::ONE)];
    let evidence = [Evidence::VerbatimSpan(evidence)];
    let shares = shares(Weight::ONE, &mix, &evidence, call, datanet)?;
    Ok(shares.into_iter().flat_map(|shares| shares.weights).collect())
}
