//! The leaf: one call as it is settled, in the compact encoding, hashed into the batch
//! tree. Capsule versions, grants, nodes, tariffs and contributors are the ledger's
//! numbers; [`crate::fact::Fact`] says what a number stands for.

use crate::counters::Counters;
use crate::routing::Routing;
use ambar_base::tree;
use ambar_base::{Digest, Domain, Encode, Height, Moment, Mu, Price, Weight, choice, record};

/// Most lines of one call: the called capsule and its components.
pub const LINES_MAX: usize = 32;
/// Longest declared purpose or territory, bytes.
pub const DECLARATION_BYTES_MAX: usize = 64;
/// Longest idempotency key, bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 256;

record! {
    /// One call.
    pub struct Leaf {
        /// The channel that pays.
        pub channel: u64,
        /// Its sequence number in the channel, from 0 without gaps.
        pub n: u64,
        /// The identity of the call; zero for a void leaf.
        pub call: Digest,
        /// The height at which the call was admitted: what the leaf refers to is as of then.
        pub admitted: Height,
        /// When it was admitted.
        pub time: Moment,
        /// What became of it.
        pub outcome: CallOutcome,
        /// The declared purpose.
        pub purpose: Option<String>,
        /// The declared territory.
        pub territory: Option<String>,
        /// The called capsule first, then its components in the order they were called.
        pub lines: Vec<Line>,
        /// What the network takes, rounded once per call.
        pub network_fee: Price,
        /// The digest of the [`Details`].
        pub details: Digest,
    }
}

choice! {
    /// What became of a call.
    #[derive(Copy)]
    pub enum CallOutcome {
        /// The whole answer was delivered.
        Full = 1,
        /// A part was delivered, and only that is charged.
        Partial = 2,
        /// Nothing was delivered or charged: the leaf only fills the sequence.
        Void = 3,
    }
}

record! {
    /// A capsule's part of a call.
    pub struct Line {
        /// The capsule version.
        pub version: u64,
        /// The grant under which it was called: the caller's for the first line, the
        /// author's for components.
        pub grant: u64,
        /// The node that served it.
        pub node: u64,
        /// The tariff that measures it.
        pub tariff: u64,
        /// What it used.
        pub counters: Counters,
        /// What that is in work.
        pub mu: Mu,
        /// What the owner's terms ask for it.
        pub royalty: Price,
        /// What the node asks for it.
        pub node_fee: Price,
        /// How datanets in the version's plan divide their part.
        pub shares: Vec<Shares>,
    }
}

record! {
    /// What one attribution method says of one datanet's part.
    pub struct Shares {
        /// The datanet, by the number of its version.
        pub datanet: u64,
        /// The method's number.
        pub method: u16,
        /// Contributors by index in the datanet's table, ascending, with weights of the
        /// whole royalty.
        pub weights: Vec<(u32, Weight)>,
        /// The digest of the evidence.
        pub evidence: Digest,
    }
}

record! {
    /// What a leaf binds without showing it.
    pub struct Details {
        /// The holder of the certificate that called.
        pub holder: Digest,
        /// The salted hash of the input: see [`opening`].
        pub input: Digest,
        /// The salted hash of the output.
        pub output: Digest,
        /// The digest of the decision by which the call was admitted: see
        /// [`DecisionRecord`](ambar_licence::DecisionRecord).
        pub decision: Digest,
        /// How long it took, milliseconds: information only, nobody is paid by time.
        pub wall_ms: u64,
        /// Where several nodes could serve a part: whom the gateway chose, and why.
        pub routing: Vec<Routing>,
        /// What an engine said of its tokens, where that is not all there is to say.
        pub counts: Option<CountCheck>,
    }
}

record! {
    /// Tokens of a call as somebody else's engine reported them and as the serving node counted
    /// them. It is there where the two disagree, where the engine reported nothing, and where it
    /// reported more than was held; what was charged is in the line's counters.
    #[derive(Copy)]
    pub struct CountCheck {
        /// Prompt tokens as reported.
        pub reported_in: Option<u64>,
        /// Prompt tokens as counted, without those of a chat template.
        pub counted_in: Option<u64>,
        /// Answer tokens as reported.
        pub reported_out: Option<u64>,
        /// Answer tokens as counted.
        pub counted_out: Option<u64>,
    }
}

