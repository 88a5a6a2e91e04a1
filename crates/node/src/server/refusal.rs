//! Why the port ends or refuses a connection, how often it did, and how it says so where
//! an answer in HTTP is still possible.
//!
//! It deliberately knows no route: an answer here is the same for every request.

use ambar_base::ErrorCode;
use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use std::sync::atomic::{AtomicU64, Ordering};

/// When a refused client may come back, seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There are too many connections.
    Connections,
    /// There are too many from its address.
    Address,
    /// Plain HTTP where only TLS is spoken.
    Plain,
    /// No byte came in time, or the TLS handshake failed.
    Opening,
    /// The head took too long.
    HeadTime,
    /// The head is too long, or has too many headers.
    HeadSize,
    /// What came is no HTTP.
    Malformed,
    /// Nothing was asked for a long time.
    Idle,
    /// The body took too long.
    BodyTime,
    /// The client did not read its answer.
    Stalled,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Connections,
        Self::Address,
        Self::Plain,
        Self::Opening,
        Self::HeadTime,
        Self::HeadSize,
        Self::Malformed,
        Self::Idle,
        Self::BodyTime,
        Self::Stalled,
    ];

    /// Its name in figures.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Address => "address",
            Self::Plain => "plain",
            Self::Opening => "opening",
            Self::HeadTime => "head_time",
            Self::HeadSize => "head_size",
            Self::Malformed => "malformed",
            Self::Idle => "idle",
            Self::BodyTime => "body_time",
            Self::Stalled => "stalled",
        }
    }

    /// Status, code and message; nothing where nobody would read an answer.
    const fn told(self) -> Option<(u16, ErrorCode, &'static str)> {
        Some(match self {
            Self::Connections => (503, ErrorCode::Overloaded, "there are too many connections"),
            Self::Address => (429, ErrorCode::Overloaded, "too many connections from one address"),
            Self::Plain => (400, ErrorCode::RequestInvalid, "this port speaks TLS: use https"),
            Self::HeadTime => (408, ErrorCode::RequestInvalid, "the request's head took too long"),
            Self::HeadSize => (431, ErrorCode::RequestTooLarge, "the request's head is too large"),
            Self::BodyTime => (408, ErrorCode::RequestInvalid, "the request's body took too long"),
            Self::Opening | Self::Malformed | Self::Idle | Self::Stalled => return None,
        })
    }

    fn body(self) -> Option<(u16, String)> {
        let (status, code, message) = self.told()?;
        let error = serde_json::json!({ "error": {
            "message": message, "type": "invalid_request_error", "code": code.text(),
            "param": null, "help": code.help(),
        }});
        Some((status, format!("{error}\n")))
    }

    /// The answer to a request, after which an HTTP/1 connection closes.
    pub(super) fn response(self, http2: bool) -> Response<Body> {
        let (status, body) = self.body().unwrap_or((400, String::new()));
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if matches!(status, 429 | 503) {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if !http2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// The same as the bytes of HTTP/1.1, where no request could be read.
    pub(super) fn bytes(self) -> Option<Vec<u8>> {
        let (status, body) = self.body()?;
        let phrase = StatusCode::from_u16(status).ok()?.canonical_reason()?;
        let retry = match status {
            429 | 503 => format!("retry-after: {RETRY_AFTER_SECONDS}\r\n"),
            _ => String::new(),
        };
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{retry}connection: close\r\n\r\n{body}"
        );
        Some(text.into_bytes())
    }
}

/// What the port did.
#[derive(Debug, Default)]
pub struct Figures {
    /// Connections accepted since the start.
    pub accepted: AtomicU64,
    /// Connections open now.
    pub open: AtomicU64,
    /// Connections of other nodes, of those accepted.
    pub peers: AtomicU64,
    /// How often the port rested for want of file descriptors.
    pub pauses: AtomicU64,
    ended: [AtomicU64; Reason::ALL.len()],
}

impl Figures {
    pub(super) fn count(&self, reason: Reason) {
        self.ended[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often a connection or a request ended for a reason.
    #[must_use]
    pub fn ended(&self, reason: Reason) -> u64 {
        self.ended[reason as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_whole_and_say_what_to_do() {
        for (place, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place, "{reason:?}");
            let Some(bytes) = reason.bytes() else { continue };
            let text = String::from_utf8(bytes).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
            let told: serde_json::Value = serde_json::from_str(body).unwrap();
            assert!(told["error"]["code"].is_string(), "{body}");
            let later = matches!(reason, Reason::Connections | Reason::Address);
            assert_eq!(head.contains("retry-after: 1"), later, "{head}");
            let status = reason.response(true).status().as_u16();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        }
    }
}
