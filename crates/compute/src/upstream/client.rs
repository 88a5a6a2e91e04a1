//! HTTP towards one upstream: base URL, TLS, time-outs, and the mapping of
//! everything that can fail there to typed errors.
//!
//! Redirects are not followed and proxies of the environment are not used: the
//! bearer secret goes to the configured host and to no other.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, Url};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use serde_json::Value;

use crate::error::Failure;
use crate::limits::{
    UPSTREAM_BODY_BYTES_MAX, UPSTREAM_CONNECT_TIMEOUT, UPSTREAM_ERROR_BYTES_MAX,
    UPSTREAM_IDLE_TIMEOUT,
};

use super::Secret;
use super::dialect::read_error;

/// The path that is added to a base URL without one.
const PATH_DEFAULT: &str = "/v1";

/// A client for one base URL.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    pub(super) fn new(url: &str, bearer: Option<&Secret>) -> Result<Self, Failure> {
        let refused = |reason: String| Failure::UpstreamConfig { url: url.to_owned(), reason };
        let base = base_url(url).map_err(refused)?;
        let tls = tls(base.scheme() == "https").map_err(|e| refused(e.to_string()))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .default_headers(headers(bearer).map_err(|reason| refused(reason.to_owned()))?)
            .redirect(Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(UPSTREAM_CONNECT_TIMEOUT)
            .read_timeout(UPSTREAM_IDLE_TIMEOUT)
            .build()
            .map_err(|e| refused(e.to_string()))?;
        Ok(Self { http, base })
    }

    /// Posts `body` and returns the answer once its head is there and good.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Response, Failure> {
        check_status(send(self.http.post(self.url(path)).json(body)).await?).await
    }

    /// Fetches a whole answer.
    pub(super) async fn get(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let response = check_status(send(self.http.get(self.url(path))).await?).await?;
        read_body(response).await
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        url
    }
}

async fn send(request: RequestBuilder) -> Result<Response, Failure> {
    request.send().await.map_err(|error| failure(&error))
}

/// The next bytes of an answer; `None` at its end.
pub(super) async fn next_bytes(response: &mut Response) -> Result<Option<Bytes>, Failure> {
    response.chunk().await.map_err(|error| failure(&error))
}

/// The whole answer, within its limit.
pub(super) async fn read_body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(bytes) = next_bytes(&mut response).await? {
        if body.len() + bytes.len() > UPSTREAM_BODY_BYTES_MAX {
            let bytes_max = UPSTREAM_BODY_BYTES_MAX;
            return Err(Failure::UpstreamTooLong { unit: "answer", bytes_max });
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

/// The answer's media type, without parameters, in lower case.
pub(super) fn media_type(response: &Response) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.unwrap_or_default().split(';').next().unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}

async fn check_status(mut response: Response) -> Result<Response, Failure> {
    let status = response.status().as_u16();
    if status == 200 {
        return Ok(response);
    }
    let mut body = Vec::new();
    // The status is the error; a body that breaks off only shortens its message.
    while let Ok(Some(bytes)) = next_bytes(&mut response).await {
        let room = UPSTREAM_ERROR_BYTES_MAX - body.len();
        body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() >= room {
            break;
        }
    }
    Err(Failure::UpstreamStatus { status, message: read_error(&body) })
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        return Failure::UpstreamUnreachable { reason: innermost(error) };
    }
    if error.is_timeout() {
        return Failure::UpstreamTimeout;
    }
    tracing::debug!(reason = innermost(error), "upstream connection broke");
    Failure::UpstreamClosed
}

/// The cause that says most, without the URL that the outer ones repeat.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

fn base_url(url: &str) -> Result<Url, String> {
    let mut base = Url::parse(url).map_err(|error| error.to_string())?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err("it begins with neither http:// nor https://".to_owned());
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err("it contains a user name or password; configure a bearer secret".to_owned());
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err("it has a query or fragment".to_owned());
    }
    if base.path() == "/" {
        base.set_path(PATH_DEFAULT);
    }
    Ok(base)
}

fn headers(bearer: Option<&Secret>) -> Result<HeaderMap, &'static str> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
    if let Some(Secret(secret)) = bearer {
        let value = HeaderValue::from_str(&format!("Bearer {secret}"));
        let mut value = value.map_err(|_| "the bearer secret has characters no header can hold")?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// TLS by rustls and ring. The machine's trust store is read only when it is
/// needed, so that plain HTTP works where there is none.
fn tls(needed: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = if needed {
        builder.with_platform_verifier()?
    } else {
        builder.with_root_certificates(RootCertStore::empty())
    };
    Ok(builder.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_checked_and_completed() {
        let check = |url: &str, expect: Option<&str>| {
            let client = Client::new(url, None).ok();
            let got = client.map(|client| client.url("models").to_string());
            assert_eq!(got.as_deref(), expect, "{url}");
        };
        check("http://host:1/v1", Some("http://host:1/v1/models"));
        check("http://host:1", Some("http://host:1/v1/models"));
        check("http://host:1/", Some("http://host:1/v1/models"));
        check("http://host/a/b/", Some("http://host/a/b/models"));
        check("ftp://host", None);
        check("host:8000", None);
        check("http://user:pass@host", None);
        check("http://host/?key=x", None);
        check("", None);
    }

    #[test]
    fn secrets_are_checked_and_never_shown() {
        let secret = Secret::new("s3cret");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        let client = Client::new("http://host", Some(&secret)).unwrap();
        assert!(!format!("{client:?}").contains("s3cret"));
        let error = Client::new("http://host", Some(&Secret::new("a\nb"))).unwrap_err();
        assert!(matches!(error, Failure::UpstreamConfig { .. }));
    }
}
