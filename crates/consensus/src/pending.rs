//! Blocks that were executed and are not final yet.
//!
//! **Invariant**: a block is here from its first execution until a block of its height or a
//! later one is final, so what consensus finalizes need not be executed for the view again.

use crate::database::Finalized;
use crate::error::SubmitError;
use ambar_base::{Digest, Height};
use std::collections::{HashMap, HashSet};

/// A transaction that could not follow a block that is not final yet.
#[derive(Clone, Debug)]
pub struct Doubtful {
    /// Its id.
    pub id: Digest,
    /// Why.
    pub error: SubmitError,
}

/// The blocks by the digest of their header.
#[derive(Debug, Default)]
pub struct Pending {
    blocks: HashMap<Digest, Finalized>,
    /// What was refused on top of a block: the refusal counts once that block is final.
    doubtful: HashMap<Digest, (Height, Vec<Doubtful>)>,
}

impl Pending {
    /// Keeps an executed block.
    pub fn insert(&mut self, block: Finalized) {
        self.blocks.insert(block.header.digest(), block);
    }

    /// Takes the block with this header, if it was executed.
    pub fn take(&mut self, digest: &Digest) -> Option<Finalized> {
        self.blocks.remove(digest)
    }

    /// Transactions that a child of `parent` need not try: they are in it or in an ancestor
    /// that is not final, or were refused on top of it.
    pub fn taken(&self, parent: &Digest) -> HashSet<Digest> {
        let mut taken = HashSet::new();
        if let Some((_, doubtful)) = self.doubtful.get(parent) {
            taken.extend(doubtful.iter().map(|doubtful| doubtful.id));
        }
        let mut next = *parent;
        while let Some(block) = self.blocks.get(&next) {
            taken.extend(&block.ids);
            next = block.header.parent;
        }
        taken
    }

    /// Notes what was refused on top of `parent`, whose height is `height`.
    pub fn doubt(&mut self, parent: Digest, height: Height, refused: Vec<Doubtful>) {
        self.doubtful.entry(parent).or_insert((height, Vec::new())).1.extend(refused);
    }

    /// Forgets what can no longer become final once `digest` is final at `height`; yields
    /// what was refused on top of it.
    pub fn settle(&mut self, digest: &Digest, height: Height) -> Vec<Doubtful> {
        let refused = self.doubtful.remove(digest).map(|(_, refused)| refused);
        self.blocks.retain(|_, block| block.header.height > height);
        self.doubtful.retain(|_, (at, _)| *at > height);
        refused.unwrap_or_default()
    }
}
