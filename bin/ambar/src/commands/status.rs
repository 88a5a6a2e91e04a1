//! `ambar status` and `ambar audit`: how a node is, and whether its books agree.

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::progress::watch;
use crate::table::pairs;
use ambar_base::ErrorCode;
use ambar_node::api::dto::{AuditReport, Status};

/// Shows how the node is.
pub async fn run(context: &Context) -> Outcome {
    let status = context.client()?.status().await?;
    context.print(&status, || describe(&status))
}

fn describe(status: &Status) -> String {
    let development = if status.development { " (development: credits are free)" } else { "" };
    let key = status.network_key.clone();
    let key = key.unwrap_or_else(|| "none: see `ambar network checkpoint`".into());
    pairs(&[
        ("network", format!("{}{development}", status.name)),
        ("network id", status.network.clone()),
        ("network key", key),
        ("validators", format!("{} in epoch {}", status.validators.len(), status.epoch)),
        ("height", format!("{} at {}", status.height, status.time)),
        ("consensus", status.consensus.clone()),
        ("node", format!("{} (number {})", status.node.did, status.node.number)),
        ("owner", status.node.owner.clone()),
        ("asks", format!("{} credits per MU", status.node.ask)),
        ("roles", status.roles.join(", ")),
        ("peers", status.peers.to_string()),
        ("serving", format!("{} capsules", status.serving.len())),
        ("version", status.version.clone()),
    ])
}

/// Lets the node recompute everything from genesis.
pub async fn audit(context: &Context) -> Outcome {
    let client = context.client()?;
    let auditing = client.audit();
    let looking = || client.audit_progress();
    let report =
        watch::asking(context.progress(), "waiting for the node", auditing, looking).await?;
    context.print(&report, || audited(&report))?;
    if report.ok {
        return Ok(());
    }
    let first = report.problems.first().map_or("the totals differ", String::as_str);
    Err(Failure::new(ErrorCode::LedgerCorrupt, format!("the books do not agree: {first}")))
}

/// An audit as people read it.
pub fn audited(report: &AuditReport) -> String {
    let mut out = pairs(&[
        ("up to block", report.height.to_string()),
        ("charged calls", report.calls.to_string()),
        ("receipts kept", report.receipts.to_string()),
        ("settled alike", report.settled.to_string()),
        ("debits", report.debits.clone()),
        ("credits", report.credits.clone()),
        ("books", if report.ok { "agree" } else { "DO NOT AGREE" }.to_owned()),
    ]);
    for problem in &report.problems {
        out += &format!("problem: {problem}\n");
    }
    out
}
