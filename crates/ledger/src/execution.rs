//! Executing one item of a block in bounded rounds of reading.
//!
//! [`Execution::step`] either asks for keys or is done. It starts anew each time with more
//! read: until the last round nothing has an effect, so there is nothing to undo.

use crate::fees;
use crate::key::Key;
use crate::object::{Account, Node};
use crate::refusal::{Refusal, Stop};
use crate::transaction::{
    Actor, Envelope, OPERATIONS_MAX, Operation, SIGNATURES_MAX, SignedTransaction,
    TRANSACTION_BYTES_MAX, TRANSACTION_VERSION,
};
use crate::view::View;
pub use crate::view::{BlockContext, Reads, Writes};
use crate::{agenda, execute};
use ambar_base::codec::{self, Encode};
use ambar_base::{
    AccountId, Digest, Domain, ErrorCode, Height, KeySet, NetworkId, PublicKey, Signature,
};
use ambar_receipt::TransactionOutcome;

/// Most rounds of reading: a settlement needs four.
pub const ROUNDS_MAX: usize = 8;

/// What a step leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These keys must be read.
    Need(Vec<Vec<u8>>),
    /// The item applies.
    Done {
        /// What it writes.
        writes: Writes,
        /// What the block says of it.
        outcome: Vec<u8>,
    },
}

/// An item of a block, decoded once.
#[derive(Debug)]
pub struct Execution {
    block: BlockContext,
    item: Item,
}

#[derive(Debug)]
enum Item {
    Begin,
    Transaction(Box<SignedTransaction>),
}

/// Reads a transaction without looking at the state: format, limits, network.
pub fn admit(network: NetworkId, bytes: &[u8]) -> Result<SignedTransaction, Refusal> {
    if bytes.len() > TRANSACTION_BYTES_MAX {
        let message = format!(
            "a transaction of {} bytes exceeds the limit of {TRANSACTION_BYTES_MAX}",
            bytes.len()
        );
        return Err(Refusal::new(ErrorCode::TransactionTooLarge, message));
    }
    let transaction: SignedTransaction = codec::decode(bytes)?;
    check_shape(network, &transaction)?;
    Ok(transaction)
}

fn check_shape(network: NetworkId, transaction: &SignedTransaction) -> Result<(), Refusal> {
    let envelope = &transaction.envelope;
    let invalid = |message: String| Err(Refusal::new(ErrorCode::TransactionInvalid, message));
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
    let signatures = transaction.signatures.len() + transaction.payer_signatures.len();
    if signatures > SIGNATURES_MAX {
        return invalid(format!("a transaction has at most {SIGNATURES_MAX} signatures"));
    }
    Ok(())
}

impl Execution {
    /// The beginning of a block.
    #[must_use]
    pub fn begin(block: BlockContext) -> Self {
        Self { block, item: Item::Begin }
    }

    /// A transaction of a block.
    pub fn transaction(block: BlockContext, bytes: &[u8]) -> Result<Self, Refusal> {
        let transaction = admit(block.network, bytes)?;
        Ok(Self { block, item: Item::Transaction(Box::new(transaction)) })
    }

    /// Executes with what was read so far.
    pub fn step(&self, reads: &dyn Reads) -> Result<Step, Refusal> {
        let mut view = View::new(self.block, reads);
        let outcome = match &self.item {
            Item::Begin => agenda::begin(&mut view).map(|()| Vec::new()),
            Item::Transaction(transaction) => apply(&mut view, transaction),
        };
        match outcome {
            Ok(outcome) => Ok(Step::Done { writes: view.into_writes(), outcome }),
            Err(Stop::Missing(keys)) => Ok(Step::Need(keys)),
            Err(Stop::Refused(refusal)) => Err(refusal),
        }
    }
}

/// Who acts and pays, as numbers.
pub(crate) struct Party {
    /// The acting account, or the owner of the acting node.
    pub account: u64,
    /// The acting node.
    pub node: Option<u64>,
}

