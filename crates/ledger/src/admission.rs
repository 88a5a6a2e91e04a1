//! Admission: everything that can be known of a transaction without the state. Format,
//! limits, network, and every signature in it, those of many transactions at once.
//!
//! It does not know who may sign: whether a key is an account's, a node's or a creator's is
//! for [`Execution`](crate::Execution), which compares keys and checks no signature.
//!
//! **Invariant**: an [`Admitted`] transaction holds good signatures only, each by the key
//! that stands beside it, and nothing else is executed.

use crate::refusal::Refusal;
use crate::transaction::{
    Actor, BeginRecovery, Envelope, OPERATION_SIGNATURES_MAX, OPERATIONS_MAX, Operation,
    RegisterNode, RegisterValidator, SIGNATURES_MAX, Settle, SignedTransaction,
    TRANSACTION_BYTES_MAX, TRANSACTION_VERSION,
};
use ambar_base::codec::{self, Encode};
use ambar_base::finality::Evidence;
use ambar_base::keys::{self, Signed};
use ambar_base::{Digest, Domain, ErrorCode, Height, NetworkId, PublicKey};

/// A transaction whose signatures were found good.
#[derive(Clone, Debug)]
pub struct Admitted {
    transaction: SignedTransaction,
    id: Digest,
}

impl Admitted {
    /// Admits one transaction.
    pub fn of(network: NetworkId, bytes: &[u8]) -> Result<Self, Refusal> {
        let mut signed = Vec::new();
        let candidate = Candidate::read(network, bytes, &mut signed)?;
        candidate.judge(&keys::verify_each(&signed))
    }

    /// Admits many transactions, such as a block's: each or its refusal, in order. Their
    /// signatures are checked in one batch.
    #[must_use]
    pub fn of_all(network: NetworkId, transactions: &[&[u8]]) -> Vec<Result<Self, Refusal>> {
        let mut signed = Vec::new();
        let read = |bytes: &&[u8]| Candidate::read(network, bytes, &mut signed);
        let candidates: Vec<_> = transactions.iter().map(read).collect();
        let good = keys::verify_each(&signed);
        let mut rest = good.as_slice();
        let mut judge = |candidate: Candidate| {
            let (own, others) = rest.split_at(candidate.claims.len());
            rest = others;
            candidate.judge(own)
        };
        candidates.into_iter().map(|candidate| judge(candidate?)).collect()
    }

    /// Reads a transaction that was admitted before, so that its signatures need not be
    /// checked again: the caller vouches for these very bytes. An engine does, of a
    /// transaction in a block.
    pub fn vouched(network: NetworkId, bytes: &[u8]) -> Result<Self, Refusal> {
        let transaction = read(network, bytes)?;
        let id = id_of(&transaction, bytes);
        Ok(Self { transaction, id })
    }

    /// The transaction's id.
    #[must_use]
    pub fn id(&self) -> Digest {
        self.id
    }

    /// What is asked.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.transaction.envelope
    }

    /// The last height at which it may apply.
    #[must_use]
    pub fn expires(&self) -> Height {
        self.envelope().expires
    }

    /// The keys that signed for the actor.
    pub(crate) fn signers(&self) -> impl Iterator<Item = &PublicKey> {
        self.transaction.signatures.iter().map(|(key, _)| key)
    }

    /// The keys that signed for the fee payer.
    pub(crate) fn payer_signers(&self) -> impl Iterator<Item = &PublicKey> {
        self.transaction.payer_signatures.iter().map(|(key, _)| key)
    }
}

/// What a signature of a transaction claims, as it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Claim {
    #[error("the signature of key {} is not over this transaction", .0.did())]
    Transaction(PublicKey),
    #[error("the inception record is not signed by its first key")]
    Inception,
    #[error("the signature of key {} is not over this recovery", .0.did())]
    Recovery(PublicKey),
    #[error("the manifest is not signed by its key")]
    Manifest,
    #[error("the node's key has not signed for this account")]
    Holder,
    #[error("the batch is not signed by its gateway")]
    Gateway,
    #[error("node {0} has not signed its lines")]
    Lines(u64),
    #[error("the voucher of channel {0} is not signed by its key")]
    Voucher(u64),
    #[error("the validator's key has not signed for this account")]
    Validator,
    #[error("a vote that is reported is not the validator's")]
    Vote,
}

/// A transaction with what its signatures claim, in the order in which they are checked.
struct Candidate {
    admitted: Admitted,
    claims: Vec<Claim>,
}

impl Candidate {
    /// Reads a transaction and adds its signatures to those that wait to be checked.
    fn read(network: NetworkId, bytes: &[u8], signed: &mut Vec<Signed>) -> Result<Self, Refusal> {
        let admitted = Admitted::vouched(network, bytes)?;
        let mut signatures = Signatures { network, claims: Vec::new(), signed };
        signatures.of_envelope(&admitted);
        let Envelope { actor, operations, .. } = admitted.envelope();
        operations.iter().for_each(|operation| signatures.of_operation(actor, operation));
        let claims = signatures.claims;
        Ok(Self { admitted, claims })
    }

