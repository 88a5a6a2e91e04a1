//! `ambar receipt`: what calls cost and who was paid. `verify` needs no node and no home:
//! it believes nothing but whom it is told to trust.

use crate::commands::cert;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::paint::{Paint, line, short};
use crate::table::{Side, Table, pairs};
use crate::trust::{self, Trust};
use ambar_base::ErrorCode;
use ambar_node::api::dto::{Payment, Receipt, ReceiptRow};
use ambar_node::client::{Client, Credential, ReceiptQuery};
use ambar_receipt::Report;
use ambar_receipt::export::RECEIPT_BYTES_MAX;
use ambar_receipt::export::seal::ENVELOPE_BYTES_MAX;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Longest name in a table, characters.
const NAME_CHARS_MAX: usize = 28;

/// What to do with receipts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a receipt: what was used, what it cost, who was paid
    #[command(after_help = "Example:\n  ambar receipt show 3-17 --as me")]
    Show(ShowArgs),
    /// List receipts, newest first
    #[command(after_help = "Example:\n  ambar receipt list --as me --limit 5")]
    List(ListArgs),
    /// Write a receipt to a file that verifies offline
    #[command(after_help = "Example:\n  ambar receipt export 3-17 --out 3-17.receipt --as me")]
    Export(ExportArgs),
    /// Verify a receipt's file on this machine, without any node
    #[command(
        after_help = "Example:\n  ambar receipt verify 3-17.receipt --network-key did:key:z6Mk…"
    )]
    Verify(VerifyArgs),
}

/// As whom receipts are asked for.
#[derive(Args, Debug)]
struct Asker {
    /// The key that paid or was paid
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
    /// Ask with this certificate instead; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    cert: Option<PathBuf>,
}

/// A receipt.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The receipt's id, such as 3-17
    receipt: String,
    #[command(flatten)]
    asker: Asker,
}

/// Which receipts.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Of this account; without it, the asking key's own
    #[arg(long, value_name = "DID")]
    account: Option<String>,
    /// Only of this channel
    #[arg(long, value_name = "CH")]
    channel: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    asker: Asker,
}

/// A receipt and where to write it.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// The receipt's id, such as 3-17
    receipt: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    asker: Asker,
}

/// A receipt's file.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The file, as `receipt export` wrote it; `-` for standard input
    file: PathBuf,
    /// Whom to trust: the network's did:key as `ambar status` prints it, a checkpoint file
    /// or a genesis file. Without it the file is only compared with itself
    #[arg(long, value_name = "K")]
    network_key: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Show(args) => show(context, args).await,
        Command::List(args) => list(context, args).await,
        Command::Export(args) => export(context, args).await,
        Command::Verify(args) => verify(context, args),
    }
}

impl Asker {
    async fn client(&self, context: &Context) -> Outcome<Client> {
        match &self.cert {
            Some(file) => Ok(context.client()?.with(Credential::Certificate(cert::read(file)?))),
            None => Ok(context.signer(self.key.as_deref()).await?.client().clone()),
        }
    }
}

async fn show(context: &Context, args: &ShowArgs) -> Outcome {
    let receipt = args.asker.client(context).await?.receipt(&args.receipt).await?;
    context.print(&receipt, || describe(&receipt))
}

fn describe(receipt: &Receipt) -> String {
    let settled = receipt.settled.map_or("not yet".into(), |height| format!("in block {height}"));
    let audit = match receipt.audit {
        Some(true) => "drawn: check it with `ambar attribution verify`",
        Some(false) => "not drawn",
        None => "-",
    };
    let head = pairs(&[
        ("receipt", receipt.id.clone()),
        ("payer", receipt.payer.clone()),
        ("time", receipt.time.clone()),
        ("outcome", receipt.outcome.clone()),
        ("settled", settled),
        ("audit", audit.into()),
        ("work", format!("{} MU", receipt.mu)),
        ("price", format!("{} credits", receipt.price)),
    ]);
    let columns = [
        ("capsule", Side::Left),
        ("MU", Side::Right),
        ("royalty", Side::Right),
        ("node fee", Side::Right),
    ];
    let mut lines = Table::new(&columns);
    for part in &receipt.lines {
        let name = line(&part.capsule_name, NAME_CHARS_MAX);
        lines.row([name, part.mu.clone(), part.royalty.clone(), part.node_fee.clone()]);
    }
    lines.row(["network".into(), String::new(), String::new(), receipt.network_fee.clone()]);
    let disputes = match receipt.disputes.join(", ") {
        open if open.is_empty() => String::new(),
        open => format!("\nopen disputes: {open}\n"),
    };
    let (routing, paid) = (routing(receipt), payments(&receipt.payments));
    format!("{head}\n{}\n{paid}{routing}{disputes}", lines.print(""))
}

/// Why the nodes were chosen that served the lines; nothing where there was no choice.
fn routing(receipt: &Receipt) -> String {
    let columns = [
        ("served by", Side::Left),
        ("node", Side::Right),
        ("asks per MU", Side::Right),
        ("first piece", Side::Right),
        ("went well", Side::Right),
        ("", Side::Left),
    ];
    let mut table = Table::new(&columns);
    for part in &receipt.routing {
        let part_line = usize::try_from(part.line).ok().and_then(|at| receipt.lines.get(at));
        let name =
            part_line.map_or_else(String::new, |one| line(&one.capsule_name, NAME_CHARS_MAX));
        for candidate in &part.candidates {
            let verdict = match &candidate.code {
                Some(code) => format!("{}: {code}", candidate.verdict),
                None => candidate.verdict.replace('_', " "),
            };
            table.row([
                name.clone(),
                candidate.node.clone(),
                candidate.ask.clone(),
                candidate.first_ms.map_or_else(|| "-".into(), |ms| format!("{ms} ms")),
                format!("{} of {}", candidate.succeeded, candidate.calls),
                verdict,
            ]);
        }
    }
    if receipt.routing.is_empty() { String::new() } else { format!("\n{}", table.print("")) }
}