impl Leaf {
    /// The leaf that fills sequence number `n` after a call that delivered nothing.
    #[must_use]
    pub fn void(channel: u64, n: u64, admitted: Height, time: Moment) -> Self {
        Self {
            channel,
            n,
            call: Digest::ZERO,
            admitted,
            time,
            outcome: CallOutcome::Void,
            purpose: None,
            territory: None,
            lines: Vec::new(),
            network_fee: Price::ZERO,
            details: Digest::ZERO,
        }
    }

    /// What the call costs: lines and network fee. Nothing on overflow.
    #[must_use]
    pub fn price(&self) -> Option<Price> {
        let lines = self.lines.iter().flat_map(|line| [line.royalty, line.node_fee]);
        ambar_base::amount::total_price(lines.chain([self.network_fee]))
    }

    /// The work of all lines. Nothing on overflow.
    #[must_use]
    pub fn mu(&self) -> Option<Mu> {
        let add = |sum: u128, line: &Line| sum.checked_add(line.mu.0);
        self.lines.iter().try_fold(0, add).map(Mu)
    }

    /// The leaf's hash in the batch tree.
    #[must_use]
    pub fn hash(&self) -> Digest {
        tree::leaf_hash(&self.to_bytes())
    }
}

impl Details {
    /// The digest that the leaf carries.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }
}

/// The identity of a call. Two holders never share one, whatever key they choose.
#[must_use]
pub fn call_id(channel: u64, holder: &Digest, idempotency_key: &str) -> Digest {
    let payload = [&channel.to_be_bytes()[..], &holder.0, idempotency_key.as_bytes()].concat();
    Domain::Call.digest(&payload)
}

/// The salted hash of an input or output: who holds salt and bytes can open it, nobody
/// else can guess it.
#[must_use]
pub fn opening(salt: &[u8; 32], bytes: &[u8]) -> Digest {
    Domain::Opening.digest(&[salt.as_slice(), bytes].concat())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::counters::Counter;
    use ambar_base::codec;

    pub(crate) fn sample() -> Leaf {
        let shares = Shares {
            datanet: 3,
            method: 1,
            weights: vec![(0, Weight(300_000_000)), (7, Weight(600_000_000))],
            evidence: Digest::of(b"evidence"),
        };
        let line = Line {
            version: 3,
            grant: 9,
            node: 1,
            tariff: 0,
            counters: Counters::new([(Counter::RetrievedBytes, 800)]),
            mu: Mu(40_000_000),
            royalty: Price(1234),
            node_fee: Price(56),
            shares: vec![shares],
        };
        Leaf {
            call: call_id(5, &Digest::of(b"holder"), "key"),
            outcome: CallOutcome::Full,
            purpose: Some("research".into()),
            lines: vec![line],
            network_fee: Price(12),
            details: Digest::of(b"details"),
            ..Leaf::void(5, 17, Height(900), Moment(1_800_000_000_000))
        }
    }

    #[test]
    fn leaves_round_trip_and_sum() {
        let leaf = sample();
        assert_eq!(codec::decode(&leaf.to_bytes()), Ok(leaf.clone()));
        assert_eq!(leaf.price(), Some(Price(1302)));
        assert_eq!(leaf.mu(), Some(Mu(40_000_000)));
    }

    /// The bytes of this exemplar are for ever; a change needs a new batch version.
    #[test]
    fn conformance() {
        assert_eq!(
            Digest::of(&sample().to_bytes()).to_string(),
            "1756f60e0934098e55d4815bd6001738b3215e50d8c45c97f2349c5201a6cb66"
        );
    }

    #[test]
    fn holders_and_salts_separate() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_ne!(call_id(1, &a, "k"), call_id(1, &b, "k"));
        assert_ne!(call_id(1, &a, "k"), call_id(2, &a, "k"));
        assert_ne!(opening(&[0; 32], b"x"), opening(&[1; 32], b"x"));
    }
}
