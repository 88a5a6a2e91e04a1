//! Server-sent events (WHATWG HTML, section 9.2.6), as far as a stream of data
//! needs them: bytes in, in any pieces, the data of whole events out.
//!
//! **Invariant**: the events do not depend on how the bytes were cut, and no
//! more than one line and one event of bounded length are held.

use memchr::memchr2;

use crate::error::Failure;
use crate::limits::{UPSTREAM_EVENT_BYTES_MAX, UPSTREAM_LINE_BYTES_MAX};

/// Turns bytes into events.
#[derive(Debug, Default)]
pub struct SseDecoder {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The last byte was a CR, so that an LF that follows belongs to it.
    after_cr: bool,
    /// A line has been read, so that no byte order mark can follow.
    begun: bool,
}

impl SseDecoder {
    /// Takes the next bytes; returns the data of the events that they complete.
    ///
    /// # Errors
    /// [`Failure::UpstreamTooLong`] for a line or an event beyond its limit,
    /// [`Failure::UpstreamForm`] for data that is not UTF-8. The decoder is of
    /// no use afterwards.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, Failure> {
        let (mut events, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr)
                && let Some(after) = rest.strip_prefix(b"\n")
            {
                rest = after;
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                self.extend_line(rest)?;
                break;
            };
            self.after_cr = rest[end] == b'\r';
            events.extend(self.end_line(&rest[..end])?);
            rest = &rest[end + 1..];
        }
        Ok(events)
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.line.len() + bytes.len() > UPSTREAM_LINE_BYTES_MAX {
            let bytes_max = UPSTREAM_LINE_BYTES_MAX;
            return Err(Failure::UpstreamTooLong { unit: "line", bytes_max });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// The end of a line. Most lines come whole, and are not copied.
    fn end_line(&mut self, bytes: &[u8]) -> Result<Option<String>, Failure> {
        if self.line.is_empty() && bytes.len() <= UPSTREAM_LINE_BYTES_MAX {
            return self.take_line(bytes);
        }
        self.extend_line(bytes)?;
        let line = std::mem::take(&mut self.line);
        self.take_line(&line)
    }

    /// Takes a whole line; an empty one ends an event.
    fn take_line(&mut self, mut line: &[u8]) -> Result<Option<String>, Failure> {
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.end_event();
        }
        // Comments, ids, names and retry times say nothing here.
        if line == b"data" {
            self.extend_data(b"")?;
        } else if let Some(value) = line.strip_prefix(b"data:") {
            self.extend_data(value.strip_prefix(b" ").unwrap_or(value))?;
        }
        Ok(None)
    }

    fn extend_data(&mut self, value: &[u8]) -> Result<(), Failure> {
        if self.data.len() + value.len() >= UPSTREAM_EVENT_BYTES_MAX {
            let bytes_max = UPSTREAM_EVENT_BYTES_MAX;
            return Err(Failure::UpstreamTooLong { unit: "event", bytes_max });
        }
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        Ok(())
    }

    fn end_event(&mut self) -> Result<Option<String>, Failure> {
        let data = std::mem::take(&mut self.data);
        if !std::mem::take(&mut self.has_data) {
            return Ok(None);
        }
        let text = String::from_utf8(data)
            .map_err(|_| Failure::UpstreamForm { reason: "an event is not UTF-8".to_owned() })?;
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::split;
    use proptest::prelude::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<String>, Failure> {
        let mut decoder = SseDecoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            events.extend(decoder.push(piece)?);
        }
        Ok(events)
    }

    fn check(stream: &str, expect: &[&str]) {
        assert_eq!(decode(&[stream.as_bytes()]).unwrap(), expect, "{stream:?}");
    }

    #[test]
    fn events_end_at_empty_lines() {
        check("data: a\n\ndata:b\n\n", &["a", "b"]);
        check("data: a\r\n\r\ndata: b\r\rdata: c\n\n", &["a", "b", "c"]);
        check("data: a\ndata: b\n\n", &["a\nb"]);
        check("data\ndata: x\n\n", &["\nx"]);
        check("data:  two spaces\n\n", &[" two spaces"]);
        check(": comment\nevent: x\nid: 7\ndata: a\nretry: 1\n\n", &["a"]);
        check("\n\n: only a comment\n\n", &[]);
        check("\u{feff}data: a\n\n", &["a"]);
        check("data: cut off", &[]);
        check("data: no empty line\n", &[]);
        check("database: x\n\n", &[]);
    }

    #[test]
    fn long_lines_and_events_are_refused() {
        let line = vec![b'x'; UPSTREAM_LINE_BYTES_MAX + 1];
        let error = decode(&[&line]).unwrap_err();
        assert!(matches!(error, Failure::UpstreamTooLong { unit: "line", .. }));

        let line = [&b"data:"[..], &vec![b'x'; UPSTREAM_LINE_BYTES_MAX - 5], b"\n"].concat();
        let lines = vec![line.as_slice(); UPSTREAM_EVENT_BYTES_MAX / UPSTREAM_LINE_BYTES_MAX + 1];
        let error = decode(&lines).unwrap_err();
        assert!(matches!(error, Failure::UpstreamTooLong { unit: "event", .. }));
        assert!(matches!(decode(&[b"data: \xff\n\n"]), Err(Failure::UpstreamForm { .. })));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            texts in proptest::collection::vec("[a-zé😀 ]{0,8}", 0..6),
            ends in proptest::collection::vec(prop_oneof![Just("\n"), Just("\r\n"), Just("\r")], 12),
            cuts in proptest::collection::vec(0usize..200, 0..12),
        ) {
            let mut stream = String::new();
            for (index, text) in texts.iter().enumerate() {
                stream.push_str(": comment");
                stream.push_str(ends[index]);
                stream.push_str(&format!("data: {text}{}{}", ends[index], ends[index]));
            }
            prop_assert_eq!(decode(&split(stream.as_bytes(), &cuts)).unwrap(), texts);
        }

        #[test]
        fn any_split_of_any_bytes_gives_the_same_result(
            bytes in proptest::collection::vec(prop_oneof![
                Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'd'), any::<u8>()
            ], 0..64),
            cuts in proptest::collection::vec(0usize..64, 0..8),
        ) {
            let whole = decode(&[&bytes]).map_err(|e| e.to_string());
            let pieces = decode(&split(&bytes, &cuts)).map_err(|e| e.to_string());
            prop_assert_eq!(whole, pieces);
        }
    }
}
