//! Capsules, the search and the catalogue's feed.

use super::App;
use super::dto::{
    Capsule, CapsuleRow, Change, Changes, Component, Content, Extension, Parent, PlanEntry,
    SearchAnswer, SearchHit, TermsText,
};
use super::extract::Asked;
use super::failure::{Answer, Failure};
use super::views::{self, account_id, capsule_row, ledger, limit};
use crate::serve::{manifest, signed_manifest};
use ambar_base::{Cid, Encode};
use ambar_capsule::{Body, Kind, Manifest, Party};
use ambar_gateway::view::LedgerView;
use ambar_index::SEARCH_RULE;
use ambar_ledger::Key;
use ambar_ledger::object::{Datanet, Royalty, Version};
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Listing {
    kind: Option<String>,
    limit: Option<u32>,
}

/// A kind that exists, if one is asked for.
fn known_kind(kind: Option<&str>) -> Result<Option<&str>, Failure> {
    let check = |kind: &str| kind.parse::<Kind>().map(|_| ());
    kind.map(check).transpose().map_err(|error| Failure::invalid(error.to_string()))?;
    Ok(kind)
}

/// The latest versions of all lines, newest first.
#[utoipa::path(get, path = "/api/v1/capsules",
    operation_id = "list_capsules", tag = "catalogue",
    params(("kind" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Vec<CapsuleRow>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(listing): Asked<Listing>,
) -> Answer<Vec<CapsuleRow>> {
    let (view, kind) = (ledger(&app)?, known_kind(listing.kind.as_deref())?);
    let rows = app.index.capsules(kind, limit(listing.limit)?)?;
    rows.iter().map(|row| capsule_row(&view, row)).collect::<Result<_, _>>().map(Json)
}

/// A capsule by id or registered name.
#[utoipa::path(get, path = "/api/v1/capsules/{capsule}",
    operation_id = "capsule", tag = "catalogue",
    params(("capsule" = String, Path)),
    responses((status = 200, body = Capsule)))]
pub(super) async fn one(State(app): State<Arc<App>>, Path(text): Path<String>) -> Answer<Capsule> {
    let view = ledger(&app)?;
    let (number, version) = view.version_named(&text)?;
    capsule(&app, &view, number, &version).map(Json)
}

fn capsule(
    app: &App,
    view: &LedgerView,
    number: u64,
    version: &Version,
) -> Result<Capsule, Failure> {
    let Manifest { name, description, previous, body, content, .. } = manifest(view, number)?;
    let manifest = manifest(view, number)?;
    let line = views::line(view, version.line)?;
    Ok(Capsule {
        id: version.id.to_string(),
        number: number.to_string(),
        kind: body.kind().text().into(),
        name,
        registered: app.index.names(version.line)?,
        description,
        creator: account_id(view, version.creator)?.to_string(),
        owner: account_id(view, line.owner)?.to_string(),
        line: version.line.to_string(),
        head: views::version(view, line.head)?.id.to_string(),
        height: version.height.0,
        content: Content {
            table: content.table.to_string(),
            files: content.files,
            bytes: content.bytes,
            sealed: content.sealed.is_some(),
        },
        body: body_json(&body),
        previous: previous.iter().map(ToString::to_string).collect(),
        derived_from: parents(&manifest),
        uses: components(&manifest, version),
        extensions: extensions(&manifest),
        terms: views::terms(&view.terms(&version.terms)?),
        plan: plan(view, version)?,
        served: app.serving.get(&version.id).is_some(),
        offers: super::offers::standing(app, view, version.line)?,
    })
}

/// What only the kind says, without the kind.
fn body_json(body: &Body) -> serde_json::Value {
    let value = match body {
        Body::Agent(body) => serde_json::to_value(body),
        Body::Code(body) => serde_json::to_value(body),
        Body::Dataset(body) => serde_json::to_value(body),
        Body::Model(body) => serde_json::to_value(body),
        Body::Prompt(body) => serde_json::to_value(body),
    };
    // Texts and numbers only: nothing in a body is foreign to JSON.
    value.unwrap_or_default()
}

fn parents(manifest: &Manifest) -> Vec<Parent> {
    let parents = manifest.derived_from.iter();
    let view = |parent: &ambar_capsule::manifest::Parent| Parent {
        version: parent.version.to_string(),
        share: parent.share.to_string(),
    };
    parents.map(view).collect()
}

fn components(manifest: &Manifest, version: &Version) -> Vec<Component> {
    let pairs = manifest.uses.iter().zip(&version.uses);
    let view = |(component, (_, grant)): (&ambar_capsule::manifest::Component, &(u64, u64))| {
        let (role, version) = (component.role.clone(), component.version.to_string());
        Component { role, version, grant: grant.to_string() }
    };
    pairs.map(view).collect()
}

