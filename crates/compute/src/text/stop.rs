//! Ends a text at the first stop string, even when the string arrives in
//! pieces. Only what may still become a stop string is held back.

/// Passes text through until one of the stop strings appears.
#[derive(Debug)]
pub struct StopFilter {
    stop: Vec<String>,
    held: String,
    stopped: bool,
}

impl StopFilter {
    /// A filter for `stop`; empty strings in it are ignored.
    pub fn new(stop: &[String]) -> Self {
        let stop = stop.iter().filter(|s| !s.is_empty()).cloned().collect();
        Self { stop, held: String::new(), stopped: false }
    }

    /// Whether a stop string has appeared.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Takes the next text; returns what is certainly before any stop string.
    pub fn push(&mut self, text: &str) -> String {
        if self.stopped {
            return String::new();
        }
        if self.stop.is_empty() {
            return text.to_owned();
        }
        self.held.push_str(text);
        if let Some((_, start)) = first_match(&self.held, &self.stop) {
            self.stopped = true;
            self.held.truncate(start);
            return std::mem::take(&mut self.held);
        }
        let tail = self.held.split_off(self.held.len() - self.possible_tail());
        std::mem::replace(&mut self.held, tail)
    }

    /// The input is over: what was held back is text after all.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Length in bytes of the longest end of `held` that begins a stop string.
    fn possible_tail(&self) -> usize {
        self.stop.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0)
    }
}

/// End and start of the stop string that is complete first (if several are at
/// the same byte, the longest). Going by the end, not the start, makes the
/// result independent of how the text arrives.
fn first_match(text: &str, stop: &[String]) -> Option<(usize, usize)> {
    stop.iter().filter_map(|s| text.find(s.as_str()).map(|at| (at + s.len(), at))).min()
}

/// Length of the longest proper prefix of `stop` that `text` ends with.
fn overlap(text: &str, stop: &str) -> usize {
    stop.char_indices().map(|(at, _)| at).rev().find(|&at| text.ends_with(&stop[..at])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(stop: &[&str], pieces: &[&str], expect: &[&str], stopped: bool) {
        let stop: Vec<String> = stop.iter().map(ToString::to_string).collect();
        let mut filter = StopFilter::new(&stop);
        let mut got: Vec<String> = pieces.iter().map(|p| filter.push(p)).collect();
        got.push(filter.finish());
        assert_eq!(got, expect);
        assert_eq!(filter.stopped(), stopped);
    }

    #[test]
    fn text_ends_at_the_first_stop_string() {
        check(&[], &["a", "b"], &["a", "b", ""], false);
        check(&["END"], &["a END b"], &["a ", ""], true);
        check(&["END"], &["a E", "N", "D b"], &["a ", "", "", ""], true);
        check(&["END"], &["a EN", "x"], &["a ", "ENx", ""], false);
        check(&["END"], &["a EN"], &["a ", "EN"], false);
        check(&["aab"], &["aa", "ab"], &["", "a", ""], true);
        check(&["\n\n", "Q:"], &["x\n", "Q", ":y"], &["x", "\n", "", ""], true);
        check(&["long stop", "st"], &["long st"], &["long ", ""], true);
        check(&["é"], &["caf", "é"], &["caf", "", ""], true);
    }

    proptest! {
        #[test]
        fn any_split_ends_at_the_same_place(
            text in "[abé]{0,40}",
            stop in proptest::collection::vec("[abé]{1,4}", 0..3),
            cuts in proptest::collection::vec(0usize..40, 0..8),
        ) {
            let chars: Vec<char> = text.chars().collect();
            let mut at: Vec<usize> = cuts.iter().map(|c| (*c).min(chars.len())).collect();
            at.sort_unstable();
            at.push(chars.len());
            let mut filter = StopFilter::new(&stop);
            let (mut got, mut from) = (String::new(), 0);
            for to in at {
                got.push_str(&filter.push(&chars[from..to].iter().collect::<String>()));
                from = to;
            }
            got.push_str(&filter.finish());
            let first = first_match(&text, &stop);
            prop_assert_eq!(filter.stopped(), first.is_some());
            prop_assert_eq!(got.as_str(), &text[..first.map_or(text.len(), |(_, start)| start)]);
        }
    }
}
