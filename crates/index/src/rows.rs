//! The rows that the index keeps. Accounts are named by id, everything else by the
//! ledger's numbers.

use ambar_base::{AccountId, Amount, Cid, Height, Moment, PublicKey, choice, record};
use ambar_receipt::Leaf;

choice! {
    /// Why money moved.
    #[derive(Copy, PartialOrd, Ord)]
    pub enum EntryKind {
        /// Genesis gave it.
        Genesis = 1,
        /// A transaction's fee.
        Fee = 2,
        /// A transfer.
        Transfer = 3,
        /// Into a channel, or what was left of one.
        Channel = 4,
        /// A deposit of a channel or dispute, or its return.
        Deposit = 5,
        /// Into the bond of a node or validator, or what came back of it.
        Bond = 6,
        /// A royalty line's part of a call.
        Royalty = 7,
        /// A contributor's part of a call.
        Contribution = 8,
        /// A datanet's part of a call that used none of its records.
        Treasury = 9,
        /// A serving node's part of a call.
        Node = 10,
        /// The network's part of a call or fee.
        Network = 11,
        /// What was burned of a call or fee, or of a validator that cheated.
        Burn = 12,
        /// What the account held where the index begins: what came before is not known.
        Opening = 13,
        /// The price of a royalty line.
        Sale = 14,
        /// What a node's bond paid back of a call.
        Refund = 70,
        /// What a department drew from its organisation.
        Draw = 80,
        /// What a department gave back to its organisation.
        Recall = 81,
    }
}

impl EntryKind {
    /// The kind as it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Fee => "fee",
            Self::Transfer => "transfer",
            Self::Channel => "channel",
            Self::Deposit => "deposit",
            Self::Bond => "bond",
            Self::Royalty => "royalty",
            Self::Contribution => "contribution",
            Self::Treasury => "treasury",
            Self::Node => "node",
            Self::Network => "network",
            Self::Burn => "burn",
            Self::Opening => "opening",
            Self::Sale => "sale",
            Self::Draw => "draw",
            Self::Recall => "recall",
            Self::Refund => "refund",
        }
    }
}

record! {
    /// One movement of an account's money.
    pub struct StatementEntry {
        /// Why.
        pub kind: EntryKind,
        /// Whether money came.
        pub incoming: bool,
        /// How much, above zero.
        pub amount: Amount,
        /// The block's time.
        pub time: Moment,
        /// The receipt that it comes from: channel and sequence number.
        pub receipt: Option<(u64, u64)>,
        /// The account on the other side.
        pub counterpart: Option<AccountId>,
        /// The capsule version that it is about.
        pub capsule: Option<Cid>,
        /// The channel that it is about.
        pub channel: Option<u64>,
    }
}

/// A statement entry and its place: height, and number within the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The block.
    pub height: Height,
    /// The entry's number within the block, over all accounts.
    pub ordinal: u32,
    /// The entry.
    pub entry: StatementEntry,
}

record! {
    /// A settled call.
    pub struct ReceiptEntry {
        /// The call as it settled.
        pub leaf: Leaf,
        /// Who paid.
        pub payer: AccountId,
        /// The batch: gateway and number.
        pub batch: (u64, u64),
        /// The leaf's place in the batch.
        pub index: u64,
        /// The block.
        pub height: Height,
    }
}

record! {
    /// Where a batch settled, and what the ledger attested about it.
    pub struct BatchRow {
        /// The block.
        pub height: Height,
        /// The transaction's place among the block's outcomes, at least 1.
        pub outcome: u64,
        /// The operation's place in the transaction.
        pub operation: u64,
        /// The facts in the order of their tree.
        pub facts: Vec<Vec<u8>>,
    }
}

record! {
    /// A published version.
    pub struct CatalogueRow {
        /// Its place in the feed, from 1.
        pub sequence: u64,
        /// Its id.
        pub id: Cid,
        /// Its number.
        pub number: u64,
        /// Its version line.
        pub line: u64,
        /// Its kind, as it is written.
        pub kind: String,
        /// What people call it.
        pub name: String,
        /// What people read.
        pub description: String,
        /// Who made it.
        pub creator: AccountId,
        /// When it was published.
        pub height: Height,
    }
}

record! {
    /// What the index keeps of a channel until it is paid out.
    pub(crate) struct ChannelRow {
        /// Who pays.
        pub payer: AccountId,
        /// What was put in and has not been spent.
        pub left: Amount,
        /// What is given back with it.
        pub deposit: Amount,
    }
}

record! {
    /// An account with a first key.
    pub(crate) struct AccountRow {
        /// The key.
        pub first: PublicKey,
    }
}
