//! Executing one item of a block in bounded rounds of reading.
//!
//! [`Execution::step`] either asks for keys or is done. It starts anew each time with more
//! read: until the last round nothing has an effect, so there is nothing to undo.
//!
//! No signature is checked here: [`Admitted`] says that they are good, and what is left is to
//! compare the keys beside them with those of the state.

use crate::admission::Admitted;
use crate::fees;
use crate::key::Key;
use crate::object::{Account, Node, reserved};
pub use crate::refusal::Need;
use crate::refusal::{Gather, Refusal, Stop};
use crate::transaction::{Actor, Envelope, Operation};
use crate::view::View;
pub use crate::view::{BlockContext, Reads, Writes};
use crate::{agenda, epoch, execute};
use ambar_base::account::AccountError;
use ambar_base::{AccountId, Encode, ErrorCode, KeySet, Price};
use ambar_receipt::TransactionOutcome;

/// Most rounds of reading; what a transaction needs does not grow with its operations. The
/// engine has the same limit.
pub const ROUNDS_MAX: usize = 8;

/// What a step leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This must be read.
    Need(Need),
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
    End(u64),
}

impl Execution {
    /// The beginning of a block.
    #[must_use]
    pub fn begin(block: BlockContext) -> Self {
        Self { block, item: Item::Begin }
    }

    /// The end of an epoch: it runs last in the epoch's last block. Its outcome is the
    /// encoded list of the keys of the next committee, ascending.
    #[must_use]
    pub fn end(block: BlockContext, epoch: u64) -> Self {
        Self { block, item: Item::End(epoch) }
    }

    /// A transaction of a block. It relies on admission: whoever makes an [`Admitted`] has
    /// checked every signature in it, or vouches for somebody who has.
    pub fn transaction(block: BlockContext, admitted: Admitted) -> Result<Self, Refusal> {
        if admitted.envelope().network != block.network {
            let message = "the transaction was admitted to another network";
            return Err(Refusal::new(ErrorCode::WrongNetwork, message));
        }
        Ok(Self { block, item: Item::Transaction(Box::new(admitted)) })
    }

    /// Executes with what was read so far.
    pub fn step(&self, reads: &dyn Reads) -> Result<Step, Refusal> {
        let mut view = View::new(self.block, reads);
        let outcome = match &self.item {
            Item::Begin => agenda::begin(&mut view).map(|()| Vec::new()),
            Item::Transaction(admitted) => apply(&mut view, admitted),
            Item::End(epoch) => epoch::end(&mut view, *epoch),
        };
        match outcome {
            Ok(outcome) => Ok(Step::Done { writes: view.into_writes(), outcome }),
            Err(Stop::Missing(need)) => Ok(Step::Need(need)),
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
    let envelope = admitted.envelope();
    if envelope.expires < view.block.height {
        let message = format!("the transaction expired at height {}", envelope.expires);
        return Err(Refusal::new(ErrorCode::TransactionExpired, message).into());
    }
    if envelope.actor == Actor::Nobody {
        return reported(view, envelope);
    }
    view.require(first_keys(envelope))?;
    let mut gather = Gather::default();
    let party = gather.take(authenticate(view, admitted))?;
    let named = gather.take(named_payer(view, envelope))?;
    gather.finish()?;
    let party = party.ok_or_else(unfinished)?;
    let payer = fee_payer(view, admitted, &party, named.flatten())?;
    let mut gather = Gather::default();
    let fee = gather.take(fees::charge(view, envelope, payer))?;
    let results = gather.take(execute::operations(view, &party, &envelope.operations))?;
    gather.finish()?;
    let (fee, mut results) = fee.zip(results).ok_or_else(unfinished)?;
    results.extend(execute::departments::drawn(view)?.map(|drawn| drawn.to_bytes()));
    Ok(TransactionOutcome { fee, results }.to_bytes())
}

/// What nobody in particular reports, free of charge: admission lets nothing else through.
fn reported(view: &mut View<'_>, envelope: &Envelope) -> Result<Vec<u8>, Stop> {
    let [Operation::ReportConflict(evidence)] = &envelope.operations[..] else {
        return Err(unowned().into());
    };
    let results = vec![execute::report(view, evidence)?.to_bytes()];
    Ok(TransactionOutcome { fee: Price(0), results }.to_bytes())
}

fn unowned() -> Refusal {
    Refusal::new(ErrorCode::NotAuthorised, "nobody can do nothing but report a validator")
}

/// The keys that an envelope needs whatever its operations.
fn first_keys(envelope: &Envelope) -> impl Iterator<Item = Key> {
    let actor = match &envelope.actor {
        Actor::Account(id) => Some(Key::AccountNumber(*id)),
        Actor::Node(number) => Some(Key::Node(*number)),
        Actor::Nobody => None,
    };
    let payer = envelope.fee_payer.map(Key::AccountNumber);
    let fixed = [
        Key::Parameters,
        Key::Numbers,
        Key::Balance(reserved::BURN),
        Key::Balance(reserved::NETWORK),
    ];
    fixed.into_iter().chain(actor).chain(payer)
}

fn unfinished() -> Refusal {
    Refusal::new(ErrorCode::Internal, "a round ended without asking for what it lacked")
}

fn authenticate(view: &mut View<'_>, admitted: &Admitted) -> Result<Party, Stop> {
    let envelope = admitted.envelope();
    match &envelope.actor {
        Actor::Account(id) => {
            let (number, mut account) = account_of(view, id)?;
            check_nonce(envelope.nonce, account.nonce)?;
            keys_of(&account)?.authorise(admitted.signers()).map_err(unauthorised)?;
            execute::departments::admit(view, number, admitted)?;
            account.nonce += 1;
            view.put(&Key::Account(number), &account);
            Ok(Party { account: number, node: None })
        }
        Actor::Node(number) => {
            let mut node: Node = view.named("node", number, &Key::Node(*number))?;
            view.require([Key::Balance(node.owner)])?;
            check_nonce(envelope.nonce, node.nonce)?;
            KeySet::single(node.key).authorise(admitted.signers()).map_err(unauthorised)?;
            node.nonce += 1;
            view.put(&Key::Node(*number), &node);
            Ok(Party { account: node.owner, node: Some(*number) })
        }
        Actor::Nobody => Err(unowned().into()),
    }
}

fn check_nonce(given: u64, next: u64) -> Result<(), Refusal> {
    let message = || format!("the nonce is {given}, the next one is {next}");
    if given == next { Ok(()) } else { Err(Refusal::new(ErrorCode::NonceStale, message())) }
}

fn unauthorised(error: AccountError) -> Refusal {
    Refusal::new(ErrorCode::SignatureInvalid, error.to_string())
}

fn account_of(view: &View<'_>, id: &AccountId) -> Result<(u64, Account), Stop> {
    let number: u64 = view.named("account", id, &Key::AccountNumber(*id))?;
    view.require([Key::Account(number), Key::Balance(number), Key::Department(number)])?;
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
    view: &View<'_>,
    admitted: &Admitted,
    party: &Party,
    named: Option<(u64, Account)>,
) -> Result<u64, Stop> {
    let Some((number, account)) = named else { return Ok(party.account) };
    if number != party.account {
        execute::departments::pays_for_itself(view, number)?;
        keys_of(&account)?.authorise(admitted.payer_signers()).map_err(unauthorised)?;
    }
    Ok(number)
}
