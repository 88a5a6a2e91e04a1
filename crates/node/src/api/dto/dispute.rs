//! Disputes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A claim that a call was not what its receipt says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dispute {
    /// Its number.
    pub id: String,
    /// The receipt of the call.
    pub receipt: String,
    /// The called version.
    pub capsule: String,
    /// What people call it.
    pub capsule_name: String,
    /// `breach`, `overstated` or `misattributed`.
    pub claim: String,
    /// The grant that was breached.
    pub grant: Option<String>,
    /// The index of the line whose counters are too high, or whose shares are others.
    pub line: Option<u64>,
    /// The datanet whose contributors have other shares.
    pub datanet: Option<String>,
    /// The node that served that line.
    pub node: Option<String>,
    /// The account that claims it.
    pub claimant: String,
    /// The account that it is claimed of: the licensee, or the owner of the node.
    pub accused: String,
    /// The most that the node's bond pays, 9 decimals.
    pub price: String,
    /// The SHA-256 of the evidence, which the claimant shows.
    pub evidence: String,
    /// What the claimant says.
    pub statement: String,
    /// What the claimant set aside, 18 decimals.
    pub deposit: String,
    /// When it was opened.
    pub opened: String,
    /// At which height.
    pub height: u64,
    /// From when on anybody may close it, if nobody has decided it.
    pub lapses: String,
    /// `open`, `upheld`, `dismissed`, `withdrawn` or `lapsed`.
    pub state: String,
    /// The height at which it was closed.
    pub closed: Option<u64>,
    /// What the node's bond paid back, 18 decimals.
    pub refund: Option<String>,
    /// Why the council decided so.
    pub reason: Option<String>,
}

/// Disputes, and what opening one takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disputes {
    /// Newest first.
    pub disputes: Vec<Dispute>,
    /// How many of the network's are open.
    pub open: u64,
    /// What opening one takes now, 18 decimals.
    pub deposit: String,
}
