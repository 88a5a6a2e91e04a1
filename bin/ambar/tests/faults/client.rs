//! A client that notes everything that it is told, however its connection ends.

use crate::proxy::HEADER;
use crate::script::Fault;
use crate::support::http::{Answer, Opened, Request};
use crate::support::market::until;
use serde_json::Value;
use std::time::Instant;

/// What a node says whose last block is too old.
const STALE: &str = "ledger_stale";

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The answer came whole, and said what it cost.
    Whole,
    /// The answer came, and an error at its end.
    Failed(String),
    /// An error came and nothing else.
    Refused(u16, String),
    /// The connection ended before the answer did, or what came is no answer.
    Broken(String),
    /// The client left.
    Left,
}

/// What a client was told in one attempt at a call.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub begun: Instant,
    pub ended: Instant,
    /// What went wrong between client and gateway.
    pub fault: Option<Fault>,
    pub ending: Ending,
    pub heard: Heard,
}

/// What came of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The receipt that it names.
    pub receipt: Option<String>,
    /// The receipt of an error.
    pub charged: Option<String>,
    pub replayed: bool,
    /// Whether it may be sent again, of a refusal.
    pub again: bool,
    pub text: String,
    /// Pieces of the text.
    pub pieces: u32,
    pub price: Option<String>,
    /// Prompt and answer tokens.
    pub tokens: Option<(u64, u64)>,
    pub finish: Option<String>,
    pub done: bool,
    pub error: Option<String>,
    line: Vec<u8>,
}

/// How a client asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    pub stream: bool,
    /// After how many pieces it leaves.
    pub leave: Option<u32>,
    /// What goes wrong between client and gateway, if it asks through a proxy.
    pub fault: Option<Fault>,
}

/// Makes one attempt. A node on a machine that is too busy to make blocks refuses before anything
/// else happens, and is asked again.
pub fn attempt(request: &Request, url: &str, how: How) -> Attempt {
    until("the ledger is fresh", || {
        let one = once(request, url, how);
        let stale = matches!(&one.ending, Ending::Refused(503, code) if code == STALE);
        (!stale).then_some(one)
    })
}

/// The same for a request whose answer is read as it is.
pub fn answer(request: &Request, url: &str) -> Answer {
    until("the ledger is fresh", || {
        let answer = request.send(url).unwrap();
        (answer.status != 503 || answer.code() != STALE).then_some(answer)
    })
}

fn once(request: &Request, url: &str, how: How) -> Attempt {
    let begun = Instant::now();
    let mut heard = Heard::default();
    let wished = how.fault.map(|fault| request.clone().header(HEADER, &fault.to_string()));
    let ending = match wished.as_ref().unwrap_or(request).open(url) {
        Ok(opened) => heard.listen(opened, how),
        Err(error) => Ending::Broken(error.to_string()),
    };
    let mut attempt = Attempt { begun, ended: Instant::now(), fault: how.fault, ending, heard };
    if how.fault.is_some_and(Fault::corrupts) {
        // What came is not what was sent, so it says nothing.
        attempt.ending = Ending::Broken("what came was changed on its way".to_owned());
        attempt.heard = Heard::default();
    }
    attempt
}

impl Heard {
    fn listen(&mut self, mut opened: Opened, how: How) -> Ending {
        let header = |name: &str| {
            let found = opened.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        self.receipt = header("ambar-receipt");
        self.price = header("ambar-price");
        self.replayed = header("ambar-replayed").is_some();
        self.again = header("x-should-retry").as_deref() == Some("true");
        if opened.status != 200 {
            self.charged = self.receipt.clone();
            let body = opened.bytes().ok().and_then(|body| serde_json::from_slice(&body).ok());
            let body: Value = body.unwrap_or_default();
            let code = body["error"]["code"].as_str().map(str::to_owned);
            return match code {
                Some(code) => Ending::Refused(opened.status, code),
                None => Ending::Broken(format!("status {} and no error", opened.status)),
            };
        }
        if !how.stream {
            return self.plain(&mut opened, how);
        }
        loop {
            match opened.chunk() {
                Ok(chunk) if chunk.is_empty() => return self.ended(),
                Ok(chunk) => {
                    if let Err(error) = self.take(&chunk) {
                        return Ending::Broken(error.to_string());
                    }
                }
                Err(error) => return Ending::Broken(error.to_string()),
            }
            if how.leave.is_some_and(|leave| self.pieces >= leave) && !self.done {
                return Ending::Left;
            }
        }
    }

    fn plain(&mut self, opened: &mut Opened, how: How) -> Ending {
        if how.leave.is_some() {
            return Ending::Left;
        }
        let body = match opened.bytes() {
            Ok(body) => body,
            Err(error) => return Ending::Broken(error.to_string()),
        };
        match serde_json::from_slice(&body) {
            Ok(body) => {
                self.object(&body, "message");
                self.done = true;
                Ending::Whole
            }
            Err(error) => Ending::Broken(error.to_string()),
        }
    }

    fn ended(&self) -> Ending {
        match (&self.error, self.done) {
            (Some(code), _) => Ending::Failed(code.clone()),
            (None, true) => Ending::Whole,
            (None, false) => Ending::Broken("a stream without an end".to_owned()),
        }
    }

    /// Takes the next bytes of a stream.
    fn take(&mut self, bytes: &[u8]) -> serde_json::Result<()> {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line).into_owned();
            self.line(&line)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> serde_json::Result<()> {
        if let Some(receipt) = line.strip_prefix(": ambar-receipt ") {
            self.charged = Some(receipt.to_owned());
        } else if let Some(price) = line.strip_prefix(": ambar-price ") {
            self.price = Some(price.to_owned());
        } else if line == "data: [DONE]" {
            self.done = true;
        } else if let Some(data) = line.strip_prefix("data: ") {
            self.object(&serde_json::from_str(data)?, "delta");
        }
        Ok(())
    }

    fn object(&mut self, object: &Value, member: &str) {
        if let Some(code) = object["error"]["code"].as_str() {
            self.error = Some(code.to_owned());
        }
        let usage = &object["usage"];
        if let (Some(tokens_in), Some(tokens_out)) =
            (usage["prompt_tokens"].as_u64(), usage["completion_tokens"].as_u64())
        {
            self.tokens = Some((tokens_in, tokens_out));
        }
        let choice = &object["choices"][0];
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish = Some(reason.to_owned());
        }
        let text = choice[member]["content"].as_str().unwrap_or_default();
        self.text += text;
        self.pieces += u32::from(!text.is_empty());
    }
}
