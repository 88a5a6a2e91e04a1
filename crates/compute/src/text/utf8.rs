//! Joins bytes into whole characters. Models emit tokens, and a token may end
//! in the middle of a character; no half of one may reach a reader.

/// Longest encoding of a character that can still be incomplete, in bytes.
const INCOMPLETE_BYTES_MAX: usize = 3;

/// Collects bytes and gives back whole characters. Bytes that can never become
/// a character turn into U+FFFD, exactly as [`String::from_utf8_lossy`] does.
#[derive(Debug, Default)]
pub struct Utf8Joiner {
    pending: Vec<u8>,
}

impl Utf8Joiner {
    /// Takes the next bytes and returns all whole characters so far.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let keep = incomplete_tail(&self.pending);
        let tail = self.pending.split_off(self.pending.len() - keep);
        let whole = std::mem::replace(&mut self.pending, tail);
        lossy(whole)
    }

    /// The input is over: an incomplete character becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        lossy(std::mem::take(&mut self.pending))
    }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// How many bytes at the end are the beginning of a character.
fn incomplete_tail(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(INCOMPLETE_BYTES_MAX);
    (from..bytes.len())
        .find(|&start| is_incomplete(&bytes[start..]))
        .map_or(0, |start| bytes.len() - start)
}

/// Whether `bytes` as a whole is a proper prefix of one character.
fn is_incomplete(bytes: &[u8]) -> bool {
    matches!(std::str::from_utf8(bytes), Err(e) if e.valid_up_to() == 0 && e.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(pieces: &[&[u8]], expect: &[&str]) {
        let mut joiner = Utf8Joiner::default();
        let mut got: Vec<String> = pieces.iter().map(|p| joiner.push(p)).collect();
        got.push(joiner.finish());
        assert_eq!(got, expect);
    }

    #[test]
    fn characters_wait_for_their_last_byte() {
        check(&[b"abc"], &["abc", ""]);
        check(&[b"\xc3", b"\xa9"], &["", "é", ""]);
        check(&[b"x\xf0\x9f", b"\x98", b"\x80y"], &["x", "", "😀y", ""]);
        check(&[b"\xe2\x82"], &["", "\u{fffd}"]);
        check(&[b"\xff", b"a"], &["\u{fffd}", "a", ""]);
        check(&[b"\xe2", b"\x28\xa1"], &["", "\u{fffd}(\u{fffd}", ""]);
    }

    proptest! {
        #[test]
        fn any_split_of_any_bytes_reads_as_one(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            text in ".{0,16}",
            cuts in proptest::collection::vec(0usize..200, 0..8),
        ) {
            let bytes = [text.as_bytes(), &bytes].concat();
            let mut joiner = Utf8Joiner::default();
            let mut joined = String::new();
            for piece in crate::text::tests::split(&bytes, &cuts) {
                joined.push_str(&joiner.push(piece));
            }
            joined.push_str(&joiner.finish());
            prop_assert_eq!(joined, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}
