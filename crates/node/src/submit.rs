//! Transactions that the node itself makes: for its registration and the faucet.

use crate::error::NodeError;
use ambar_base::{Encode, NetworkId, Price, SecretKey, codec};
use ambar_consensus::{Committed, Consensus};
use ambar_gateway::view::LedgerView;
use ambar_ledger::query::State;
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{Actor, Envelope, Operation, TRANSACTION_VERSION};
use ambar_receipt::TransactionOutcome;

/// Blocks within which a transaction of the node's own applies.
const EXPIRY_BLOCKS: u64 = 100;
/// Most that a transaction of the node's own may cost.
const FEE_CAP: Price = Price::CREDIT;

/// An account that the node signs for.
pub struct Signatory<'a> {
    /// The network.
    pub network: NetworkId,
    /// A key that opened an account and is still its only one.
    pub key: &'a SecretKey,
}

impl Signatory<'_> {
    /// Signs operations with the account's next nonce and waits until they are final.
    pub async fn act(
        &self,
        consensus: &dyn Consensus,
        operations: Vec<Operation>,
    ) -> Result<Committed, NodeError> {
        let view = LedgerView::latest(consensus)?;
        let (_, account, _) = view.account(&self.key.public().did())?;
        let envelope = Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor: Actor::Account(account.id),
            nonce: account.nonce,
            expires: view.head().height.after(EXPIRY_BLOCKS),
            fee_payer: None,
            fee_cap: FEE_CAP,
            operations,
        };
        let transaction = envelope.sign(self.key).to_bytes();
        Ok(consensus.submit(transaction).await?)
    }
}

/// The fee and the results in a final transaction's outcome.
pub(crate) fn results(outcome: &[u8]) -> Result<(Price, Vec<OperationResult>), codec::DecodeError> {
    let outcome: TransactionOutcome = codec::decode(outcome)?;
    let results = outcome.results.iter().map(|result| codec::decode(result));
    Ok((outcome.fee, results.collect::<Result<_, _>>()?))
}
