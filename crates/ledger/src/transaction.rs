//! Transactions: what accounts and nodes ask of the ledger.

mod department;
mod dispute;
mod licensing;
mod nodes;
mod offer;
mod pool;
mod settle;
mod trade;

pub use department::{CreateDepartment, Recall, SetBudget, SetMembers};
pub use dispute::{OpenDispute, ResolveDispute, RevocationReason, RevokeGrantFor, Ruling};
pub use licensing::{Accept, FundChannel, OpenChannel, ReturnLease, RevokeCertificate, TakeLease};
pub use nodes::{AllowServing, RegisterNode, RegisterValidator, SetAsk, SetEndpoint};
pub use offer::OfferTerms;
pub use pool::{
    CreatePool, JoinPool, ProposeRules, RevealRecord, ReviewRecord, SubmitRecord, Verdict,
    VoteRules, WithdrawRecord,
};
pub use settle::{BatchSigners, Settle};
pub use trade::{BeginRecovery, BuyRoyalty, OfferRoyalty};

use crate::object::Parameters;
use ambar_base::finality::Evidence;
use ambar_base::{
    AccountId, Cid, Digest, Domain, Encode, Height, KeySet, NetworkId, Price, PublicKey, SecretKey,
    Signature, SignedInception, choice, record,
};
use ambar_capsule::SignedManifest;

/// The transaction format that this version reads. In format 1, signatures covered the whole
/// envelope and settlements did not name their signers' keys; in format 2, rules said nothing
/// of committees; in format 3, acceptances said nothing of territories; in format 4, channels knew
/// no vouchers.
pub const TRANSACTION_VERSION: u16 = 6;
/// Largest transaction, bytes.
pub const TRANSACTION_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most operations of one transaction.
pub const OPERATIONS_MAX: usize = 64;
/// Most signatures of one transaction, actor's and fee payer's.
pub const SIGNATURES_MAX: usize = 32;
/// Most signatures within the operations of one transaction, so most nodes in a batch: all
/// are checked before it is known who sent them.
pub const OPERATION_SIGNATURES_MAX: usize = 1024;
/// The last height of every report by nobody: evidence does not become stale.
pub const REPORT_EXPIRES: Height = Height(u64::MAX);

choice! {
    /// Who acts.
    pub enum Actor {
        /// An account, by its keys.
        Account(AccountId) = 1,
        /// A node, by its key; it can only settle, lease what it settles, and revoke for its
        /// channels' holders.
        Node(u64) = 2,
        /// Nobody, without signatures, nonce and fee: for a report that speaks for itself.
        Nobody = 3,
    }
}

record! {
    /// What is signed.
    pub struct Envelope {
        /// The ledger it is for.
        pub network: NetworkId,
        /// The transaction format.
        pub version: u16,
        /// Who acts.
        pub actor: Actor,
        /// The actor's next nonce.
        pub nonce: u64,
        /// The last height at which it may apply.
        pub expires: Height,
        /// Who pays the fee, if not the actor or the node's owner.
        pub fee_payer: Option<AccountId>,
        /// The highest fee accepted.
        pub fee_cap: Price,
        /// What is asked, all or nothing.
        pub operations: Vec<Operation>,
    }
}

record! {
    /// An envelope with its signatures.
    pub struct SignedTransaction {
        /// The envelope.
        pub envelope: Envelope,
        /// The actor's signatures.
        pub signatures: Vec<(PublicKey, Signature)>,
        /// The fee payer's signatures, if it is somebody else.
        pub payer_signatures: Vec<(PublicKey, Signature)>,
    }
}

