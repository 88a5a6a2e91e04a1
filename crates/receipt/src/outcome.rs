//! What a block says of a transaction: the bytes under the block's outcome root.

use ambar_base::{Digest, Price, record};

record! {
    /// The outcome of a transaction.
    pub struct TransactionOutcome {
        /// The fee that was paid.
        pub fee: Price,
        /// The encoded result of each operation, and behind them that of what a department drew.
        pub results: Vec<Vec<u8>>,
    }
}

record! {
    /// The result of settling a batch.
    pub struct BatchOutcome {
        /// The digest of the signed header.
        pub header: Digest,
        /// How many facts the leaves referred to.
        pub facts: u64,
        /// The root over them (RFC 9162).
        pub facts_root: Digest,
    }
}
