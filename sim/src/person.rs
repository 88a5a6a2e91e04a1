//! An account or a node that acts on the ledger, one transaction after another, whatever
//! becomes of the member that it asked.

use crate::simulation::Net;
use crate::told::{Answer, Told};
use ambar_base::{Digest, Encode, ErrorCode, Height, NetworkId, Price, SecretKey, codec};
use ambar_consensus::{Committed, StateView, StoreError, SubmitError};
use ambar_ledger::object::{Account, Node};
use ambar_ledger::query::State;
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::TRANSACTION_VERSION;
use ambar_ledger::{Actor, Admitted, Envelope, Key, Operation, Refusal};
use ambar_receipt::TransactionOutcome;
use std::time::Duration;

/// How long a person waits for an answer before it asks another member.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long after an error it asks again.
const PAUSE: Duration = Duration::from_millis(300);
/// Heights within which a transaction may apply.
const EXPIRY_HEIGHTS: u64 = 400;
/// Most transactions that it makes for one act after the first.
const ATTEMPTS_MAX: u32 = 3;
/// Most times that it asks before it takes a refusal for one.
const REFUSALS_MAX: u32 = 8;

/// The state as a member has it.
pub struct Seen(pub StateView);

impl State for Seen {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        let failed = |error: StoreError| Refusal::new(ErrorCode::Internal, error.to_string());
        self.0.get(key).map(|value| value.map(|bytes| bytes.to_vec())).map_err(failed)
    }
}

/// Somebody who acts.
#[derive(Clone)]
pub struct Person {
    /// The run.
    pub net: Net,
    /// Where it notes what it was told.
    pub told: Told,
    /// The ledger.
    pub network: NetworkId,
    /// What it signs with.
    pub key: SecretKey,
    /// As whom it acts.
    pub actor: Actor,
}

/// What became of a transaction.
enum Fate {
    Final(usize, Committed),
    /// It can no longer become final.
    Expired,
    Refused(SubmitError),
}

impl Person {
    /// The newest state that any member has, and none older than anybody was told of.
    pub async fn seen(&self) -> Seen {
        loop {
            let views = (0..self.net.members()).filter_map(|member| self.net.read(member));
            let newest = views.max_by_key(|view| view.head().height);
            if let Some(view) = newest.filter(|view| view.head().height.0 >= self.told.floor()) {
                return Seen(view);
            }
            self.net.sleep(PAUSE).await;
        }
    }

    /// The nonce of its next transaction.
    fn nonce(&self, seen: &Seen) -> Result<u64, Refusal> {
        match &self.actor {
            Actor::Account(id) => {
                let number: u64 = seen.must("account", id, &Key::AccountNumber(*id))?;
                Ok(seen.must::<Account>("account", id, &Key::Account(number))?.nonce)
            }
            Actor::Node(number) => {
                Ok(seen.must::<Node>("node", number, &Key::Node(*number))?.nonce)
            }
            Actor::Nobody => Ok(0),
        }
    }

    /// Its next transaction.
    pub fn transaction(
        &self,
        seen: &Seen,
        operations: Vec<Operation>,
    ) -> Result<Envelope, Refusal> {
        Ok(Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor: self.actor.clone(),
            nonce: self.nonce(seen)?,
            expires: seen.0.head().height.after(EXPIRY_HEIGHTS),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations,
        })
    }

    /// Acts, however often it must ask. Nothing if it was refused, which is noted.
    pub async fn act(&self, operations: Vec<Operation>) -> Option<Vec<OperationResult>> {
        self.act_on(|_| Some(operations.clone())).await
    }

    /// Acts upon what it sees.
    pub async fn act_on(
        &self,
        operations: impl Fn(&Seen) -> Option<Vec<Operation>>,
    ) -> Option<Vec<OperationResult>> {
        for attempt in 0.. {
            let seen = self.seen().await;
            let envelope = self.transaction(&seen, operations(&seen)?);
            let bytes = envelope.ok()?.sign(&self.key).to_bytes();
            match self.deliver(bytes.clone()).await {
                Fate::Final(member, committed) => {
                    let (height, index) = (committed.height.0, committed.index);
                    self.told.answer(Answer { member, transaction: bytes, height, index });
                    let outcome: TransactionOutcome = codec::decode(&committed.outcome).ok()?;
                    let results = outcome.results.iter().map(|result| codec::decode(result));
                    return results.collect::<Result<_, _>>().ok();
                }
                Fate::Expired => {}
                // A member that was behind may have refused what others would not.
                Fate::Refused(error) if attempt == ATTEMPTS_MAX => {
                    self.told.refuse(error.to_string());
                    return None;
                }
                Fate::Refused(_) => {}
            }
        }
        None
    }

    /// Asks members until one says what became of the transaction.
    async fn deliver(&self, bytes: Vec<u8>) -> Fate {
        let Ok(admitted) = Admitted::of(self.network, &bytes) else { return Fate::Expired };
        let (id, expires) = (admitted.id(), admitted.expires());
        let mut refusals = 0;
        loop {
            let member = self.net.below(self.net.members() as u64) as usize;
            match self.net.submit(member, bytes.clone(), PATIENCE).await {
                Some(Ok(committed)) => return Fate::Final(member, committed),
                Some(Err(SubmitError::TransactionExpired { .. })) if self.is_late(&id, expires) => {
                    return Fate::Expired;
                }
                Some(Err(
                    error @ (SubmitError::Refused(_) | SubmitError::TransactionTooLarge { .. }),
                )) => {
                    // A member that is behind refuses what is final already.
                    refusals += 1;
                    if refusals > REFUSALS_MAX && !self.is_final(&id) {
                        return Fate::Refused(error);
                    }
                    self.net.sleep(PAUSE).await;
                }
                // It is down, overloaded or cut off.
                Some(Err(_)) => self.net.sleep(PAUSE).await,
                None => self.net.sleep(PAUSE).await,
            }
        }
    }

    fn is_final(&self, id: &Digest) -> bool {
        (0..self.net.members()).any(|member| self.net.place(member, id).is_some())
    }

    /// Whether a transaction can no longer become final anywhere: everybody who runs is past
    /// its expiry and has not seen it.
    fn is_late(&self, id: &Digest, expires: Height) -> bool {
        let views = (0..self.net.members()).filter_map(|member| self.net.read(member));
        !self.is_final(id) && views.map(|view| view.head().height).all(|height| height > expires)
    }
}
