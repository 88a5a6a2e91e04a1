//! Which version of this software may open a home.
//!
//! **Invariant**: a home is never changed by a version that does not know its format.

use super::write_private;
use crate::error::NodeError;
use std::fs;
use std::io;
use std::path::Path;

/// The version of a home's layout that this software writes.
pub const HOME_FORMAT: u64 = 1;

/// The file that says it. Homes of the first format may lack it.
const FILE: &str = "format";

/// Checks the format of the home at `root`, and writes it into one that does not say.
pub(super) fn check(root: &Path) -> Result<(), NodeError> {
    let path = root.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return write(root),
        Err(error) => return Err(NodeError::file(&path, error)),
    };
    match text.trim().parse::<u64>() {
        Ok(HOME_FORMAT) => Ok(()),
        Ok(found) if found > HOME_FORMAT => {
            Err(NodeError::HomeTooNew { home: root.to_owned(), found, known: HOME_FORMAT })
        }
        _ => {
            let reason = format!("`{}` is no version of a home", text.trim());
            Err(NodeError::Config { path, reason })
        }
    }
}

/// Writes this software's format into the home at `root`.
pub(super) fn write(root: &Path) -> Result<(), NodeError> {
    let path = root.join(FILE);
    let written = write_private(&path, format!("{HOME_FORMAT}\n").as_bytes());
    written.map_err(|error| NodeError::file(&path, error))
}
