//! Calls through the OpenAI dialect, as any client of it makes them: the certificate is
//! the API key. Streams are read event by event (WHATWG HTML, server-sent events).

use crate::clock::now;
use crate::failure::{Failure, OrFail, Outcome};
use ambar_base::{ErrorCode, Price, SecretKey};
use ambar_gateway::authorisation::{Authorisation, fingerprint};
use ambar_gateway::certificate::inspect;
use ambar_node::client::Trust;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(300);
/// Longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Where a conversation goes on.
const CHAT: &str = "/v1/chat/completions";
/// How a stream names its receipt, in a comment line.
const RECEIPT_COMMENT: &str = ": ambar-receipt ";

/// A call to make.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The capsule, by id or name.
    pub model: String,
    /// The user's message.
    pub text: String,
    /// The declared purpose.
    pub purpose: Option<String>,
    /// Most that it may cost.
    pub price_max: Option<Price>,
    /// The agent's key, which signs the call.
    pub agent: Option<SecretKey>,
    /// Most tokens of answer.
    pub max_tokens: Option<u32>,
    /// Sampling temperature; nothing: the gateway's own.
    pub temperature: Option<f32>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// The receipt's id.
    pub receipt: String,
    /// What it cost, if the answer says so; streams do not.
    pub price: Option<String>,
    /// The work, likewise.
    pub mu: Option<String>,
}

/// A gateway and the certificate to call it with.
#[derive(Clone, Debug)]
pub struct Dialect {
    http: Client,
    base_url: String,
    certificate: String,
}

impl Dialect {
    /// Calls through the gateway at `base_url`, such as `http://127.0.0.1:7700`, if it is whom
    /// `trust` says.
    pub fn new(base_url: &str, certificate: &str, trust: &Trust) -> Outcome<Self> {
        let http = http(base_url, trust)?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { http, base_url, certificate: certificate.to_owned() })
    }

    /// Asks and waits for the whole answer.
    pub async fn ask(&self, question: &Question) -> Outcome<Answer> {
        let response = self.send(self.request(question, false)?).await?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (receipt, price, mu) =
            (header("ambar-receipt"), header("ambar-price"), header("ambar-mu"));
        let body = whole(response).await?;
        let body: Value = serde_json::from_slice(&body).or_fail(ErrorCode::BadGateway)?;
        let text = body["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
        Ok(Answer { text, receipt: receipt.ok_or_else(no_receipt)?, price, mu })
    }

    /// Asks and hands over each piece of the answer as it comes.
    pub async fn stream(
        &self,
        question: &Question,
        mut piece: impl FnMut(&str) -> Outcome,
    ) -> Outcome<Answer> {
        let mut response = self.send(self.request(question, true)?).await?;
        let mut reading = Reading::default();
        while let Some(bytes) = response.chunk().await.map_err(broken)? {
            for text in reading.take(&bytes)? {
                piece(&text)?;
            }
        }
        reading.finish()
    }

    fn request(&self, question: &Question, stream: bool) -> Outcome<RequestBuilder> {
        let mut body = json!({
            "model": question.model,
            "messages": [{ "role": "user", "content": question.text }],
            "stream": stream,
        });
        if let Some(tokens) = question.max_tokens {
            body["max_tokens"] = tokens.into();
        }
        if let Some(temperature) = question.temperature {
            body["temperature"] = temperature.into();
        }
        let body = body.to_string();
        let request = self.http.post(format!("{}{CHAT}", self.base_url));
        let mut request = request.bearer_auth(&self.certificate);
        if let Some(purpose) = &question.purpose {
            request = request.header("ambar-purpose", purpose);
        }
        if let Some(price) = question.price_max {
            request = request.header("ambar-price-max", price.to_string());
        }
        if let Some(agent) = &question.agent {
            request = self.signed(request, question, agent, body.as_bytes())?;
        }
        Ok(request.header(CONTENT_TYPE, "application/json").body(body))
    }

    /// Has the agent sign the call, under a key of its own so that it is charged once.
    fn signed(
        &self,
        request: RequestBuilder,
        question: &Question,
        agent: &SecretKey,
        body: &[u8],
    ) -> Outcome<RequestBuilder> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).or_fail(ErrorCode::Internal)?;
        let described = inspect(&self.certificate)?;
        let authorisation = Authorisation {
            network: described.authority.network,
            channel: described.authority.channel,
            holder: described.holder,
            request: fingerprint(CHAT, body),
            key: hex::encode(random),
            purpose: question.purpose.clone(),
            price_max: question.price_max,
            time: now(),
            salt: None,
        };
        let signature = authorisation.sign(agent);
        Ok(request
            .header("idempotency-key", &authorisation.key)
            .header("ambar-agent", agent.public().did())
            .header("ambar-agent-time", authorisation.time.0.to_string())
            .header("ambar-agent-signature", hex::encode(signature.0)))
    }

    async fn send(&self, request: RequestBuilder) -> Outcome<Response> {
        let unreachable = |error: reqwest::Error| {
            let message = format!("no node answers at {}: {}", self.base_url, cause(&error));
            Failure::new(ErrorCode::NodeUnreachable, message)
        };
        let response = request.send().await.map_err(unreachable)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        Err(refusal(status, &whole(response).await?))
    }
}

