//! Rust source with everything blanked that is not code.
//!
//! Comments, strings and characters become spaces, newlines stay, so that a
//! scanner may count braces and look for words without being misled, and every
//! offset and line number stays true. It knows the lexical grammar of these
//! pieces (The Rust Reference, "Tokens" and "Comments") and nothing above it.
//!
//! Invariant: the result is as long as the input, in bytes.

/// `text` with comments and literals replaced by spaces.
pub(super) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    while code.len() < bytes.len() {
        let at = code.len();
        match blank_end(bytes, at) {
            Some(end) => code.extend(bytes[at..end].iter().map(blanked)),
            None => code.push(bytes[at]),
        }
    }
    assert_eq!(code.len(), bytes.len(), "blanking keeps every offset");
    String::from_utf8_lossy(&code).into_owned()
}

fn blanked(byte: &u8) -> u8 {
    if *byte == b'\n' { b'\n' } else { b' ' }
}

/// Where the comment or literal that begins at `at` ends, if one begins there.
fn blank_end(bytes: &[u8], at: usize) -> Option<usize> {
    match (bytes[at], bytes.get(at + 1)) {
        (b'/', Some(b'/')) => Some(line_end(bytes, at)),
        (b'/', Some(b'*')) => Some(block_comment_end(bytes, at)),
        (b'"', _) => Some(string_end(bytes, at)),
        (b'\'', _) => character_end(bytes, at),
        (b'r' | b'b' | b'c', _) if !continues_word(bytes, at) => raw_string_end(bytes, at),
        _ => None,
    }
}

fn continues_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |length| at + length)
}

/// Block comments nest.
fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < bytes.len() {
        let step = match &bytes[at..(at + 2).min(bytes.len())] {
            b"/*" => {
                depth += 1;
                2
            }
            b"*/" => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `r"…"`, `br#"…"#` and their like; a raw identifier such as `r#fn` is none.
fn raw_string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let prefix = if bytes[start] == b'r' { 1 } else { 2 };
    if bytes.get(start + prefix - 1) != Some(&b'r') {
        return None;
    }
    let hashes = bytes[start + prefix..].iter().take_while(|b| **b == b'#').count();
    let open = start + prefix + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let closes = |at: &usize| {
        bytes[*at] == b'"'
            && bytes.get(at + 1..at + 1 + hashes).is_some_and(|s| s.iter().all(|b| *b == b'#'))
    };
    Some((open + 1..bytes.len()).find(closes).map_or(bytes.len(), |at| at + 1 + hashes))
}

/// A character literal's end; a lifetime is none.
fn character_end(bytes: &[u8], start: usize) -> Option<usize> {
    let first = *bytes.get(start + 1)?;
    if first == b'\\' {
        // The escaped character itself may be a quote.
        let close = bytes.get(start + 3..)?.iter().position(|b| *b == b'\'')?;
        return Some(start + 3 + close + 1);
    }
    let width = match first {
        0x00..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    (bytes.get(start + 1 + width) == Some(&b'\'')).then_some(start + width + 2)
}