    /// Admits it unless one of its signatures is not good.
    fn judge(self, good: &[bool]) -> Result<Admitted, Refusal> {
        assert_eq!(good.len(), self.claims.len(), "each signature was checked");
        match self.claims.iter().zip(good).find(|(_, good)| !**good) {
            None => Ok(self.admitted),
            Some((claim, _)) => Err(Refusal::new(ErrorCode::SignatureInvalid, claim.to_string())),
        }
    }
}

/// Collects the signatures of a transaction.
struct Signatures<'a> {
    network: NetworkId,
    claims: Vec<Claim>,
    signed: &'a mut Vec<Signed>,
}

impl Signatures<'_> {
    fn add(&mut self, claim: Claim, signed: Signed) {
        self.claims.push(claim);
        self.signed.push(signed);
    }

    fn of_envelope(&mut self, admitted: &Admitted) {
        let (payload, network) = (&admitted.id.0, self.network);
        let SignedTransaction { signatures, payer_signatures, .. } = &admitted.transaction;
        for (key, signature) in signatures.iter().chain(payer_signatures) {
            let signed = Signed::new(key, Domain::Transaction, network, payload, signature);
            self.add(Claim::Transaction(*key), signed);
        }
    }

    fn of_operation(&mut self, actor: &Actor, operation: &Operation) {
        match operation {
            Operation::CreateAccount(record) => {
                self.add(Claim::Inception, record.signed(self.network));
            }
            Operation::Publish(record) => {
                self.add(Claim::Manifest, record.manifest.signed(self.network));
            }
            Operation::BeginRecovery(record) => self.of_recovery(record),
            Operation::RegisterNode(record) => self.of_node(actor, record),
            Operation::RegisterValidator(record) => self.of_validator(actor, record),
            Operation::ReportConflict(evidence) => self.of_evidence(evidence),
            Operation::Settle(record) => self.of_settlement(record),
            Operation::RotateKeys(_)
            | Operation::Transfer(_)
            | Operation::CancelRecovery
            | Operation::FinishRecovery(_)
            | Operation::RegisterName(_)
            | Operation::TransferLine(_)
            | Operation::TransferRoyalty(_)
            | Operation::OfferRoyalty(_)
            | Operation::WithdrawOffer(_)
            | Operation::BuyRoyalty(_)
            | Operation::Accept(_)
            | Operation::RevokeGrant(_)
            | Operation::OpenChannel(_)
            | Operation::FundChannel(_)
            | Operation::CloseChannel(_)
            | Operation::RevokeCertificate(_)
            | Operation::TakeLease(_)
            | Operation::ReturnLease(_)
            | Operation::SetAsk(_)
            | Operation::AllowServing(_)
            | Operation::SetEndpoint(_)
            | Operation::SetParameters(_)
            | Operation::PublishTariff(_)
            | Operation::RetireValidator
            | Operation::WithdrawBond
            | Operation::RankValidators(_)
            | Operation::CreateDepartment(_)
            | Operation::SetBudget(_)
            | Operation::SetMembers(_)
            | Operation::Recall(_)
            | Operation::CloseDepartment(_)
            | Operation::RevokeGrantFor(_)
            | Operation::OpenDispute(_)
            | Operation::ResolveDispute(_)
            | Operation::WithdrawDispute(_)
            | Operation::LapseDispute(_)
            | Operation::OfferTerms(_)
            | Operation::CreatePool(_)
            | Operation::JoinPool(_)
            | Operation::LeavePool(_)
            | Operation::SubmitRecord(_)
            | Operation::RevealRecord(_)
            | Operation::ReviewRecord(_)
            | Operation::WithdrawRecord(_)
            | Operation::ProposeRules(_)
            | Operation::VoteRules(_)
            | Operation::WithdrawTerms(_) => {}
        }
    }

    fn of_recovery(&mut self, record: &BeginRecovery) {
        for (key, signed) in record.signed(self.network) {
            self.add(Claim::Recovery(key), signed);
        }
    }

    // Only an account registers: all else was refused with the transaction's shape.
    fn of_node(&mut self, actor: &Actor, record: &RegisterNode) {
        if let Actor::Account(owner) = actor {
            self.add(Claim::Holder, record.signed(self.network, owner));
        }
    }

    fn of_validator(&mut self, actor: &Actor, record: &RegisterValidator) {
        if let Actor::Account(owner) = actor {
            self.add(Claim::Validator, record.signed(self.network, owner));
        }
    }

    fn of_evidence(&mut self, evidence: &Evidence) {
        for signed in evidence.signed(self.network) {
            self.add(Claim::Vote, signed);
        }
    }

    fn of_settlement(&mut self, record: &Settle) {
        let Settle { batch, signers, .. } = record;
        let (network, header) = (self.network, &batch.header);
        self.add(Claim::Gateway, header.signed(network, &signers.gateway, &batch.signature));
        let nodes = header.nodes.iter().zip(signers.nodes.iter().zip(&batch.nodes));
        for (lines, (key, signature)) in nodes {
            let of = (header.gateway, header.number);
            self.add(Claim::Lines(lines.node), lines.signed(network, of, key, signature));
        }
        for (key, voucher) in &record.vouchers {
            self.add(Claim::Voucher(voucher.channel), voucher.signed(network, key));
        }
    }
}

