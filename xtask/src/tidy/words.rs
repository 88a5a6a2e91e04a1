//! Words that promise instead of delivering, and paths of somebody's machine.
//!
//! Read in every text file, comments and strings included. The files beside
//! this one name these words in order to forbid them, and are not read.

use super::file::File;
use super::finding::Finding;
use super::scan::occurrences;

/// Where the words are named.
const RULES: &str = "xtask/src/tidy/";

/// Marks in capitals; the small letters are a lint's name.
const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];
/// Words in any case.
const PROMISES: [&str; 7] =
    ["for now", "stub", "stubs", "placeholder", "placeholders", "hack", "hacks"];
/// Where paths of one machine begin.
const MACHINE_PATHS: [&str; 4] = ["/work/", "/home/", "/root/", "/tmp/"];

/// Breaches in one file.
pub(super) fn check(file: &File) -> Vec<Finding> {
    if file.path.starts_with(RULES) {
        return Vec::new();
    }
    let lower = file.text.to_ascii_lowercase();
    let marks = MARKS.iter().map(|word| (*word, &file.text));
    let promises = PROMISES.iter().map(|word| (*word, &lower));
    let mut findings: Vec<Finding> = marks
        .chain(promises)
        .flat_map(|(word, text)| occurrences(text, word, joins).map(move |at| (at, word)))
        .map(|(at, word)| file.finding(at, format!("the word `{word}`"), "do it, or leave it out"))
        .collect();
    findings.extend(machine_paths(file));
    findings
}

/// `_` is a boundary here, so that a part of a name is found.
fn joins(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn machine_paths(file: &File) -> impl Iterator<Item = Finding> + '_ {
    MACHINE_PATHS
        .into_iter()
        .flat_map(|path| file.text.match_indices(path))
        .filter(|(at, _)| begins_a_path(&file.text, *at))
        .map(|(at, path)| {
            let what = format!("a path of one machine, `{path}`");
            file.finding(at, what, "take it from an argument, the environment or `tempfile`")
        })
}

/// Whether the slash at `at` is not inside a longer path or an address.
fn begins_a_path(text: &str, at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| text.as_bytes()[before]);
    !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-./}~*>".contains(&byte))
}
