//! Batches: how gateways and nodes sign receipts, many at once.
//!
//! The gateway signs one header per group commit. It holds the root over the leaves and,
//! for each node, a sub-root over the lines that node served, which the node signs. A
//! node that is absent delays only the calls it served: they wait for a later batch.

use crate::leaf::{Leaf, Line};
use ambar_base::keys::{BadSignature, Signed};
use ambar_base::{
    Digest, Domain, Encode, NetworkId, Price, PublicKey, SecretKey, Signature, Writer, record, tree,
};
use std::collections::BTreeMap;

/// Most leaves of one batch.
pub const BATCH_LEAVES_MAX: usize = 8192;

record! {
    /// What a gateway signs.
    pub struct BatchHeader {
        /// The gateway, by node number.
        pub gateway: u64,
        /// The gateway's batch number, from 0 without gaps.
        pub number: u64,
        /// How many leaves.
        pub leaves: u64,
        /// The root over the leaves (RFC 9162).
        pub leaves_root: Digest,
        /// What each node served, ascending by node.
        pub nodes: Vec<NodeLines>,
        /// The sum of the leaves' prices.
        pub price: Price,
    }
}

record! {
    /// What a node signs.
    pub struct NodeLines {
        /// The node.
        pub node: u64,
        /// How many lines it served.
        pub lines: u64,
        /// The root over them (RFC 9162), in the order of leaves and lines.
        pub root: Digest,
    }
}

record! {
    /// A header with the signatures of the gateway and of each node in it.
    pub struct SignedBatch {
        /// The header.
        pub header: BatchHeader,
        /// The gateway's signature over the header.
        pub signature: Signature,
        /// The nodes' signatures over their lines, in the header's order.
        pub nodes: Vec<Signature>,
    }
}

record! {
    /// A line as its node signs it: with its place.
    pub struct ServedLine {
        /// The channel that pays.
        pub channel: u64,
        /// The call's sequence number on it.
        pub n: u64,
        /// The line's index in the leaf.
        pub index: u64,
        /// The line.
        pub line: Line,
    }
}

impl ServedLine {
    /// The line of a leaf.
    #[must_use]
    pub fn of(leaf: &Leaf, index: usize) -> Option<Self> {
        let line = leaf.lines.get(index)?.clone();
        Some(Self { channel: leaf.channel, n: leaf.n, index: index as u64, line })
    }

    /// Its hash in its node's tree.
    #[must_use]
    pub fn hash(&self) -> Digest {
        tree::leaf_hash(&self.to_bytes())
    }
}

/// The hash of a line in its node's tree: of channel, sequence number, index and line.
#[must_use]
pub fn line_hash(leaf: &Leaf, index: usize) -> Option<Digest> {
    Some(served_line_hash(leaf, index, leaf.lines.get(index)?))
}

fn served_line_hash(leaf: &Leaf, index: usize, line: &Line) -> Digest {
    let mut writer = Writer::new();
    leaf.channel.encode(&mut writer);
    leaf.n.encode(&mut writer);
    (index as u64).encode(&mut writer);
    line.encode(&mut writer);
    tree::leaf_hash(&writer.into_bytes())
}

/// The hashes of every node's lines, in the order of leaves and lines.
#[must_use]
pub fn lines_by_node(leaves: &[Leaf]) -> BTreeMap<u64, Vec<Digest>> {
    let mut nodes: BTreeMap<u64, Vec<Digest>> = BTreeMap::new();
    for leaf in leaves {
        for (index, line) in leaf.lines.iter().enumerate() {
            nodes.entry(line.node).or_default().push(served_line_hash(leaf, index, line));
        }
    }
    nodes
}

impl BatchHeader {
    /// The header of these leaves; nothing if their prices overflow.
    #[must_use]
    pub fn of(gateway: u64, number: u64, leaves: &[Leaf]) -> Option<Self> {
        let leaves_root = tree::root_of(leaves.iter().map(Leaf::hash).collect());
        let nodes = lines_by_node(leaves).into_iter().map(|(node, hashes)| NodeLines {
            node,
            lines: hashes.len() as u64,
            root: tree::root_of(hashes),
        });
        let prices = leaves.iter().map(Leaf::price).collect::<Option<Vec<_>>>()?;
        Some(Self {
            gateway,
            number,
            leaves: leaves.len() as u64,
            leaves_root,
            nodes: nodes.collect(),
            price: ambar_base::amount::total_price(prices)?,
        })
    }

