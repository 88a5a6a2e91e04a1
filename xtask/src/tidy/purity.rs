//! Pure crates know no clock, disk, network, thread or float, and no map whose
//! order differs between runs.
//!
//! This reads their sources, tests excepted; what they depend on is proved by
//! `edges`.

use super::file::File;
use super::finding::Finding;
use super::scan::{closing, in_word, occurrences, test_items};

/// Modules of the standard library with a clock, disk, network or thread.
const MODULES: [&str; 6] = ["fs", "net", "os", "process", "thread", "time"];
/// Names of the same, however imported.
const NAMES: [(&str, &str); 6] = [
    ("SystemTime", "take a `Moment` as a parameter"),
    ("Instant::now", "take a `Moment` as a parameter"),
    ("f32", "use integers in a named unit"),
    ("f64", "use integers in a named unit"),
    ("HashMap", "use `BTreeMap`, whose order is the same everywhere"),
    ("HashSet", "use `BTreeSet`, whose order is the same everywhere"),
];
const OUTSIDE: &str = "take what it gives as a parameter";

/// Breaches in one file of a pure crate.
pub(super) fn check(file: &File) -> Vec<Finding> {
    if !file.is_rust() || file.is_test() || !file.path.contains("/src/") {
        return Vec::new();
    }
    let tests = test_items(&file.code);
    let mut found = names(&file.code);
    found.extend(modules(&file.code));
    found.extend(floats(&file.code));
    found.retain(|(at, _, _)| !tests.iter().any(|range| range.contains(at)));
    found
        .into_iter()
        .map(|(at, name, instead)| file.finding(at, format!("`{name}` in a pure crate"), instead))
        .collect()
}

/// Offset, what stands there, what to do instead.
type Breach = (usize, String, &'static str);

fn names(code: &str) -> Vec<Breach> {
    let whole = |(name, instead): (&'static str, &'static str)| {
        occurrences(code, name, in_word).map(move |at| (at, name.to_owned(), instead))
    };
    NAMES.into_iter().flat_map(whole).collect()
}

/// `std::fs`, and `std::{fmt, fs}`.
fn modules(code: &str) -> Vec<Breach> {
    let mut found = Vec::new();
    for at in occurrences(code, "std::", in_word) {
        let rest = &code[at + "std::".len()..];
        let length = if rest.starts_with('{') { closing(rest, 0) } else { word_length(rest) };
        for name in rest[..length].trim_start_matches('{').split(',').map(str::trim_start) {
            let name = &name[..word_length(name)];
            if MODULES.contains(&name) {
                found.push((at, format!("std::{name}"), OUTSIDE));
            }
        }
    }
    found
}

/// Literals such as `1.5`, `2e9` and `1f64`, which need no type's name.
fn floats(code: &str) -> Vec<Breach> {
    let bytes = code.as_bytes();
    (0..bytes.len())
        .filter(|at| bytes[*at].is_ascii_digit() && begins_number(bytes, *at))
        .filter_map(|at| {
            let whole = word_length(&code[at..]);
            let fraction = code[at + whole..]
                .strip_prefix('.')
                .filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
                .map_or(0, |digits| 1 + word_length(digits));
            (fraction > 0 || is_float(&code[at..at + whole])).then(|| {
                let literal = code[at..at + whole + fraction].to_owned();
                (at, literal, "use integers in a named unit")
            })
        })
        .collect()
}

/// Neither inside a word nor a field's number, as in `pair.0`.
fn begins_number(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|at| bytes[at]);
    let field = before(1) == Some(b'.') && before(2) != Some(b'.');
    !field && !before(1).is_some_and(in_word)
}

/// The length of the word that `text` begins with, in bytes.
fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| in_word(*byte)).count()
}

fn is_float(digits: &str) -> bool {
    if digits.starts_with("0x") {
        return false;
    }
    let exponent = digits
        .split_once(['e', 'E'])
        .is_some_and(|(whole, power)| all_digits(whole) && all_digits(power));
    exponent || digits.ends_with("f32") || digits.ends_with("f64")
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}
