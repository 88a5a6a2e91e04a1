//! What an operation yields: the numbers of what it created.

use ambar_base::{AccountId, Cid, choice, record};
use ambar_receipt::BatchOutcome;

choice! {
    /// The result of an operation.
    pub enum OperationResult {
        /// Nothing to say.
        Done = 0,
        /// An account was opened.
        Account(AccountResult) = 1,
        /// A version was published.
        Version(VersionResult) = 2,
        /// A grant was made.
        Grant(u64) = 3,
        /// A channel was opened.
        Channel(u64) = 4,
        /// A node was registered.
        Node(u64) = 5,
        /// A tariff was published.
        Tariff(u64) = 6,
        /// A batch settled.
        Settled(BatchOutcome) = 7,
    }
}

record! {
    /// An opened account.
    pub struct AccountResult {
        /// Its number.
        pub number: u64,
        /// Its id.
        pub id: AccountId,
    }
}

record! {
    /// A published version.
    pub struct VersionResult {
        /// Its number.
        pub number: u64,
        /// Its id.
        pub id: Cid,
        /// The number of its line.
        pub line: u64,
    }
}
