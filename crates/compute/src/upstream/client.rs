//! HTTP towards one upstream: base URL, TLS, kept connections, time-outs, and the mapping of
//! everything that can fail there to typed errors.
//!
//! Redirects are not followed and proxies of the environment are not used: the
//! bearer secret goes to the configured host and to no other.

use std::error::Error as StdError;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::http::uri::InvalidUri;
use hyper::{Method, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::timeout;

use crate::error::Failure;
use crate::limits::{
    UPSTREAM_BODY_BYTES_MAX, UPSTREAM_CONNECT_TIMEOUT, UPSTREAM_ERROR_BYTES_MAX,
    UPSTREAM_IDLE_CONNECTION_TIMEOUT, UPSTREAM_IDLE_CONNECTIONS_MAX, UPSTREAM_IDLE_TIMEOUT,
    UPSTREAM_RETRY_AFTER_MS_MAX,
};

use super::Secret;
use super::dialect::read_error;

/// The path that is added to a base URL without one.
const PATH_DEFAULT: &str = "/v1";

/// What is asked of a service, by its path below the base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Chat,
    Completions,
    Embeddings,
    Models,
}

impl Place {
    const ALL: [Self; 4] = [Self::Chat, Self::Completions, Self::Embeddings, Self::Models];

    const fn path(self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
        }
    }
}

/// A client for one base URL.
#[derive(Debug)]
pub(super) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Where each [`Place`] is, in their order.
    places: [Uri; Place::ALL.len()],
    headers: HeaderMap,
    headers_of_body: HeaderMap,
}

/// An answer whose head is there and good.
pub(super) type Answer = Response<Incoming>;

