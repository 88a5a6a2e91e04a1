//! A market whose model is the mock, through a proxy that breaks what scripts name; and one call
//! at a time, with what its receipt says.

use crate::client::{Attempt, Ending, How, answer, attempt};
use crate::common::text;
use crate::mock::Mock;
use crate::proxy::{Proxy, wished};
use crate::script::Script;
use crate::storm::breaking;
use crate::support::http::Request;
use crate::support::market::{Market, chat, nano, until};
use serde_json::{Value, json};

/// Most tokens of each answer, unless a test says otherwise.
pub const TOKENS_MAX: u32 = 10;

/// All that a call needs.
pub struct Stand {
    pub market: Market,
    pub mock: Mock,
    /// Between clients and gateway.
    pub proxy: Proxy,
    pub model: String,
    pub channel: String,
    pub certificate: String,
    _upstream: Proxy,
}

/// What a receipt says.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub outcome: String,
    pub price: u64,
    pub tokens: (u64, u64),
}

impl Stand {
    pub fn open() -> Self {
        let mock = Mock::start();
        let upstream = breaking(&mock);
        let market = Market::open();
        let model = market.model("model", &format!("upstream:{}#big", upstream.url()));
        let channel = market.license(&model, "50");
        let certificate = market.mint(&channel, &[]);
        let proxy = Proxy::before(market.url(), wished);
        Self { market, mock, proxy, model, channel, certificate, _upstream: upstream }
    }

    pub fn body(&self, script: &Script, stream: bool) -> Value {
        let message = json!({"role": "user", "content": script.question()});
        let mut body = json!({
            "model": self.model, "messages": [message], "max_tokens": TOKENS_MAX, "stream": stream,
        });
        if stream {
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }

    pub fn request(&self, script: &Script, stream: bool) -> Request {
        chat(&self.body(script, stream)).bearer(&self.certificate)
    }

    /// The same with a key of the script's own.
    pub fn keyed(&self, script: &Script, stream: bool) -> Request {
        self.request(script, stream).header("Idempotency-Key", &key(script))
    }

    /// Asks once.
    pub fn ask(&self, script: &Script, stream: bool) -> Attempt {
        attempt(&self.keyed(script, stream), self.market.url(), How { stream, ..How::default() })
    }

    /// Asks, and leaves after so many pieces.
    pub fn leave(&self, script: &Script, after: u32) -> Attempt {
        let how = How { stream: true, leave: Some(after), fault: None };
        let left = attempt(&self.keyed(script, true), self.market.url(), how);
        assert_eq!(left.ending, Ending::Left, "{left:?}");
        left
    }

    /// What the receipt of a script's call says, once it is there.
    pub fn receipt(&self, script: &Script) -> (String, Said) {
        let id = text(&self.market.receipt_of(&self.certificate, &key(script)), "id");
        let said = self.said(&id);
        (id, said)
    }

    /// What a receipt says, once it is there.
    pub fn said(&self, id: &str) -> Said {
        let receipt = until("the receipt is there", || {
            let path = format!("/api/v1/receipts/{id}");
            let answer = self.market.ask(&self.certificate, &path);
            (answer.status == 200).then(|| answer.json())
        });
        let counted = |counter: &str| {
            let lines = receipt["lines"].as_array().unwrap();
            lines.iter().filter_map(|line| line["counters"][counter].as_u64()).sum()
        };
        Said {
            outcome: text(&receipt, "outcome"),
            price: nano(&text(&receipt, "price")),
            tokens: (counted("tokens_in"), counted("tokens_out")),
        }
    }

    /// Whether a call of this key was charged.
    pub fn is_charged(&self, script: &Script) -> bool {
        let path = format!("/api/v1/receipts?idempotency_key={}", key(script));
        self.market.ask(&self.certificate, &path).ok().as_array().is_some_and(|all| !all.is_empty())
    }

    /// What is held for a call, nano-credit: the gateway says it to who would pay less.
    pub fn held(&self, script: &Script, stream: bool) -> u64 {
        let request = self.request(script, stream).header("Ambar-Price-Max", "0.000000001");
        let refused = answer(&request, self.market.url());
        refused.refused(402, "price_above_limit");
        let message = text(&refused.json()["error"], "message");
        let price = message.split(' ').find(|word| word.starts_with("0.")).unwrap();
        nano(price)
    }
}

/// The idempotency key of a script's call.
pub fn key(script: &Script) -> String {
    format!("key-{}", script.id)
}
