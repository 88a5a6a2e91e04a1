//! Small files, small functions, and a word at the top of each module about
//! what it is for.
//!
//! That each public item is documented is rustc's `missing_docs`, an error in
//! `./check`.

use super::file::File;
use super::finding::Finding;
use super::functions::functions;

/// Longest file of sources.
const FILE_LINES_MAX: usize = 500;
/// Longest file of tests.
const TEST_FILE_LINES_MAX: usize = 700;
/// Longest function.
const FUNCTION_LINES_MAX: usize = 70;

/// Breaches of shape in one file.
pub(super) fn check(file: &File) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    let mut findings = functions_too_long(file);
    findings.extend(file_too_long(file));
    findings.extend(no_module_docs(file));
    findings
}

fn file_too_long(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    let lines_max = if file.is_test() { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
    (lines > lines_max).then(|| {
        let what = format!("{lines} lines in one file, {lines_max} is the end");
        file.finding_at_line(lines_max + 1, what, "split it into modules of one purpose each")
    })
}

fn functions_too_long(file: &File) -> Vec<Finding> {
    functions(&file.code)
        .into_iter()
        .filter(|function| function.lines > FUNCTION_LINES_MAX)
        .map(|function| {
            let (name, lines) = (function.name, function.lines);
            let what = format!("`{name}` has {lines} lines, {FUNCTION_LINES_MAX} is the end");
            file.finding_at_line(function.line, what, "give its parts names of their own")
        })
        .collect()
}

/// A sibling of tests inside `src` needs none: its module is named by what it tests.
fn no_module_docs(file: &File) -> Option<Finding> {
    let sibling = file.is_test() && file.path.contains("/src/");
    (!sibling && !file.text.starts_with("//!")).then(|| {
        let instead = "begin with `//!`: what it is for, what it does not know, its invariant";
        file.finding_at_line(1, "no module docs on the first line", instead)
    })
}
