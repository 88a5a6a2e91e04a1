//! What the root of a datanet commits to.
//!
//! A record's text is cut into chunks of 1 KiB, which are the leaves of a tree; the root of
//! that tree, with the record's length, title and contributor, is a leaf in the tree of all
//! records in order. Both are trees of RFC 9162. The number of records is hashed with the
//! root of the second, so that a record has one place and not another.
//!
//! **Invariant**: another text, length, title, contributor, order or number of records is
//! another root.

use ambar_base::codec::Encode;
use ambar_base::tree::{self, Tree};
use ambar_base::{Digest, Domain, record};

/// Length of a chunk of a record's text, bytes; the last one may be shorter.
pub const CHUNK_BYTES: usize = 1024;

record! {
    /// A record as a leaf of its datanet's tree.
    pub struct RecordLeaf {
        /// Index in the datanet's contributor table.
        pub contributor: u32,
        /// SHA-256 of its path or title.
        pub title: Digest,
        /// Length of the text in bytes, at least 1.
        pub bytes: u32,
        /// Root over the chunks of its text.
        pub chunks: Digest,
    }
}

impl RecordLeaf {
    /// Its hash in the tree.
    #[must_use]
    pub fn hash(&self) -> Digest {
        tree::leaf_hash(&self.to_bytes())
    }

    /// How many chunks its text has.
    #[must_use]
    pub fn chunk_count(&self) -> u64 {
        u64::from(self.bytes).div_ceil(CHUNK_BYTES as u64)
    }
}

/// The hashes of a text's chunks in order.
#[must_use]
pub fn chunk_hashes(text: &[u8]) -> Vec<Digest> {
    text.chunks(CHUNK_BYTES).map(tree::leaf_hash).collect()
}

/// The tree of a text's chunks.
#[must_use]
pub fn chunks_tree(text: &[u8]) -> Tree {
    Tree::new(chunk_hashes(text))
}

/// The root over a text's chunks.
#[must_use]
pub fn chunks_root(text: &[u8]) -> Digest {
    tree::root_of(chunk_hashes(text))
}

/// The tree of a datanet's records in order.
#[must_use]
pub fn records_tree(leaves: impl IntoIterator<Item = RecordLeaf>) -> Tree {
    Tree::new(leaves.into_iter().map(|leaf| leaf.hash()).collect())
}

/// The root of a datanet of `count` records whose tree has the root `tree`.
#[must_use]
pub fn root(count: u64, tree: &Digest) -> Digest {
    Domain::Corpus.digest(&[&count.to_be_bytes()[..], &tree.0].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(title: &str, text: &[u8]) -> RecordLeaf {
        let (title, chunks) = (Digest::of(title.as_bytes()), chunks_root(text));
        RecordLeaf { contributor: 7, title, bytes: text.len() as u32, chunks }
    }

    fn root_of(leaves: &[RecordLeaf]) -> Digest {
        root(leaves.len() as u64, &records_tree(leaves.iter().cloned()).root())
    }

    /// Evidence names this root, and receipts bind evidence: a change here makes every
    /// datanet another one.
    #[test]
    fn the_root_is_pinned() {
        let found = root_of(&[leaf("one", b"first text"), leaf("two", &[b'x'; 5_000])]);
        let pinned = "4521387365940c9faeb93370e78dd18ce2ca1a00215e4bab88ab65404cd765d2";
        assert_eq!(found.to_string(), pinned);
    }

    #[test]
    fn everything_about_a_record_is_in_the_root() {
        let plain = [leaf("one", b"first text"), leaf("two", b"second text")];
        let differs = |change: fn(&mut Vec<RecordLeaf>)| {
            let mut leaves = plain.to_vec();
            change(&mut leaves);
            assert_ne!(root_of(&leaves), root_of(&plain));
        };
        differs(|l| l[0].contributor = 8);
        differs(|l| l[0].title = Digest::of(b"One"));
        differs(|l| l[0].bytes += 1);
        differs(|l| l[0].chunks = chunks_root(b"First text"));
        differs(|l| l.reverse());
        differs(|l| l.truncate(1));
    }

    #[test]
    fn chunks_are_counted_as_they_are_cut() {
        for bytes in [1, 1_023, 1_024, 1_025, 2_048, 9_000] {
            let text = vec![b'x'; bytes];
            assert_eq!(leaf("x", &text).chunk_count(), chunk_hashes(&text).len() as u64);
        }
    }
}
