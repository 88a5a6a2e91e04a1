//! Lineage: the graph of versions, as data that may come from anywhere.
//!
//! Ids are hashes of manifests that name their parents, so honest lineage has no cycle.
//! A set of edges that was read from a catalogue is not known to be honest: [`Lineage`]
//! checks it before anything walks it.

use crate::manifest::Manifest;
use ambar_base::{Cid, Coded, ErrorCode, Weight};
use std::collections::{BTreeMap, BTreeSet};

/// Most versions on a way from a version to its farthest ancestor or component.
pub const LINEAGE_DEPTH_MAX: usize = 64;
/// Most versions of one walk.
pub const LINEAGE_VERSIONS_MAX: usize = 4096;

/// How a version hangs on another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// The other takes a share of its royalty.
    DerivedFrom(Weight),
    /// It continues or merges the other.
    Previous,
    /// It calls the other in this role.
    Uses(String),
}

/// A graph of versions without cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    edges: BTreeMap<Cid, Vec<(Edge, Cid)>>,
}

/// Why edges are no lineage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineageError {
    /// A version is its own ancestor or component.
    #[error("{0} is built on itself")]
    Cycle(Cid),
    /// Deeper than the limit.
    #[error("the lineage of {0} is deeper than {LINEAGE_DEPTH_MAX} versions")]
    Depth(Cid),
    /// More versions than the limit.
    #[error("the lineage has more than {LINEAGE_VERSIONS_MAX} versions")]
    Versions,
}

impl Coded for LineageError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Cycle(_) => ErrorCode::CycleInLineage,
            Self::Depth(_) | Self::Versions => ErrorCode::LimitExceeded,
        }
    }
}

impl Lineage {
    /// Checks edges and keeps them.
    pub fn new(edges: BTreeMap<Cid, Vec<(Edge, Cid)>>) -> Result<Self, LineageError> {
        let targets = edges.values().flatten().map(|(_, target)| *target);
        let versions: BTreeSet<Cid> = edges.keys().copied().chain(targets).collect();
        if versions.len() > LINEAGE_VERSIONS_MAX {
            return Err(LineageError::Versions);
        }
        let lineage = Self { edges };
        lineage.check_depths(&versions).map(|()| lineage)
    }

    /// The edges that a manifest declares.
    #[must_use]
    pub fn edges_of(manifest: &Manifest) -> Vec<(Edge, Cid)> {
        let derived = manifest.derived_from.iter().map(|p| (Edge::DerivedFrom(p.share), p.version));
        let previous = manifest.previous.iter().map(|version| (Edge::Previous, *version));
        let uses = manifest.uses.iter().map(|c| (Edge::Uses(c.role.clone()), c.version));
        derived.chain(previous).chain(uses).collect()
    }

    /// The edges that leave a version.
    #[must_use]
    pub fn edges(&self, version: &Cid) -> &[(Edge, Cid)] {
        self.edges.get(version).map_or(&[], Vec::as_slice)
    }

    /// Every version that `version` hangs on, directly or not, each once.
    #[must_use]
    pub fn ancestors(&self, version: &Cid) -> BTreeSet<Cid> {
        let mut seen = BTreeSet::new();
        let mut left = vec![*version];
        while let Some(at) = left.pop() {
            left.extend(self.edges(&at).iter().map(|(_, to)| *to).filter(|to| seen.insert(*to)));
        }
        seen
    }

    /// Peels versions whose targets are all done (Kahn 1962), layer by layer: what is never
    /// peeled lies on or above a cycle.
    fn check_depths(&self, versions: &BTreeSet<Cid>) -> Result<(), LineageError> {
        let mut done = BTreeSet::new();
        for _ in 0..=LINEAGE_DEPTH_MAX {
            let ready = |v: &&Cid| self.edges(v).iter().all(|(_, to)| done.contains(to));
            let layer: Vec<Cid> =
                versions.iter().filter(|v| !done.contains(*v)).filter(ready).copied().collect();
            if layer.is_empty() {
                break;
            }
            done.extend(layer);
        }
        match versions.iter().find(|version| !done.contains(*version)) {
            None => Ok(()),
            Some(left) if self.ancestors(left).contains(left) => Err(LineageError::Cycle(*left)),
            Some(left) => Err(self.first_cycle(versions).unwrap_or(LineageError::Depth(*left))),
        }
    }

    fn first_cycle(&self, versions: &BTreeSet<Cid>) -> Option<LineageError> {
        versions.iter().find(|v| self.ancestors(v).contains(*v)).map(|v| LineageError::Cycle(*v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: usize) -> Cid {
        Cid::of(&number.to_le_bytes())
    }

    fn lineage(edges: &[(usize, usize)]) -> Result<Lineage, LineageError> {
        let mut map: BTreeMap<Cid, Vec<(Edge, Cid)>> = BTreeMap::new();
        for (from, to) in edges {
            map.entry(id(*from)).or_default().push((Edge::Previous, id(*to)));
        }
        Lineage::new(map)
    }

    #[test]
    fn chain_fork_and_merge() {
        let graph = lineage(&[(2, 1), (3, 2), (4, 2), (5, 3), (5, 4)]).unwrap();
        assert_eq!(graph.ancestors(&id(5)), [1, 2, 3, 4].map(id).into());
        assert_eq!(graph.ancestors(&id(3)), [1, 2].map(id).into());
    }

    #[test]
    fn cycles_and_depth() {
        assert_eq!(lineage(&[(1, 1)]), Err(LineageError::Cycle(id(1))));
        let error = lineage(&[(1, 2), (2, 3), (3, 1), (9, 1)]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::CycleInLineage);
        let chain = |length: usize| (0..length).map(|i| (i, i + 1)).collect::<Vec<_>>();
        assert!(lineage(&chain(LINEAGE_DEPTH_MAX)).is_ok());
        let error = lineage(&chain(LINEAGE_DEPTH_MAX + 1)).unwrap_err();
        assert!(matches!(error, LineageError::Depth(_)));
        assert_eq!(lineage(&chain(LINEAGE_VERSIONS_MAX)), Err(LineageError::Versions));
    }

    proptest! {
        #[test]
        fn edges_downwards_never_cycle(edges in proptest::collection::vec((0usize..30, 0usize..30), 0..60)) {
            let down: Vec<_> = edges.iter().filter(|(a, b)| a > b).copied().collect();
            prop_assert!(lineage(&down).is_ok());
        }
    }
}