fn apply(view: &mut View<'_>, transaction: &SignedTransaction) -> Result<Vec<u8>, Stop> {
    let envelope = &transaction.envelope;
    if envelope.expires < view.block.height {
        let message = format!("the transaction expired at height {}", envelope.expires);
        return Err(Refusal::new(ErrorCode::TransactionExpired, message).into());
    }
    view.require([Key::Parameters, Key::Numbers])?;
    let party = authenticate(view, envelope, &transaction.signatures)?;
    let payer = fee_payer(view, transaction, &party)?;
    let fee = fees::charge(view, envelope, payer)?;
    let mut results = Vec::with_capacity(envelope.operations.len());
    for operation in &envelope.operations {
        results.push(execute::operation(view, &party, operation)?.to_bytes());
    }
    Ok(TransactionOutcome { fee, results }.to_bytes())
}

fn authenticate(
    view: &mut View<'_>,
    envelope: &Envelope,
    signatures: &[(PublicKey, Signature)],
) -> Result<Party, Stop> {
    match &envelope.actor {
        Actor::Account(id) => {
            let (number, mut account) = account_of(view, id)?;
            check_nonce(envelope.nonce, account.nonce)?;
            verify(envelope, id, account.keys.as_ref(), signatures)?;
            account.nonce += 1;
            view.put(&Key::Account(number), &account);
            Ok(Party { account: number, node: None })
        }
        Actor::Node(number) => {
            let mut node: Node = view.named("node", number, &Key::Node(*number))?;
            check_nonce(envelope.nonce, node.nonce)?;
            check_node_operations(envelope)?;
            verify_keys(envelope, &KeySet::single(node.key), signatures)?;
            node.nonce += 1;
            view.put(&Key::Node(*number), &node);
            Ok(Party { account: node.owner, node: Some(*number) })
        }
    }
}

fn check_nonce(given: u64, next: u64) -> Result<(), Refusal> {
    let message = || format!("the nonce is {given}, the next one is {next}");
    if given == next { Ok(()) } else { Err(Refusal::new(ErrorCode::NonceStale, message())) }
}

/// A node's key is warm: it may settle, and nothing else.
fn check_node_operations(envelope: &Envelope) -> Result<(), Refusal> {
    let settles = |operation: &Operation| matches!(operation, Operation::Settle(_));
    if envelope.operations.iter().all(settles) {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::NotAuthorised, "a node's key can only settle"))
}

pub(crate) fn account_of(view: &View<'_>, id: &AccountId) -> Result<(u64, Account), Stop> {
    let number: u64 = view.named("account", id, &Key::AccountNumber(*id))?;
    Ok((number, view.expect(&Key::Account(number))?))
}

fn verify(
    envelope: &Envelope,
    id: &AccountId,
    keys: Option<&KeySet>,
    signatures: &[(PublicKey, Signature)],
) -> Result<(), Refusal> {
    let keyless = || Refusal::new(ErrorCode::NotAuthorised, format!("account {id} has no keys"));
    verify_keys(envelope, keys.ok_or_else(keyless)?, signatures)
}

fn verify_keys(
    envelope: &Envelope,
    keys: &KeySet,
    signatures: &[(PublicKey, Signature)],
) -> Result<(), Refusal> {
    let payload = envelope.to_bytes();
    keys.verify(Domain::Transaction, envelope.network, &payload, signatures)
        .map_err(|error| Refusal::new(ErrorCode::SignatureInvalid, error.to_string()))
}

fn fee_payer(view: &View<'_>, transaction: &SignedTransaction, party: &Party) -> Result<u64, Stop> {
    let envelope = &transaction.envelope;
    let Some(id) = &envelope.fee_payer else { return Ok(party.account) };
    let (number, account) = account_of(view, id)?;
    if number != party.account {
        verify(envelope, id, account.keys.as_ref(), &transaction.payer_signatures)?;
    }
    Ok(number)
}

/// What a mempool needs to know of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The transaction's id.
    pub id: Digest,
    /// The last height at which it may apply.
    pub expires: Height,
}

impl Admission {
    /// Reads a transaction without looking at the state.
    pub fn of(network: NetworkId, bytes: &[u8]) -> Result<Self, Refusal> {
        let envelope = admit(network, bytes)?.envelope;
        Ok(Self { id: envelope.id(), expires: envelope.expires })
    }
}
