//! Lineage: what a capsule hangs on, directly or not.

use super::App;
use super::dto::{LineageEdge, LineageGraph, LineageVersion};
use super::failure::{Answer, Failure};
use super::views::{self, account_id, ledger};
use crate::serve::manifest;
use ambar_base::{Cid, ErrorCode};
use ambar_capsule::lineage::{Edge, LINEAGE_VERSIONS_MAX, Lineage};
use ambar_gateway::view::LedgerView;
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::{Path, State};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a capsule hangs on.
#[utoipa::path(get, path = "/api/v1/capsules/{capsule}/lineage",
    operation_id = "lineage", tag = "catalogue",
    params(("capsule" = String, Path)), responses((status = 200, body = LineageGraph)))]
pub(super) async fn lineage(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
) -> Answer<LineageGraph> {
    let view = ledger(&app)?;
    let (_, version) = view.version_named(&text)?;
    walk(&view, version.id).map(Json)
}

fn walk(view: &LedgerView, root: Cid) -> Result<LineageGraph, Failure> {
    let (mut versions, mut edges) = (Vec::new(), Vec::new());
    let (mut left, mut seen) = (vec![root], BTreeSet::from([root]));
    while let Some(at) = left.pop() {
        if versions.len() == LINEAGE_VERSIONS_MAX {
            let message = format!("the lineage has more than {LINEAGE_VERSIONS_MAX} versions");
            return Err(Failure::new(ErrorCode::LimitExceeded, message));
        }
        let (number, version) = view.version(&at)?;
        let manifest = manifest(view, number)?;
        let owner = views::line(view, version.line)?.owner;
        for (edge, to) in Lineage::edges_of(&manifest) {
            if seen.insert(to) {
                left.push(to);
            }
            edges.push(edge_view(at, &edge, to));
        }
        versions.push(LineageVersion {
            id: at.to_string(),
            kind: manifest.kind().text().into(),
            name: manifest.name,
            owner: account_id(view, owner)?.to_string(),
        });
    }
    Ok(LineageGraph { root: root.to_string(), versions, edges })
}

fn edge_view(from: Cid, edge: &Edge, to: Cid) -> LineageEdge {
    let (kind, share, role) = match edge {
        Edge::DerivedFrom(share) => ("derived_from", Some(share.to_string()), None),
        Edge::Previous => ("previous", None, None),
        Edge::Uses(role) => ("uses", None, Some(role.clone())),
    };
    LineageEdge { from: from.to_string(), to: to.to_string(), kind: kind.into(), share, role }
}
