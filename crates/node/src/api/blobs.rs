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
use ambar_store::StoreError;
use axum::Json;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures::TryStreamExt;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::sync::Arc;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

/// Longest blob that is taken over HTTP, bytes: 64 GiB.
pub const BLOB_BYTES_MAX: u64 = 64 << 30;
/// How much of what is asked for is checked before its first byte is sent, bytes. What
/// follows is checked while it is sent.
const CHECKED_FIRST_BYTES_MAX: u64 = 64 << 20;
/// Bytes that wait for a slow reader.
const PIPE_BYTES: usize = 1 << 20;

/// Stores a blob. The request is signed by any account.
#[utoipa::path(put, path = "/api/v1/blobs",
    operation_id = "put_blob", tag = "content",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Blob)))]
pub(super) async fn put(State(app): State<Arc<App>>, party: Party, body: Body) -> Answer<Blob> {
    party.account(&ledger(&app)?)?;
    if body.size_hint().lower() > BLOB_BYTES_MAX {
        return Err(too_long());
    }
    let expected = party.signed()?.body;
    let stream = body.into_data_stream().map_err(io::Error::other);
    let reader = SyncIoBridge::new(StreamReader::new(stream));
    let stored = blocking(move || store(&app, Hashing::new(reader), expected));
    stored.await.map(Json)
}

fn store(app: &App, reader: Hashing<impl Read>, expected: Digest) -> Result<Blob, Failure> {
    let mut reader = reader;
    let stored = app.store.put(&mut reader);
    if reader.bytes > BLOB_BYTES_MAX {
        return Err(too_long());
    }
    let (root, bytes) = match stored {
        // The other side is the client.
        Err(StoreError::Peer(error)) => return Err(Failure::invalid(format!("the body: {error}"))),
        stored => stored?,
    };
    if reader.digest() == expected {
        return Ok(Blob { root: root.to_string(), bytes });
    }
    // The blob is whole under its own root and names nothing: it may stay.
    Err(Failure::new(ErrorCode::SignatureInvalid, "the signature is over another body"))
}

fn too_long() -> Failure {
    let message = format!("a blob has at most {BLOB_BYTES_MAX} bytes");
    Failure::new(ErrorCode::RequestTooLarge, message)
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
            return Err(io::Error::other("the blob is too long"));
        }
        Ok(count)
    }
}

#[derive(Deserialize)]
pub(super) struct Within {
    capsule: String,
}

/// A blob of a capsule. File tables and extension documents of published capsules are
/// public; files are for the owner and for grants that include `fetch`. With a `Range` of
/// the form `bytes=N-` the rest from byte N on: for a fetch that broke off. If it did
/// because the blob is damaged, asking for the rest is refused with `blob_corrupt`.
#[utoipa::path(get, path = "/api/v1/blobs/{root}",
    operation_id = "blob", tag = "content",
    params(("root" = String, Path), ("capsule" = String, Query), ("range" = Option<String>, Header)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream")))]
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(root): Path<String>,
    Asked(within): Asked<Within>,
    headers: HeaderMap,
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
    let from = first_byte(&headers);
    check_first(&app, root, from).await?;
    stream(app, root, from)
}

/// The first byte that is asked for: N of `bytes=N-` (RFC 9110, section 14.1.2). Whoever
/// asks for another range is sent the whole, as section 14.2 permits.
fn first_byte(headers: &HeaderMap) -> u64 {
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let first = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    first.and_then(|first| first.parse().ok()).unwrap_or_default()
}

/// Refuses a damaged blob by name, as long as nothing of it was sent.
async fn check_first(app: &Arc<App>, root: ContentRoot, from: u64) -> Result<(), Failure> {
    let app = Arc::clone(app);
    let end = from.saturating_add(CHECKED_FIRST_BYTES_MAX);
    blocking(move || Ok(app.store.verify_range(&root, from..end).map(drop)?)).await
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
    if reads(app, view, version, &party.account(view)?)? {
        return Ok(());
    }
    let message = "no grant of this account includes fetch";
    Err(Failure::new(ErrorCode::RightNotGranted, message))
}

/// Whether an account may read the files of a version.
pub(super) fn reads(
    app: &App,
    view: &LedgerView,
    version: &Version,
    account: &AccountId,
) -> Result<bool, Failure> {
    let owner = views::line(view, version.line)?.owner;
    Ok(account_id(view, owner)? == *account || has_grant(app, view, version, account)?)
}

fn has_grant(
    app: &App,
    view: &LedgerView,
    version: &Version,
    account: &AccountId,
) -> Result<bool, Failure> {
    for number in app.index.grants(account)? {
        let grant: Grant = view.must("grant", number, &Key::Grant(number))?;
        if views::may_fetch(view, version, &grant).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Streams a blob from a byte on, each part after it was checked. A damaged blob ends the
/// stream early, which the client sees from the length.
fn stream(app: Arc<App>, root: ContentRoot, from: u64) -> Result<Response, Failure> {
    let length = app.store.length(&root)?;
    let (reader, writer) = tokio::io::duplex(PIPE_BYTES);
    let writer = SyncIoBridge::new(writer);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = app.store.copy_range(&root, from..u64::MAX, writer) {
            tracing::warn!(%root, %error, "a blob was not handed out whole");
        }
    });
    let answer = Response::builder()
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(ACCEPT_RANGES, "bytes")
        .header(CONTENT_LENGTH, length.saturating_sub(from));
    let answer = if from == 0 {
        answer
    } else {
        let range = format!("bytes {from}-{}/{length}", length.saturating_sub(1));
        answer.status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, range)
    };
    answer
        .body(Body::from_stream(ReaderStream::new(reader)))
        .map_err(|error| Failure::new(ErrorCode::Internal, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_rest_from_a_byte_on_is_the_only_range() {
        let check = |range: &'static str, expect: u64| {
            let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static(range))]);
            assert_eq!(first_byte(&headers), expect, "{range}");
        };
        check("bytes=70000-", 70_000);
        check("bytes=0-", 0);
        check("bytes=5-9", 0);
        check("bytes=-9", 0);
        check("bytes=1-,5-", 0);
        check("lines=5-", 0);
        assert_eq!(first_byte(&HeaderMap::new()), 0);
    }
}
