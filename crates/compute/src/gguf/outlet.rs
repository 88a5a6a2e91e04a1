//! Where the worker puts text: never waits, joins what nobody has taken yet.

use tokio::sync::mpsc;

use crate::engine::Event;

/// The sending end of a job's events.
pub(super) struct Outlet<'a> {
    events: &'a mpsc::Sender<Event>,
    unsent: String,
    bytes_sent: u64,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(events: &'a mpsc::Sender<Event>) -> Self {
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
        let mut outlet = Outlet::new(&events);
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
}
