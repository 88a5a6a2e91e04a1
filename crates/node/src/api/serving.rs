//! What this node serves, at its owner's word.

use super::App;
use super::dto::{Progress, ServingAnswer, ServingRequest};
use super::extract::Octets;
use super::failure::{Answer, Failure, blocking};
use super::party::Party;
use super::views::{account_id, ledger, progress};
use crate::config::Served;
use crate::progress::Work;
use crate::serve::{Kitchen, manifest};
use ambar_base::Cid;
use ambar_capsule::Kind;
use ambar_ledger::Key;
use ambar_ledger::object::Node;
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Lets the node serve a capsule, now and after a restart.
#[utoipa::path(put, path = "/api/v1/serving/{capsule}",
    operation_id = "serve", tag = "node",
    params(("capsule" = String, Path)),
    request_body = ServingRequest, responses((status = 200, body = ServingAnswer)))]
pub(super) async fn serve(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    party: Party,
    Octets(body): Octets,
) -> Answer<ServingAnswer> {
    must_be_owner(&app, &party, &body)?;
    let request: ServingRequest = serde_json::from_slice(&body)
        // The parser's own message could repeat a secret.
        .map_err(|error| Failure::invalid(format!("the body, line {}", error.line())))?;
    let view = ledger(&app)?;
    let (number, version) = view.version_named(&text)?;
    let served = served(manifest(&view, number)?.kind(), &request)?;
    let turn = Arc::clone(&app.kitchen).lock_owned().await;
    let (cooking, id, spec) = (Arc::clone(&app), version.id, served.clone());
    let key = request.engine_key.map(Zeroizing::new);
    let records = blocking(move || {
        let _turn = turn;
        prepare(&cooking, id, &spec, key.as_ref().map(|key| key.as_str()))
    });
    let records = records.await?;
    let offer = match served {
        Served::Engine(_) => "engine",
        Served::Datanet => "datanet",
        Served::Template => "template",
    };
    Ok(Json(ServingAnswer { capsule: id.to_string(), offer: offer.into(), records }))
}

/// How far this node is with what serving a capsule needs: a dataset's corpus, an engine.
/// The phase is `idle` before and after, and while another capsule has its turn.
#[utoipa::path(get, path = "/api/v1/capsules/{capsule}/build",
    operation_id = "build_progress", tag = "node",
    params(("capsule" = String, Path)), responses((status = 200, body = Progress)))]
pub(super) async fn build(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
) -> Answer<Progress> {
    let (_, version) = ledger(&app)?.version_named(&text)?;
    let work = app.kitchen_gauge.work();
    let own = work.capsule == Some(version.id);
    Ok(Json(progress(if own { work } else { Work::default() })))
}

fn must_be_owner(app: &App, party: &Party, body: &[u8]) -> Result<(), Failure> {
    let view = ledger(app)?;
    let node: Node = view.must("node", app.node, &Key::Node(app.node))?;
    party.must_be(&view, &account_id(&view, node.owner)?.to_string())?;
    party.signed_over(body)
}

fn served(kind: Kind, request: &ServingRequest) -> Result<Served, Failure> {
    if request.engine_key.is_some() && request.engine.is_none() {
        return Err(Failure::invalid("an engine's key comes with its engine"));
    }
    match (&request.engine, kind) {
        (Some(engine), _) => {
            let spec = engine.parse().map(Served::Engine);
            spec.map_err(|error: ambar_compute::SpecError| Failure::invalid(error.to_string()))
        }
        (None, Kind::Dataset) => Ok(Served::Datanet),
        (None, Kind::Prompt) => Ok(Served::Template),
        (None, _) => Err(Failure::invalid("a model needs an engine")),
    }
}

/// Serves first, then remembers: what cannot be served is not in the configuration.
fn prepare(
    app: &App,
    version: Cid,
    served: &Served,
    key: Option<&str>,
) -> Result<Option<u64>, Failure> {
    let view = ledger(app)?;
    let App { home, custody, store, serving, engines, kitchen_gauge: gauge, .. } = app;
    let kitchen = Kitchen { home, custody, store, serving, view, gauge, engines };
    let records = kitchen.serve_with(&version, served, key)?;
    let mut config = app.home.config()?;
    config.serving.insert(version, served.clone());
    app.home.write_config(&config)?;
    Ok(records)
}
