//! Why a part of a call was served by the node that served it, as the gateway says in the
//! receipt's details.
//!
//! It is the gateway's word: others cannot measure what it measured. But it stands under the
//! receipt's signature, beside the asks, which the ledger knows, so that a gateway that always
//! prefers its own friend leaves a trail.

use ambar_base::{Price, choice, record};

/// Most candidates that are named: those that were tried, then the next best.
pub const CANDIDATES_MAX: usize = 8;
/// Longest reason, bytes.
pub const REASON_BYTES_MAX: usize = 64;

record! {
    /// The choice for one part.
    pub struct Routing {
        /// The part: the index of its line.
        pub part: u64,
        /// Whom the gateway could have asked, the most preferred first.
        pub candidates: Vec<Candidate>,
    }
}

record! {
    /// A node that may serve the part.
    pub struct Candidate {
        /// Its number.
        pub node: u64,
        /// What it asked per MU, nano-credit.
        pub ask: Price,
        /// What its first piece took of late, milliseconds; nothing if it is not known.
        pub first_ms: Option<u64>,
        /// How many of its latest calls went well, of how many.
        pub succeeded: u64,
        /// How many of its latest calls are counted.
        pub calls: u64,
        /// What became of it.
        pub verdict: Verdict,
    }
}

choice! {
    /// What became of a candidate.
    pub enum Verdict {
        /// It served the part.
        Served = 1,
        /// It was asked, and failed before anything of the answer had come: a public code.
        Failed(String) = 2,
        /// Another came before it.
        Spare = 3,
        /// It asks more than the channel's payer accepts.
        TooDear = 4,
        /// It failed lately and is left alone for a while.
        Resting = 5,
        /// It was asked, and another that was asked later was heard first.
        Overtaken = 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Digest, Encode, codec};

    /// The bytes of this exemplar are for ever; a change needs a new receipt format.
    #[test]
    fn conformance() {
        let candidate = |node, verdict| Candidate {
            node,
            ask: Price(300),
            first_ms: Some(12),
            succeeded: 99,
            calls: 100,
            verdict,
        };
        let routing = Routing {
            part: 0,
            candidates: vec![
                candidate(1, Verdict::Failed("bad_gateway".into())),
                candidate(2, Verdict::Served),
                candidate(4, Verdict::Spare),
                candidate(5, Verdict::Resting),
                Candidate { first_ms: None, ..candidate(6, Verdict::TooDear) },
                candidate(7, Verdict::Overtaken),
            ],
        };
        let bytes = routing.to_bytes();
        assert_eq!(
            Digest::of(&bytes).to_string(),
            "eb642c266333206a93e5c95ce6097d0b2ce04db0fec41ef7fead11b010bbfbf4"
        );
        assert_eq!(codec::decode(&bytes), Ok(routing));
    }
}
