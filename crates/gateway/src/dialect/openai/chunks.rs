//! The streams of `/v1/chat/completions` and `/v1/completions`: one chunk for each piece.
//!
//! **Invariant**: every choice that begins says who speaks before anything else, and why it
//! ended after everything else, each once.

use super::refusal;
use super::request::StreamOptions;
use super::stream::{Form, push_data, push_data_of};
use super::wire::{self, Head, Shape};
use crate::call::{CallError, Piece, Summary};
use ambar_compute::limits::CHOICES_MAX;

/// What is known of a stream.
pub struct Chunks {
    head: Head,
    usage: bool,
    /// What stands around a text of the first choice: the same for each.
    around: (String, String),
    /// Choices that have begun, and those that have said why they ended: a bit for each.
    opened: u128,
    finished: u128,
}

impl Chunks {
    /// A stream that begins.
    pub fn new(head: Head, options: StreamOptions) -> Self {
        let usage = options.include_usage;
        Self { around: head.around_text(usage), head, usage, opened: 0, finished: 0 }
    }

    fn open(&mut self, out: &mut String, choice: u32) {
        if self.opened & bit(choice) == 0 && self.head.shape == Shape::Chat {
            push_data(out, &self.head.opening(self.usage, choice));
        }
        self.opened |= bit(choice);
    }
}

/// A choice's bit; there are no more than [`CHOICES_MAX`].
fn bit(choice: u32) -> u128 {
    1_u128.checked_shl(choice).unwrap_or_default()
}

impl Form for Chunks {
    fn begin(&mut self, out: &mut String) {
        self.open(out, 0);
    }

    fn text(&mut self, out: &mut String, text: &str) {
        let (before, after) = &self.around;
        push_data_of(out, &[before, &wire::json(&text), after]);
    }

    fn piece(&mut self, out: &mut String, piece: &Piece) {
        self.open(out, piece.choice);
        if piece.finish_reason.is_some() {
            self.finished |= bit(piece.choice);
        }
        push_data(out, &self.head.piece(self.usage, piece));
    }

    fn end(&mut self, out: &mut String, summary: &Summary) {
        let unfinished = self.opened & !self.finished;
        for choice in (0..CHOICES_MAX).filter(|choice| unfinished & bit(*choice) != 0) {
            push_data(out, &self.head.ending(self.usage, choice, summary.finish));
        }
        if self.usage {
            push_data(out, &self.head.used(summary));
        }
    }

    fn fail(&mut self, out: &mut String, error: &CallError) {
        push_data(out, &refusal::body(error));
    }
}
