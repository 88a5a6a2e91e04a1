//! Acting on the ledger: transactions are built and signed here, with the person's own key,
//! and only then sent to a node. The node never sees a secret.

use crate::failure::{Failure, OrFail, Outcome};
use ambar_base::{AccountId, Encode, ErrorCode, Height, Inception, NetworkId, Price, SecretKey};
use ambar_ledger::transaction::TRANSACTION_VERSION;
use ambar_ledger::{Actor, Envelope, Operation};
use ambar_node::api::dto::{FaucetAnswer, FaucetRequest, OperationView, Submitted};
use ambar_node::client::{Client, ClientError, Credential};

/// Heights within which a transaction may apply.
const EXPIRY_HEIGHTS: u64 = 1_000;
/// The highest fee accepted for one transaction: one credit.
const FEE_CAP: Price = Price::CREDIT;

/// An account's key, the account, and the node that hears it.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The key.
    pub key: SecretKey,
    /// The account that it signs for.
    pub account: AccountId,
    /// The network.
    pub network: NetworkId,
    client: Client,
}

impl Signer {
    /// Signs for `account`, or for the account that `key` opened if nothing is said.
    pub async fn new(client: &Client, key: SecretKey, account: Option<AccountId>) -> Outcome<Self> {
        let network = client.network().await?;
        let client = client.clone().with(Credential::Key(network, Box::new(key.clone())));
        let (account, client) = match account {
            None => (Inception::single(key.public()).id(network), client),
            Some(account) => (account, client.acting_for(&account.to_string())),
        };
        Ok(Self { key, account, network, client })
    }

    /// A client that asks as this account.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Signs these operations as one transaction and waits until it is final.
    pub async fn submit(&self, operations: Vec<Operation>) -> Outcome<Submitted> {
        let status = self.client.status().await?;
        let account = self.client.account(&self.account.to_string()).await.map_err(unfunded)?;
        let envelope = Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor: Actor::Account(self.account),
            nonce: account.nonce,
            expires: Height(status.height).after(EXPIRY_HEIGHTS),
            fee_payer: None,
            fee_cap: FEE_CAP,
            operations,
        };
        Ok(self.client.submit(envelope.sign(&self.key).to_bytes()).await?)
    }

    /// The id of an account by DID or id.
    pub async fn account_of(&self, text: &str) -> Outcome<AccountId> {
        self.client.account(text).await?.id.parse().or_fail(ErrorCode::BadGateway)
    }

    /// Takes credits from the faucet of a development network, which opens the account.
    pub async fn fund(&self, amount: Price) -> Outcome<FaucetAnswer> {
        let inception = Inception::single(self.key.public()).sign(self.network, &self.key);
        let inception = hex::encode(inception.to_bytes());
        let request = FaucetRequest { inception, amount: amount.to_string() };
        Ok(self.client.faucet(&request).await?)
    }
}

/// An account that does not exist can be had for nothing.
fn unfunded(error: ClientError) -> Failure {
    let failure = Failure::from(error);
    if failure.code == ErrorCode::AccountUnknown {
        return failure.helping("open the account with `ambar account fund 10 --as KEY`");
    }
    failure
}

/// The number of the grant that a transaction made.
pub fn grant_of(submitted: &Submitted) -> Outcome<String> {
    find(submitted, "grant", |result| match result {
        OperationView::Grant { number } => Some(number.clone()),
        _ => None,
    })
}

/// The number of the channel that a transaction opened.
pub fn channel_of(submitted: &Submitted) -> Outcome<String> {
    find(submitted, "channel", |result| match result {
        OperationView::Channel { number } => Some(number.clone()),
        _ => None,
    })
}

/// The id of the version that a transaction published.
pub fn version_of(submitted: &Submitted) -> Outcome<String> {
    find(submitted, "version", |result| match result {
        OperationView::Version { id, .. } => Some(id.clone()),
        _ => None,
    })
}

fn find(
    submitted: &Submitted,
    what: &str,
    pick: impl Fn(&OperationView) -> Option<String>,
) -> Outcome<String> {
    let missing = || {
        let message = format!("transaction {} yielded no {what}", submitted.id);
        Failure::new(ErrorCode::BadGateway, message)
    };
    submitted.results.iter().find_map(pick).ok_or_else(missing)
}

/// A number of the ledger as people write it.
pub fn number(what: &str, text: &str) -> Outcome<u64> {
    text.parse().map_err(|_| Failure::input(format!("`{text}` is not the number of a {what}")))
}
