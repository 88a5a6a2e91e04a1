//! The chunk tree of content: BLAKE3's own tree, cut at groups of 16 KiB.
//!
//! The root is the standard BLAKE3 hash, so `b3sum FILE` prints it. Beside the content
//! lies its *outboard*: the chaining value of each group, in order. Whoever knows the
//! root checks the outboard once and then any group; or one group by a [`GroupProof`].
//! This module does not know where content or outboards are kept.
//!
//! **Invariant**: bytes that verify are the bytes at that place of the content with that
//! root. The length is bound by the last group alone: only the last may be short, and a
//! short group verifies nowhere else.
//!
//! Sources: the BLAKE3 paper, section 2.1 (tree shape) and `blake3::hazmat`.

use ambar_base::codec::{Decode, DecodeError, Encode, Reader, Writer};
use ambar_base::digest::DigestError;
use ambar_base::{Digest, record};
use blake3::Hasher;
use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Length of every group but the last, bytes: 16 chunks of BLAKE3.
pub const GROUP_BYTES: usize = 16 * 1024;

/// Longest content, bytes: 1 TiB.
pub const CONTENT_BYTES_MAX: u64 = 1 << 40;

/// Most groups of a content.
pub const GROUPS_MAX: u64 = CONTENT_BYTES_MAX / GROUP_BYTES as u64;

/// Most siblings of a group's proof: the depth of a tree of [`GROUPS_MAX`] groups.
pub const PROOF_SIBLINGS_MAX: usize = GROUPS_MAX.ilog2() as usize;

/// Length of a chaining value, bytes.
pub const CHAINING_VALUE_BYTES: usize = 32;

/// The BLAKE3 hash of content, printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentRoot(pub [u8; 32]);

impl ContentRoot {
    /// The root of content held in memory.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }
}

impl fmt::Display for ContentRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl fmt::Debug for ContentRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentRoot({self})")
    }
}

impl FromStr for ContentRoot {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.parse().map(|digest: Digest| Self(digest.0))
    }
}

impl Encode for ContentRoot {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }
}

impl Decode for ContentRoot {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Decode::decode(reader).map(Self)
    }
}

impl Serialize for ContentRoot {
    /// A byte string of 32 bytes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Digest(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ContentRoot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Digest::deserialize(deserializer).map(|digest| Self(digest.0))
    }
}

/// Why content, an outboard or a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The content is longer than [`CONTENT_BYTES_MAX`].
    #[error("content has more than {CONTENT_BYTES_MAX} bytes")]
    TooLong,
    /// The outboard's length is not that of 1 to [`GROUPS_MAX`] chaining values.
    #[error("an outboard of {0} bytes is not 1 to {GROUPS_MAX} chaining values")]
    OutboardLength(usize),
    /// The outboard's root is another.
    #[error("the outboard does not belong to this root")]
    Outboard,
    /// The content has no such group.
    #[error("the content has no group {0}")]
    NoGroup(u64),
    /// The group's length is wrong for its place, or its bytes are not the content's.
    #[error("group {0} does not belong to this root")]
    Group(u64),
}

/// What hashing yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkTree {
    /// The root.
    pub root: ContentRoot,
    /// The length of the content, bytes.
    pub length: u64,
    /// The groups' chaining values.
    pub outboard: Outboard,
}

impl ChunkTree {
    /// The tree of content held in memory.
    pub fn of(content: &[u8]) -> Result<Self, ChunkError> {
        let mut hasher = ChunkHasher::new();
        hasher.update(content)?;
        Ok(hasher.finish())
    }
}

/// Hashes content as it streams by.
#[derive(Debug, Default)]
pub struct ChunkHasher {
    groups: Vec<ChainingValue>,
    group: Hasher,
    filled: usize,
}