choice! {
    /// What a transaction asks.
    pub enum Operation {
        /// Opens an account. Anyone may submit it: the first key has signed.
        CreateAccount(SignedInception) = 1,
        /// Replaces the actor's keys.
        RotateKeys(RotateKeys) = 2,
        /// Moves credits.
        Transfer(Transfer) = 3,
        /// Begins to give an account new keys, by the keys that it named for its recovery.
        BeginRecovery(BeginRecovery) = 4,
        /// Ends the running recovery of the actor's account.
        CancelRecovery = 5,
        /// Gives an account the keys of its recovery, whose delay is over. Anyone may ask.
        FinishRecovery(AccountId) = 6,
        /// Publishes a capsule version.
        Publish(Publish) = 10,
        /// Registers a name for a version line.
        RegisterName(RegisterName) = 11,
        /// Gives a version line to another owner.
        TransferLine(TransferLine) = 12,
        /// Gives a royalty line to another holder.
        TransferRoyalty(TransferRoyalty) = 13,
        /// Offers a royalty line at a fixed price, in place of any offer before.
        OfferRoyalty(OfferRoyalty) = 14,
        /// Ends the offer of a royalty line.
        WithdrawOffer(u64) = 15,
        /// Buys a royalty line that is offered.
        BuyRoyalty(BuyRoyalty) = 16,
        /// Accepts terms.
        Accept(Accept) = 20,
        /// Ends a grant.
        RevokeGrant(u64) = 21,
        /// Sets money aside for calls.
        OpenChannel(OpenChannel) = 22,
        /// Adds money to a channel.
        FundChannel(FundChannel) = 23,
        /// Asks for what is left of a channel.
        CloseChannel(u64) = 24,
        /// Ends a certificate and every one narrowed from it.
        RevokeCertificate(RevokeCertificate) = 25,
        /// Sets a part of a grant's quota aside for the acting node, or extends a lease.
        TakeLease(TakeLease) = 26,
        /// Gives a part of the acting node's lease back to the quota.
        ReturnLease(ReturnLease) = 27,
        /// Registers a node.
        RegisterNode(RegisterNode) = 30,
        /// Changes what a node asks.
        SetAsk(SetAsk) = 31,
        /// Lets a node serve a version line, or no longer.
        AllowServing(AllowServing) = 32,
        /// Says where a node is reached, or that it is reached no longer.
        SetEndpoint(SetEndpoint) = 33,
        /// Settles a batch of calls. Tag 40 was a settlement without the signers' keys.
        Settle(Settle) = 41,
        /// Publishes a tariff.
        PublishTariff(Vec<u8>) = 51,
        /// Changes the network's rules. Tag 50 were rules without those of committees.
        SetParameters(Parameters) = 52,
        /// Registers a validator, which becomes a candidate for a seat.
        RegisterValidator(RegisterValidator) = 60,
        /// Gives the seat of the actor's validator back at the end of the epoch.
        RetireValidator = 61,
        /// Asks for the bond of the actor's validator, which has left.
        WithdrawBond = 62,
        /// Says whom the council prefers as validators, the most preferred first.
        RankValidators(Vec<PublicKey>) = 63,
        /// Shows that a validator cheated.
        ReportConflict(Evidence) = 64,
        /// Opens an account for a department of the actor.
        CreateDepartment(CreateDepartment) = 80,
        /// Says how much a department of the actor may draw, in place of what was said before.
        SetBudget(SetBudget) = 81,
        /// Replaces the keys of a department of the actor, or the actor's own if it is one.
        SetMembers(SetMembers) = 82,
        /// Takes money from a department of the actor.
        Recall(Recall) = 83,
        /// Ends a department of the actor; what it has goes to the actor.
        CloseDepartment(AccountId) = 84,
        /// Ends a grant for a reason of its terms.
        RevokeGrantFor(RevokeGrantFor) = 70,
        /// Claims that a call was not what its receipt says.
        OpenDispute(OpenDispute) = 71,
        /// Decides a dispute.
        ResolveDispute(ResolveDispute) = 72,
        /// Takes a claim back.
        WithdrawDispute(u64) = 73,
        /// Closes a dispute that nobody decided in time. Anyone may ask.
        LapseDispute(u64) = 74,
        /// Offers terms for a version line beside the published ones.
        OfferTerms(OfferTerms) = 90,
        /// Ends an offer of terms; grants that were made under it stay.
        WithdrawTerms(u64) = 91,
        /// Opens a pool, in which a datanet's records are gathered.
        CreatePool(CreatePool) = 100,
        /// Makes the actor, or somebody whom the steward brings in, a member of a pool.
        JoinPool(JoinPool) = 101,
        /// Ends the actor's membership of a pool.
        LeavePool(u64) = 102,
        /// Commits to a record.
        SubmitRecord(SubmitRecord) = 103,
        /// Says what was committed to.
        RevealRecord(RevealRecord) = 104,
        /// Says whether a record may stand.
        ReviewRecord(ReviewRecord) = 105,
        /// Takes a submission or record back.
        WithdrawRecord(WithdrawRecord) = 106,
        /// Proposes other rules for a pool.
        ProposeRules(ProposeRules) = 107,
        /// Votes for or against proposed rules.
        VoteRules(VoteRules) = 108,
    }
}

