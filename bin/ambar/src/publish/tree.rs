//! The files of what is published: a directory's, or one file alone.

use crate::failure::{Failure, Outcome};
use ambar_base::ErrorCode;
use ambar_node::files::FILES_MAX;
use std::fs;
use std::path::{Path, PathBuf};

/// Deepest directory below the published one.
const DEPTH_MAX: usize = 32;

/// A file and its name within the capsule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path within the capsule, with `/` between its parts.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
}

/// The files at `path` in the order of their names. Names that begin with a dot are left
/// out; what is neither file nor directory is refused.
pub fn files(path: &Path) -> Outcome<Vec<SourceFile>> {
    let metadata = fs::metadata(path).map_err(|error| Failure::file(path, &error))?;
    let mut found = Vec::new();
    if metadata.is_file() {
        let name = path.file_name().unwrap_or_default();
        found.push(SourceFile {
            name: text(path, name)?,
            path: path.into(),
            bytes: metadata.len(),
        });
    } else {
        walk(path, "", 0, &mut found)?;
        found.sort_by(|one, two| one.name.cmp(&two.name));
    }
    if found.is_empty() {
        let message = format!("{}: no files to publish", path.display());
        return Err(Failure::new(ErrorCode::DatasetEmpty, message));
    }
    Ok(found)
}

fn walk(dir: &Path, prefix: &str, depth: usize, found: &mut Vec<SourceFile>) -> Outcome {
    let failed = |error| Failure::file(dir, &error);
    if depth > DEPTH_MAX {
        return Err(too_many(dir, &format!("deeper than {DEPTH_MAX} directories")));
    }
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), text(&entry.path(), &entry.file_name())?);
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        let metadata = fs::symlink_metadata(&path).map_err(|error| Failure::file(&path, &error))?;
        if metadata.is_dir() {
            walk(&path, &format!("{name}/"), depth + 1, found)?;
        } else if metadata.is_file() {
            found.push(SourceFile { name, path, bytes: metadata.len() });
        } else {
            return Err(Failure::input(format!(
                "{}: neither a file nor a directory",
                path.display()
            )));
        }
        if found.len() > FILES_MAX {
            return Err(too_many(dir, &format!("more than {FILES_MAX} files")));
        }
    }
    Ok(())
}

fn too_many(path: &Path, what: &str) -> Failure {
    Failure::new(ErrorCode::LimitExceeded, format!("{}: {what}", path.display()))
}

fn text(path: &Path, name: &std::ffi::OsStr) -> Outcome<String> {
    let name = name.to_str().map(str::to_owned);
    name.ok_or_else(|| Failure::input(format!("{}: the name is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ascend_and_dots_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b/c")).unwrap();
        for name in ["b/c/2.txt", "b/1.txt", "a.txt", ".hidden"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let names: Vec<_> = files(dir.path()).unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["a.txt", "b/1.txt", "b/c/2.txt"]);
        let one = files(&dir.path().join("a.txt")).unwrap();
        assert_eq!((one[0].name.as_str(), one[0].bytes), ("a.txt", 5));
    }

    #[test]
    fn nothing_missing_and_links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(files(dir.path()).unwrap_err().code, ErrorCode::DatasetEmpty);
        let missing = dir.path().join("missing");
        assert_eq!(files(&missing).unwrap_err().code, ErrorCode::FileUnreadable);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/", dir.path().join("link")).unwrap();
            assert_eq!(files(dir.path()).unwrap_err().code, ErrorCode::RequestInvalid);
        }
    }
}
