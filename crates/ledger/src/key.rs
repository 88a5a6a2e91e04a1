//! Where each object lies in the state.

use ambar_base::codec::{self, DecodeError};
use ambar_base::{AccountId, Cid, Digest, Encode, Height, PublicKey, choice};

choice! {
    /// The key of an object. Its encoding begins with the tag, so objects of one type lie
    /// together.
    #[derive(PartialOrd, Ord, Hash)]
    pub enum Key {
        /// The network's [`Parameters`](crate::object::Parameters) with their history.
        Parameters = 1,
        /// The next free [`Numbers`](crate::object::Numbers).
        Numbers = 2,
        /// Credits ever issued.
        Issued = 3,
        /// The [`Roster`](crate::roster::Roster): who votes in the running epoch.
        Roster = 4,
        /// An account's keys by number.
        Account(u64) = 10,
        /// An account's balance by number.
        Balance(u64) = 11,
        /// An account's number by id.
        AccountNumber(AccountId) = 12,
        /// The account that a first key opened.
        FirstKey(PublicKey) = 13,
        /// The running [`Recovery`](crate::object::Recovery) of an account by its number.
        Recovery(u64) = 14,
        /// A registered name.
        Name(String) = 20,
        /// A capsule version by number.
        Version(u64) = 21,
        /// A version's number by id.
        VersionNumber(Cid) = 22,
        /// A version's signed manifest by number.
        Manifest(u64) = 23,
        /// A version line by number.
        Line(u64) = 24,
        /// A royalty line by number.
        Royalty(u64) = 25,
        /// A datanet by the number of its version.
        Datanet(u64) = 26,
        /// A terms document by id.
        Terms(Cid) = 27,
        /// The [`RoyaltyOffer`](crate::object::RoyaltyOffer) of a royalty line by its number.
        RoyaltyOffer(u64) = 28,
        /// A grant by number.
        Grant(u64) = 30,
        /// The [`QuotaCount`](crate::object::QuotaCount) of one period of a grant's quota:
        /// (grant, period).
        Quota((u64, u64)) = 31,
        /// A channel by number.
        Channel(u64) = 32,
        /// The [`Revocations`](crate::object::Revocations) of a channel by its number.
        Revocations(u64) = 33,
        /// A gateway's [`Lease`](crate::object::Lease) on a grant's quota: (grant, (period,
        /// gateway)).
        Lease((u64, (u64, u64))) = 34,
        /// A node by number.
        Node(u64) = 40,
        /// A node's number by key.
        NodeNumber(PublicKey) = 41,
        /// Whether a node may serve a version line: (line, node).
        Serve((u64, u64)) = 42,
        /// A tariff by number.
        Tariff(u64) = 43,
        /// Where a node is reached, by its number: an [`Endpoint`](crate::object::Endpoint).
        Endpoint(u64) = 44,
        /// The [`Servers`](crate::object::Servers) of a version line by its number.
        Servers(u64) = 45,
        /// What the beginning of a block does.
        Agenda(Height) = 51,
        /// A block's time.
        Time(Height) = 52,
        /// A settled batch: (gateway, number).
        Batch((u64, u64)) = 53,
        /// The facts of a settled batch in the order of their tree, kept for the settlement
        /// window: (gateway, number).
        Facts((u64, u64)) = 54,
        /// The calls that a batch settled, kept for the settlement window, so that none
        /// settles twice within it: (gateway, number). See [`CALLS_PREFIX`].
        Calls((u64, u64)) = 55,
        /// A validator by number.
        Validator(u64) = 60,
        /// A validator's number by key; that of an ejected one stays.
        ValidatorNumber(PublicKey) = 61,
        /// The number of the validator that belongs to an account.
        ValidatorOf(u64) = 62,
        /// The [`Department`](crate::object::Department) that an account is, by its number.
        Department(u64) = 80,
        /// The account numbers of an organisation's departments, oldest first, closed ones
        /// too, by its own number.
        Departments(u64) = 81,
        /// The [`Ancestry`](crate::object::Ancestry) of a version that is built on others, by
        /// its number.
        Ancestry(u64) = 70,
        /// The [`Backing`](crate::object::Backing) of a grant that ends without one, by its
        /// number.
        Backing(u64) = 71,
        /// A [`Dispute`](crate::object::Dispute) by number.
        Dispute(u64) = 72,
        /// The number of the dispute about a claim of somebody, by the claim's digest: while it
        /// is open, and for ever once it was decided.
        Claim(Digest) = 73,
        /// The [`DisputeBook`](crate::object::DisputeBook).
        DisputeBook = 74,
        /// An [`Offer`](crate::object::Offer) of terms by number.
        Offer(u64) = 90,
        /// The grant under an offer that is accepted once: (line, account).
        OfferTaken((u64, u64)) = 91,
        /// The [`Volume`](crate::object::Volume) of a grant whose terms have tiers, once a call
        /// has settled under it.
        Volume(u64) = 92,
        /// The number of the next [`Pool`](crate::object::Pool).
        PoolBook = 100,
        /// A [`Pool`](crate::object::Pool) by number.
        Pool(u64) = 101,
        /// A pool's number by name.
        PoolName(String) = 102,
        /// A [`PoolMember`](crate::object::PoolMember): (pool, account).
        PoolMember((u64, u64)) = 103,
        /// A [`Submission`](crate::object::Submission): (pool, number).
        Submission((u64, u64)) = 104,
        /// Where a content was registered, by its root: (pool, submission).
        Content(Digest) = 105,
        /// A [`Proposal`](crate::object::Proposal): (pool, number).
        Proposal((u64, u64)) = 106,
    }
}

/// With what the keys [`Key::Calls`] begin, and no others do.
pub const CALLS_PREFIX: &[u8] = &[55];

/// The calls in a value at [`Key::Calls`].
#[must_use]
pub fn calls_in(value: &[u8]) -> Option<Vec<Digest>> {
    codec::decode(value).ok()
}

impl Key {
    /// The key's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.to_bytes()
    }

    /// Reads a key of the state.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }

    /// The prefix of all keys that share this one's tag.
    #[must_use]
    pub fn table(&self) -> Vec<u8> {
        self.to_bytes()[..1].to_vec()
    }
}
