//! What is asked of nodes and validators.

use ambar_base::keys::Signed;
use ambar_base::{
    AccountId, Cid, Domain, Encode, NetworkId, Price, PublicKey, SecretKey, Signature, record,
};

record! {
    /// See [`Operation::RegisterNode`](super::Operation::RegisterNode).
    pub struct RegisterNode {
        /// The node's key.
        pub key: PublicKey,
        /// The node key's signature over the owner's account id: nobody registers a key
        /// that is not theirs.
        pub proof: Signature,
        /// What it asks per MU.
        pub ask: Price,
    }
}

record! {
    /// See [`Operation::RegisterValidator`](super::Operation::RegisterValidator).
    pub struct RegisterValidator {
        /// The key that will vote.
        pub key: PublicKey,
        /// Its signature over the owner's account id: nobody registers a key that is not
        /// theirs.
        pub proof: Signature,
    }
}

record! {
    /// See [`Operation::SetAsk`](super::Operation::SetAsk).
    pub struct SetAsk {
        /// The node.
        pub node: u64,
        /// What it asks per MU.
        pub ask: Price,
    }
}

record! {
    /// See [`Operation::SetEndpoint`](super::Operation::SetEndpoint). The node itself says it,
    /// or its owner.
    pub struct SetEndpoint {
        /// The node.
        pub node: u64,
        /// Where it is reached: `host:port`.
        pub address: Option<String>,
    }
}

record! {
    /// See [`Operation::AllowServing`](super::Operation::AllowServing).
    pub struct AllowServing {
        /// Any version of the line.
        pub version: Cid,
        /// The node's key.
        pub node: PublicKey,
        /// Whether it may.
        pub allowed: bool,
    }
}

impl RegisterValidator {
    /// The registration of a key by an account.
    #[must_use]
    pub fn new(network: NetworkId, key: &SecretKey, owner: &AccountId) -> Self {
        let proof = key.sign(Domain::Validator, network, &owner.to_bytes());
        Self { key: key.public(), proof }
    }

    /// The key's signature for its owner, to be checked.
    #[must_use]
    pub fn signed(&self, network: NetworkId, owner: &AccountId) -> Signed {
        Signed::new(&self.key, Domain::Validator, network, &owner.to_bytes(), &self.proof)
    }
}

impl RegisterNode {
    /// The registration of a key by an account.
    #[must_use]
    pub fn new(network: NetworkId, key: &SecretKey, owner: &AccountId, ask: Price) -> Self {
        let proof = key.sign(Domain::Holder, network, &owner.to_bytes());
        Self { key: key.public(), proof, ask }
    }

    /// The key's signature for its owner, to be checked.
    #[must_use]
    pub fn signed(&self, network: NetworkId, owner: &AccountId) -> Signed {
        Signed::new(&self.key, Domain::Holder, network, &owner.to_bytes(), &self.proof)
    }
}