fn payments(payments: &[Payment]) -> String {
    let columns = [
        ("paid", Side::Left),
        ("role", Side::Left),
        ("method", Side::Left),
        ("credits", Side::Right),
    ];
    let mut table = Table::new(&columns);
    for payment in payments {
        let who = payment.name.clone().unwrap_or_else(|| short(&payment.account));
        let method = payment.method.clone().unwrap_or_default();
        table.row([
            line(&who, NAME_CHARS_MAX),
            payment.role.clone(),
            method,
            payment.amount.clone(),
        ]);
    }
    table.print("payments are known when the call has settled")
}

async fn list(context: &Context, args: &ListArgs) -> Outcome {
    let client = args.asker.client(context).await?;
    let own = match (&args.account, &args.asker.cert) {
        (Some(account), _) => Some(account.clone()),
        (None, Some(_)) => None,
        (None, None) => Some(context.signer(args.asker.key.as_deref()).await?.account.to_string()),
    };
    let query = ReceiptQuery {
        account: own.as_deref(),
        channel: args.channel.as_deref(),
        limit: Some(args.limit),
        ..ReceiptQuery::default()
    };
    let rows = client.receipts(query).await?;
    context.print(&rows, || rows_of(&rows))
}

fn rows_of(rows: &[ReceiptRow]) -> String {
    let columns = [
        ("receipt", Side::Left),
        ("time", Side::Left),
        ("capsule", Side::Left),
        ("outcome", Side::Left),
        ("price", Side::Right),
        ("block", Side::Right),
    ];
    let mut table = Table::new(&columns);
    for row in rows {
        table.row([
            row.id.clone(),
            row.time.clone(),
            line(&row.capsule_name, NAME_CHARS_MAX),
            row.outcome.clone(),
            row.price.clone(),
            row.settled.map_or("-".into(), |height| height.to_string()),
        ]);
    }
    table.print("no receipts")
}

async fn export(context: &Context, args: &ExportArgs) -> Outcome {
    let client = args.asker.client(context).await?;
    let file = client.receipt_proof(&args.receipt).await?;
    files::write(&args.out, &file)?;
    let out = args.out.display().to_string();
    let document = json!({ "receipt": args.receipt, "out": out, "bytes": file.len() });
    context.print(&document, || format!("{out}: {} bytes\n", file.len()))
}

fn verify(context: &Context, args: &VerifyArgs) -> Outcome {
    let bytes_max = (RECEIPT_BYTES_MAX + ENVELOPE_BYTES_MAX) as u64;
    let file = files::read(&args.file, bytes_max)?;
    let network = trust::network_of(&file);
    let trusted = args.network_key.as_deref().map(Trust::read).transpose()?;
    if let (Some(Trust::Key(_)), Some(network)) = (&trusted, network) {
        context.note(&format!("network {network}: as the receipt says; a key names none"));
    }
    let trusted = trusted.map(|trusted| trusted.checkpoint(&file)).transpose()?;
    let report = ambar_receipt::verify(&file, trusted.as_ref());
    let mut document = report_json(&report);
    document["network"] = json!(network.map(|network| network.to_string()));
    context.print(&document, || report_text(&report, Paint::stdout()))?;
    if report.ok { Ok(()) } else { Err(refused(&args.file, &report)) }
}

fn refused(path: &Path, report: &Report) -> Failure {
    let failed: Vec<_> =
        report.checks.iter().filter(|check| !check.ok).map(|check| check.detail.as_str()).collect();
    let why = if failed.is_empty() { report.summary.clone() } else { failed.join(" ") };
    Failure::new(ErrorCode::ReceiptInvalid, format!("{}: {why}", path.display()))
}

/// A report as scripts read it.
pub fn report_json(report: &Report) -> Value {
    let check = |check: &ambar_receipt::Check| json!({ "name": check.name, "ok": check.ok, "detail": check.detail });
    let payment = |payment: &ambar_receipt::verify::Payment| {
        json!({
            "account": payment.account.to_string(),
            "role": payment.role(),
            "amount": payment.amount.to_string(),
        })
    };
    let unchecked = report.unchecked.iter();
    json!({
        "ok": report.ok,
        "receipt": report.receipt.map(|id| id.to_string()),
        "checks": report.checks.iter().map(check).collect::<Vec<_>>(),
        "unchecked": unchecked.map(|u| json!({ "name": u.name, "reason": u.reason })).collect::<Vec<_>>(),
        "payments": report.payments.iter().map(payment).collect::<Vec<_>>(),
        "summary": report.summary,
    })
}

/// A report as people read it.
pub fn report_text(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    for check in &report.checks {
        let mark = if check.ok { paint.green("ok") } else { paint.red("NO") };
        out += &format!("{mark}  {:<18} {}\n", check.name, check.detail);
    }
    for left in &report.unchecked {
        out += &format!("{}  {:<18} {}\n", paint.dim("--"), left.name, left.reason);
    }
    format!("{out}{}\n", report.summary)
}
