//! Accounts: who holds money, creates capsules and accepts terms.
//!
//! An account's id is the hash of its inception record, so it survives every rotation of
//! its keys. Records name accounts, never keys.

use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};
use crate::digest::Digest;
use crate::domain::{Domain, NetworkId};
use crate::keys::{BadSignature, PublicKey, SecretKey, Signature, Signed};
use crate::record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Most keys that one account can have.
pub const ACCOUNT_KEYS_MAX: usize = 16;

/// The id of an account, printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub Digest);

record! {
    /// Keys, and how many of them must sign.
    pub struct KeySet {
        /// Ascending, without repetition.
        pub keys: Vec<PublicKey>,
        /// Signatures needed, at least one.
        pub threshold: u16,
    }
}

record! {
    /// The record whose hash is the account's id. There is at most one account per first
    /// key on a network.
    pub struct Inception {
        /// The key that signs this record; its `did:key` is the account's DID.
        pub first: PublicKey,
        /// The keys the account starts with.
        pub keys: KeySet,
        /// The digest of the key set that may recover the account.
        pub recovery: Option<Digest>,
    }
}

record! {
    /// An inception record with its first key's signature: anyone may submit it.
    pub struct SignedInception {
        /// The record.
        pub inception: Inception,
        /// The first key's signature over the record.
        pub signature: Signature,
    }
}

/// What is wrong with a key set or an inception record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// No keys, or too many.
    #[error("an account has 1 to {ACCOUNT_KEYS_MAX} keys")]
    KeyCount,
    /// Keys are not ascending, repeat, or are [not sound](PublicKey::is_sound).
    #[error("an account's keys are Ed25519 keys in ascending order, each once")]
    Keys,
    /// Somebody signed whose key is not in the set.
    #[error("key {} may not sign", .0.did())]
    Stranger(PublicKey),
    /// The threshold is zero or larger than the number of keys.
    #[error("the threshold lies between 1 and the number of keys")]
    Threshold,
    /// The inception is not signed by its first key.
    #[error("the inception record is not signed by its first key")]
    Signature,
    /// Fewer distinct signers than the threshold.
    #[error("{valid} valid signatures of the {needed} needed")]
    TooFewSignatures {
        /// Distinct keys of the set that signed.
        valid: usize,
        /// The threshold.
        needed: usize,
    },
}

impl From<BadSignature> for AccountError {
    fn from(_: BadSignature) -> Self {
        Self::Signature
    }
}

impl KeySet {
    /// The set of one key.
    #[must_use]
    pub fn single(key: PublicKey) -> Self {
        Self { keys: vec![key], threshold: 1 }
    }

    /// Checks the rules of a key set.
    pub fn check(&self) -> Result<(), AccountError> {
        if self.keys.is_empty() || self.keys.len() > ACCOUNT_KEYS_MAX {
            return Err(AccountError::KeyCount);
        }
        let ascending = self.keys.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || !self.keys.iter().all(PublicKey::is_sound) {
            return Err(AccountError::Keys);
        }
        let threshold = usize::from(self.threshold);
        let fits = (1..=self.keys.len()).contains(&threshold);
        if fits { Ok(()) } else { Err(AccountError::Threshold) }
    }

    /// The digest that an inception names for recovery.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Domain::Account.digest(&self.to_bytes())
    }

    /// Checks that enough distinct keys of the set are among `signers`, whose signatures were
    /// found good. A signer outside the set fails the whole: what is not needed is not sent.
    pub fn authorise<'a>(
        &self,
        signers: impl IntoIterator<Item = &'a PublicKey>,
    ) -> Result<(), AccountError> {
        let mut distinct = BTreeSet::new();
        for key in signers {
            if !self.keys.contains(key) {
                return Err(AccountError::Stranger(*key));
            }
            distinct.insert(key);
        }
        let (valid, needed) = (distinct.len(), usize::from(self.threshold));
        if valid >= needed { Ok(()) } else { Err(AccountError::TooFewSignatures { valid, needed }) }
    }
}

impl Inception {
    /// An account of one key without recovery.
    #[must_use]
    pub fn single(key: PublicKey) -> Self {
        Self { first: key, keys: KeySet::single(key), recovery: None }
    }

    /// Checks the first key and the rules of the key set.
    pub fn check(&self) -> Result<(), AccountError> {
        if self.first.is_sound() { self.keys.check() } else { Err(AccountError::Keys) }
    }

    /// The account's id on a network.
    #[must_use]
    pub fn id(&self, network: NetworkId) -> AccountId {
        let payload = [network.0.0.as_slice(), &self.to_bytes()].concat();
        AccountId(Domain::Account.digest(&payload))
    }

    /// Signs the record with its first key.
    #[must_use]
    pub fn sign(self, network: NetworkId, first: &SecretKey) -> SignedInception {
        let signature = first.sign(Domain::Account, network, &self.to_bytes());
        SignedInception { inception: self, signature }
    }
}

