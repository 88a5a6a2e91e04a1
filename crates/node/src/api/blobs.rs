//! Blobs: stored by whoever has an account, handed out to whoever may fetch.

use super::App;
use super::dto::Blob;
use super::extract::Asked;
use super::failure::{Answer, Failure, blocking};
use super::party::Party;
use super::views::{self, account_id, ledger};
use crate::files::FileTable;
use crate::serve::manifest;
use ambar_base::{AccountId, Digest, ErrorCode};
use ambar_capsule::Manifest;
use ambar_capsule::chunks::ContentRoot;
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object::{Grant, Version};
use ambar_ledger::query::State as _;
use ambar_licence::Right;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use futures::TryStreamExt;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::sync::Arc;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

/// Longest blob that is taken over HTTP, bytes: 64 GiB.
pub const BLOB_BYTES_MAX: u64 = 64 << 30;
/// Largest blob that is checked whole before its first byte is sent, bytes. A longer one is
/// checked while it is sent.
const CHECKED_FIRST_BYTES_MAX: u64 = 64 << 20;
/// Bytes that wait for a slow reader.
const PIPE_BYTES: usize = 1 << 20;

/// Stores a blob. The request is signed by any account.
#[utoipa::path(put, path = "/api/v1/blobs",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Blob)))]
pub(super) async fn put(State(app): State<Arc<App>>, party: Party, body: Body) -> Answer<Blob> {
    party.account(&ledger(&app)?)?;
    let expected = party.signed()?.body;
    let stream = body.into_data_stream().map_err(io::Error::other);
    let reader = SyncIoBridge::new(StreamReader::new(stream));
    let stored = blocking(move || store(&app, Hashing::new(reader), expected));
    stored.await.map(Json)
}

fn store(app: &App, reader: Hashing<impl Read>, expected: Digest) -> Result<Blob, Failure> {
    let mut reader = reader;
    let (root, bytes) = app.store.put(&mut reader)?;
    if reader.digest() == expected {
        return Ok(Blob { root: root.to_string(), bytes });
    }
    // The blob is whole under its own root and names nothing: it may stay.
    Err(Failure::new(ErrorCode::SignatureInvalid, "the signature is over another body"))
}

/// A reader that hashes what goes by, up to the longest blob.
struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    fn digest(self) -> Digest {
        Digest(self.hasher.finalize().into())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        if self.bytes > BLOB_BYTES_MAX {
            return Err(io::Error::other(format!("a blob has at most {BLOB_BYTES_MAX} bytes")));
        }
        Ok(count)
    }
}

#[derive(Deserialize)]
pub(super) struct Within {
    capsule: String,
}

/// A blob of a capsule. File tables and extension documents of published capsules are
/// public; files are for the owner and for grants that include `fetch`.
#[utoipa::path(get, path = "/api/v1/blobs/{root}",
    params(("root" = String, Path), ("capsule" = String, Query)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(root): Path<String>,
    Asked(within): Asked<Within>,
    party: Party,
) -> Result<Response, Failure> {
    let root: ContentRoot =
        root.parse().map_err(|error| Failure::invalid(format!("{root}: {error}")))?;
    let view = ledger(&app)?;
    let (number, version) = view.version_named(&within.capsule)?;
    let manifest = manifest(&view, number)?;
    if !is_public(&manifest, &root) {
        may_fetch(&app, &view, &version, &party)?;
        let table = FileTable::decode(&app.store.get(&manifest.content.table)?)?;
        if !table.files.iter().any(|file| file.root == root) {
            return Err(Failure::not_found(format!("{root} is no file of {}", version.id)));
        }
    }
    check_first(&app, root).await?;
    stream(app, root)
}

/// Refuses a damaged blob by name, as long as nothing of it was sent.
async fn check_first(app: &Arc<App>, root: ContentRoot) -> Result<(), Failure> {
    let app = Arc::clone(app);
    let checked = blocking(move || {
        if app.store.length(&root)? <= CHECKED_FIRST_BYTES_MAX {
            app.store.verify(&root)?;
        }
        Ok(())
    });
    checked.await
}

fn is_public(manifest: &Manifest, root: &ContentRoot) -> bool {
    manifest.content.table == *root || manifest.extensions.iter().any(|e| e.root == *root)
}

fn may_fetch(
    app: &App,
    view: &LedgerView,
    version: &Version,
    party: &Party,
) -> Result<(), Failure> {
    let account = party.account(view)?;
    let owner = views::line(view, version.line)?.owner;
    if account_id(view, owner)? == account || has_grant(app, view, version, &account)? {
        return Ok(());
    }
    let message = "no grant of this account includes fetch";
    Err(Failure::new(ErrorCode::RightNotGranted, message))
}

fn has_grant(
    app: &App,
    view: &LedgerView,
    version: &Version,
    account: &AccountId,
) -> Result<bool, Failure> {
    let now = view.head().time;
    for number in app.index.grants(account)? {
        let grant: Grant = view.must("grant", number, &Key::Grant(number))?;
        let covers = grant.line == version.line && grant.terms == version.terms;
        if !covers || grant.revoked.is_some() {
            continue;
        }
        let terms = view.terms(&grant.terms)?;
        let over = terms.expires(grant.accepted).is_some_and(|end| end <= now);
        if !over && terms.grants.contains(&Right::Fetch) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Streams a blob, each part after it was checked. A damaged blob ends the stream early,
/// which the client sees from the length.
fn stream(app: Arc<App>, root: ContentRoot) -> Result<Response, Failure> {
    let length = app.store.length(&root)?;
    let (reader, writer) = tokio::io::duplex(PIPE_BYTES);
    let writer = SyncIoBridge::new(writer);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = app.store.copy_to(&root, writer) {
            tracing::warn!(%root, %error, "a blob was not handed out whole");
        }
    });
    Response::builder()
        .header("content-type", "application/octet-stream")
        .header("content-length", length)
        .body(Body::from_stream(ReaderStream::new(reader)))
        .map_err(|error| Failure::new(ErrorCode::Internal, error.to_string()))
}
