//! Tests that nobody would run: those inside a crate whose own are switched off.

use super::file::File;
use super::finding::Finding;
use super::metadata::Package;

/// Tests inside a package whose `manifest` switches them off.
pub(super) fn check(package: &Package, manifest: &File, files: &[File]) -> Vec<Finding> {
    if !manifest.text.lines().any(|line| line.trim() == "test = false") {
        return Vec::new();
    }
    let source = format!("{}/src/", package.directory);
    let inside = files.iter().filter(|file| file.path.starts_with(&source));
    let marked = inside.filter_map(|file| Some((file, file.code.find("cfg(test)")?)));
    let finding = |(file, at): (&File, usize)| {
        let what = format!("`{}` does not run the tests in it", package.name);
        file.finding(at, what, format!("put them into {}/tests", package.directory))
    };
    marked.map(finding).collect()
}