impl SignedInception {
    /// The first key's signature, to be checked.
    #[must_use]
    pub fn signed(&self, network: NetworkId) -> Signed {
        let payload = self.inception.to_bytes();
        Signed::new(&self.inception.first, Domain::Account, network, &payload, &self.signature)
    }

    /// Checks keys and signature; the id of the account that the record opens.
    pub fn check(&self, network: NetworkId) -> Result<AccountId, AccountError> {
        self.inception.check()?;
        self.signed(network).verify()?;
        Ok(self.inception.id(network))
    }
}

impl AccountId {
    /// The account of a contributor without a key, which a proof of authorship claims.
    /// `datanet` is the id of the first version of the datanet's line.
    #[must_use]
    pub fn escrow(datanet: &crate::cid::Cid, name: &str) -> Self {
        Self(Domain::Escrow.digest(&[datanet.0.0.as_slice(), name.as_bytes()].concat()))
    }

    /// The account of a department: nobody but its organisation can open it.
    #[must_use]
    pub fn department(organisation: &Self, name: &str) -> Self {
        let payload = [organisation.0.0.as_slice(), name.as_bytes()].concat();
        Self(Domain::Department.digest(&payload))
    }

    /// A reserved account, such as `burn`, `network` or `treasury`.
    #[must_use]
    pub fn reserved(name: &str) -> Self {
        Self(Domain::Reserved.digest(name.as_bytes()))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountId({self})")
    }
}

impl FromStr for AccountId {
    type Err = crate::digest::DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Encode for AccountId {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
}

impl Decode for AccountId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Decode::decode(reader).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: NetworkId = NetworkId(Digest::ZERO);

    fn keys(count: u8) -> Vec<SecretKey> {
        let mut keys: Vec<_> = (1..=count).map(|i| SecretKey::from_seed(&[i; 32])).collect();
        keys.sort_by_key(SecretKey::public);
        keys
    }

    fn set(keys: &[SecretKey], threshold: u16) -> KeySet {
        KeySet { keys: keys.iter().map(SecretKey::public).collect(), threshold }
    }

    #[test]
    fn key_sets_have_rules() {
        let keys = keys(3);
        let check = |set: KeySet, expect| assert_eq!(set.check(), expect);
        check(set(&keys, 2), Ok(()));
        check(set(&keys, 0), Err(AccountError::Threshold));
        check(set(&keys, 4), Err(AccountError::Threshold));
        check(set(&[], 1), Err(AccountError::KeyCount));
        let mut turned = set(&keys, 1);
        turned.keys.reverse();
        check(turned, Err(AccountError::Keys));
    }

    /// The identity: under ZIP-215 anybody signs for it.
    const NOBODY: PublicKey = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        PublicKey(bytes)
    };

    #[test]
    fn keys_that_name_nobody_are_refused() {
        assert!(NOBODY.verify_raw(b"anything", &nobody_signs()).is_ok());
        let one = SecretKey::from_seed(&[1; 32]).public();
        let mut mixed = KeySet { keys: vec![NOBODY, one], threshold: 1 };
        mixed.keys.sort();
        assert_eq!(mixed.check(), Err(AccountError::Keys));
        assert_eq!(KeySet::single(NOBODY).check(), Err(AccountError::Keys));
        let inception = Inception { first: NOBODY, keys: KeySet::single(one), recovery: None };
        let signed = SignedInception { inception, signature: nobody_signs() };
        assert_eq!(signed.signed(NETWORK).verify(), Ok(()));
        assert_eq!(signed.check(NETWORK), Err(AccountError::Keys));
    }

    /// The signature over every message: R = identity, S = 0.
    fn nobody_signs() -> Signature {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        Signature(bytes)
    }

    #[test]
    fn two_of_three_must_sign() {
        let keys = keys(3);
        let set = set(&keys, 2);
        let stranger = SecretKey::from_seed(&[9; 32]).public();
        let [one, two, three] = [0, 1, 2].map(|i: usize| keys[i].public());
        let check = |signers: &[PublicKey], expect| assert_eq!(set.authorise(signers), expect);
        let few = |valid| Err(AccountError::TooFewSignatures { valid, needed: 2 });
        check(&[one, three], Ok(()));
        check(&[one, two, three], Ok(()));
        check(&[two], few(1));
        check(&[two, two], few(1));
        check(&[], few(0));
        check(&[one, two, stranger], Err(AccountError::Stranger(stranger)));
    }

    #[test]
    fn inception_binds_network_and_first_key() {
        let key = SecretKey::from_seed(&[1; 32]);
        let signed = Inception::single(key.public()).sign(NETWORK, &key);
        let id = signed.check(NETWORK).unwrap();
        assert_eq!(id, signed.inception.id(NETWORK));
        let other = NetworkId(Digest::of(b"other"));
        assert_eq!(signed.check(other), Err(AccountError::Signature));
        assert_ne!(signed.inception.id(other), id);
    }
}
