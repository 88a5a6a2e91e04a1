//! The files that the rules read: which ones there are, and what each one is.
//!
//! Directories that hold results rather than sources are left out, and so is
//! everything hidden except this project's own `.cargo` and `.ci`. It knows no
//! rule.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::blank::code_only;
use super::finding::Finding;
use super::scan::line_of;

/// Directories of results, by name.
const SKIPPED: [&str; 3] = ["target", "node_modules", "__pycache__"];
/// Marks a directory of results of any name, such as cargo's.
const CACHE_MARK: &str = "CACHEDIR.TAG";
/// Hidden directories that are part of the project.
const HIDDEN: [&str; 2] = [".cargo", ".ci"];
/// Text written by people, by ending; files without one are the scripts.
const ENDINGS: [&str; 6] = ["rs", "toml", "md", "py", "sh", ""];

/// One file.
pub(super) struct File {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    /// As on disk.
    pub(super) text: String,
    /// Rust with comments and literals blanked; empty for other files.
    pub(super) code: String,
}

impl File {
    /// A file with this content.
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let code = if path.ends_with(".rs") { code_only(&text) } else { String::new() };
        Self { path, text, code }
    }

    /// Whether it is Rust.
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether all of it is tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("_tests.rs")
            || self.path.ends_with("/tests.rs")
            || self.path.split('/').rev().skip(1).any(|directory| directory == "tests")
    }

    /// A finding at a byte of the file.
    pub(super) fn finding(
        &self,
        offset: usize,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Finding {
        self.finding_at_line(line_of(&self.text, offset), what, instead)
    }

    /// A finding at a line, from one.
    pub(super) fn finding_at_line(
        &self,
        line: usize,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into(), instead: instead.into() }
    }
}

/// Every file that the rules read, sorted by path.
pub(super) fn read_all(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_symlink() {
                continue;
            } else if path.is_dir() {
                if is_ours(&name) && !path.join(CACHE_MARK).exists() {
                    directories.push(path);
                }
            } else if let Some(file) = read(root, &path)? {
                files.push(file);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_ours(directory: &str) -> bool {
    let hidden = directory.starts_with('.') && !HIDDEN.contains(&directory);
    !hidden && !SKIPPED.contains(&directory)
}

/// The file, if people wrote it: neither binary nor of another ending.
fn read(root: &Path, path: &Path) -> anyhow::Result<Option<File>> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    if !ENDINGS.contains(&ending.as_ref()) {
        return Ok(None);
    }
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let relative = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
    Ok(String::from_utf8(bytes).ok().map(|text| File::new(relative, text)))
}

#[cfg(test)]
mod tests {
    use super::{File, read_all};

    #[test]
    fn results_and_binaries_are_not_read() {
        let root = tempfile::tempdir().unwrap();
        let paths = [
            "check",
            "src/a.rs",
            "src/a.png",
            "src/latin.md",
            ".ci/run",
            ".git/config.toml",
            "target/b.rs",
            "built/CACHEDIR.TAG",
            "built/c.rs",
        ];
        for path in paths {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text: &[u8] = if path.ends_with("latin.md") { b"\xe9" } else { b"text" };
            std::fs::write(path, text).unwrap();
        }
        let files = read_all(root.path()).unwrap();
        let found: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(found, [".ci/run", "check", "src/a.rs"]);
    }

    #[test]
    fn test_files_are_known_by_their_path() {
        let check = |path: &str, expect: bool| {
            assert_eq!(File::new(path, "").is_test(), expect, "{path}");
        };
        check("crates/a/src/b_tests.rs", true);
        check("crates/a/src/b/tests.rs", true);
        check("crates/a/tests/b.rs", true);
        check("crates/a/src/tests/b/c.rs", true);
        check("crates/a/src/tested.rs", false);
        check("crates/a/src/lib.rs", false);
    }
}
