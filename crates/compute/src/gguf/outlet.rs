//! Where the worker puts text: never waits, joins what nobody has taken yet,
//! and says when that is so much that its job should pause.

use tokio::sync::mpsc;

use crate::engine::Event;
use crate::limits::UNSENT_BYTES_MAX;

/// The sending end of a job's events.
pub(super) struct Outlet {
    events: mpsc::Sender<Event>,
    unsent: String,
    bytes_sent: u64,
}

impl Outlet {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events, unsent: String::new(), bytes_sent: 0 }
    }

    /// Adds text and sends all that is there, if there is room.
    pub(super) fn push(&mut self, text: &str) {
        self.unsent.push_str(text);
        if self.unsent.is_empty() {
            return;
        }
        if let Ok(permit) = self.events.try_reserve() {
            self.bytes_sent += self.unsent.len() as u64;
            permit.send(Event::Text(std::mem::take(&mut self.unsent)));
        }
    }

    /// Whether so much waits for the reader that no more should be written.
    pub(super) fn is_full(&self) -> bool {
        self.unsent.len() >= UNSENT_BYTES_MAX
    }

    /// Whether nobody listens any more.
    pub(super) fn is_closed(&self) -> bool {
        self.events.is_closed()
    }

    /// Bytes sent so far, and the text that found no room.
    pub(super) fn finish(self) -> (u64, String) {
        (self.bytes_sent, self.unsent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_room_is_joined() {
        let (events, mut incoming) = mpsc::channel(1);
        let mut outlet = Outlet::new(events);
        for text in ["", "a", "b", "", "c"] {
            outlet.push(text);
        }
        assert_eq!(incoming.try_recv().unwrap(), Event::Text("a".into()));
        outlet.push("");
        assert_eq!(incoming.try_recv().unwrap(), Event::Text("bc".into()));
        outlet.push("d");
        outlet.push("e");
        assert_eq!(outlet.finish(), (4, "e".into()));
    }

    #[test]
    fn much_unsent_text_is_a_reason_to_pause() {
        let (events, mut incoming) = mpsc::channel(1);
        let mut outlet = Outlet::new(events);
        outlet.push("a");
        outlet.push(&"b".repeat(UNSENT_BYTES_MAX - 1));
        assert!(!outlet.is_full());
        outlet.push("b");
        assert!(outlet.is_full() && !outlet.is_closed());
        assert_eq!(incoming.try_recv().unwrap(), Event::Text("a".into()));
        outlet.push("");
        assert!(!outlet.is_full());
        drop(incoming);
        assert!(outlet.is_closed());
    }
}
