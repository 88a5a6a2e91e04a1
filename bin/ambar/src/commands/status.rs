//! `ambar status` and `ambar audit`: how a node is, and whether its books agree.

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::progress::look::bytes;
use crate::progress::watch;
use crate::table::{Side, Table, pairs};
use ambar_base::ErrorCode;
use ambar_node::api::dto::{AuditReport, DiskPart, Finality, Status};
use ambar_node::server::certificate::{Fingerprint, read_certificates};
use clap::Args;

/// Shows how the node is.
pub async fn run(context: &Context) -> Outcome {
    let status = context.client()?.status().await?;
    let own = own_certificate(context, &status);
    context.print(&status, || describe(&status, own.as_deref()))
}

/// Where the certificate lies that the node shows, if the node is this home's.
fn own_certificate(context: &Context, status: &Status) -> Option<String> {
    let path = context.trust().own()?.to_owned();
    let certificates = read_certificates(&path).ok()?;
    let fingerprint = Fingerprint::of(certificates.first()?).to_string();
    (status.certificate == Some(fingerprint)).then(|| path.display().to_string())
}

fn describe(status: &Status, own_certificate: Option<&str>) -> String {
    let development = if status.development { " (development: credits are free)" } else { "" };
    let key = status.network_key.clone();
    let key = key.unwrap_or_else(|| "none: see `ambar network checkpoint`".into());
    let mut text = pairs(&[
        ("network", format!("{}{development}", status.name)),
        ("network id", status.network.clone()),
        ("network key", key),
        ("epoch", format!("{} with {} seats, {}", status.epoch, status.seats.len(), seat(status))),
        ("height", format!("{} at {}, {} ago", status.height, status.time, ago(status.age_ms))),
        ("consensus", consensus(status)),
        ("finality", status.finality.as_ref().map_or_else(|| "-".into(), finality)),
        ("node", format!("{} (number {})", status.node.did, status.node.number)),
        ("owner", status.node.owner.clone()),
        ("asks", format!("{} credits per MU", status.node.ask)),
        ("certificate", certificate(status, own_certificate)),
        ("roles", status.roles.join(", ")),
        ("peers", format!("{} validators heard", status.peers)),
        ("blocks kept", kept(status)),
        ("disk", disk(status)),
        ("serving", format!("{} capsules", status.serving.len())),
        ("version", status.version.clone()),
    ]);
    if status.seats.len() > 1 {
        text += &format!("\n{}", votes(status));
    }
    if let Some(problem) = &status.problem {
        text += &format!("\nproblem: {problem}\n");
    }
    text
}

/// How the node is known over TLS.
fn certificate(status: &Status, file: Option<&str>) -> String {
    let fingerprint = status.certificate.as_deref().unwrap_or("-");
    match file {
        Some(file) => format!("{file}, SHA-256 {fingerprint}"),
        None => format!("SHA-256 {fingerprint}"),
    }
}

/// This node's own seat.
fn seat(status: &Status) -> String {
    match status.seats.iter().position(|seat| seat.own) {
        Some(own) if status.sits_out => format!("this node's is {own}, which sits out"),
        Some(own) => format!("this node's is {own}"),
        None => "none of them this node's".into(),
    }
}

fn consensus(status: &Status) -> String {
    let Status { consensus, heard, needed, .. } = status;
    format!("{consensus}: {heard} of {} validators heard, {needed} needed", status.seats.len())
}

fn finality(finality: &Finality) -> String {
    format!("{} ms median, {} ms at 99%, last minute", finality.p50_ms, finality.p99_ms)
}

/// Which blocks are here, and which will be.
fn kept(status: &Status) -> String {
    let from = match status.oldest {
        0 => "all from genesis".into(),
        oldest => format!("from {oldest}"),
    };
    match status.blocks_kept {
        Some(kept) => format!("{from}; the newest {kept} stay"),
        None => format!("{from}; all stay (archive)"),
    }
}

fn disk(status: &Status) -> String {
    let part = |part: &DiskPart| format!("{} {}", part.part, bytes(part.bytes));
    status.disk.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// Who voted lately.
fn votes(status: &Status) -> String {
    let columns = [
        ("seat", Side::Right),
        ("validator", Side::Left),
        ("view", Side::Right),
        ("voted", Side::Left),
    ];
    let mut table = Table::new(&columns);
    for (number, seat) in status.seats.iter().enumerate() {
        let own = if seat.own { " (this node)" } else { "" };
        let view = seat.view.map(|view| view.to_string()).unwrap_or_default();
        let voted = seat.ago_ms.map_or_else(|| "not heard".into(), |ms| format!("{} ago", ago(ms)));
        table.row([number.to_string(), format!("{}{own}", seat.validator), view, voted]);
    }
    table.print("no seats")
}

/// A time as people say it.
fn ago(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min", ms / 60_000),
    }
}

/// How much is audited.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ambar audit
  ambar audit --archive

The node executes again every block that it keeps, from the oldest state that is kept; receipts
of older blocks are compared with the proofs that were kept of them. It makes the decisions again
by which calls were admitted, and refused of late. With --archive it begins at
genesis and trusts no stored state; a node that does not keep all blocks refuses.")]
pub struct AuditArgs {
    /// From genesis, or not at all
    #[arg(long)]
    archive: bool,
}

/// Lets the node recompute everything that it keeps.
pub async fn audit(context: &Context, args: &AuditArgs) -> Outcome {
    let client = context.client()?;
    let auditing =
        async { if args.archive { client.audit_archive().await } else { client.audit().await } };
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
    let from = match report.from {
        0 => "genesis".to_owned(),
        from => format!(
            "block {from}, the oldest that is kept; run on an archive node to begin at genesis"
        ),
    };
    let mut out = pairs(&[
        ("from", from),
        ("up to block", report.height.to_string()),
        ("charged calls", report.calls.to_string()),
        ("receipts kept", report.receipts.to_string()),
        ("settled alike", report.settled.to_string()),
        ("admitted again", report.decisions.to_string()),
        ("refused again", report.refusals.to_string()),
        ("debits", report.debits.clone()),
        ("credits", report.credits.clone()),
        ("books", if report.ok { "agree" } else { "DO NOT AGREE" }.to_owned()),
    ]);
    for problem in &report.problems {
        out += &format!("problem: {problem}\n");
    }
    out
}
