//! The hash tree of RFC 9162, section 2.1 (Certificate Transparency 2.0) over SHA-256:
//! batches of receipts, lines of a node, outcomes of a block.

use crate::digest::Digest;
use std::ops::Range;

/// Longest inclusion path accepted, hashes: a tree of 2⁴⁰ leaves.
pub const PATH_HASHES_MAX: usize = 40;

/// The hash of a leaf.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], leaf])
}

fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], &left.0, &right.0])
}

/// A tree with all its levels, so that a path costs its own length.
#[derive(Clone, Debug)]
pub struct Tree {
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// The tree over leaf hashes in order.
    #[must_use]
    pub fn new(leaf_hashes: Vec<Digest>) -> Self {
        let mut levels = vec![leaf_hashes];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            levels.push(parents(level));
        }
        Self { levels }
    }

    /// The root. A tree without leaves has the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let top = self.levels.last().and_then(|level| level.first());
        top.copied().unwrap_or_else(|| Digest::of(b""))
    }

    /// The hashes beside the way from leaf `index` to the root, lowest first.
    #[must_use]
    pub fn path(&self, mut index: usize) -> Vec<Digest> {
        let mut path = Vec::new();
        for level in &self.levels {
            path.extend(level.get(index ^ 1));
            index /= 2;
        }
        path
    }

    /// The hashes beside the way from a run of leaves to the root: on each level, lowest
    /// first, the one on the left and the one on the right, where there is one. Of one leaf
    /// it is its [`path`](Self::path).
    #[must_use]
    pub fn run_path(&self, leaves: Range<usize>) -> Vec<Digest> {
        let (mut run, mut path) = (leaves, Vec::new());
        for level in &self.levels {
            if run.start & 1 == 1 {
                path.push(level[run.start - 1]);
            }
            if run.end & 1 == 1 {
                path.extend(level.get(run.end));
            }
            run = run.start / 2..run.end.div_ceil(2);
        }
        path
    }
}

/// The root over leaf hashes, without keeping the levels.
#[must_use]
pub fn root_of(mut hashes: Vec<Digest>) -> Digest {
    while hashes.len() > 1 {
        hashes = parents(&hashes);
    }
    hashes.first().copied().unwrap_or_else(|| Digest::of(b""))
}

/// Pairs become parents; a last one without partner rises as it is, which is the shape of
/// RFC 9162's recursive definition.
fn parents(level: &[Digest]) -> Vec<Digest> {
    let parent = |pair: &[Digest]| match pair {
        [left, right] => node_hash(left, right),
        rest => rest[0],
    };
    level.chunks(2).map(parent).collect()
}

/// Whether `path` leads from leaf hash `leaf` at `index` of a tree of `size` leaves to
/// `root` (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn includes(root: &Digest, leaf: &Digest, index: u64, size: u64, path: &[Digest]) -> bool {
    if index >= size || path.len() > PATH_HASHES_MAX {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// The root that `path` leads to from the leaf hashes `run`, which begin at leaf `start` of a
/// tree of `size` leaves; nothing if the run does not lie in the tree or the path is not
/// exactly as long as it must be. This is [`includes`] for neighbours, whose common way up is
/// shown once.
#[must_use]
pub fn root_of_run(run: &[Digest], start: u64, size: u64, path: &[Digest]) -> Option<Digest> {
    let (mut at, mut end, mut width) = (start, start.checked_add(run.len() as u64)?, size);
    if run.is_empty() || end > size || path.len() > 2 * PATH_HASHES_MAX {
        return None;
    }
    let (mut level, mut beside) = (run.to_vec(), path.iter());
    while width > 1 {
        if at & 1 == 1 {
            level.insert(0, *beside.next()?);
            at -= 1;
        }
        if end & 1 == 1 && end < width {
            level.push(*beside.next()?);
        }
        level = parents(&level);
        (at, end, width) = (at / 2, end.div_ceil(2), width.div_ceil(2));
    }
    beside.next().is_none().then_some(level[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 9162's definition, literally.
    fn recursive(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [one] => *one,
            many => {
                let split = many.len().next_power_of_two() / 2;
                node_hash(&recursive(&many[..split]), &recursive(&many[split..]))
            }
        }
    }

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|i| leaf_hash(&i.to_le_bytes())).collect()
    }

    #[test]
    fn shape_is_that_of_the_rfc() {
        for count in 0..70 {
            assert_eq!(Tree::new(leaves(count)).root(), recursive(&leaves(count)), "{count}");
            assert_eq!(root_of(leaves(count)), recursive(&leaves(count)), "{count}");
        }
    }

    #[test]
    fn every_path_leads_to_the_root_and_to_no_other() {
        for count in 1..40 {
            let tree = Tree::new(leaves(count));
            for (index, leaf) in leaves(count).iter().enumerate() {
                let (path, size) = (tree.path(index), count as u64);
                assert!(includes(&tree.root(), leaf, index as u64, size, &path));
                assert!(!includes(&tree.root(), leaf, index as u64 + 1, size, &path));
                assert!(!includes(&Digest::ZERO, leaf, index as u64, size, &path));
            }
        }
    }

    #[test]
    fn every_run_leads_to_the_root() {
        for count in 1..20 {
            let (all, tree) = (leaves(count), Tree::new(leaves(count)));
            for start in 0..count {
                assert_eq!(tree.run_path(start..start + 1), tree.path(start));
                for end in start + 1..=count {
                    let path = tree.run_path(start..end);
                    let root = |at, size: usize, path: &[Digest]| {
                        root_of_run(&all[start..end], at, size as u64, path)
                    };
                    assert_eq!(root(start as u64, count, &path), Some(tree.root()));
                    assert_ne!(root(start as u64 + 1, count, &path), Some(tree.root()));
                    let longer = [&path[..], &[Digest::ZERO]].concat();
                    assert_eq!(root(start as u64, count, &longer), None);
                    if let Some((_, shorter)) = path.split_last() {
                        assert_eq!(root(start as u64, count, shorter), None);
                    }
                }
            }
        }
        assert_eq!(root_of_run(&[], 0, 1, &[]), None);
        assert_eq!(root_of_run(&leaves(2), u64::MAX, 9, &[]), None);
    }

    proptest! {
        #[test]
        fn a_changed_path_fails(count in 2usize..300, pick: usize, byte: usize, bit in 0u8..8) {
            let tree = Tree::new(leaves(count));
            let index = pick % count;
            let mut path = tree.path(index);
            let hash = byte / 32 % path.len();
            path[hash].0[byte % 32] ^= 1 << bit;
            let leaf = leaves(count)[index];
            prop_assert!(!includes(&tree.root(), &leaf, index as u64, count as u64, &path));
            path.pop();
            prop_assert!(!includes(&tree.root(), &leaf, index as u64, count as u64, &path));
        }
    }
}
