//! The measures of the house on one page: per crate its files, lines and
//! function lengths.

use std::fmt::Write;

use super::file::File;
use super::functions::functions;
use super::metadata::Package;

/// A function that one should think about again, in lines.
const FUNCTION_LINES_LONG: usize = 40;

/// What is measured of one crate.
#[derive(Debug, Default, PartialEq, Eq)]
struct Measures {
    files: usize,
    lines: usize,
    test_lines: usize,
    longest_file: usize,
    /// Lengths in lines, sorted.
    functions: Vec<usize>,
}

impl Measures {
    fn add(&mut self, file: &File) {
        let lines = file.text.lines().count();
        self.files += 1;
        self.lines += lines;
        self.test_lines += if file.is_test() { lines } else { 0 };
        self.longest_file = self.longest_file.max(lines);
        self.functions.extend(functions(&file.code).iter().map(|function| function.lines));
        self.functions.sort_unstable();
    }

    fn row(&self, name: &str) -> String {
        let long = self.functions.iter().filter(|lines| **lines > FUNCTION_LINES_LONG).count();
        format!(
            "{name:<18}{:>6}{:>8}{:>8}{:>8}{:>8}{:>6}{:>6}{:>6}{long:>6}\n",
            self.files,
            self.lines,
            self.test_lines,
            self.longest_file,
            self.functions.len(),
            percentile(&self.functions, 50),
            percentile(&self.functions, 90),
            self.functions.last().copied().unwrap_or_default(),
        )
    }
}

/// The page. Lines of tests are those of test files.
pub(super) fn page(packages: &[Package], files: &[File]) -> String {
    let mut page = format!(
        "{:<18}{:>6}{:>8}{:>8}{:>8}{:>8}{:>6}{:>6}{:>6}{:>6}\n",
        "crate", "files", "lines", "tests", "longest", "fns", "p50", "p90", "max", ">40"
    );
    let mut house = Measures::default();
    for package in packages {
        let mut measures = Measures::default();
        for file in files.iter().filter(|file| file.is_rust() && package.holds(&file.path)) {
            measures.add(file);
            house.add(file);
        }
        page += &measures.row(&package.name);
    }
    page += &house.row("the house");
    let _ = writeln!(page, "\nlines per file (longest) and per function (p50, p90, max, >40)");
    page
}

/// The nearest-rank percentile of sorted values, zero of none.
fn percentile(sorted: &[usize], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100);
    rank.checked_sub(1).and_then(|at| sorted.get(at)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{page, percentile};
    use crate::tidy::file::File;
    use crate::tidy::metadata::Package;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let check = |sorted: &[usize], percent, expect| {
            assert_eq!(percentile(sorted, percent), expect, "p{percent} of {sorted:?}");
        };
        check(&[], 50, 0);
        check(&[7], 90, 7);
        check(&[1, 2, 3, 4], 50, 2);
        check(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 90, 9);
        check(&[1, 2, 3, 4, 5], 100, 5);
    }

    #[test]
    fn a_row_per_crate_and_one_for_all() {
        let package = |name: &str, directory: &str| Package {
            name: name.into(),
            directory: directory.into(),
            dependencies: Vec::new(),
        };
        let packages = [package("a", "crates/a"), package("b", "crates/b")];
        let files = [
            File::new("crates/a/src/lib.rs", "//! A.\nfn a() {\n}\n"),
            File::new("crates/a/src/lib_tests.rs", "fn b() {}\n"),
            File::new("crates/b/src/lib.rs", "//! B.\n"),
            File::new("crates/b/README.md", "b\n"),
        ];
        let page = page(&packages, &files);
        let rows: Vec<Vec<&str>> =
            page.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["a", "2", "4", "1", "3", "2", "1", "2", "2", "0"]);
        assert_eq!(rows[2], ["b", "1", "1", "0", "1", "0", "0", "0", "0", "0"]);
        assert_eq!(rows[3][2..4], ["3", "5"]);
    }
}