/// The HTTP client that calls the gateway at `base_url`, if it is whom `trust` says.
pub fn http(base_url: &str, trust: &Trust) -> Outcome<Client> {
    Client::builder()
        .tls_backend_preconfigured(trust.config(base_url.starts_with("https://"))?)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
        .or_fail(ErrorCode::Internal)
}

/// What a stream has said so far.
#[derive(Default)]
struct Reading {
    rest: Vec<u8>,
    text: String,
    receipt: Option<String>,
    done: bool,
}

impl Reading {
    /// Takes bytes as they come; the pieces of text that are whole now.
    fn take(&mut self, bytes: &[u8]) -> Outcome<Vec<String>> {
        self.rest.extend_from_slice(bytes);
        if self.rest.len() + self.text.len() > ANSWER_BYTES_MAX {
            return Err(Failure::new(ErrorCode::BadGateway, "the answer is too long"));
        }
        let mut pieces = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8(line).or_fail(ErrorCode::BadGateway)?;
            pieces.extend(self.line(line.trim_end())?);
        }
        Ok(pieces)
    }

    fn line(&mut self, line: &str) -> Outcome<Option<String>> {
        if let Some(receipt) = line.strip_prefix(RECEIPT_COMMENT) {
            self.receipt = Some(receipt.trim().to_owned());
        }
        let Some(data) = line.strip_prefix("data:").map(str::trim_start) else { return Ok(None) };
        if data == "[DONE]" {
            self.done = true;
            return Ok(None);
        }
        let event: Value = serde_json::from_str(data).or_fail(ErrorCode::BadGateway)?;
        if event.get("error").is_some() {
            return Err(refusal(0, data.as_bytes()));
        }
        let piece = event["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
        self.text.push_str(piece);
        Ok((!piece.is_empty()).then(|| piece.to_owned()))
    }

    fn finish(self) -> Outcome<Answer> {
        if !self.done {
            let message = "the stream ended before the answer did; what was delivered is charged";
            return Err(Failure::new(ErrorCode::BadGateway, message)
                .helping("`ambar receipt list` shows what was charged"));
        }
        let receipt = self.receipt.ok_or_else(no_receipt)?;
        Ok(Answer { text: self.text, receipt, price: None, mu: None })
    }
}

/// A refusal in the dialect's shape, or what can be said without one.
fn refusal(status: u16, body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &body["error"];
    let said = error["code"].as_str();
    let code = ErrorCode::ALL.iter().find(|code| Some(code.text()) == said);
    let code = code.copied().unwrap_or(ErrorCode::BadGateway);
    let unsaid = || format!("the gateway answered with status {status}");
    Failure::new(code, error["message"].as_str().map_or_else(unsaid, str::to_owned))
}

async fn whole(mut response: Response) -> Outcome<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.map_err(broken)? {
        body.extend_from_slice(&bytes);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(Failure::new(ErrorCode::BadGateway, "the answer is too long"));
        }
    }
    Ok(body)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
fn broken(error: reqwest::Error) -> Failure {
    Failure::new(ErrorCode::BadGateway, format!("the answer broke off: {}", cause(&error)))
}

fn no_receipt() -> Failure {
    Failure::new(ErrorCode::BadGateway, "the answer names no receipt")
}

/// The innermost cause: what a person understands.
pub fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Zo\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"ë\"}}]}\r\n\n\
        data: {\"choices\":[],\"usage\":{}}\n\n: ambar-receipt 3-17\n\ndata: [DONE]\n\n";

    #[test]
    fn streams_may_break_anywhere() {
        for cut in 0..STREAM.len() {
            let (one, two) = STREAM.as_bytes().split_at(cut);
            let mut reading = Reading::default();
            let mut pieces = reading.take(one).unwrap();
            pieces.extend(reading.take(two).unwrap());
            assert_eq!(pieces, ["Zo", "ë"]);
            let answer = reading.finish().unwrap();
            assert_eq!((answer.text.as_str(), answer.receipt.as_str()), ("Zoë", "3-17"));
        }
    }

    #[test]
    fn streams_that_fail() {
        let error = r#"{"error":{"message":"channel 3 is empty","code":"channel_empty"}}"#;
        let failure = Reading::default().take(format!("data: {error}\n").as_bytes()).unwrap_err();
        assert_eq!(failure.code, ErrorCode::ChannelEmpty);
        let mut reading = Reading::default();
        reading.take(&STREAM.as_bytes()[..60]).unwrap();
        assert!(reading.finish().unwrap_err().message.contains("ended before"));
        assert_eq!(refusal(500, b"<html>").code, ErrorCode::BadGateway);
    }
}
