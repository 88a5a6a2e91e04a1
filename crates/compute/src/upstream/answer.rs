//! What is known of an upstream's answer so far, and how its pieces are handed on.
//!
//! **Invariants**: an answer is whole only if every choice that said something has said why it
//! ended; an upstream that does not keep to the tokens that were asked for is cut there, because
//! nobody has paid for more.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::dialect::{Delta, finish_of};
use super::sse::SseDecoder;
use super::template_tokens_max;
use crate::engine::{Event, Finish, GenerateJob, Usage};
use crate::error::Failure;
use crate::extras::Piece;

/// What became of an event's pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    /// They were handed on.
    On,
    /// Nobody wants them.
    Unwanted,
    /// They are more than was asked for.
    Beyond,
}

/// An answer that comes.
pub(super) struct Answer {
    pub(super) decoder: SseDecoder,
    pub(super) usage: Usage,
    /// All text, kept where it is to be counted.
    pub(super) said: Option<String>,
    /// Something was said that is no text, so that counting text says nothing.
    pub(super) untold: bool,
    choices: u32,
    /// Answer tokens that were asked for, and those that have come for sure.
    tokens_max: u64,
    tokens: u64,
    open: BTreeSet<u32>,
    finish: Option<Finish>,
}

impl Answer {
    pub(super) fn new(job: &GenerateJob, to_count: bool) -> Self {
        let usage = Usage { template_in: template_tokens_max(&job.prompt), ..Usage::default() };
        Self {
            decoder: SseDecoder::default(),
            usage,
            said: to_count.then(String::new),
            untold: false,
            choices: job.choices,
            tokens_max: job.tokens_out_max(),
            tokens: 0,
            open: BTreeSet::new(),
            finish: None,
        }
    }

    /// Why the answer ended, if it has.
    pub(super) fn end(&self) -> Result<Finish, Failure> {
        match self.finish {
            Some(finish) if self.open.is_empty() => Ok(finish),
            _ => Err(Failure::UpstreamClosed),
        }
    }

    /// Notes what an event says and hands its pieces on.
    pub(super) async fn pass(
        &mut self,
        said: Delta,
        events: &mpsc::Sender<Event>,
        cancel: &CancellationToken,
    ) -> Passed {
        if said.tokens_in.is_some() {
            // The two belong together: an older number may be above the newer one.
            self.usage.tokens_in = said.tokens_in;
            self.usage.tokens_cached = said.tokens_cached;
        }
        self.usage.tokens_out = said.tokens_out.or(self.usage.tokens_out);
        for piece in said.pieces {
            let (bytes, delivers) = (piece.bytes(), !piece.is_empty());
            let token = u64::from(is_token(&piece));
            if self.tokens + token > self.tokens_max {
                return Passed::Beyond;
            }
            self.tokens += token;
            self.note(&piece);
            let Some(event) = self.event(piece) else { continue };
            let sent = tokio::select! {
                biased;
                sent = events.send(event) => sent.is_ok(),
                () = cancel.cancelled() => false,
            };
            if !sent {
                return Passed::Unwanted;
            }
            self.usage.bytes_out += bytes;
            self.usage.pieces_out += u64::from(delivers);
        }
        Passed::On
    }

    fn note(&mut self, piece: &Piece) {
        if let Some(said) = &mut self.said {
            said.push_str(&piece.text);
        }
        self.untold |= !piece.rest.is_empty();
        let Some(reason) = &piece.finish_reason else {
            self.open.insert(piece.choice);
            return;
        };
        self.open.remove(&piece.choice);
        if piece.choice == 0 || self.finish.is_none() {
            self.finish = Some(finish_of(reason).unwrap_or(Finish::Stop));
        }
    }

    /// The event that a piece is, if anything. The reason of an only choice is said by the
    /// generation; reasons that it has no word for, and those of several, go on in pieces.
    fn event(&self, mut piece: Piece) -> Option<Event> {
        let only = self.choices == 1;
        piece.finish_reason.take_if(|reason| only && finish_of(reason).is_some());
        if piece.is_empty() && piece.finish_reason.is_none() {
            return None;
        }
        let plain = piece.choice == 0
            && piece.rest.is_empty()
            && piece.logprobs.is_none()
            && piece.finish_reason.is_none();
        Some(if plain { Event::Text(piece.text) } else { Event::Piece(Box::new(piece)) })
    }
}

/// Whether a piece is a token at least. Servers that write character by character split tokens,
/// those that write more at once do not; an empty member of a delta is none.
fn is_token(piece: &Piece) -> bool {
    let says = |value: &Value| match value {
        Value::String(text) => text.chars().nth(1).is_some(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    };
    piece.text.chars().nth(1).is_some() || piece.rest.values().any(says)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_a_token_for_sure() {
        let check = |text: &str, rest: Value, expect| {
            let rest = rest.as_object().cloned().unwrap_or_default();
            let piece = Piece { rest, ..Piece::text(0, text) };
            assert_eq!(is_token(&piece), expect, "{piece:?}");
        };
        check("", json!({}), false);
        check("a", json!({}), false);
        check("é", json!({}), false);
        check("ab", json!({}), true);
        check("", json!({"reasoning_content": ""}), false);
        check("", json!({"reasoning_content": " so"}), true);
        check("", json!({"tool_calls": []}), false);
        check("", json!({"tool_calls": [{"index": 0}]}), true);
    }
}
