//! What an operation yields: the numbers of what it created.

use crate::object::Lease;
use ambar_base::{AccountId, Amount, Cid, choice, record};
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
        /// A validator was registered.
        Validator(u64) = 8,
        /// A validator's bond went back to its owner.
        Withdrawn(Amount) = 9,
        /// A validator was ejected.
        Ejected(EjectedResult) = 10,
        /// What was added to a lease, and how long the whole of it admits calls.
        Leased(Lease) = 11,
        /// A royalty line was bought.
        Sold(SaleResult) = 16,
        /// A dispute was opened.
        Disputed(DisputeOpened) = 70,
        /// A dispute was closed.
        DisputeClosed(DisputeClosed) = 71,
        /// What the acting department drew from its organisation: the last result of a
        /// transaction, after those of its operations, if it drew something.
        Drawn(DrawnResult) = 80,
        /// What a department gave back.
        Recalled(Amount) = 81,
        /// Terms were offered.
        Offer(u64) = 90,
        /// A pool was opened.
        Pool(u64) = 100,
        /// A record was committed to.
        Submission(u64) = 101,
        /// Rules were proposed.
        Proposal(u64) = 102,
    }
}

record! {
    /// What a department drew.
    pub struct DrawnResult {
        /// From whom.
        pub organisation: AccountId,
        /// The department.
        pub department: AccountId,
        /// How much.
        pub amount: Amount,
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
    /// An ejected validator.
    pub struct EjectedResult {
        /// Its number.
        pub validator: u64,
        /// Whose it is.
        pub owner: AccountId,
        /// The bond that is burned.
        pub burned: Amount,
    }
}

record! {
    /// A royalty line that was bought.
    pub struct SaleResult {
        /// Its number.
        pub royalty: u64,
        /// Who held it.
        pub seller: AccountId,
    }
}

record! {
    /// An opened dispute.
    #[derive(Copy)]
    pub struct DisputeOpened {
        /// Its number.
        pub number: u64,
        /// What the claimant set aside.
        pub deposit: Amount,
    }
}

record! {
    /// A closed dispute, and where its money went.
    pub struct DisputeClosed {
        /// Its number.
        pub number: u64,
        /// Who got the deposit.
        pub to: AccountId,
        /// How much that was.
        pub deposit: Amount,
        /// Who is paid back out of a bond.
        pub claimant: AccountId,
        /// How much that is.
        pub refund: Amount,
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
