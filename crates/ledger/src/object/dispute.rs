//! Claims that a call was not what its receipt says, and what became of them.

use super::Parameters;
use ambar_base::{Amount, Cid, Digest, Domain, Encode, Height, Moment, Price, choice, record};

/// What opening a dispute takes, in deposits of the network's rules.
pub const DISPUTE_DEPOSITS: u64 = 1_000;
/// Days of consensus time after which an open dispute can lapse.
pub const DISPUTE_DAYS: u64 = 30;
/// Longest statement of a claimant, and longest reason of the council, bytes.
pub const DISPUTE_TEXT_BYTES_MAX: usize = 512;

choice! {
    /// What is claimed of a call.
    #[derive(Copy, PartialOrd, Ord)]
    pub enum Claim {
        /// Something that was declared under this grant was false, or its terms were broken.
        Breach(u64) = 1,
        /// The counters of the line at this index are too high.
        Overstated(u64) = 2,
        /// The shares of a line are not those that its question and answer give.
        Misattributed(Misattributed) = 3,
    }
}

record! {
    /// Shares that do not reproduce.
    #[derive(Copy, PartialOrd, Ord)]
    pub struct Misattributed {
        /// The index of the line.
        pub line: u64,
        /// The datanet whose contributors are concerned.
        pub datanet: u64,
    }
}

record! {
    /// A claim about a call that settled.
    pub struct Dispute {
        /// The call: channel and sequence number.
        pub receipt: (u64, u64),
        /// The batch that it settled in: gateway and number.
        pub batch: (u64, u64),
        /// What is claimed.
        pub claim: Claim,
        /// The account that claims it.
        pub claimant: u64,
        /// Whom it is claimed of: the licensee, or the owner of the node.
        pub accused: u64,
        /// The node whose line it is, if counters are too high or shares are others.
        pub node: Option<u64>,
        /// The capsule version that was called.
        pub capsule: Cid,
        /// The most that the node's bond pays: what the line cost, or [`AUDIT_ONE_IN`](ambar_receipt::audit::AUDIT_ONE_IN) times its
        /// royalty.
        pub price: Price,
        /// The SHA-256 of the evidence.
        pub evidence: Digest,
        /// What the claimant says.
        pub statement: String,
        /// What the claimant set aside.
        pub deposit: Amount,
        /// When it was opened.
        pub opened: Moment,
        /// At which height.
        pub height: Height,
        /// What became of it.
        pub state: DisputeState,
    }
}

choice! {
    /// What became of a dispute.
    pub enum DisputeState {
        /// Nobody has decided it.
        Open = 1,
        /// The claim is true.
        Upheld(Ruled) = 2,
        /// The claim is not shown.
        Dismissed(Ruled) = 3,
        /// The claimant took it back at this height.
        Withdrawn(Height) = 4,
        /// Nobody decided it in time; it was closed at this height.
        Lapsed(Height) = 5,
    }
}

record! {
    /// A decision of the council.
    pub struct Ruled {
        /// At which height.
        pub height: Height,
        /// What the bond paid to the payer.
        pub refund: Amount,
        /// Why.
        pub reason: String,
    }
}

record! {
    /// The disputes of the network.
    #[derive(Copy, Default)]
    pub struct DisputeBook {
        /// The number of the next one.
        pub next: u64,
        /// How many are open.
        pub open: u64,
    }
}

/// What opening a dispute takes under these rules; nothing if it does not fit.
#[must_use]
pub fn dispute_deposit(parameters: &Parameters) -> Option<Amount> {
    let price = parameters.deposit.0.checked_mul(DISPUTE_DEPOSITS);
    price.map(|price| Amount::from(Price(price)))
}

impl Claim {
    /// By what a claim of somebody about a call is known, so that nobody makes it twice.
    #[must_use]
    pub fn digest(&self, receipt: (u64, u64), claimant: u64) -> Digest {
        let place = [receipt.0.to_bytes(), receipt.1.to_bytes(), claimant.to_bytes()].concat();
        Domain::Claim.digest(&[self.to_bytes(), place].concat())
    }

    /// The kind as it is written.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        match self {
            Self::Breach(_) => "breach",
            Self::Overstated(_) => "overstated",
            Self::Misattributed(_) => "misattributed",
        }
    }
}

impl Dispute {
    /// Whether nobody has decided it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == DisputeState::Open
    }

    /// From when on anybody may let it lapse.
    #[must_use]
    pub fn lapses(&self) -> Moment {
        self.opened.after(DISPUTE_DAYS * Moment::DAY_MS)
    }
}

impl DisputeState {
    /// The word for it.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Upheld(_) => "upheld",
            Self::Dismissed(_) => "dismissed",
            Self::Withdrawn(_) => "withdrawn",
            Self::Lapsed(_) => "lapsed",
        }
    }
}
