//! Assembling a receipt from a batch: places are looked up, and only those facts and
//! documents are kept that its leaf refers to.

use super::{
    Kind, Place, PlacedFact, Preimages, RECEIPT_BYTES_MAX, RECEIPT_FORMAT, ReceiptDocument,
    Settlement,
};
use crate::batch::{SignedBatch, line_hash, lines_by_node};
use crate::fact::{self, Fact, GrantFact, TariffFact, VersionFact};
use crate::leaf::{Details, Leaf, Line};
use crate::subject::{self, Subject};
use ambar_base::tree::Tree;
use ambar_base::{Coded, Digest, Encode, ErrorCode, NetworkId, codec};
use ambar_capsule::Plan;
use ambar_licence::Terms;
use std::collections::{BTreeMap, BTreeSet};

/// What a receipt is made of.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// The network.
    pub network: NetworkId,
    /// The batch.
    pub batch: &'a SignedBatch,
    /// All its leaves, in order.
    pub leaves: &'a [Leaf],
    /// Which of them the receipt is for.
    pub index: usize,
    /// What the leaf binds without showing it, if the receiver may see it.
    pub details: Option<&'a Details>,
    /// The decision that the details bind, in the compact encoding.
    pub decision: Option<Vec<u8>>,
    /// All facts of the batch, [`in_order`](fact::in_order).
    pub facts: &'a [Vec<u8>],
    /// Where the batch settled, once it is final.
    pub settlement: Option<Settlement>,
    /// Documents, in any order; those that the leaf does not refer to are left out.
    pub preimages: &'a Preimages,
}

/// Why a receipt cannot be assembled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// The batch has no such leaf.
    #[error("the batch has {leaves} leaves, none with index {index}")]
    Index {
        /// The index asked for.
        index: usize,
        /// The number of leaves.
        leaves: usize,
    },
    /// A fact does not decode.
    #[error("fact {0} of the batch does not decode")]
    Fact(usize),
    /// The leaf refers to something of which there is no fact.
    #[error("there is no fact about {0}")]
    NoFact(Subject),
    /// A document that is needed is not given.
    #[error("there is no {} with digest {digest}", .kind.text())]
    NoDocument {
        /// Its kind.
        kind: Kind,
        /// The digest that names it.
        digest: Digest,
    },
    /// The receipt is too large.
    #[error("the receipt has {0} bytes; at most {RECEIPT_BYTES_MAX} are allowed")]
    TooLarge(usize),
}

impl Coded for AssembleError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge(_) => ErrorCode::LimitExceeded,
            _ => ErrorCode::NotFound,
        }
    }
}

impl ReceiptDocument {
    /// The receipt of one leaf of a batch.
    pub fn assemble(parts: Parts<'_>) -> Result<Self, AssembleError> {
        let (index, leaves) = (parts.index, parts.leaves.len());
        let leaf = parts.leaves.get(index).ok_or(AssembleError::Index { index, leaves })?;
        let facts = holding(parts.facts, leaf)?;
        let preimages = documents(parts.preimages, leaf, &facts)?;
        let hashes = Tree::new(parts.leaves.iter().map(Leaf::hash).collect());
        let document = Self {
            ambar: RECEIPT_FORMAT,
            batch: parts.batch.to_bytes(),
            decision: parts.decision,
            details: parts.details.map(Encode::to_bytes),
            facts: placed(parts.facts, parts.batch.header.gateway, leaf, &facts, &preimages)?,
            leaf: leaf.to_bytes(),
            lines: line_places(parts.leaves, leaf),
            network: parts.network.0,
            place: Place { index: index as u64, path: hashes.path(index) },
            preimages,
            settlement: parts.settlement,
        };
        let bytes = document.encode().len();
        if bytes > RECEIPT_BYTES_MAX { Err(AssembleError::TooLarge(bytes)) } else { Ok(document) }
    }
}

/// Facts by subject, with their indices.
type Facts = BTreeMap<Subject, (usize, Fact)>;

