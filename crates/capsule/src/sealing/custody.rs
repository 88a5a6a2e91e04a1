//! Custody: how an owner hands the key of a version to the node that will release it.
//!
//! The node says, signed with its own key, for which encryption key it wants a version's key.
//! The owner wraps it for that alone, by HPKE as a release is wrapped. What travels is what the
//! node keeps: without the node's secret nobody opens it, in transit or on the disk.

use super::key::VersionKey;
use super::release::{RecipientKey, RecipientSecret, ReleaseError, Released, unwrap, wrap};
use ambar_base::keys::Signed;
use ambar_base::{Cid, Digest, Domain, Encode, NetworkId, PublicKey, SecretKey, Signature, record};
use blake3::Hasher;
use zeroize::{Zeroize, Zeroizing};

const SECRET_CONTEXT: &str = "Ambar 2026-11-28 node custody secret, format 1";

record! {
    /// A node's request to keep the key of a version.
    pub struct CustodyRequest {
        /// The network whose ledger knows the node.
        pub network: NetworkId,
        /// The sealed version, published or about to be.
        pub version: Cid,
        /// The node's key, which signs the request.
        pub node: PublicKey,
        /// The key to wrap for.
        pub recipient: RecipientKey,
    }
}

impl RecipientSecret {
    /// The secret by which a node keeps keys: BLAKE3 `derive_key` of its signing key's seed, so
    /// that whoever guards the one guards the other, and neither serves the other's use.
    #[must_use]
    pub fn of_node(key: &SecretKey) -> Self {
        let mut hasher = Hasher::new_derive_key(SECRET_CONTEXT);
        hasher.update(key.seed().as_slice());
        let mut hash = hasher.finalize();
        let secret = Zeroizing::new(*hash.as_bytes());
        hash.zeroize();
        hasher.zeroize();
        Self::from_bytes(&secret)
    }
}

impl CustodyRequest {
    /// The digest that the node signs, and that HPKE's `info` is: it binds every field.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Domain::Custody.digest(&self.to_bytes())
    }

    /// Signs the request with the node's key.
    #[must_use]
    pub fn sign(&self, key: &SecretKey) -> Signature {
        key.sign(Domain::Custody, self.network, &self.digest().0)
    }

    /// The node's signature over the request, to be checked.
    #[must_use]
    pub fn signed(&self, signature: &Signature) -> Signed {
        Signed::new(&self.node, Domain::Custody, self.network, &self.digest().0, signature)
    }

    /// Wraps a version's key for this node. The caller verified the request, and draws `seed`
    /// at random.
    pub fn wrap(&self, key: &VersionKey, seed: &[u8; 32]) -> Result<Released, ReleaseError> {
        wrap(&self.recipient, &self.digest(), key, seed)
    }

    /// Opens the key. That it is the version's key is for the version's commitment to say.
    pub fn open(
        &self,
        kept: &Released,
        secret: &RecipientSecret,
    ) -> Result<VersionKey, ReleaseError> {
        unwrap(secret, &self.digest(), kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::codec;

    const SEED: [u8; 32] = [5; 32];

    fn node() -> SecretKey {
        SecretKey::from_seed(&[1; 32])
    }

    fn secret() -> RecipientSecret {
        RecipientSecret::of_node(&node())
    }

    fn request() -> CustodyRequest {
        CustodyRequest {
            network: NetworkId(Digest::of(b"network")),
            version: Cid::of(b"version"),
            node: node().public(),
            recipient: secret().public(),
        }
    }

    /// The bytes of this exemplar are for ever; a change needs a new version of the domain.
    #[test]
    fn conformance() {
        assert_eq!(
            request().digest().to_string(),
            "62ae20c383f1d1ed5fd9f19b5aa37ba2e9f8b872f45aa01c4e7ddc1841e38d81"
        );
        assert_eq!(codec::decode(&request().to_bytes()), Ok(request()));
    }

    #[test]
    fn what_is_kept_opens_for_that_node_and_version_alone() {
        let key = VersionKey::from_bytes(&[9; 32]);
        let kept = request().wrap(&key, &SEED).unwrap();
        let opened = request().open(&kept, &secret()).unwrap();
        assert_eq!(opened.commitment(), key.commitment());
        let refused = |request: CustodyRequest, kept: &Released, secret: &RecipientSecret| {
            assert_eq!(request.open(kept, secret).unwrap_err(), ReleaseError::Refused);
        };
        let other = CustodyRequest { version: Cid::of(b"other"), ..request() };
        refused(other, &kept, &secret());
        refused(request(), &kept, &RecipientSecret::from_bytes(&[3; 32]));
        for at in 0..kept.ciphertext.len() {
            let mut changed = kept.clone();
            changed.ciphertext[at] ^= 1;
            refused(request(), &changed, &secret());
        }
    }

    #[test]
    fn only_the_node_asks_for_its_own_custody() {
        let signature = request().sign(&node());
        assert!(request().signed(&signature).verify().is_ok());
        let foreign = request().sign(&SecretKey::from_seed(&[4; 32]));
        assert!(request().signed(&foreign).verify().is_err());
        let turned = CustodyRequest { recipient: RecipientKey([7; 32]), ..request() };
        assert!(turned.signed(&signature).verify().is_err());
    }

    #[test]
    fn nothing_is_wrapped_for_a_key_of_low_order() {
        let weak = CustodyRequest { recipient: RecipientKey([0; 32]), ..request() };
        let key = VersionKey::from_bytes(&[9; 32]);
        assert_eq!(weak.wrap(&key, &SEED).unwrap_err(), ReleaseError::Recipient);
    }
}
