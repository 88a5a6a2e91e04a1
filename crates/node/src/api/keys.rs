//! Keys of sealed content. An owner hands them to the node that it trusts; whoever holds a
//! grant that includes `fetch` is given them, wrapped for him alone.

use super::App;
use super::dto::{KeepKey, KeyKept, KeyOffer, KeyReleased, KeySignature, ReleaseKey};
use super::extract::{Octets, Sent};
use super::failure::{Answer, Failure, blocking};
use super::party::Party;
use super::views::{account_id, ledger, line, may_fetch};
use crate::keys::random;
use crate::serve::manifest;
use ambar_base::{Cid, Decode, Encode, ErrorCode, PublicKey, Signature, codec};
use ambar_capsule::SignedManifest;
use ambar_capsule::sealing::{ReleaseRequest, Released};
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object::{Account, Grant, Version};
use ambar_ledger::query::State as _;
use ambar_licence::decision::LEDGER_AGE_MS_MAX;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;

/// Most signatures of one request for a key.
const SIGNATURES_MAX: usize = 32;

/// For which key this node wants the key of a version, published or about to be.
#[utoipa::path(get, path = "/api/v1/capsules/{capsule}/key",
    operation_id = "key_request", tag = "content",
    params(("capsule" = String, Path)),
    responses((status = 200, body = KeyOffer)))]
pub(super) async fn offer(
    State(app): State<Arc<App>>,
    Path(version): Path<String>,
) -> Answer<KeyOffer> {
    let (request, signature) = app.custody.request(id(&version)?);
    let (request, signature) = (hex::encode(request.to_bytes()), hex::encode(signature.0));
    Ok(Json(KeyOffer { request, signature }))
}

/// Keeps the key of a version for its creator, whose key signed the request.
#[utoipa::path(put, path = "/api/v1/capsules/{capsule}/key",
    operation_id = "keep_key", tag = "content",
    params(("capsule" = String, Path)),
    request_body = KeepKey, responses((status = 200, body = KeyKept)))]
pub(super) async fn keep(
    State(app): State<Arc<App>>,
    Path(version): Path<String>,
    party: Party,
    Octets(body): Octets,
) -> Answer<KeyKept> {
    let version = id(&version)?;
    party.signed_over(&body)?;
    let given: KeepKey = serde_json::from_slice(&body)
        .map_err(|error| Failure::invalid(format!("the body: {error}")))?;
    let signed: SignedManifest = read("the manifest", &given.manifest)?;
    let manifest = signed.open(app.network)?;
    if manifest.id() != version {
        return Err(Failure::invalid(format!("the manifest is that of {}", manifest.id())));
    }
    if party.account(&ledger(&app)?)? != manifest.creator {
        let message = "a key is given by the creator of its version";
        return Err(Failure::new(ErrorCode::NotAuthorised, message));
    }
    let wrapped: Released = read("the key", &given.key)?;
    blocking(move || Ok(app.custody.keep(&manifest, &wrapped)?)).await?;
    Ok(Json(KeyKept { capsule: version.to_string() }))
}

/// Releases the key of a version to its owner, or for a grant that includes `fetch`. The
/// request is signed by the account that asks; the answer opens for that request alone.
#[utoipa::path(post, path = "/api/v1/capsules/{capsule}/key",
    operation_id = "release_key", tag = "content",
    params(("capsule" = String, Path)),
    request_body = ReleaseKey, responses((status = 200, body = KeyReleased)))]
pub(super) async fn release(
    State(app): State<Arc<App>>,
    Path(version): Path<String>,
    Sent(asked): Sent<ReleaseKey>,
) -> Answer<KeyReleased> {
    let version = id(&version)?;
    let request: ReleaseRequest = read("the request", &asked.request)?;
    if (request.network, request.version) != (app.network, version) {
        return Err(Failure::invalid("the request is for another version or network"));
    }
    let view = ledger(&app)?;
    fresh(&app, &view)?;
    let (number, object) = view.version(&version)?;
    authorised(&view, &request, &asked.signatures)?;
    entitled(&view, &object, &request)?;
    let manifest = manifest(&view, number)?;
    let released = blocking(move || wrapped(&app, &manifest, &request)).await?;
    Ok(Json(KeyReleased { key: hex::encode(released.to_bytes()) }))
}

