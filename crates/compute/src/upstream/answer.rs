//! What is known of an upstream's answer so far, and how its pieces are handed on.
//!
//! **Invariant**: an answer is whole only if every choice that said something has said why it
//! ended.

use std::collections::BTreeSet;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::dialect::{Delta, finish_of};
use super::sse::SseDecoder;
use super::template_tokens_max;
use crate::engine::{Event, Finish, GenerateJob, Usage};
use crate::error::Failure;
use crate::extras::Piece;

/// An answer that comes.
pub(super) struct Answer {
    pub(super) decoder: SseDecoder,
    pub(super) usage: Usage,
    /// All text, kept where it is to be counted.
    pub(super) said: Option<String>,
    /// Something was said that is no text, so that counting text says nothing.
    pub(super) untold: bool,
    choices: u32,
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

    /// Notes what an event says and hands its pieces on; false if nobody wants them.
    pub(super) async fn pass(
        &mut self,
        said: Delta,
        events: &mpsc::Sender<Event>,
        cancel: &CancellationToken,
    ) -> bool {
        self.usage.tokens_in = said.tokens_in.or(self.usage.tokens_in);
        self.usage.tokens_out = said.tokens_out.or(self.usage.tokens_out);
        for piece in said.pieces {
            let (bytes, delivers) = (piece.bytes(), !piece.is_empty());
            self.note(&piece);
            let Some(event) = self.event(piece) else { continue };
            let sent = tokio::select! {
                biased;
                sent = events.send(event) => sent.is_ok(),
                () = cancel.cancelled() => false,
            };
            if !sent {
                return false;
            }
            self.usage.bytes_out += bytes;
            self.usage.pieces_out += u64::from(delivers);
        }
        true
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
