//! Outboards that were checked, so that reading a range of a large blob does not check its
//! whole outboard each time.
//!
//! **Invariant**: what is here was checked against its root, so it is right whatever
//! happens to the file it came from.

use crate::limits::{CACHED_OUTBOARD_BYTES_MAX, CACHED_OUTBOARDS_MAX};
use ambar_capsule::chunks::{CHAINING_VALUE_BYTES, ContentRoot, VerifiedOutboard};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Checked outboards, the most recently used last.
#[derive(Default)]
pub(crate) struct OutboardCache {
    entries: VecDeque<(ContentRoot, Arc<VerifiedOutboard>)>,
    bytes: u64,
}

impl fmt::Debug for OutboardCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutboardCache({} of {} bytes)", self.entries.len(), self.bytes)
    }
}

fn bytes_of(outboard: &VerifiedOutboard) -> u64 {
    outboard.groups() * CHAINING_VALUE_BYTES as u64
}

impl OutboardCache {
    /// The outboard of a blob.
    pub(crate) fn get(&mut self, root: &ContentRoot) -> Option<Arc<VerifiedOutboard>> {
        let outboard = self.remove(root)?;
        self.insert(*root, Arc::clone(&outboard));
        Some(outboard)
    }

    /// Keeps an outboard, if it is not larger than the whole cache may be.
    pub(crate) fn insert(&mut self, root: ContentRoot, outboard: Arc<VerifiedOutboard>) {
        self.remove(&root);
        self.bytes += bytes_of(&outboard);
        self.entries.push_back((root, outboard));
        while self.bytes > CACHED_OUTBOARD_BYTES_MAX || self.entries.len() > CACHED_OUTBOARDS_MAX {
            let Some((_, oldest)) = self.entries.pop_front() else { break };
            self.bytes -= bytes_of(&oldest);
        }
    }

    /// Forgets an outboard.
    pub(crate) fn remove(&mut self, root: &ContentRoot) -> Option<Arc<VerifiedOutboard>> {
        let at = self.entries.iter().position(|(kept, _)| kept == root)?;
        let (_, outboard) = self.entries.remove(at)?;
        self.bytes -= bytes_of(&outboard);
        Some(outboard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_capsule::chunks::ChunkTree;

    #[test]
    fn the_least_recently_used_goes_first() {
        let trees =
            (0..=CACHED_OUTBOARDS_MAX as u32).map(|i| ChunkTree::of(&i.to_le_bytes()).unwrap());
        let trees: Vec<_> =
            trees.map(|tree| (tree.root, tree.outboard.verify(&tree.root).unwrap())).collect();
        let mut cache = OutboardCache::default();
        for (root, outboard) in &trees[..CACHED_OUTBOARDS_MAX] {
            cache.insert(*root, Arc::new(outboard.clone()));
        }
        assert!(cache.get(&trees[0].0).is_some());
        let (root, outboard) = &trees[CACHED_OUTBOARDS_MAX];
        cache.insert(*root, Arc::new(outboard.clone()));
        assert!(cache.get(&trees[1].0).is_none());
        assert!(cache.get(&trees[0].0).is_some() && cache.get(root).is_some());
        assert_eq!(cache.bytes, CACHED_OUTBOARDS_MAX as u64 * 32);
    }
}