fn wrapped(
    app: &App,
    manifest: &ambar_capsule::Manifest,
    request: &ReleaseRequest,
) -> Result<Released, Failure> {
    let version = request.version;
    let sealed = manifest.content.sealed.as_ref();
    let sealed = sealed.ok_or(crate::custody::CustodyError::NotSealed(version))?;
    let key = app.custody.key(version, sealed)?;
    let released = request.wrap(&key, &*random::<32>()?);
    let released = released.map_err(|error| Failure::invalid(error.to_string()))?;
    tracing::info!(%version, licensee = %request.licensee, grant = request.grant,
        "the key was released");
    Ok(released)
}

/// A version by id: one that is not published has no name.
fn id(text: &str) -> Result<Cid, Failure> {
    text.parse().map_err(|error| Failure::invalid(format!("{text}: {error}")))
}

fn read<T: Decode>(what: &str, text: &str) -> Result<T, Failure> {
    let bytes = hex::decode(text).map_err(|error| Failure::invalid(format!("{what}: {error}")))?;
    codec::decode(&bytes).map_err(|error| Failure::invalid(format!("{what}: {error}")))
}

/// A node that has not heard of the last blocks may not have heard of a revocation either.
fn fresh(app: &App, view: &LedgerView) -> Result<(), Failure> {
    let age = app.now().0.saturating_sub(view.head().time.0);
    if age <= LEDGER_AGE_MS_MAX {
        return Ok(());
    }
    let message = format!("the last final block is {age} ms old");
    Err(Failure::new(ErrorCode::LedgerStale, message))
}

/// Whether enough keys of the account that asks have signed.
fn authorised(
    view: &LedgerView,
    request: &ReleaseRequest,
    signatures: &[KeySignature],
) -> Result<(), Failure> {
    if signatures.len() > SIGNATURES_MAX {
        let message = format!("more than {SIGNATURES_MAX} signatures");
        return Err(Failure::new(ErrorCode::LimitExceeded, message));
    }
    let mut signers = Vec::new();
    for signature in signatures {
        let key = PublicKey::from_did(&signature.key);
        let key = key.map_err(|error| Failure::invalid(error.to_string()))?;
        let mut bytes = [0; 64];
        hex::decode_to_slice(&signature.signature, &mut bytes)
            .map_err(|_| Failure::invalid("a signature has 128 hexadecimal digits"))?;
        let signed = request.signed(&key, &Signature(bytes)).verify();
        signed.map_err(|error| Failure::new(ErrorCode::SignatureInvalid, error.to_string()))?;
        signers.push(key);
    }
    let (_, account, _): (u64, Account, _) = view.account(&request.licensee.to_string())?;
    let refuse = |message: String| Failure::new(ErrorCode::NotAuthorised, message);
    let keys = account.keys.ok_or_else(|| refuse("this account has no keys".into()))?;
    keys.authorise(&signers).map_err(|error| refuse(error.to_string()))
}

/// Whether the account may have the content: the owner of the line, whatever grant it names,
/// or a licensee.
fn entitled(view: &LedgerView, version: &Version, request: &ReleaseRequest) -> Result<(), Failure> {
    let owner = line(view, version.line)?.owner;
    if account_id(view, owner)? == request.licensee {
        return Ok(());
    }
    let grant: Grant = view.must("grant", request.grant, &Key::Grant(request.grant))?;
    if account_id(view, grant.licensee)? != request.licensee {
        let message = format!("grant {} is somebody else's", request.grant);
        return Err(Failure::new(ErrorCode::NotAuthorised, message));
    }
    may_fetch(view, version, &grant)
}
