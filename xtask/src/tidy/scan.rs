//! Small scanners over blanked code: words, lines, and where an item ends.
//!
//! They read bytes and braces, not syntax; what they return are offsets.

use std::ops::Range;

/// Whether the byte may stand inside an identifier.
pub(super) fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The line, from one, that holds the byte at `offset`.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count()
}

/// Offsets of `needle` where it is not part of a longer word. An end of the
/// needle that is no letter needs no boundary.
pub(super) fn occurrences<'a>(
    text: &'a str,
    needle: &'a str,
    joins: fn(u8) -> bool,
) -> impl Iterator<Item = usize> + 'a {
    let free = move |inner: Option<u8>, outer: Option<&u8>| {
        !(inner.is_some_and(in_word) && outer.is_some_and(|b| joins(*b)))
    };
    text.match_indices(needle).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        free(needle.bytes().next(), before)
            && free(needle.bytes().last(), text.as_bytes().get(at + needle.len()))
    })
}

/// Where the item that begins at `start` opens its block, and where it ends:
/// after the block, or after a semicolon if it has none.
pub(super) fn item_end(code: &str, start: usize) -> (Option<usize>, usize) {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' if depth == 0 => return (Some(at), closing(code, at)),
            b';' if depth == 0 => return (None, at + 1),
            _ => {}
        }
    }
    (None, code.len())
}

/// The offset after the bracket that closes the one at `open`.
pub(super) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The byte ranges of items compiled for tests only.
pub(super) fn test_items(code: &str) -> Vec<Range<usize>> {
    code.match_indices("#[cfg(")
        .filter_map(|(at, _)| {
            let attribute_end = closing(code, at + 1);
            let condition = &code[at..attribute_end];
            let for_tests = occurrences(condition, "test", in_word).next().is_some()
                && !condition.contains("not(");
            for_tests.then(|| at..item_end(code, attribute_end).1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{item_end, occurrences, test_items};

    #[test]
    fn occurrences_are_whole_words() {
        let check = |text: &str, needle: &str, expect: &[usize]| {
            let found: Vec<usize> = occurrences(text, needle, super::in_word).collect();
            assert_eq!(found, expect, "{needle} in {text}");
        };
        check("f64 xf64 f64x f_f64 f64", "f64", &[0, 20]);
        check("todo!() my_todo!()", "todo!", &[0]);
        check("#[allow(x)]", "#[allow(", &[0]);
        check("std::fs::x std::fsx", "std::fs", &[0]);
    }

    #[test]
    fn items_end_at_their_block_or_semicolon() {
        let check = |code: &str, expect: (Option<usize>, usize)| {
            assert_eq!(item_end(code, 0), expect, "{code}");
        };
        check("fn a() {}", (Some(7), 9));
        check("fn a(x: [u8; 3]); fn b() {}", (None, 17));
        check("mod a { mod b {} } mod c {}", (Some(6), 18));
        check("mod a", (None, 5));
    }

    #[test]
    fn test_items_are_found() {
        let check = |code: &str, expect: &[&str]| {
            let found: Vec<&str> = test_items(code).into_iter().map(|r| &code[r]).collect();
            assert_eq!(found, expect);
        };
        check("mod a {} #[cfg(test)] mod b { c{} } mod d;", &["#[cfg(test)] mod b { c{} }"]);
        check("#[cfg(test)] #[path = x] mod b; mod d;", &["#[cfg(test)] #[path = x] mod b;"]);
        check("#[cfg(not(test))] mod b;", &[]);
        check("#[cfg(feature = latest)] mod b;", &[]);
        check("#[cfg(all(test, unix))] fn b() {}", &["#[cfg(all(test, unix))] fn b() {}"]);
    }
}