impl ChunkHasher {
    /// A hasher of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of bytes taken.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.groups.len() as u64 * GROUP_BYTES as u64 + self.filled as u64
    }

    /// Takes the next bytes; refuses them all if the content would become too long.
    pub fn update(&mut self, mut bytes: &[u8]) -> Result<(), ChunkError> {
        if bytes.len() as u64 > CONTENT_BYTES_MAX - self.length() {
            return Err(ChunkError::TooLong);
        }
        while !bytes.is_empty() {
            // A full group is closed only when more follows: a lone group is the root.
            if self.filled == GROUP_BYTES {
                self.close_group();
            }
            let (now, later) = bytes.split_at(bytes.len().min(GROUP_BYTES - self.filled));
            self.group.update(now);
            self.filled += now.len();
            bytes = later;
        }
        Ok(())
    }

    fn close_group(&mut self) {
        self.groups.push(self.group.finalize_non_root());
        // Not `reset`, which keeps the old offset.
        self.group = Hasher::new();
        self.group.set_input_offset(offset_of(self.groups.len() as u64));
        self.filled = 0;
    }

    /// The tree of what was taken.
    #[must_use]
    pub fn finish(mut self) -> ChunkTree {
        let length = self.length();
        if self.groups.is_empty() {
            self.groups.push(*self.group.finalize().as_bytes());
        } else {
            self.groups.push(self.group.finalize_non_root());
        }
        ChunkTree { root: root_of(&self.groups), length, outboard: Outboard(self.groups) }
    }
}

fn offset_of(group: u64) -> u64 {
    group * GROUP_BYTES as u64
}

/// The hash of a group at its place. A lone group is its tree's root.
fn hash_group(index: u64, lone: bool, bytes: &[u8]) -> ChainingValue {
    if lone {
        return *blake3::hash(bytes).as_bytes();
    }
    Hasher::new().set_input_offset(offset_of(index)).update(bytes).finalize_non_root()
}

/// The left subtree of a tree of `count` > 1 groups is the largest full one that leaves
/// something for the right (BLAKE3 paper, section 2.1).
fn left_groups(count: usize) -> usize {
    count.next_power_of_two() / 2
}

fn subtree(groups: &[ChainingValue]) -> ChainingValue {
    if let [one] = groups {
        return *one;
    }
    let (left, right) = groups.split_at(left_groups(groups.len()));
    merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
}

fn root_of(groups: &[ChainingValue]) -> ContentRoot {
    if let [one] = groups {
        return ContentRoot(*one);
    }
    let (left, right) = groups.split_at(left_groups(groups.len()));
    let root = merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash);
    ContentRoot(*root.as_bytes())
}

/// Whether `length` is right for a group, given whether it is the last and the only one.
fn length_fits(length: usize, last: bool, lone: bool) -> bool {
    length == GROUP_BYTES || (last && length < GROUP_BYTES && (lone || length > 0))
}

/// The chaining values of a content's groups, not checked against a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outboard(Vec<ChainingValue>);

impl Outboard {
    /// Reads concatenated chaining values.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ChunkError> {
        let (groups, rest) = bytes.as_chunks::<CHAINING_VALUE_BYTES>();
        let counted = (1..=GROUPS_MAX).contains(&(groups.len() as u64));
        if counted && rest.is_empty() {
            return Ok(Self(groups.to_vec()));
        }
        Err(ChunkError::OutboardLength(bytes.len()))
    }

    /// The concatenated chaining values.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_flattened()
    }

    /// Checks the outboard against the root. Chaining values from higher up in the tree
    /// have the same root: how many groups there are is shown by bytes that verify, not by
    /// the outboard.
    pub fn verify(self, root: &ContentRoot) -> Result<VerifiedOutboard, ChunkError> {
        if root_of(&self.0) != *root {
            return Err(ChunkError::Outboard);
        }
        Ok(VerifiedOutboard(self.0))
    }
}

/// The chaining values of a content's groups, checked against its root.
#[derive(Clone, Debug)]
pub struct VerifiedOutboard(Vec<ChainingValue>);

