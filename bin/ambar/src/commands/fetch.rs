//! `ambar fetch` and `ambar verify`: content is written or believed only if it is what the
//! creator signed.

use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::fetched;
use crate::paint::Paint;
use ambar_base::{Cid, ErrorCode, NetworkId};
use ambar_capsule::{Manifest, SignedManifest};
use ambar_node::client::Client;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// What to fetch, and where to.
#[derive(Args, Debug)]
pub struct FetchArgs {
    /// The capsule, by id or registered name
    id: String,
    /// The directory to write to: a new or an empty one
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The key whose account may fetch: the owner's, or one whose grant allows it
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// What to verify.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The capsule, by id or registered name
    id: String,
    /// The key whose account may fetch the content; without it the home's own, if any
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Fetches a capsule's content.
pub async fn fetch(context: &Context, args: &FetchArgs) -> Outcome {
    check_empty(&args.out)?;
    let signer = context.signer(args.key.as_deref()).await?;
    let client = signer.client();
    let id = resolve(client, &args.id).await?;
    let (_, manifest) = fetched::manifest(client, signer.network, &id).await?;
    let table = fetched::table(client, &id, &manifest).await?;
    for file in &table.files {
        fetched::write(client, &id, file, &args.out).await?;
    }
    let (files, bytes, out) = (table.files.len(), table.bytes(), args.out.display().to_string());
    let document = json!({ "id": id.to_string(), "files": files, "bytes": bytes, "out": out });
    context.print(&document, || format!("{files} files, {bytes} bytes in {out}\n"))
}

fn check_empty(dir: &Path) -> Outcome {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file(dir, &error)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Failure::input(format!("{} is not empty", dir.display()))
                .helping("name a new directory")),
        },
    }
}

/// The id that a text names.
async fn resolve(client: &Client, text: &str) -> Outcome<Cid> {
    match text.parse() {
        Ok(id) => Ok(id),
        Err(_) => client.capsule(text).await?.id.parse().or_fail(ErrorCode::BadGateway),
    }
}

/// One check, as printed.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
}

/// What was checked, and what could not be.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    id: String,
    checks: Vec<Check>,
    unchecked: Vec<Check>,
}

impl Report {
    fn add(&mut self, name: &'static str, found: Outcome<String>) {
        match found {
            Ok(detail) => self.checks.push(Check { name, ok: true, detail }),
            Err(failure) if is_refusal(failure.code) => {
                self.unchecked.push(Check { name, ok: false, detail: failure.message });
            }
            Err(failure) => {
                self.ok = false;
                self.checks.push(Check { name, ok: false, detail: failure.message });
            }
        }
    }

    fn text(&self, paint: Paint) -> String {
        let mut out = format!("capsule {}\n", self.id);
        for check in &self.checks {
            let mark = if check.ok { paint.green("ok") } else { paint.red("NO") };
            out += &format!("{mark}  {:<10} {}\n", check.name, check.detail);
        }
        for check in &self.unchecked {
            out += &format!("{}  {:<10} {}\n", paint.dim("--"), check.name, check.detail);
        }
        out
    }
}

/// What says that content may not be had, not that it is wrong.
fn is_refusal(code: ErrorCode) -> bool {
    let refusals = [
        ErrorCode::NotAuthorised,
        ErrorCode::NotFound,
        ErrorCode::RightNotGranted,
        ErrorCode::GrantMissing,
        ErrorCode::Unauthenticated,
    ];
    refusals.contains(&code)
}

/// Verifies a capsule: id, signature, creator and every byte of its content.
pub async fn verify(context: &Context, args: &VerifyArgs) -> Outcome {
    let client = match context.key_name(args.key.as_deref()) {
        Ok(name) => context.signer(Some(&name)).await?.client().clone(),
        // Everything but content is public.
        Err(_) if args.key.is_none() => context.client()?,
        Err(failure) => return Err(failure),
    };
    let network = client.network().await?;
    let id = resolve(&client, &args.id).await?;
    let mut report =
        Report { ok: true, id: id.to_string(), checks: Vec::new(), unchecked: Vec::new() };
    check(&client, network, &id, &mut report).await;
    context.print(&report, || report.text(Paint::stdout()))?;
    match report.checks.iter().find(|check| !check.ok) {
        None => Ok(()),
        Some(check) => {
            let message = format!("{} of {id}: {}", check.name, check.detail);
            Err(Failure::new(ErrorCode::BlobCorrupt, message).helping("ask another node"))
        }
    }
}

async fn check(client: &Client, network: NetworkId, id: &Cid, report: &mut Report) {
    let (signed, manifest) = match fetched::manifest(client, network, id).await {
        Ok(found) => found,
        Err(failure) => return report.add("manifest", Err(failure)),
    };
    report.add("id", Ok("the manifest's SHA-256 is the id".into()));
    report.add("signature", Ok(format!("signed by {}", signed.key.did())));
    report.add("creator", creator(client, &signed, &manifest).await);
    report.add("content", content(client, id, &manifest).await);
}

/// Whether the key that signed is one of the creator's keys now.
async fn creator(client: &Client, signed: &SignedManifest, manifest: &Manifest) -> Outcome<String> {
    let account = client.account(&manifest.creator.to_string()).await?;
    let key = signed.key.did();
    if account.keys.contains(&key) || account.did.as_ref() == Some(&key) {
        return Ok(format!("that is a key of the creator, {}", account.id));
    }
    // The ledger compared them when the capsule was published; keys rotate since.
    let message = format!("{key} is not among the present keys of {}", account.id);
    Err(Failure::new(ErrorCode::NotAuthorised, message))
}

async fn content(client: &Client, id: &Cid, manifest: &Manifest) -> Outcome<String> {
    let table = fetched::table(client, id, manifest).await?;
    for file in &table.files {
        fetched::check(client, id, file).await?;
    }
    Ok(format!("{} files, {} bytes belong to their roots", table.files.len(), table.bytes()))
}
