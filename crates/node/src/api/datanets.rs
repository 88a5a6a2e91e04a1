//! Datanets, and tracing a text in their records.

use super::App;
use super::blobs::reads;
use super::dto::{
    self, CapsuleRow, Contributor, Datanet, TraceAnswer, TraceDatanet, TraceRequest, TraceShare,
    TraceSpan,
};
use super::extract::Octets;
use super::failure::{Answer, Failure, blocking};
use super::party::Party;
use super::views::{
    self, LIMIT_DEFAULT, account_id, account_name, capsule_row, did, ledger, method_name,
};
use crate::serve::manifest;
use ambar_attribution::{
    Division, Evidence, Method, Occurrence, Sharing, Span, SpanEvidence, SpanParameters, shares,
};
use ambar_base::{Cid, Digest, ErrorCode, Weight};
use ambar_capsule::{Body, Manifest};
use ambar_corpus::{CORPORA_MAX, Corpus, Stretch, Together};
use ambar_gateway::Offer;
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object;
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::{Path, State};
use base64::prelude::{BASE64_STANDARD, Engine as _};
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
        sharing: dto::Sharing::of(&found.sharing()?),
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

impl Found {
    /// The rules of sharing that its manifest says.
    fn sharing(&self) -> Result<Sharing, Failure> {
        let declared = self.manifest.datanet.as_ref();
        let said = declared.map_or(Ok((Sharing::USUAL, 0)), ambar_receipt::sharing);
        Ok(said?.0)
    }
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

/// Where a text's words stand in a datanet's records, and whose they are. A proof has up to two
/// KiB of the record around the words, so it is for those who may read the record: its
/// contributor, the owner of the datanet, and accounts with a grant that includes `fetch`.
#[utoipa::path(post, path = "/api/v1/trace",
    operation_id = "trace", tag = "datanets",
    request_body = TraceRequest,
    responses((status = 200, body = TraceAnswer)))]
pub(super) async fn trace(
    State(app): State<Arc<App>>,
    party: Party,
    Octets(body): Octets,
) -> Answer<TraceAnswer> {
    let request: TraceRequest = serde_json::from_slice(&body)
        .map_err(|error| Failure::invalid(format!("the body: {error}")))?;
    if request.proofs {
        party.signed_over(&body)?;
    }
    blocking(move || answer(&app, &party, &request)).await.map(Json)
}

/// A datanet with its records here.
struct Searched {
    found: Found,
    corpus: Arc<Corpus>,
}

fn searched(app: &App, view: &LedgerView, name: &str) -> Result<Searched, Failure> {
    let found = find(view, name)?;
    let Some(Offer::Datanet(corpus)) = app.serving.get(&found.version.id) else {
        let message = format!("this node does not have the records of {}", found.version.id);
        return Err(Failure::new(ErrorCode::Unavailable, message));
    };
    Ok(Searched { found, corpus })
}

fn answer(app: &App, party: &Party, request: &TraceRequest) -> Result<TraceAnswer, Failure> {
    let view = ledger(app)?;
    if request.beside.len() >= CORPORA_MAX {
        let message = format!("at most {CORPORA_MAX} datanets are searched together");
        return Err(Failure::new(ErrorCode::LimitExceeded, message));
    }
    let names = std::iter::once(&request.datanet).chain(&request.beside);
    let datanets = names.map(|name| searched(app, &view, name)).collect::<Result<Vec<_>, _>>()?;
    let together = Together::of(datanets.iter().map(|datanet| &*datanet.corpus).collect())?;
    let text = request.text.as_bytes();
    let digest = Digest::of(text);
    let evidence = together.trace(text, digest, &SpanParameters::default())?;
    let label = |index: u32| {
        let place = together.contributor(index);
        let number = place.and_then(|(datanet, index)| {
            datanets[datanet].found.object.contributors.get(index as usize)
        });
        let number = number.ok_or_else(|| views::corrupt("a record's contributor is not known"))?;
        label(app, &view, *number)
    };
    let places = places(&together, &evidence)?;
    let mut spans = spans(&datanets, &places, &evidence, label)?;
    if request.proofs {
        prove(app, &view, party, &datanets, &places, &mut spans)?;
    }
    // With several, nobody is paid so: it tells how much of the text is whose.
    let sharing = match &datanets[..] {
        [one] => Sharing { duplicates: one.found.sharing()?.duplicates, ..Sharing::USUAL },
        _ => Sharing::USUAL,
    };
    let shares = divided(evidence, digest, datanets[0].found.version.id, sharing)?;
    let shares = shares.into_iter().map(|(index, weight)| {
        Ok(TraceShare { contributor: label(index)?, weight: weight.to_string() })
    });
    let datanets = datanets.iter().map(|datanet| TraceDatanet {
        id: datanet.found.version.id.to_string(),
        root: datanet.corpus.root().to_string(),
    });
    let datanets = datanets.collect();
    Ok(TraceAnswer { datanets, spans, shares: shares.collect::<Result<_, Failure>>()? })
}

