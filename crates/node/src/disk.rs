//! How much of the disk each part of a ledger takes.
//!
//! It looks at lengths of files only; whoever removes one meanwhile is not waited for.

use std::fs;
use std::path::Path;

/// Deepest directory that is looked into: the engine's parts have files of one level.
const DEPTH_MAX: usize = 4;

/// Bytes of each part of a ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerBytes {
    /// The view that everybody reads: final blocks, and the state of now.
    pub view: u64,
    /// The engine's own blocks, and the votes that made them final.
    pub blocks: u64,
    /// The authenticated state.
    pub state: u64,
    /// The votes that this node cast.
    pub votes: u64,
    /// The rest.
    pub other: u64,
}

impl LedgerBytes {
    /// Of the ledger in a directory; nothing of what cannot be read.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        let mut bytes = Self::default();
        for (name, path) in entries(directory) {
            match name.as_str() {
                "engine" => bytes.add_engine(&path),
                name if name.starts_with("view") => bytes.view += length(&path, DEPTH_MAX),
                _ => bytes.other += length(&path, DEPTH_MAX),
            }
        }
        bytes
    }

    fn add_engine(&mut self, directory: &Path) {
        for (name, path) in entries(directory) {
            let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
            let part = if begins(&["state"]) {
                &mut self.state
            } else if begins(&["votes", "begun"]) {
                &mut self.votes
            } else if begins(&["blocks", "finalizations", "marshal"]) {
                &mut self.blocks
            } else {
                &mut self.other
            };
            *part += length(&path, DEPTH_MAX);
        }
    }

    /// Each part with its name.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, u64); 5] {
        let Self { view, blocks, state, votes, other } = *self;
        [("view", view), ("blocks", blocks), ("state", state), ("votes", votes), ("other", other)]
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = (String, std::path::PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
}

/// The bytes of a file, or of all files below a directory.
fn length(path: &Path, depth: usize) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() && depth > 0 => {
            entries(path).map(|(_, path)| length(&path, depth - 1)).sum()
        }
        Ok(found) if found.is_file() => found.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_counted_once() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, bytes: usize| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![0; bytes]).unwrap();
        };
        assert_eq!(LedgerBytes::of(&directory.path().join("none")), LedgerBytes::default());
        write("view.redb", 1);
        write("voted", 2);
        write("engine/blocks-key/1", 4);
        write("engine/marshal-cache-metadata/left", 8);
        write("engine/state-log_data/0", 16);
        write("engine/votes-3/0", 32);
        write("engine/plan/0", 64);
        let found = LedgerBytes::of(directory.path());
        let expect = LedgerBytes { view: 1, blocks: 12, state: 16, votes: 32, other: 66 };
        assert_eq!(found, expect);
        assert_eq!(found.parts().iter().map(|(_, bytes)| bytes).sum::<u64>(), 127);
    }
}
