//! `ambar fetch` and `ambar verify`: content is written or believed only if it is what the
//! creator signed. A fetch that was interrupted goes on where it was, file by file: what is
//! there is believed as little as what a node sends.

use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::fetched::{self, Wanted};
use crate::interrupt;
use crate::kept::missing;
use crate::paint::{Paint, line};
use crate::progress::look::{self, counted};
use crate::progress::{Phase, Progress};
use crate::sealed;
use ambar_base::{Cid, ErrorCode, NetworkId};
use ambar_capsule::sealing::VersionKey;
use ambar_capsule::{Manifest, SignedManifest};
use ambar_node::client::Client;
use ambar_node::files::{FileEntry, FileTable};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::future::Future;
use std::path::{Path, PathBuf};

/// What to fetch, and where to.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ambar fetch bafyrei… --out speeches/
  ambar fetch bafyrei… --out cases/ --as me --key-node http://127.0.0.1:7701

An interrupted fetch goes on if it is started again: files that are whole are kept, the one
that was being written is fetched again from its beginning. Sealed content is opened with the
key that the owner's node releases to the owner and to grants that include fetch.")]
pub struct FetchArgs {
    /// The capsule, by id or registered name
    id: String,
    /// The directory to write to: new, empty, or with files of this capsule, which are
    /// checked and kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The key whose account may fetch: the owner's, or one whose grant allows it
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
    /// The node that keeps the key of sealed content, if it is another one
    #[arg(long, value_name = "URL")]
    key_node: Option<String>,
}

/// What to verify.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ambar verify bafyrei… --as me")]
pub struct VerifyArgs {
    /// The capsule, by id or registered name
    id: String,
    /// The key whose account may fetch the content; without it the home's own, if any
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
}

/// Fetches a capsule's content.
pub async fn fetch(context: &Context, args: &FetchArgs) -> Outcome {
    let signer = context.signer(args.key.as_deref()).await?;
    let client = signer.client();
    let id = resolve(client, &args.id).await?;
    let (_, manifest) = fetched::manifest(client, signer.network, &id).await?;
    let table = fetched::table(client, &id, &manifest).await?;
    let key = match &manifest.content.sealed {
        None => None,
        // Before a byte is fetched: whoever may not read it need not wait.
        Some(sealed) => Some(sealed::ask(&signer, args.key_node.as_deref(), &id, sealed).await?),
    };
    interrupt::advise("run the same command again to go on: whole files are kept");
    let missing = missing(&args.out, &table, key.as_ref(), context.progress()).await?;
    let kept = table.files.len() - missing.len();
    let source = Source { client, id: &id, table: &table, key: key.as_ref() };
    source.write(&missing, &args.out, context.progress()).await?;
    let sealed = manifest.content.sealed.as_ref();
    let bytes = sealed.map_or(table.bytes(), |sealed| sealed.plaintext_bytes);
    let (files, out) = (table.files.len(), args.out.display().to_string());
    let document = json!({
        "id": id.to_string(), "files": files, "bytes": bytes, "out": out, "kept": kept,
        "sealed": sealed.is_some(),
    });
    context.print(&document, || {
        let opened = if sealed.is_some() { ", opened" } else { "" };
        let kept = if kept > 0 { format!("; {kept} were there") } else { String::new() };
        let files = counted(files as u64, "file", "files");
        format!("{files}, {bytes} bytes in {out}{opened}{kept}\n")
    })
}

/// Where files come from, and what opens them.
struct Source<'a> {
    client: &'a Client,
    id: &'a Cid,
    table: &'a FileTable,
    key: Option<&'a VersionKey>,
}

impl Source<'_> {
    /// Writes files below `dir`, each after it proved to be what it should.
    async fn write(&self, files: &[FileEntry], dir: &Path, progress: &Progress) -> Outcome {
        let (count, bytes) = (files.len() as u64, files.iter().map(|file| file.bytes).sum());
        let phase = progress.bytes(&format!("fetching {}", counted(count, "file", "files")), bytes);
        for file in files {
            let place = self.table.place(&file.path).unwrap_or_default();
            let place = u32::try_from(place).or_fail(ErrorCode::LimitExceeded)?;
            let wanted = Wanted { file, place, key: self.key };
            each(&phase, progress, file, |seen| async move {
                fetched::write(self.client, self.id, wanted, dir, &seen).await
            })
            .await?;
        }
        phase.finish(&format!("{} checked", look::bytes(bytes)));
        Ok(())
    }
}

/// One file of a phase, with a bar of its own below it if it is one of several.
async fn each<T, F>(
    phase: &Phase,
    progress: &Progress,
    file: &FileEntry,
    work: impl FnOnce(Box<dyn Fn(u64)>) -> F,
) -> Outcome<T>
where
    F: Future<Output = Outcome<T>>,
{
    let name = line(file.path.rsplit('/').next().unwrap_or_default(), look::NAME_CHARS);
    let part = progress.parts().bytes(&name, file.bytes);
    let (all, one) = (phase.counter(), part.counter());
    let seen = move |bytes| {
        all.advance(bytes);
        one.advance(bytes);
    };
    let done = work(Box::new(seen)).await;
    part.clear();
    done
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
    check(&client, network, &id, &mut report, context.progress()).await;
    context.print(&report, || report.text(Paint::stdout()))?;
    match report.checks.iter().find(|check| !check.ok) {
        None => Ok(()),
        Some(check) => {
            let message = format!("{} of {id}: {}", check.name, check.detail);
            Err(Failure::new(ErrorCode::BlobCorrupt, message).helping("ask another node"))
        }
    }
}

async fn check(
    client: &Client,
    network: NetworkId,
    id: &Cid,
    report: &mut Report,
    progress: &Progress,
) {
    let (signed, manifest) = match fetched::manifest(client, network, id).await {
        Ok(found) => found,
        Err(failure) => return report.add("manifest", Err(failure)),
    };
    report.add("id", Ok("the manifest's SHA-256 is the id".into()));
    report.add("signature", Ok(format!("signed by {}", signed.key.did())));
    report.add("creator", creator(client, &signed, &manifest).await);
    report.add("content", content(client, id, &manifest, progress).await);
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

async fn content(
    client: &Client,
    id: &Cid,
    manifest: &Manifest,
    progress: &Progress,
) -> Outcome<String> {
    let table = fetched::table(client, id, manifest).await?;
    let name = format!("checking {}", counted(table.files.len() as u64, "file", "files"));
    let phase = progress.bytes(&name, table.bytes());
    for file in &table.files {
        each(&phase, progress, file, |seen| async move {
            fetched::check(client, id, file, &seen).await
        })
        .await?;
    }
    phase.finish(&look::bytes(table.bytes()));
    let sealed = if manifest.content.sealed.is_some() { ", sealed" } else { "" };
    let (files, bytes) = (counted(table.files.len() as u64, "file", "files"), table.bytes());
    Ok(format!("{files}, {bytes} bytes belong to their roots{sealed}"))
}
