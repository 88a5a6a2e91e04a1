//! What is asked of royalty lines that are for sale, and of accounts whose keys are lost.

use ambar_base::keys::Signed;
use ambar_base::{
    AccountId, Digest, Domain, Encode, KeySet, Moment, NetworkId, Price, PublicKey, SecretKey,
    Signature, record,
};

record! {
    /// See [`Operation::OfferRoyalty`](super::Operation::OfferRoyalty).
    pub struct OfferRoyalty {
        /// The royalty line.
        pub royalty: u64,
        /// What it costs, above zero.
        pub price: Price,
        /// Who may buy it; nothing: anybody.
        pub to: Option<AccountId>,
        /// Nobody buys it from then on.
        pub expires: Moment,
    }
}

record! {
    /// See [`Operation::BuyRoyalty`](super::Operation::BuyRoyalty).
    pub struct BuyRoyalty {
        /// The royalty line.
        pub royalty: u64,
        /// The price that the buyer saw: refused if the offer has another.
        pub price: Price,
    }
}

record! {
    /// See [`Operation::BeginRecovery`](super::Operation::BeginRecovery).
    pub struct BeginRecovery {
        /// The account that is recovered.
        pub account: AccountId,
        /// Its next nonce: whatever the account does makes the signatures void, so that none
        /// is used twice.
        pub nonce: u64,
        /// The key set whose digest the account named for this.
        pub recovery: KeySet,
        /// The keys that it gets.
        pub keys: KeySet,
        /// The digest of the key set that may recover it the next time.
        pub next: Option<Digest>,
        /// Signatures by keys of the recovery set.
        pub signatures: Vec<(PublicKey, Signature)>,
    }
}

impl BeginRecovery {
    /// One signature: over account, nonce, new keys and the next recovery digest.
    #[must_use]
    pub fn signature(&self, network: NetworkId, key: &SecretKey) -> (PublicKey, Signature) {
        (key.public(), key.sign(Domain::Recovery, network, &self.payload()))
    }

    /// Signed by these keys.
    #[must_use]
    pub fn sign(mut self, network: NetworkId, keys: &[SecretKey]) -> Self {
        self.signatures = keys.iter().map(|key| self.signature(network, key)).collect();
        self
    }

    /// The signatures, to be checked, each with its key.
    pub fn signed(&self, network: NetworkId) -> impl Iterator<Item = (PublicKey, Signed)> {
        let payload = self.payload();
        self.signatures.iter().map(move |(key, signature)| {
            (*key, Signed::new(key, Domain::Recovery, network, &payload, signature))
        })
    }

    /// The recovery set is not signed over: it is the one whose digest the account has.
    fn payload(&self) -> Vec<u8> {
        [self.account.to_bytes(), self.nonce.to_bytes(), self.keys.to_bytes(), self.next.to_bytes()]
            .concat()
    }
}
