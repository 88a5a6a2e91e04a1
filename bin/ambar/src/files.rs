//! Files that people name: read within a limit, `-` for standard input, and directories
//! that only their owner enters.

use crate::failure::{Failure, Outcome};
use ambar_base::ErrorCode;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The name that stands for standard input or output.
pub const STANDARD: &str = "-";

/// The bytes of a file, or of standard input.
pub fn read(path: &Path, bytes_max: u64) -> Outcome<Vec<u8>> {
    let failed = |error: io::Error| Failure::file(path, &error);
    if is_standard(path) {
        return limited(io::stdin().lock(), path, bytes_max);
    }
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(Failure::file(path, &io::Error::other("is a directory")));
    }
    limited(file, path, bytes_max)
}

/// The text of a file, or of standard input.
pub fn read_text(path: &Path, bytes_max: u64) -> Outcome<String> {
    let bytes = read(path, bytes_max)?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::file(path, &io::Error::other("is not UTF-8 text")))
}

fn limited(reader: impl Read, path: &Path, bytes_max: u64) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    // One more than allowed, so that a longer file is seen and not read.
    let read = reader.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Failure::file(path, &error))?;
    if bytes.len() as u64 <= bytes_max {
        return Ok(bytes);
    }
    let message = format!("{}: more than {bytes_max} bytes", path.display());
    Err(Failure::new(ErrorCode::LimitExceeded, message))
}

/// Whether the name stands for standard input or output.
pub fn is_standard(path: &Path) -> bool {
    path.as_os_str() == STANDARD
}

/// Writes a file, replacing what was there.
pub fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::write(path, bytes).map_err(|error| Failure::file(path, &error))
}

/// Makes a directory with its parents that only its owner may enter.
pub fn private_directory(path: &Path) -> Outcome {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| Failure::file(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_kinds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "four").unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "four");
        assert_eq!(read_text(&path, 3).unwrap_err().code, ErrorCode::LimitExceeded);
        assert_eq!(read(dir.path(), 9).unwrap_err().code, ErrorCode::FileUnreadable);
        assert_eq!(read(&dir.path().join("none"), 9).unwrap_err().code, ErrorCode::FileUnreadable);
        fs::write(&path, [0xff]).unwrap();
        assert!(read_text(&path, 9).unwrap_err().message.ends_with("is not UTF-8 text"));
    }

    #[cfg(unix)]
    #[test]
    fn directories_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        private_directory(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