/// The facts that hold at the leaf's admission height.
fn holding(in_order: &[Vec<u8>], leaf: &Leaf) -> Result<Facts, AssembleError> {
    let mut facts = BTreeMap::new();
    for (index, bytes) in in_order.iter().enumerate() {
        let fact: Fact = codec::decode(bytes).map_err(|_| AssembleError::Fact(index))?;
        if fact.holds(leaf.admitted) {
            facts.insert(fact.subject(), (index, fact));
        }
    }
    Ok(facts)
}

fn version(facts: &Facts, number: u64) -> Option<&VersionFact> {
    match facts.get(&Subject::Version(number)) {
        Some((_, Fact::Version(fact))) => Some(fact),
        _ => None,
    }
}

fn grant(facts: &Facts, number: u64) -> Option<&GrantFact> {
    facts.get(&Subject::Grant(number)).and_then(|(_, fact)| fact.grant())
}

fn tariff(facts: &Facts, number: u64) -> Option<&TariffFact> {
    match facts.get(&Subject::Tariff(number)) {
        Some((_, Fact::Tariff(fact))) => Some(fact),
        _ => None,
    }
}

fn documents(given: &Preimages, leaf: &Leaf, facts: &Facts) -> Result<Preimages, AssembleError> {
    let mut kept = Preimages::default();
    for kind in Kind::ALL {
        let mut found = given.by_digest(kind);
        let (version, grant) = (|n| version(facts, n), |n| grant(facts, n));
        let named = kind.named(leaf, version, grant, |n| tariff(facts, n));
        if let Some(digest) = named.needed.iter().find(|digest| !found.contains_key(digest)) {
            return Err(AssembleError::NoDocument { kind, digest: *digest });
        }
        found.retain(|digest, _| named.needed.contains(digest) || named.useful.contains(digest));
        *kept.of_mut(kind) = found.into_values().map(|bytes| bytes.to_vec().into()).collect();
    }
    Ok(kept)
}

fn placed(
    in_order: &[Vec<u8>],
    gateway: u64,
    leaf: &Leaf,
    facts: &Facts,
    preimages: &Preimages,
) -> Result<Vec<PlacedFact>, AssembleError> {
    let plans = preimages.by_digest(Kind::Plan);
    let plan =
        |number| -> Option<Plan> { codec::decode(plans.get(&version(facts, number)?.plan)?).ok() };
    let terms = preimages.by_digest(Kind::Terms);
    let tiered = |number| {
        let bytes = grant(facts, number).and_then(|grant| terms.get(&grant.terms.0));
        let terms = bytes.and_then(|bytes| Terms::from_document(bytes).ok());
        terms.is_some_and(|terms| !terms.tiers.is_empty())
    };
    let needed = subject::needed(leaf, gateway, plan, tiered);
    if let Some(subject) = needed.iter().find(|subject| !facts.contains_key(subject)) {
        return Err(AssembleError::NoFact(*subject));
    }
    let wanted = needed.union(&subject::useful(leaf)).copied().collect::<BTreeSet<_>>();
    let mut indices: Vec<usize> =
        wanted.iter().filter_map(|subject| facts.get(subject).map(|(index, _)| *index)).collect();
    indices.sort_unstable();
    let tree = fact::tree_of(in_order);
    let place = |index: usize| PlacedFact {
        fact: in_order[index].clone(),
        place: Place { index: index as u64, path: tree.path(index) },
    };
    Ok(indices.into_iter().map(place).collect())
}

/// Where the leaf's lines stand in their nodes' trees.
fn line_places(leaves: &[Leaf], leaf: &Leaf) -> Vec<Place> {
    let mut nodes = lines_by_node(leaves);
    nodes.retain(|node, _| leaf.lines.iter().any(|line| line.node == *node));
    let trees: BTreeMap<u64, Tree> =
        nodes.iter().map(|(node, hashes)| (*node, Tree::new(hashes.clone()))).collect();
    let place = |(index, line): (usize, &Line)| {
        let hash = line_hash(leaf, index)?;
        // A line's hash covers channel, sequence number and index: it stands there once.
        let at = nodes.get(&line.node)?.iter().position(|other| *other == hash)?;
        Some(Place { index: at as u64, path: trees.get(&line.node)?.path(at) })
    };
    leaf.lines.iter().enumerate().filter_map(place).collect()
}
