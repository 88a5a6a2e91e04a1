//! A batch of calls, to be settled.

use ambar_base::{PublicKey, record};
use ambar_receipt::{BatchHeader, Leaf, SignedBatch, Voucher};

record! {
    /// See [`Operation::Settle`](super::Operation::Settle).
    pub struct Settle {
        /// The signed header.
        pub batch: SignedBatch,
        /// The keys of its signatures.
        pub signers: BatchSigners,
        /// The leaves under it.
        pub leaves: Vec<Leaf>,
        /// Vouchers of their channels with the keys that signed them: at most one for each
        /// channel in voucher mode, ascending.
        pub vouchers: Vec<(PublicKey, Voucher)>,
    }
}

record! {
    /// The keys by which a batch is signed. Admission checks its signatures by them, without
    /// the state; the state says whether they are those of gateway and nodes.
    pub struct BatchSigners {
        /// The gateway's.
        pub gateway: PublicKey,
        /// The nodes', in the header's order.
        pub nodes: Vec<PublicKey>,
    }
}

impl BatchSigners {
    /// Those of a batch whose every line was served with the gateway's own key.
    #[must_use]
    pub fn single(key: PublicKey, header: &BatchHeader) -> Self {
        Self { gateway: key, nodes: vec![key; header.nodes.len()] }
    }
}