impl VerifiedOutboard {
    /// The number of groups, at least one.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.0.len() as u64
    }

    /// Checks the bytes of one group.
    pub fn check_group(&self, index: u64, bytes: &[u8]) -> Result<(), ChunkError> {
        let expect = usize::try_from(index).ok().and_then(|index| self.0.get(index));
        let expect = expect.ok_or(ChunkError::NoGroup(index))?;
        let (last, lone) = (index + 1 == self.groups(), self.groups() == 1);
        let fits = length_fits(bytes.len(), last, lone);
        if fits && hash_group(index, lone, bytes) == *expect {
            return Ok(());
        }
        Err(ChunkError::Group(index))
    }

    /// Checks consecutive whole groups that start with group `first`; names the first
    /// that is wrong. Nothing is one empty group.
    pub fn check_groups(&self, first: u64, bytes: &[u8]) -> Result<(), ChunkError> {
        if bytes.is_empty() {
            return self.check_group(first, bytes);
        }
        let mut groups = (first..).zip(bytes.chunks(GROUP_BYTES));
        groups.try_for_each(|(index, group)| self.check_group(index, group))
    }

    /// The proof of one group.
    pub fn prove(&self, index: u64) -> Result<GroupProof, ChunkError> {
        let mut at = usize::try_from(index).map_err(|_| ChunkError::NoGroup(index))?;
        if at >= self.0.len() {
            return Err(ChunkError::NoGroup(index));
        }
        let (mut groups, mut siblings) = (self.0.as_slice(), Vec::new());
        while groups.len() > 1 {
            let (left, right) = groups.split_at(left_groups(groups.len()));
            if at < left.len() {
                siblings.push(subtree(right));
                groups = left;
            } else {
                siblings.push(subtree(left));
                at -= left.len();
                groups = right;
            }
        }
        siblings.reverse();
        Ok(GroupProof { index, siblings })
    }
}

record! {
    /// The siblings on the way from one group to the root, lowest first.
    ///
    /// The proof carries no group count, which no part of the tree would bind. It needs
    /// none: each set bit of the index has its left sibling, and right siblings belong to
    /// the lowest clear bits, as many as remain.
    pub struct GroupProof {
        /// The group's place in the content.
        pub index: u64,
        /// At most [`PROOF_SIBLINGS_MAX`] chaining values.
        pub siblings: Vec<[u8; 32]>,
    }
}

impl GroupProof {
    /// Checks that `bytes` are the group at this proof's index of the content with this
    /// root. Says whether the group is the last, which fixes the content's length.
    pub fn verify(&self, root: &ContentRoot, bytes: &[u8]) -> Result<bool, ChunkError> {
        let refused = ChunkError::Group(self.index);
        let lefts = self.index.count_ones() as usize;
        let in_range = self.index < GROUPS_MAX && self.siblings.len() <= PROOF_SIBLINGS_MAX;
        if !in_range || self.siblings.len() < lefts {
            return Err(refused);
        }
        let rights = self.siblings.len() - lefts;
        let (last, lone) = (rights == 0, self.siblings.is_empty());
        let fits = length_fits(bytes.len(), last, lone);
        if fits && self.climb(rights, hash_group(self.index, lone, bytes)) == *root {
            return Ok(last);
        }
        Err(refused)
    }

    fn climb(&self, mut rights: usize, mut hash: ChainingValue) -> ContentRoot {
        let Some((top, below)) = self.siblings.split_last() else {
            return ContentRoot(hash);
        };
        let mut rest = self.index;
        for sibling in below {
            let (left, right) = if next_is_right(&mut rest, &mut rights) {
                (&hash, sibling)
            } else {
                (sibling, &hash)
            };
            hash = merge_subtrees_non_root(left, right, Mode::Hash);
        }
        let root = if next_is_right(&mut rest, &mut rights) {
            merge_subtrees_root(&hash, top, Mode::Hash)
        } else {
            merge_subtrees_root(top, &hash, Mode::Hash)
        };
        ContentRoot(*root.as_bytes())
    }
}

/// The side of the next sibling. Once the right ones are spent, clear bits are levels at
/// which the last group has nobody beside it.
fn next_is_right(rest: &mut u64, rights: &mut usize) -> bool {
    if *rights == 0 {
        *rest >>= rest.trailing_zeros();
    }
    let right = *rest & 1 == 0;
    *rights -= usize::from(right);
    *rest >>= 1;
    right
}

#[cfg(test)]
#[path = "chunks_tests.rs"]
mod tests;
