//! Domain separation: nothing signed or hashed for one purpose or network verifies
//! for another.
//!
//! A signed message is `tag ‖ 0x00 ‖ format version ‖ network id ‖ payload`, where the
//! tag is a text without zero bytes, the version one byte and the network id 32 bytes.

use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};
use crate::digest::Digest;
use std::fmt;

/// Which ledger a signature is meant for: the digest of its genesis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub Digest);

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Encode for NetworkId {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
}

impl Decode for NetworkId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Decode::decode(reader).map(Self)
    }
}

macro_rules! domains {
    ($($(#[$meta:meta])* $variant:ident = $tag:literal / $version:literal),* $(,)?) => {
        /// What a hash or signature is for. Tags are for ever; a changed payload takes a
        /// new version.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Domain { $($(#[$meta])* $variant),* }

        impl Domain {
            /// Every domain, for tests of separation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The tag and format version.
            #[must_use]
            pub const fn tag(self) -> (&'static str, u8) {
                match self { $(Self::$variant => (concat!("ambar/", $tag), $version)),* }
            }
        }
    };
}

domains! {
    /// The inception record of an account; its hash is the account id.
    Account = "account" / 1,
    /// Whether a call is drawn for an audit.
    Audit = "audit" / 1,
    /// The signature of an agent or of a channel's session key over a call.
    Authorisation = "authorisation" / 2,
    /// The gateway's signature over a batch header.
    Batch = "batch" / 1,
    /// The digest of a block's header.
    Block = "block" / 2,
    /// The identity of one call.
    Call = "call" / 1,
    /// The creator's signature over a manifest's id.
    Capsule = "capsule" / 1,
    /// What somebody claims of a call in a dispute.
    Claim = "claim" / 1,
    /// The digest of a committee of validators.
    Committee = "committee" / 1,
    /// The records of a datanet in order: their number and the root of their tree.
    Corpus = "corpus" / 1,
    /// A node's request to keep the key of a sealed version, and its signature over it.
    Custody = "custody" / 1,
    /// The digest of a decision with everything that it depends on.
    Decision = "decision" / 1,
    /// The account of an organisation's department.
    Department = "department" / 1,
    /// A draw among the contributors of a datanet.
    Draw = "draw" / 1,
    /// Evidence behind attribution shares.
    Evidence = "evidence" / 1,
    /// The account of a contributor without a key.
    Escrow = "escrow" / 1,
    /// The genesis document; its hash is the network id.
    Genesis = "genesis" / 1,
    /// The holder of a certificate.
    Holder = "holder" / 1,
    /// A node's signature over the lines it served.
    Lines = "lines" / 1,
    /// What a gateway asks a serving node to do once.
    OneCall = "one-call" / 1,
    /// A salted hash of a call's input or output.
    Opening = "opening" / 1,
    /// The handshake between two validators.
    Peer = "peer" / 1,
    /// The digest of a plan.
    Plan = "plan" / 1,
    /// The seal of an exported receipt.
    Receipt = "receipt" / 1,
    /// A key of an account's recovery set for the keys that the account gets.
    Recovery = "recovery" / 1,
    /// A licensee's request for the key of a sealed version, and a signature over it.
    Release = "release" / 1,
    /// An order for breaking ties when weights are rounded.
    Remainder = "remainder" / 1,
    /// A key's signature over a request to a node's own API.
    Request = "request" / 1,
    /// A reserved account.
    Reserved = "reserved" / 1,
    /// What is committed to before a record is revealed.
    Submission = "submission" / 1,
    /// The id of a transaction envelope, and a signature over it.
    Transaction = "transaction" / 2,
    /// A validator's key for the account that registers it.
    Validator = "validator" / 1,
    /// A validator's vote on a block.
    Vote = "vote" / 1,
    /// What the payer's side says may be spent on a channel.
    Voucher = "voucher" / 1,
}

impl Domain {
    /// The bytes that a signature in this domain covers.
    #[must_use]
    pub fn message(self, network: NetworkId, payload: &[u8]) -> Vec<u8> {
        let (tag, version) = self.tag();
        let mut message = Vec::with_capacity(tag.len() + 2 + Digest::BYTES + payload.len());
        message.extend_from_slice(tag.as_bytes());
        message.extend_from_slice(&[0, version]);
        message.extend_from_slice(&network.0.0);
        message.extend_from_slice(payload);
        message
    }

    /// The digest of `payload` in this domain, the same on every network.
    #[must_use]
    pub fn digest(self, payload: &[u8]) -> Digest {
        let (tag, version) = self.tag();
        Digest::of_parts(&[tag.as_bytes(), &[0, version], payload])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tags_differ_and_hold_no_zero() {
        let tags: BTreeSet<_> = Domain::ALL.iter().map(|domain| domain.tag().0).collect();
        assert_eq!(tags.len(), Domain::ALL.len());
        assert!(tags.iter().all(|tag| !tag.contains('\0')));
    }

    #[test]
    fn networks_and_domains_separate() {
        let (here, there) = (NetworkId(Digest::of(b"here")), NetworkId(Digest::of(b"there")));
        assert_ne!(Domain::Batch.message(here, b"x"), Domain::Batch.message(there, b"x"));
        assert_ne!(Domain::Batch.message(here, b"x"), Domain::Lines.message(here, b"x"));
        assert_ne!(Domain::Plan.digest(b"x"), Domain::Account.digest(b"x"));
    }
}