/// A datanet of those searched, and where in it.
type Place = (usize, Stretch);

/// The places of all occurrences in order.
fn places(together: &Together<'_>, evidence: &SpanEvidence) -> Result<Vec<Place>, Failure> {
    let place = |(span, occurrence): (&Span, &Occurrence)| {
        let place = together.document(occurrence.document);
        let (datanet, document) =
            place.ok_or_else(|| views::corrupt("a record that was found is not there"))?;
        let (offset, bytes) = (occurrence.offset, span.bytes());
        Ok((datanet, Stretch { document, offset, bytes }))
    };
    occurrences(evidence).map(place).collect()
}

fn occurrences(evidence: &SpanEvidence) -> impl Iterator<Item = (&Span, &Occurrence)> {
    evidence.spans.iter().flat_map(|span| span.occurrences.iter().map(move |at| (span, at)))
}

fn spans(
    datanets: &[Searched],
    places: &[Place],
    evidence: &SpanEvidence,
    label: impl Fn(u32) -> Result<String, Failure>,
) -> Result<Vec<TraceSpan>, Failure> {
    let row = |((span, occurrence), (datanet, stretch)): ((&Span, &Occurrence), &Place)| {
        let Searched { found, corpus } = &datanets[*datanet];
        let document = corpus.document(stretch.document);
        Ok(TraceSpan {
            start: span.start,
            end: span.end,
            datanet: found.version.id.to_string(),
            document: document.map(|view| view.title.to_owned()).unwrap_or_default(),
            contributor: label(occurrence.contributor)?,
            offset: occurrence.offset,
            count: span.count,
            proof: None,
        })
    };
    occurrences(evidence).zip(places).map(row).collect()
}

/// Adds the proofs that the party may have.
fn prove(
    app: &App,
    view: &LedgerView,
    party: &Party,
    datanets: &[Searched],
    places: &[Place],
    rows: &mut [TraceSpan],
) -> Result<(), Failure> {
    let account = party.account(view)?;
    for (datanet, Searched { found, corpus }) in datanets.iter().enumerate() {
        let reads = reads(app, view, &found.version, &account)?;
        let (mut shown, mut stretches) = (Vec::new(), Vec::new());
        for (row, (_, stretch)) in places.iter().enumerate().filter(|(_, place)| place.0 == datanet)
        {
            let contributor = corpus.document(stretch.document).map(|view| view.contributor);
            let number = contributor.and_then(|at| found.object.contributors.get(at as usize));
            let own = || {
                number.is_some_and(|number| {
                    account_id(view, *number).is_ok_and(|contributor| contributor == account)
                })
            };
            if reads || own() {
                shown.push(row);
                stretches.push(*stretch);
            }
        }
        for (row, proof) in shown.into_iter().zip(corpus.prove_all(&stretches)?) {
            rows[row].proof = Some(BASE64_STANDARD.encode(proof.encode()));
        }
    }
    Ok(())
}

/// The whole divided by the verbatim spans alone, by the datanet's rule for duplicates. A text is
/// no call: nobody is drawn, and there is no cap.
fn divided(
    evidence: SpanEvidence,
    call: Digest,
    datanet: Cid,
    sharing: Sharing,
) -> Result<Vec<(u32, Weight)>, Failure> {
    let mix = [(Method::VerbatimSpan, Weight::ONE)];
    let evidence = [Evidence::VerbatimSpan(evidence)];
    let total = Weight::ONE;
    let division = Division { total, mix: &mix, sharing, contributors: 0, call, datanet };
    let shares = shares(&division, &evidence)?.shares;
    Ok(shares.into_iter().flat_map(|shares| shares.weights).collect())
}
