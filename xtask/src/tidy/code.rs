//! Code that is not finished, tests that do not run, and lints switched off
//! without a reason.
//!
//! Each breach is a piece of blanked code, so that prose and strings may name it.

use super::file::File;
use super::finding::Finding;
use super::scan::{closing, in_word, occurrences};

/// A piece of code and what to write instead.
struct Banned {
    code: &'static str,
    instead: &'static str,
}

const BANNED: [Banned; 6] = [
    Banned { code: "todo!", instead: "write the code" },
    Banned { code: "unimplemented!", instead: "write the code or return a typed refusal" },
    Banned { code: "dbg!", instead: "use `tracing`, or assert in a test" },
    Banned { code: "#[ignore", instead: "make the test fast enough to run, or remove it" },
    Banned { code: "#[allow(", instead: "use `#[expect(lint, reason = \"...\")]`" },
    Banned { code: "#![allow(", instead: "use `#![expect(lint, reason = \"...\")]`" },
];

/// Breaches in one file.
pub(super) fn check(file: &File) -> Vec<Finding> {
    let banned = BANNED.iter().flat_map(|banned| {
        occurrences(&file.code, banned.code, in_word)
            .map(|at| file.finding(at, format!("`{}`", banned.code), banned.instead))
    });
    banned.chain(expectations_without_reason(file)).collect()
}

fn expectations_without_reason(file: &File) -> impl Iterator<Item = Finding> + '_ {
    file.code
        .match_indices("[expect(")
        .filter(|(at, _)| {
            let attribute = &file.code[*at..closing(&file.code, *at)];
            let of_an_item = file.code[..*at].ends_with(['#', '!']);
            of_an_item && occurrences(attribute, "reason", in_word).next().is_none()
        })
        .map(|(at, _)| {
            file.finding(at, "a lint expected without a reason", "add `reason = \"...\"`")
        })
}
