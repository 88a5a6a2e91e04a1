//! Executing one item of a block in bounded rounds of reading.
//!
//! [`Execution::step`] either asks for keys or is done. It starts anew each time with more
//! read: until the last round nothing has an effect, so there is nothing to undo.

use crate::fees;
use crate::key::Key;
use crate::object::{Account, Node, reserved};
use crate::refusal::{Gather, Refusal, Stop};
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
use std::sync::OnceLock;

/// Most rounds of reading; what a transaction needs does not grow with its operations. The
/// engine has the same limit.
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
    Transaction(Box<Admitted>),
}

/// A transaction with the bytes that were signed.
#[derive(Debug)]
struct Admitted {
    transaction: SignedTransaction,
    payload: Vec<u8>,
    /// The keys whose signatures were found good in an earlier round: signatures over
    /// megabytes are checked once, not once per round.
    verified: OnceLock<KeySet>,
}

impl Admitted {
    fn new(transaction: SignedTransaction, bytes: &[u8]) -> Self {
        // A value has one encoding: what precedes the signatures is the envelope.
        let signatures = transaction.signatures.to_bytes().len();
        let signatures = signatures + transaction.payer_signatures.to_bytes().len();
        let payload = bytes[..bytes.len() - signatures].to_vec();
        Self { transaction, payload, verified: OnceLock::new() }
    }

    /// Checks the actor's signatures.
    fn verify(&self, keys: &KeySet) -> Result<(), Refusal> {
        if self.verified.get() == Some(keys) {
            return Ok(());
        }
        self.verify_signatures(keys, &self.transaction.signatures)?;
        // Another step may have been faster: it verified the same bytes.
        let _ = self.verified.set(keys.clone());
        Ok(())
    }

    fn verify_signatures(
        &self,
        keys: &KeySet,
        signatures: &[(PublicKey, Signature)],
    ) -> Result<(), Refusal> {
        let network = self.transaction.envelope.network;
        keys.verify(Domain::Transaction, network, &self.payload, signatures)
            .map_err(|error| Refusal::new(ErrorCode::SignatureInvalid, error.to_string()))
    }
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
        let admitted = Admitted::new(admit(block.network, bytes)?, bytes);
        Ok(Self { block, item: Item::Transaction(Box::new(admitted)) })
    }

    /// Executes with what was read so far.
    pub fn step(&self, reads: &dyn Reads) -> Result<Step, Refusal> {
        let mut view = View::new(self.block, reads);
        let outcome = match &self.item {
            Item::Begin => agenda::begin(&mut view).map(|()| Vec::new()),
            Item::Transaction(admitted) => apply(&mut view, admitted),
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

fn apply(view: &mut View<'_>, admitted: &Admitted) -> Result<Vec<u8>, Stop> {
    let envelope = &admitted.transaction.envelope;
    if envelope.expires < view.block.height {
        let message = format!("the transaction expired at height {}", envelope.expires);
        return Err(Refusal::new(ErrorCode::TransactionExpired, message).into());
    }
    view.require(first_keys(envelope))?;
    let mut gather = Gather::default();
    let party = gather.take(authenticate(view, admitted))?;
    let named = gather.take(named_payer(view, envelope))?;
    gather.finish()?;
    let party = party.ok_or_else(unfinished)?;
    let payer = fee_payer(admitted, &party, named.flatten())?;
    let fee = fees::charge(view, envelope, payer)?;
    let results = execute::operations(view, &party, &envelope.operations)?;
    Ok(TransactionOutcome { fee, results }.to_bytes())
}

/// The keys that an envelope needs whatever its operations.
fn first_keys(envelope: &Envelope) -> impl Iterator<Item = Key> {
    let actor = match &envelope.actor {
        Actor::Account(id) => Key::AccountNumber(*id),
        Actor::Node(number) => Key::Node(*number),
    };
    let payer = envelope.fee_payer.map(Key::AccountNumber);
    let fixed = [
        Key::Parameters,
        Key::Numbers,
        Key::Balance(reserved::BURN),
        Key::Balance(reserved::NETWORK),
        actor,
    ];
    fixed.into_iter().chain(payer)
}

fn unfinished() -> Refusal {
    Refusal::new(ErrorCode::Internal, "a round ended without asking for what it lacked")
}

fn authenticate(view: &mut View<'_>, admitted: &Admitted) -> Result<Party, Stop> {
    let envelope = &admitted.transaction.envelope;
    match &envelope.actor {
        Actor::Account(id) => {
            let (number, mut account) = account_of(view, id)?;
            check_nonce(envelope.nonce, account.nonce)?;
            admitted.verify(keys_of(&account)?)?;
            account.nonce += 1;
            view.put(&Key::Account(number), &account);
            Ok(Party { account: number, node: None })
        }
        Actor::Node(number) => {
            let mut node: Node = view.named("node", number, &Key::Node(*number))?;
            view.require([Key::Balance(node.owner)])?;
            check_nonce(envelope.nonce, node.nonce)?;
            check_node_operations(envelope)?;
            admitted.verify(&KeySet::single(node.key))?;
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

fn account_of(view: &View<'_>, id: &AccountId) -> Result<(u64, Account), Stop> {
    let number: u64 = view.named("account", id, &Key::AccountNumber(*id))?;
    view.require([Key::Account(number), Key::Balance(number)])?;
    Ok((number, view.expect(&Key::Account(number))?))
}

fn keys_of(account: &Account) -> Result<&KeySet, Refusal> {
    let keyless =
        || Refusal::new(ErrorCode::NotAuthorised, format!("account {} has no keys", account.id));
    account.keys.as_ref().ok_or_else(keyless)
}

/// The account that the envelope names as fee payer.
fn named_payer(view: &View<'_>, envelope: &Envelope) -> Result<Option<(u64, Account)>, Stop> {
    envelope.fee_payer.map(|id| account_of(view, &id)).transpose()
}

/// Who pays the fee: somebody else than the acting party signs for that.
fn fee_payer(
    admitted: &Admitted,
    party: &Party,
    named: Option<(u64, Account)>,
) -> Result<u64, Refusal> {
    let Some((number, account)) = named else { return Ok(party.account) };
    if number != party.account {
        let signatures = &admitted.transaction.payer_signatures;
        admitted.verify_signatures(keys_of(&account)?, signatures)?;
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