record! {
    /// See [`Operation::RotateKeys`].
    pub struct RotateKeys {
        /// The keys from now on.
        pub keys: KeySet,
        /// The digest of the key set that may recover the account.
        pub recovery: Option<Digest>,
    }
}

record! {
    /// See [`Operation::Transfer`].
    pub struct Transfer {
        /// To whom.
        pub to: AccountId,
        /// How much.
        pub amount: Price,
    }
}

record! {
    /// See [`Operation::Publish`].
    pub struct Publish {
        /// The manifest, signed by its creator, who is the actor.
        pub manifest: SignedManifest,
        /// The terms document, unless the ledger has it.
        pub terms: Option<Vec<u8>>,
        /// The contributor table of a dataset.
        pub contributors: Option<Vec<u8>>,
        /// The grants under which the components are called, in the manifest's order.
        pub grants: Vec<u64>,
        /// The grants under which it is built on what others own, in the manifest's order of
        /// those parents.
        pub derives: Vec<u64>,
    }
}

record! {
    /// See [`Operation::RegisterName`].
    pub struct RegisterName {
        /// The name.
        pub name: String,
        /// Any version of the line.
        pub version: Cid,
    }
}

record! {
    /// See [`Operation::TransferLine`].
    pub struct TransferLine {
        /// Any version of the line.
        pub version: Cid,
        /// The new owner.
        pub to: AccountId,
        /// The new owner's grants for the components of the line's latest version, in the
        /// manifest's order.
        pub grants: Vec<u64>,
    }
}

record! {
    /// See [`Operation::TransferRoyalty`].
    pub struct TransferRoyalty {
        /// The royalty line.
        pub royalty: u64,
        /// The new holder.
        pub to: AccountId,
    }
}

impl Envelope {
    /// The transaction's id: signatures do not change it.
    #[must_use]
    pub fn id(&self) -> Digest {
        Domain::Transaction.digest(&self.to_bytes())
    }

    /// One signature, over the envelope's id: so that checking it costs the same whatever the
    /// envelope's size and however many signed.
    #[must_use]
    pub fn signature(&self, key: &SecretKey) -> (PublicKey, Signature) {
        (key.public(), key.sign(Domain::Transaction, self.network, &self.id().0))
    }

    /// Signs with one key.
    #[must_use]
    pub fn sign(self, key: &SecretKey) -> SignedTransaction {
        let signatures = vec![self.signature(key)];
        SignedTransaction { envelope: self, signatures, payer_signatures: Vec::new() }
    }
}

impl SignedTransaction {
    /// The report of a validator that cheated, by nobody. It has one form, so that the same
    /// evidence is one transaction, whoever sends it.
    #[must_use]
    pub fn report(network: NetworkId, evidence: Evidence) -> Self {
        let envelope = Envelope {
            network,
            version: TRANSACTION_VERSION,
            actor: Actor::Nobody,
            nonce: 0,
            expires: REPORT_EXPIRES,
            fee_payer: None,
            fee_cap: Price(0),
            operations: vec![Operation::ReportConflict(evidence)],
        };
        Self { envelope, signatures: Vec::new(), payer_signatures: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::codec;
    use proptest::prelude::*;

    fn exemplar() -> SignedTransaction {
        let transfer = Transfer { to: AccountId(Digest::of(b"to")), amount: Price(5) };
        let key = SecretKey::from_seed(&[1; 32]);
        let envelope = Envelope {
            network: NetworkId(Digest::of(b"network")),
            version: TRANSACTION_VERSION,
            actor: Actor::Account(AccountId(Digest::of(b"from"))),
            nonce: 7,
            expires: Height(100),
            fee_payer: None,
            fee_cap: Price(1000),
            operations: vec![Operation::Transfer(transfer), Operation::RevokeGrant(3)],
        };
        envelope.sign(&key)
    }

    /// The bytes of this exemplar are for ever; a change needs a new transaction version.
    #[test]
    fn conformance() {
        let bytes = exemplar().to_bytes();
        assert_eq!(
            Digest::of(&bytes).to_string(),
            "c08e72f0273392375b68e2509b573646f7984c6043faa5466f5cd15aa7656d68"
        );
        assert_eq!(codec::decode(&bytes), Ok(exemplar()));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            if let Ok(transaction) = codec::decode::<SignedTransaction>(&bytes) {
                prop_assert_eq!(transaction.to_bytes(), bytes);
            }
        }
    }
}
