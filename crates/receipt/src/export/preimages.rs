//! The documents that a receipt's facts and leaf name by digest.

use super::ByteBuf;
use crate::fact::{GrantFact, TariffFact, VersionFact};
use crate::leaf::Leaf;
use ambar_base::{Cid, Digest, Domain};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A kind of document, with its own way of being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Terms, by id.
    Terms,
    /// Tariffs, by id.
    Tariff,
    /// Plans in the compact encoding, by [`Plan::digest`](ambar_capsule::Plan::digest).
    Plan,
    /// Manifests of datanets, by id.
    Manifest,
    /// Evidence, by [`Evidence::root`](ambar_attribution::Evidence::root).
    Evidence,
}

/// Documents by kind; each list ascends by digest, and nothing stands twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preimages {
    /// What shares rest on. The holder may leave it out.
    pub evidence: Vec<ByteBuf>,
    /// Manifests of the datanets whose evidence is here: they say how methods are mixed.
    pub manifests: Vec<ByteBuf>,
    /// The plans of the lines' versions.
    pub plans: Vec<ByteBuf>,
    /// The tariffs that the lines are measured by.
    pub tariffs: Vec<ByteBuf>,
    /// The terms that price the lines: those of their grants.
    pub terms: Vec<ByteBuf>,
}

/// Digests that a receipt names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Without these nothing is recomputed.
    pub needed: BTreeSet<Digest>,
    /// These may be left out.
    pub useful: BTreeSet<Digest>,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Terms, Self::Tariff, Self::Plan, Self::Manifest, Self::Evidence];

    /// What people call one of them.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Terms => "terms",
            Self::Tariff => "tariff",
            Self::Plan => "plan",
            Self::Manifest => "manifest",
            Self::Evidence => "evidence",
        }
    }

    /// The digest by which a document of this kind is named.
    #[must_use]
    pub fn digest(self, bytes: &[u8]) -> Digest {
        match self {
            Self::Terms | Self::Tariff | Self::Manifest => Cid::of(bytes).0,
            Self::Plan => Domain::Plan.digest(bytes),
            Self::Evidence => Domain::Evidence.digest(bytes),
        }
    }

    /// What a leaf and its facts name. `version`, `grant` and `tariff` find facts by number.
    pub(crate) fn named<'a>(
        self,
        leaf: &Leaf,
        version: impl Fn(u64) -> Option<&'a VersionFact>,
        grant: impl Fn(u64) -> Option<&'a GrantFact>,
        tariff: impl Fn(u64) -> Option<&'a TariffFact>,
    ) -> Named {
        let versions = || leaf.lines.iter().filter_map(|line| version(line.version));
        let shares = || leaf.lines.iter().flat_map(|line| &line.shares);
        let needed = |needed| Named { needed, useful: BTreeSet::new() };
        let useful = |useful| Named { needed: BTreeSet::new(), useful };
        let grants = leaf.lines.iter().filter_map(|line| grant(line.grant));
        let tariffs = leaf.lines.iter().filter_map(|line| tariff(line.tariff));
        match self {
            Self::Terms => needed(grants.map(|fact| fact.terms.0).collect()),
            Self::Tariff => needed(tariffs.map(|fact| fact.id.0).collect()),
            Self::Plan => needed(versions().map(|fact| fact.plan).collect()),
            Self::Manifest => {
                let datanets = shares().filter_map(|share| version(share.datanet));
                useful(datanets.map(|fact| fact.id.0).collect())
            }
            Self::Evidence => useful(shares().map(|share| share.evidence).collect()),
        }
    }
}

impl Preimages {
    /// The documents of a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &[ByteBuf] {
        match kind {
            Kind::Terms => &self.terms,
            Kind::Tariff => &self.tariffs,
            Kind::Plan => &self.plans,
            Kind::Manifest => &self.manifests,
            Kind::Evidence => &self.evidence,
        }
    }

    pub(crate) fn of_mut(&mut self, kind: Kind) -> &mut Vec<ByteBuf> {
        match kind {
            Kind::Terms => &mut self.terms,
            Kind::Tariff => &mut self.tariffs,
            Kind::Plan => &mut self.plans,
            Kind::Manifest => &mut self.manifests,
            Kind::Evidence => &mut self.evidence,
        }
    }

    /// The documents of a kind by the digest that names them.
    #[must_use]
    pub fn by_digest(&self, kind: Kind) -> BTreeMap<Digest, &[u8]> {
        self.of(kind).iter().map(|bytes| (kind.digest(bytes), bytes.as_slice())).collect()
    }
}