/// The envelope's id. A value has one encoding: what precedes the signatures is the envelope.
fn id_of(transaction: &SignedTransaction, bytes: &[u8]) -> Digest {
    let signatures = transaction.signatures.to_bytes().len();
    let signatures = signatures + transaction.payer_signatures.to_bytes().len();
    Domain::Transaction.digest(&bytes[..bytes.len() - signatures])
}

/// Reads a transaction: format, limits, network.
fn read(network: NetworkId, bytes: &[u8]) -> Result<SignedTransaction, Refusal> {
    if bytes.len() > TRANSACTION_BYTES_MAX {
        let message = format!(
            "a transaction of {} bytes exceeds the limit of {TRANSACTION_BYTES_MAX}",
            bytes.len()
        );
        return Err(Refusal::new(ErrorCode::TransactionTooLarge, message));
    }
    let transaction: SignedTransaction = codec::decode(bytes)?;
    check_envelope(network, &transaction.envelope)?;
    check_signatures(&transaction)?;
    check_node_operations(&transaction.envelope)?;
    check_report(&transaction)?;
    Ok(transaction)
}

fn check_envelope(network: NetworkId, envelope: &Envelope) -> Result<(), Refusal> {
    if envelope.network != network {
        let message = format!("signed for network {}, this is {network}", envelope.network);
        return Err(Refusal::new(ErrorCode::WrongNetwork, message));
    }
    if envelope.version != TRANSACTION_VERSION {
        return invalid(format!("transaction format {} is not known", envelope.version));
    }
    if !(1..=OPERATIONS_MAX).contains(&envelope.operations.len()) {
        return invalid(format!("a transaction has 1 to {OPERATIONS_MAX} operations"));
    }
    Ok(())
}

fn invalid(message: String) -> Result<(), Refusal> {
    Err(Refusal::new(ErrorCode::TransactionInvalid, message))
}

/// Bounds the work that anybody can ask for before anything is known of them.
fn check_signatures(transaction: &SignedTransaction) -> Result<(), Refusal> {
    let outer = transaction.signatures.len() + transaction.payer_signatures.len();
    if outer > SIGNATURES_MAX {
        return invalid(format!("a transaction has at most {SIGNATURES_MAX} signatures"));
    }
    let operations = &transaction.envelope.operations;
    if operations.iter().map(signatures_in).sum::<usize>() > OPERATION_SIGNATURES_MAX {
        let message = format!("the operations have at most {OPERATION_SIGNATURES_MAX} signatures");
        return invalid(message);
    }
    if operations.iter().all(is_signed_by_each) {
        return Ok(());
    }
    let message = "each node in a batch signs its lines";
    Err(Refusal::new(ErrorCode::SignatureInvalid, message))
}

fn signatures_in(operation: &Operation) -> usize {
    match operation {
        Operation::CreateAccount(_)
        | Operation::Publish(_)
        | Operation::RegisterNode(_)
        | Operation::RegisterValidator(_) => 1,
        Operation::ReportConflict(_) => 2,
        Operation::BeginRecovery(record) => record.signatures.len(),
        Operation::Settle(record) => 1 + record.batch.nodes.len() + record.vouchers.len(),
        _ => 0,
    }
}

/// Whether a settlement has one key and one signature for each node.
fn is_signed_by_each(operation: &Operation) -> bool {
    let Operation::Settle(Settle { batch, signers, .. }) = operation else { return true };
    let nodes = batch.header.nodes.len();
    (batch.nodes.len(), signers.nodes.len()) == (nodes, nodes)
}

/// A node's key is warm: it may do what a gateway does for its channels, and nothing else.
fn check_node_operations(envelope: &Envelope) -> Result<(), Refusal> {
    let may = |operation: &Operation| {
        matches!(
            operation,
            Operation::Settle(_)
                | Operation::RevokeCertificate(_)
                | Operation::TakeLease(_)
                | Operation::ReturnLease(_)
                | Operation::SetEndpoint(_)
        )
    };
    let node = matches!(envelope.actor, Actor::Node(_));
    if node && !envelope.operations.iter().all(may) {
        let message = "a node's key can only settle calls, lease quotas, revoke certificates and \
                       say where the node is reached";
        return Err(Refusal::new(ErrorCode::NotAuthorised, message));
    }
    Ok(())
}

/// Nobody reports that a validator cheated, in one form, and does nothing else.
fn check_report(transaction: &SignedTransaction) -> Result<(), Refusal> {
    let Envelope { network, actor, operations, .. } = &transaction.envelope;
    if *actor != Actor::Nobody {
        return Ok(());
    }
    if let [Operation::ReportConflict(evidence)] = &operations[..]
        && *transaction == SignedTransaction::report(*network, evidence.clone())
    {
        return Ok(());
    }
    let message =
        "nobody can do nothing but report one validator, without nonce, fee and signature";
    Err(Refusal::new(ErrorCode::NotAuthorised, message))
}
