//! Sending requests, signed or not, and reading answers within limits.

use super::{ClientError, Trust};
use crate::signing::{
    ACCOUNT_HEADER, DIGEST_HEADER, KEY_HEADER, RequestStamp, SIGNATURE_HEADER, TIME_HEADER,
};
use ambar_base::{Digest, Moment, NetworkId, SecretKey};
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Largest answer that is read into memory, bytes.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence of a node: an audit works this long before it answers.
const READ_TIMEOUT: Duration = Duration::from_secs(600);

/// As whom a client asks.
#[derive(Clone, Debug, Default)]
pub enum Credential {
    /// As nobody: what is public.
    #[default]
    None,
    /// As the account that this key belongs to, on this network.
    Key(NetworkId, Box<SecretKey>),
    /// As the holder of this certificate: receipts of its channel.
    Certificate(String),
}

/// A client of one node.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    credential: Credential,
    account: Option<String>,
}

impl Client {
    /// A client of the node at `base_url`, such as `http://127.0.0.1:7700`, which trusts whom
    /// the environment names.
    ///
    /// # Errors
    /// [`ClientError::Url`].
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        Self::trusting(base_url, &Trust::from_environment())
    }

    /// The same trusting somebody in particular.
    ///
    /// # Errors
    /// [`ClientError::Url`], also if what is trusted cannot be read.
    pub fn trusting(base_url: &str, trust: &Trust) -> Result<Self, ClientError> {
        let refused = |reason: String| ClientError::Url { url: base_url.to_owned(), reason };
        let base: Url = base_url.parse().map_err(|error| refused(format!("{error}")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(refused("it begins with http:// or https:// and names a host".into()));
        }
        let tls = trust.config(base.scheme() == "https");
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.map_err(|error| refused(error.to_string()))?)
            .redirect(Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self { http, base, credential: Credential::None, account: None })
    }

    /// The same client asking as somebody.
    #[must_use]
    pub fn with(mut self, credential: Credential) -> Self {
        self.credential = credential;
        self
    }

    /// The same client asking for an account that its key was not the first of: after keys
    /// were rotated, or for an organisation.
    #[must_use]
    pub fn acting_for(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    /// The node's URL.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// `path` below `/api/v1` with query parameters; absent ones are left out.
    pub(super) fn url(&self, path: &str, query: &[(&str, Option<&str>)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/api/v1/{path}"));
        let given: Vec<_> =
            query.iter().filter_map(|(name, value)| value.map(|value| (*name, value))).collect();
        if !given.is_empty() {
            url.query_pairs_mut().extend_pairs(given);
        }
        url
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ClientError> {
        read_json(self.get_bytes(url).await?.as_slice())
    }

    pub(super) async fn get_bytes(&self, url: Url) -> Result<Vec<u8>, ClientError> {
        self.answer(self.request(&Method::GET, url, Digest::of(b""))).await
    }

    /// An answer whose body, still to be read, is the rest from a byte on.
    pub(super) async fn open_from(&self, url: Url, from: u64) -> Result<Response, ClientError> {
        let request = self.request(&Method::GET, url, Digest::of(b""));
        if from == 0 {
            return self.send(request).await;
        }
        let response = self.send(request.header(RANGE, format!("bytes={from}-"))).await?;
        if response.status() == StatusCode::PARTIAL_CONTENT {
            return Ok(response);
        }
        Err(ClientError::Answer("it begins anew where the rest was asked for".into()))
    }

    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|e| ClientError::Answer(e.to_string()))?;
        self.octets(method, url, "application/json", body).await
    }

    pub(super) async fn octets<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        media_type: &str,
        body: Vec<u8>,
    ) -> Result<T, ClientError> {
        let request = self.request(&method, url, Digest::of(&body));
        let request = request.header(DIGEST_HEADER, Digest::of(&body).to_string());
        let request = request.header(CONTENT_TYPE, media_type).body(body);
        read_json(&self.answer(request).await?)
    }

    /// Sends a body that streams; its digest is known before.
    pub(super) async fn stream<T: DeserializeOwned>(
        &self,
        url: Url,
        digest: Digest,
        body: Body,
    ) -> Result<T, ClientError> {
        let request = self.request(&Method::PUT, url, digest);
        let request = request.header(DIGEST_HEADER, digest.to_string());
        let request = request.header(CONTENT_TYPE, "application/octet-stream").body(body);
        read_json(&self.answer(request).await?)
    }

    fn request(&self, method: &Method, url: Url, body: Digest) -> RequestBuilder {
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let request = self.http.request(method.clone(), url);
        match &self.credential {
            Credential::None => request,
            Credential::Certificate(text) => {
                request.header(AUTHORIZATION, format!("Bearer {text}"))
            }
            Credential::Key(network, key) => {
                let time = now();
                let stamp = RequestStamp { method: method.to_string(), target, body, time };
                let signature = stamp.sign(*network, key);
                let request = match &self.account {
                    Some(account) => request.header(ACCOUNT_HEADER, account),
                    None => request,
                };
                request
                    .header(KEY_HEADER, key.public().did())
                    .header(TIME_HEADER, time.0.to_string())
                    .header(SIGNATURE_HEADER, hex::encode(signature.0))
            }
        }
    }

    /// Sends a request and reads all of the answer. Boxed, so that it is compiled once and not
    /// in every method of every caller.
    fn answer(&self, request: RequestBuilder) -> BoxFuture<'_, Result<Vec<u8>, ClientError>> {
        async { read_body(self.send(request).await?, ANSWER_BYTES_MAX).await }.boxed()
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let unreachable = |error: reqwest::Error| ClientError::Unreachable {
            url: self.base_url().to_owned(),
            reason: cause(&error),
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = read_body(response, ANSWER_BYTES_MAX).await?;
        Err(ClientError::refused(status.as_u16(), &body))
    }
}

/// The innermost cause: what a person understands.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

pub(super) async fn next_bytes(response: &mut Response) -> Result<Option<Vec<u8>>, ClientError> {
    let chunk = response.chunk().await;
    chunk
        .map(|chunk| chunk.map(|bytes| bytes.to_vec()))
        .map_err(|error| ClientError::Answer(cause(&error)))
}

async fn read_body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(bytes) = next_bytes(&mut response).await? {
        if body.len() + bytes.len() > bytes_max {
            return Err(ClientError::Answer(format!("it has more than {bytes_max} bytes")));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Answer(error.to_string()))
}
