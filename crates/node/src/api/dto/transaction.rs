//! What became of a transaction.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A final transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Submitted {
    /// The transaction's id.
    pub id: String,
    /// Its block.
    pub height: u64,
    /// Its place among the block's outcomes, at least 1.
    pub index: u64,
    /// Its block's time.
    pub time: String,
    /// The fee that was paid.
    pub fee: String,
    /// What each operation yielded, in order; behind them what a department drew for them.
    pub results: Vec<OperationView>,
}

/// What an operation yielded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OperationView {
    /// Nothing to say.
    Done,
    /// An account was opened.
    Account {
        /// Its number.
        number: String,
        /// Its id.
        id: String,
    },
    /// A version was published.
    Version {
        /// Its number.
        number: String,
        /// Its id.
        id: String,
        /// The number of its line.
        line: String,
    },
    /// A grant was made.
    Grant {
        /// Its number.
        number: String,
    },
    /// A channel was opened.
    Channel {
        /// Its number.
        number: String,
    },
    /// A node was registered.
    Node {
        /// Its number.
        number: String,
    },
    /// A tariff was published.
    Tariff {
        /// Its number.
        number: String,
    },
    /// A batch settled.
    Settled {
        /// The digest of its signed header.
        header: String,
        /// How many facts its leaves referred to.
        facts: u64,
    },
    /// A validator was registered.
    Validator {
        /// Its number.
        number: String,
    },
    /// A validator's bond went back to its owner.
    Withdrawn {
        /// What it was.
        bond: String,
    },
    /// A validator cheated and was ejected.
    Ejected {
        /// Its number.
        number: String,
        /// The account of its owner.
        owner: String,
        /// The bond that is burned.
        burned: String,
    },
    /// A gateway leased a part of a quota.
    Leased {
        /// Calls that were added to its lease.
        calls: u64,
        /// Credits that were added.
        spend: String,
        /// Calls per unit of the rate that were added.
        rate: u32,
        /// The first height at which it admits no calls under the lease.
        until: u64,
    },
    /// A royalty line was bought.
    Sold {
        /// Its number.
        number: String,
        /// The account that held it.
        seller: String,
    },
    /// What the acting department drew from its organisation for fee and operations.
    Drawn {
        /// The account of the organisation.
        organisation: String,
        /// The account of the department.
        department: String,
        /// How much.
        amount: String,
    },
    /// What a department gave back to its organisation.
    Recalled {
        /// How much.
        amount: String,
    },
    /// A dispute was opened.
    Disputed {
        /// Its number.
        number: String,
        /// What the claimant set aside.
        deposit: String,
    },
    /// A dispute was closed.
    DisputeClosed {
        /// Its number.
        number: String,
        /// The account that got the deposit.
        to: String,
        /// The deposit.
        deposit: String,
        /// What a bond paid back.
        refund: String,
    },
    /// Terms were offered.
    Offer {
        /// The offer's number.
        number: String,
    },
    /// A pool was opened.
    Pool {
        /// Its number.
        number: String,
    },
    /// A record was committed to.
    Submission {
        /// Its number in the pool.
        number: String,
    },
    /// Rules of a pool were proposed.
    Proposal {
        /// Its number in the pool.
        number: String,
    },
}
