//! Acting on the ledger: transactions are built and signed here, with the person's own keys,
//! and only then sent to a node, or kept as a draft for others to sign. The node never sees a
//! secret.

use crate::draft::{DRAFT_EXPIRY_HEIGHTS, Drafting, may_sign};
use crate::failure::{Failure, OrFail, Outcome};
use ambar_base::{AccountId, Encode, ErrorCode, Height, Inception, NetworkId, Price, SecretKey};
use ambar_ledger::transaction::TRANSACTION_VERSION;
use ambar_ledger::{Actor, Envelope, Operation, SignedTransaction};
use ambar_node::api::dto::{Account, FaucetAnswer, FaucetRequest, OperationView, Submitted};
use ambar_node::client::{Client, ClientError, Credential};
use ambar_node::keys::{KeyStore, Passphrase};
use std::sync::Arc;

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
    home: Option<Arc<Cosigners>>,
}

/// The other keys of a home, and where a transaction goes that is not to be submitted.
#[derive(Debug)]
pub struct Cosigners {
    /// The keys.
    pub keys: KeyStore,
    /// What they are encrypted with.
    pub passphrase: Option<Passphrase>,
    /// The draft that is wanted.
    pub draft: Option<Arc<Drafting>>,
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
        Ok(Self { key, account, network, client, home: None })
    }

    /// The same signer, with the home's other keys where several must sign.
    #[must_use]
    pub fn among(mut self, home: Cosigners) -> Self {
        self.home = Some(Arc::new(home));
        self
    }

    /// A client that asks as this account.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Signs these operations as one transaction and waits until it is final.
    ///
    /// # Errors
    /// Where a draft is wanted, nothing is submitted: the failure ends the command, and
    /// [`Drafting::done`] says what was written.
    pub async fn submit(&self, operations: Vec<Operation>) -> Outcome<Submitted> {
        let status = self.client.status().await?;
        let account = self.client.account(&self.account.to_string()).await.map_err(unfunded)?;
        let envelope = Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor: Actor::Account(self.account),
            nonce: account.nonce,
            expires: Height(status.height).after(self.expiry()),
            fee_payer: None,
            fee_cap: FEE_CAP,
            operations,
        };
        let transaction = self.sign(envelope, &account)?;
        if let Some(drafting) = self.drafting() {
            return Err(drafting.write(transaction, &account));
        }
        let (has, needed) = (transaction.signatures.len(), usize::from(account.threshold));
        if has < needed {
            let message = format!(
                "{needed} keys sign for account {}, and this home has {has} of those that may",
                account.id
            );
            return Err(Failure::new(ErrorCode::SignatureInvalid, message)
                .helping("add --draft FILE, and let others sign it with `ambar tx sign FILE`"));
        }
        Ok(self.client.submit(transaction.to_bytes()).await?)
    }

    fn drafting(&self) -> Option<&Drafting> {
        self.home.as_ref().and_then(|home| home.draft.as_deref())
    }

    fn expiry(&self) -> u64 {
        if self.drafting().is_some() { DRAFT_EXPIRY_HEIGHTS } else { EXPIRY_HEIGHTS }
    }

    /// Signs with as many of the home's keys as are needed, its own first.
    fn sign(&self, envelope: Envelope, account: &Account) -> Outcome<SignedTransaction> {
        let may = may_sign(account, &envelope.operations);
        let needed = usize::from(account.threshold);
        let own = self.key.public().did();
        let mut signatures = Vec::new();
        // One key that may not sign alone is told so by the ledger, which says why.
        if may.contains(&own) || (needed <= 1 && self.drafting().is_none()) {
            signatures.push(envelope.signature(&self.key));
        }
        if let Some(home) = self.home.as_ref().filter(|_| signatures.len() < needed) {
            let others = home.keys.list()?.into_iter();
            let others = others.filter(|info| info.key != self.key.public());
            let others = others.filter(|info| may.contains(&info.key.did()));
            let mut others: Vec<_> = others.collect();
            // A key may lie in a home under two names.
            others.sort_by_key(|info| info.key);
            others.dedup_by_key(|info| info.key);
            for info in others.into_iter().take(needed - signatures.len()) {
                let key = home.keys.load(&info.name, home.passphrase.as_ref())?;
                signatures.push(envelope.signature(&key));
            }
        }
        Ok(SignedTransaction { envelope, signatures, payer_signatures: Vec::new() })
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
    made(submitted, "grant", |result| match result {
        OperationView::Grant { number } => Some(number.clone()),
        _ => None,
    })
}

/// The number of the channel that a transaction opened.
pub fn channel_of(submitted: &Submitted) -> Outcome<String> {
    made(submitted, "channel", |result| match result {
        OperationView::Channel { number } => Some(number.clone()),
        _ => None,
    })
}

/// The number of the offer that a transaction made.
pub fn offer_of(submitted: &Submitted) -> Outcome<String> {
    made(submitted, "offer", |result| match result {
        OperationView::Offer { number } => Some(number.clone()),
        _ => None,
    })
}

/// The id of the version that a transaction published.
pub fn version_of(submitted: &Submitted) -> Outcome<String> {
    made(submitted, "version", |result| match result {
        OperationView::Version { id, .. } => Some(id.clone()),
        _ => None,
    })
}

/// What a transaction made.
pub fn made(
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