impl Client {
    pub(super) fn new(url: &str, bearer: Option<&Secret>) -> Result<Self, Failure> {
        let refused = |reason: String| Failure::UpstreamConfig { url: url.to_owned(), reason };
        let base = base_url(url).map_err(refused)?;
        let tls = tls(base.starts_with("https:")).map_err(|e| refused(e.to_string()))?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(UPSTREAM_CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(UPSTREAM_IDLE_CONNECTION_TIMEOUT)
            .pool_max_idle_per_host(UPSTREAM_IDLE_CONNECTIONS_MAX)
            .build(connector);
        let headers = headers(bearer).map_err(|reason| refused(reason.to_owned()))?;
        let mut headers_of_body = headers.clone();
        headers_of_body.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut places: [Uri; Place::ALL.len()] = Default::default();
        for (uri, place) in places.iter_mut().zip(Place::ALL) {
            let parsed = format!("{base}/{}", place.path()).parse();
            *uri = parsed.map_err(|error: InvalidUri| refused(error.to_string()))?;
        }
        Ok(Self { http, places, headers, headers_of_body })
    }

    /// Posts `body` and returns the answer once its head is there and good.
    pub(super) async fn post(&self, place: Place, body: Vec<u8>) -> Result<Answer, Failure> {
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = Method::POST;
        request.headers_mut().clone_from(&self.headers_of_body);
        self.send(place, request).await
    }

    /// Fetches a whole answer.
    pub(super) async fn get(&self, place: Place) -> Result<Vec<u8>, Failure> {
        let mut request = Request::new(Full::default());
        request.headers_mut().clone_from(&self.headers);
        let answer = self.send(place, request).await?;
        read_body(answer, UPSTREAM_BODY_BYTES_MAX).await
    }

    async fn send(
        &self,
        place: Place,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Answer, Failure> {
        request.uri_mut().clone_from(&self.places[place as usize]);
        let sent = timeout(UPSTREAM_IDLE_TIMEOUT, self.http.request(request)).await;
        let answer = sent.map_err(|_| Failure::UpstreamTimeout)?;
        check_status(answer.map_err(|error| failure(&error))?).await
    }
}

/// The next bytes of an answer; `None` at its end.
pub(super) async fn next_bytes(answer: &mut Answer) -> Result<Option<Bytes>, Failure> {
    loop {
        let frame = timeout(UPSTREAM_IDLE_TIMEOUT, answer.body_mut().frame()).await;
        match frame.map_err(|_| Failure::UpstreamTimeout)? {
            None => return Ok(None),
            Some(Ok(frame)) => {
                // Trailers say nothing here.
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Some(Err(error)) => {
                tracing::debug!(reason = innermost(&error), "upstream connection broke");
                return Err(Failure::UpstreamClosed);
            }
        }
    }
}

/// The whole answer, within its limit.
pub(super) async fn read_body(mut answer: Answer, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(bytes) = next_bytes(&mut answer).await? {
        if body.len() + bytes.len() > bytes_max {
            return Err(Failure::UpstreamTooLong { unit: "answer", bytes_max });
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

/// The answer's media type, without parameters, in lower case.
pub(super) fn media_type(answer: &Answer) -> String {
    let value = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.unwrap_or_default().split(';').next().unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}

async fn check_status(mut answer: Answer) -> Result<Answer, Failure> {
    let status = answer.status().as_u16();
    if status == 200 {
        return Ok(answer);
    }
    let mut body = Vec::new();
    // The status is the error; a body that breaks off only shortens its message.
    while let Ok(Some(bytes)) = next_bytes(&mut answer).await {
        let room = UPSTREAM_ERROR_BYTES_MAX - body.len();
        body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() >= room {
            break;
        }
    }
    let (message, param) = read_error(&body);
    Err(match status {
        // What the caller can mend; a key that is refused or a model that is not there is the
        // operator's.
        400 | 413 | 415 | 422 => Failure::UpstreamRefused { message, param },
        429 | 503 => {
            let retry_after_ms = retry_after_ms(answer.headers());
            Failure::UpstreamBusy { status, message, retry_after_ms }
        }
        _ => Failure::UpstreamStatus { status, message },
    })
}

/// How long an upstream asks to wait: `retry-after-ms`, as the dialect has it, or seconds
/// (RFC 9110, section 10.2.3). A date is not read: it would need its clock to be ours.
fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let asked = number("retry-after-ms")
        .or_else(|| number(RETRY_AFTER.as_str()).map(|seconds| seconds.saturating_mul(1_000)));
    asked.map(|asked| asked.min(UPSTREAM_RETRY_AFTER_MS_MAX))
}

fn failure(error: &legacy::Error) -> Failure {
    if error.is_connect() {
        return Failure::UpstreamUnreachable { reason: innermost(error) };
    }
    tracing::debug!(reason = innermost(error), "upstream connection broke");
    Failure::UpstreamClosed
}

/// The cause that says most.
fn innermost(error: &dyn StdError) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// The base URL without a slash at its end.
fn base_url(url: &str) -> Result<String, String> {
    if url.contains(['?', '#']) {
        return Err("it has a query or fragment".to_owned());
    }
    let uri: Uri = url.parse().map_err(|error: InvalidUri| error.to_string())?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
    let scheme = scheme.ok_or("it begins with neither http:// nor https://")?;
    let authority = uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
    if authority.is_empty() {
        return Err("it names no host".to_owned());
    }
    if authority.contains('@') {
        return Err("it contains a user name or password; configure a bearer secret".to_owned());
    }
    let path = match uri.path() {
        "" | "/" => PATH_DEFAULT,
        path => path.trim_end_matches('/'),
    };
    Ok(format!("{scheme}://{authority}{path}"))
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
            let got = client.map(|client| client.places[Place::Models as usize].to_string());
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
    fn how_long_to_wait() {
        let check = |name: &'static str, value: &'static str, expect| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(retry_after_ms(&headers), expect, "{name}: {value}");
        };
        check("retry-after", "2", Some(2_000));
        check("retry-after-ms", "250", Some(250));
        check("retry-after", "99999999999999999999", None);
        check("retry-after", "9999999999999999", Some(UPSTREAM_RETRY_AFTER_MS_MAX));
        check("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", None);
        assert_eq!(retry_after_ms(&HeaderMap::new()), None);
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