    /// The gateway's signature.
    #[must_use]
    pub fn sign(&self, network: NetworkId, key: &SecretKey) -> Signature {
        key.sign(Domain::Batch, network, &self.to_bytes())
    }

    /// The gateway's signature, to be checked.
    #[must_use]
    pub fn signed(&self, network: NetworkId, key: &PublicKey, signature: &Signature) -> Signed {
        Signed::new(key, Domain::Batch, network, &self.to_bytes(), signature)
    }

    /// Checks the gateway's signature.
    pub fn verify(
        &self,
        network: NetworkId,
        key: &PublicKey,
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.signed(network, key, signature).verify()
    }
}

impl NodeLines {
    fn payload(&self, gateway: u64, number: u64) -> Vec<u8> {
        [gateway.to_bytes(), number.to_bytes(), self.to_bytes()].concat()
    }

    /// The node's signature over its lines of one batch.
    #[must_use]
    pub fn sign(&self, network: NetworkId, batch: (u64, u64), key: &SecretKey) -> Signature {
        key.sign(Domain::Lines, network, &self.payload(batch.0, batch.1))
    }

    /// The node's signature, to be checked. `batch` is gateway and batch number.
    #[must_use]
    pub fn signed(
        &self,
        network: NetworkId,
        batch: (u64, u64),
        key: &PublicKey,
        signature: &Signature,
    ) -> Signed {
        Signed::new(key, Domain::Lines, network, &self.payload(batch.0, batch.1), signature)
    }

    /// Checks the node's signature. `batch` is gateway and batch number.
    pub fn verify(
        &self,
        network: NetworkId,
        batch: (u64, u64),
        key: &PublicKey,
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.signed(network, batch, key, signature).verify()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaf::tests::sample;
    use ambar_base::codec;

    const NETWORK: NetworkId = NetworkId(Digest::ZERO);

    fn leaves() -> Vec<Leaf> {
        (0..5).map(|n| Leaf { n, ..sample() }).collect()
    }

    #[test]
    fn a_header_binds_every_leaf_and_line() {
        let header = BatchHeader::of(1, 0, &leaves()).unwrap();
        assert_eq!((header.leaves, header.nodes[0].lines), (5, 5));
        assert_eq!(header.price, Price(5 * 1302));
        let mut changed = leaves();
        changed[3].lines[0].royalty = Price(1235);
        let other = BatchHeader::of(1, 0, &changed).unwrap();
        assert_ne!(other.leaves_root, header.leaves_root);
        assert_ne!(other.nodes[0].root, header.nodes[0].root);
    }

    #[test]
    fn signatures_bind_batch_and_network() {
        let key = SecretKey::from_seed(&[1; 32]);
        let header = BatchHeader::of(1, 0, &leaves()).unwrap();
        let signature = header.sign(NETWORK, &key);
        assert!(header.verify(NETWORK, &key.public(), &signature).is_ok());
        assert!(header.verify(NetworkId(Digest::of(b"x")), &key.public(), &signature).is_err());
        let lines = &header.nodes[0];
        let signature = lines.sign(NETWORK, (1, 0), &key);
        assert!(lines.verify(NETWORK, (1, 0), &key.public(), &signature).is_ok());
        assert!(lines.verify(NETWORK, (1, 1), &key.public(), &signature).is_err());
    }

    /// What a node signs of a line is for ever; a change needs a new batch version.
    #[test]
    fn conformance() {
        let hash = line_hash(&sample(), 0).unwrap().to_string();
        assert_eq!(hash, "7290f5af3022067dcc9b722f56e2fbd1780ab214e1aa17100b3d13052254304b");
        assert_eq!(line_hash(&sample(), 1), None);
        assert_eq!(ServedLine::of(&sample(), 0).unwrap().hash().to_string(), hash);
    }

    #[test]
    fn round_trip() {
        let header = BatchHeader::of(1, 0, &leaves()).unwrap();
        let nodes = vec![Signature([2; 64])];
        let signed = SignedBatch { header, signature: Signature([1; 64]), nodes };
        assert_eq!(codec::decode(&signed.to_bytes()), Ok(signed));
    }
}