fn extensions(manifest: &Manifest) -> Vec<Extension> {
    let extensions = manifest.extensions.iter();
    let view = |extension: &ambar_capsule::manifest::Extension| Extension {
        name: extension.name.clone(),
        media_type: extension.media_type.clone(),
        root: extension.root.to_string(),
        bytes: extension.bytes,
    };
    extensions.map(view).collect()
}

fn plan(view: &LedgerView, version: &Version) -> Result<Vec<PlanEntry>, Failure> {
    let entry = |(party, weight): (Party, ambar_base::Weight)| {
        let (kind, number, account, capsule) = match party {
            Party::Line(number) => {
                let royalty: Royalty = view.must("royalty line", number, &Key::Royalty(number))?;
                let head = views::line(view, royalty.line)?.head;
                ("line", number, *royalty.holder.latest(), head)
            }
            Party::Datanet(number) => {
                let datanet: Datanet = view.must("datanet", number, &Key::Datanet(number))?;
                ("datanet", number, datanet.treasury, number)
            }
        };
        Ok(PlanEntry {
            kind: kind.into(),
            number: number.to_string(),
            account: account_id(view, account)?.to_string(),
            capsule: views::version(view, capsule)?.id.to_string(),
            weight: weight.to_string(),
        })
    };
    version.plan.entries().map(entry).collect()
}

/// A capsule's signed manifest in the compact encoding.
#[utoipa::path(get, path = "/api/v1/capsules/{capsule}/manifest",
    operation_id = "manifest", tag = "catalogue",
    params(("capsule" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub(super) async fn octets(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
) -> Result<Vec<u8>, Failure> {
    let view = ledger(&app)?;
    let (number, _) = view.version_named(&text)?;
    Ok(signed_manifest(&view, number)?.to_bytes())
}

#[derive(Deserialize)]
pub(super) struct Search {
    q: String,
    kind: Option<String>,
    limit: Option<u32>,
}

/// Capsules whose name or description holds the words.
#[utoipa::path(get, path = "/api/v1/search",
    operation_id = "search", tag = "catalogue",
    params(("q" = String, Query), ("kind" = Option<String>, Query),
        ("limit" = Option<u32>, Query)),
    responses((status = 200, body = SearchAnswer)))]
pub(super) async fn search(
    State(app): State<Arc<App>>,
    Asked(search): Asked<Search>,
) -> Answer<SearchAnswer> {
    let (view, kind) = (ledger(&app)?, known_kind(search.kind.as_deref())?);
    let found = app.index.search(&search.q, kind, limit(search.limit)?)?;
    let hits = found.into_iter().map(|hit| {
        let capsule = capsule_row(&view, &hit.row)?;
        Ok(SearchHit { capsule, description: hit.row.description, score: hit.score })
    });
    let hits = hits.collect::<Result<_, Failure>>()?;
    Ok(Json(SearchAnswer { rule: SEARCH_RULE.into(), hits }))
}

#[derive(Deserialize)]
pub(super) struct Since {
    since: Option<u64>,
    limit: Option<u32>,
}

/// The catalogue's feed: every published version, oldest first.
#[utoipa::path(get, path = "/api/v1/catalogue/changes",
    operation_id = "catalogue_changes", tag = "catalogue",
    params(("since" = Option<u64>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Changes)))]
pub(super) async fn changes(
    State(app): State<Arc<App>>,
    Asked(page): Asked<Since>,
) -> Answer<Changes> {
    let (view, limit) = (ledger(&app)?, limit(page.limit)?);
    let since = page.since.unwrap_or_default();
    let rows = app.index.changes(since, limit)?;
    let next = rows.last().map_or(since, |row| row.sequence);
    let complete = rows.len() < limit;
    let changes = rows.into_iter().map(|row| {
        let capsule = capsule_row(&view, &row)?;
        Ok(Change { sequence: row.sequence, capsule, description: row.description })
    });
    Ok(Json(Changes { changes: changes.collect::<Result<_, Failure>>()?, next, complete }))
}

/// Terms by id.
#[utoipa::path(get, path = "/api/v1/terms/{id}",
    operation_id = "terms", tag = "catalogue",
    params(("id" = String, Path)),
    responses((status = 200, body = TermsText)))]
pub(super) async fn terms(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
) -> Answer<TermsText> {
    let id: Cid = text.parse().map_err(|error| Failure::invalid(format!("{text}: {error}")))?;
    let terms = ledger(&app)?.terms(&id)?;
    let document = hex::encode(terms.to_document());
    Ok(Json(TermsText { terms: views::terms(&terms), document }))
}
