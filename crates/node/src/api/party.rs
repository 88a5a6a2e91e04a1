//! As whom a request asks: a key that signed it, or a certificate.
//!
//! A signed request asks for an account if its key is one of that account's keys now. An
//! organisation's keys see what its departments do. A
//! certificate asks for the calls of its holder in its channel.

use super::App;
use super::failure::Failure;
use super::views::account_id;
use crate::signing::{
    ACCOUNT_HEADER, DIGEST_HEADER, KEY_HEADER, RequestStamp, SIGNATURE_HEADER, TIME_HEADER,
};
use ambar_base::{AccountId, Digest, ErrorCode, Moment, PublicKey, Signature};
use ambar_gateway::certificate::Opened;
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object::{Department, Role};
use ambar_ledger::query::State;
use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use std::sync::Arc;

/// As whom a request asks.
#[derive(Clone, Debug)]
pub(crate) enum Party {
    /// As nobody.
    Nobody,
    /// As a key.
    Signed(Signed),
    /// As the holder of a certificate.
    Certificate(Arc<Opened>),
}

/// A key that signed the request.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// The key.
    pub key: PublicKey,
    /// The digest of the body that it signed.
    pub body: Digest,
    /// The account that it says it acts for.
    pub account: Option<String>,
}

fn unauthenticated(message: impl Into<String>) -> Failure {
    let help = "sign the request with a key of the account";
    Failure { help: Some(help.into()), ..Failure::new(ErrorCode::Unauthenticated, message) }
}

impl Party {
    /// The signature, if the request has one.
    pub fn signed(&self) -> Result<&Signed, Failure> {
        match self {
            Self::Signed(signed) => Ok(signed),
            _ => Err(unauthenticated("the request is not signed")),
        }
    }

    /// Refuses unless the signature is over this body.
    pub fn signed_over(&self, body: &[u8]) -> Result<(), Failure> {
        if self.signed()?.body == Digest::of(body) {
            return Ok(());
        }
        Err(Failure::new(ErrorCode::SignatureInvalid, "the signature is over another body"))
    }

    /// Refuses unless the request is signed with a key of this account.
    pub fn must_be(&self, view: &LedgerView, account: &str) -> Result<AccountId, Failure> {
        let signed = self.signed()?;
        let (_, object, _) = view.account(account)?;
        let member = object.keys.as_ref().is_some_and(|keys| keys.keys.contains(&signed.key));
        if member {
            return Ok(object.id);
        }
        let message = format!("{} is no key of account {account}", signed.key.did());
        Err(Failure::new(ErrorCode::NotAuthorised, message))
    }

    /// Refuses unless the request is signed with a key of this account, or of the organisation
    /// whose department it is.
    pub fn may_see(&self, view: &LedgerView, account: &str) -> Result<AccountId, Failure> {
        self.signed()?;
        let own = self.must_be(view, account);
        let number = view.account_number(account)?;
        let Some(department) = department(view, number)? else { return own };
        let organisation = account_id(view, department.organisation)?.to_string();
        own.or_else(|refused| {
            let (_, object, _) = view.account(account)?;
            self.must_be(view, &organisation).map(|_| object.id).map_err(|_| refused)
        })
    }

    /// The same, and a department's own key needs the role to read.
    pub fn may_read(&self, view: &LedgerView, account: &str) -> Result<AccountId, Failure> {
        let id = self.may_see(view, account)?;
        let Some(department) = department(view, view.account_number(account)?)? else {
            return Ok(id);
        };
        let key = self.signed()?.key;
        let organisation = account_id(view, department.organisation)?.to_string();
        if department.allows(&key, Role::Read) || self.must_be(view, &organisation).is_ok() {
            return Ok(id);
        }
        let message = format!("key {} lacks the role `read` of the department", key.did());
        Err(Failure::new(ErrorCode::NotAuthorised, message))
    }

    /// The account that signed: the one it names, or the one its key opened.
    pub fn account(&self, view: &LedgerView) -> Result<AccountId, Failure> {
        let signed = self.signed()?;
        let own = signed.key.did();
        self.must_be(view, signed.account.as_deref().unwrap_or(&own))
    }

    /// Whether the request may read what an account paid and was paid.
    pub fn is(&self, view: &LedgerView, account: &AccountId) -> bool {
        self.may_read(view, &account.to_string()).is_ok()
    }
}

fn department(view: &LedgerView, number: u64) -> Result<Option<Department>, Failure> {
    Ok(view.object(&Key::Department(number))?)
}

impl FromRequestParts<Arc<App>> for Party {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        if let Some(bearer) = text(&parts.headers, AUTHORIZATION.as_str())? {
            let certificate = bearer.strip_prefix("Bearer ");
            let certificate = certificate.ok_or_else(|| unauthenticated("not a bearer token"))?;
            return Ok(Self::Certificate(app.gateway.certificate(certificate).await?));
        }
        let Some(did) = text(&parts.headers, KEY_HEADER)? else { return Ok(Self::Nobody) };
        let key = PublicKey::from_did(did).map_err(|e| unauthenticated(e.to_string()))?;
        let (stamp, signature) = stamp(parts)?;
        stamp
            .verify(app.network, &key, &signature, app.now())
            .map_err(|error| Failure::new(ErrorCode::SignatureInvalid, error.to_string()))?;
        let account = text(&parts.headers, ACCOUNT_HEADER)?.map(str::to_owned);
        Ok(Self::Signed(Signed { key, body: stamp.body, account }))
    }
}

fn stamp(parts: &Parts) -> Result<(RequestStamp, Signature), Failure> {
    let needed = |name| {
        let missing = || unauthenticated(format!("the header {name} is missing"));
        text(&parts.headers, name)?.ok_or_else(missing)
    };
    let time = needed(TIME_HEADER)?.parse().map(Moment);
    let time = time.map_err(|_| unauthenticated("the time is not a number"))?;
    let mut signature = [0; 64];
    hex::decode_to_slice(needed(SIGNATURE_HEADER)?, &mut signature)
        .map_err(|_| unauthenticated("the signature is not 128 hexadecimal digits"))?;
    let body = match text(&parts.headers, DIGEST_HEADER)? {
        None => Digest::of(b""),
        Some(digest) => digest.parse().map_err(|_| unauthenticated("the digest is none"))?,
    };
    let original = parts.extensions.get::<OriginalUri>();
    let uri = original.map_or(&parts.uri, |OriginalUri(uri)| uri);
    let target = uri.path_and_query().map_or(uri.path(), |target| target.as_str()).to_owned();
    Ok((
        RequestStamp { method: parts.method.to_string(), target, body, time },
        Signature(signature),
    ))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Failure> {
    let value = headers.get(name).map(|value| value.to_str());
    value.transpose().map_err(|_| unauthenticated(format!("the header {name} is not plain text")))
}
