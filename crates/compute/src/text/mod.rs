//! From a model's raw bytes to text that may be shown: whole characters only,
//! and nothing from a stop string on.
//!
//! It knows bytes and strings, no engine and no channel.
//!
//! **Invariant**: what comes out, joined, does not depend on how the bytes were
//! cut into pieces on their way in.

mod stop;
mod utf8;

pub use stop::StopFilter;
pub use utf8::Utf8Joiner;

/// Bytes in, showable text out: joins characters, then looks for stop strings.
#[derive(Debug)]
pub struct TextFilter {
    joiner: Utf8Joiner,
    stop: StopFilter,
}

impl TextFilter {
    /// A filter that ends at the first of `stop`.
    pub fn new(stop: &[String]) -> Self {
        Self { joiner: Utf8Joiner::default(), stop: StopFilter::new(stop) }
    }

    /// Takes the next bytes; returns what may be shown now, perhaps nothing.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        let text = self.joiner.push(bytes);
        self.stop.push(&text)
    }

    /// The input is over: returns what was held back.
    pub fn finish(&mut self) -> String {
        let rest = self.joiner.finish();
        let mut text = self.stop.push(&rest);
        text.push_str(&self.stop.finish());
        text
    }

    /// Whether a stop string has appeared; nothing comes out after it.
    pub fn stopped(&self) -> bool {
        self.stop.stopped()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Cuts `bytes` at the given places (beyond the end: no cut).
    pub(crate) fn split<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut at: Vec<usize> = cuts.iter().map(|c| (*c).min(bytes.len())).collect();
        at.sort_unstable();
        at.push(bytes.len());
        let mut from = 0;
        let mut pieces = Vec::new();
        for to in at {
            pieces.push(&bytes[from..to]);
            from = to;
        }
        pieces
    }

    #[test]
    fn a_stop_string_may_begin_in_a_half_character() {
        let mut filter = TextFilter::new(&["é!".into()]);
        assert_eq!(filter.push(b"caf\xc3"), "caf");
        assert_eq!(filter.push(b"\xa9"), "");
        assert_eq!(filter.push(b"! more"), "");
        assert!(filter.stopped());
        assert_eq!(filter.finish(), "");
    }
}
