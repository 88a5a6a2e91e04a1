//! Ed25519 keys and signatures (RFC 8032).
//!
//! One acceptance rule everywhere, ZIP-215: the equation with the cofactor, `s` below the
//! group's order, any encoding of a point. Under it a signature checked [alone](PublicKey)
//! and one checked [in a batch](verify_batch) are accepted alike, on every machine.
//!
//! It does not know who may sign: a key that signs for anybody is a key here, and
//! [refused](PublicKey::is_sound) where a key is to stand for somebody.

mod batch;

pub use batch::{EQUATION_SIGNATURES_MAX, Signed, verify_batch, verify_each};

use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};
use crate::domain::{Domain, NetworkId};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use ed25519_zebra::VerificationKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use zeroize::Zeroizing;

/// A public key as its 32 bytes. It may be no point of the curve: then no signature
/// verifies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// A signature as its 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// A secret key. It prints as nothing and is wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

/// The signature is not this key's over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not this key's over this message")]
pub struct BadSignature;

impl SecretKey {
    /// The key of a 32-byte seed (RFC 8032, 5.1.5), which the caller drew at random.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, wiped when dropped.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `payload` for one purpose on one network.
    #[must_use]
    pub fn sign(&self, domain: Domain, network: NetworkId, payload: &[u8]) -> Signature {
        self.sign_raw(&domain.message(network, payload))
    }

    /// Signs bytes whose own format separates domains (COSE, Biscuit).
    #[must_use]
    pub fn sign_raw(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl PublicKey {
    /// Checks a signature over `payload` for one purpose on one network.
    pub fn verify(
        &self,
        domain: Domain,
        network: NetworkId,
        payload: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.verify_raw(&domain.message(network, payload), signature)
    }

    /// Checks a signature over bytes whose own format separates domains.
    pub fn verify_raw(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let key = VerificationKey::try_from(self.0).map_err(|_| BadSignature)?;
        key.verify(&signature.0.into(), message).map_err(|_| BadSignature)
    }

    /// Whether the bytes are a point of the curve, however encoded: what a signature needs
    /// to be checked at all.
    #[must_use]
    pub fn is_point(&self) -> bool {
        VerificationKey::try_from(self.0).is_ok()
    }

    /// Whether the key can stand for somebody: a point by its one encoding, and not of small
    /// order. A key of small order has signatures over every message that anybody can make.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            let canonical = VerifyingKey::from(key.to_edwards()).to_bytes() == self.0;
            canonical && !key.is_weak()
        })
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex::encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

macro_rules! bytes_type {
    ($name:ident, $bytes:literal) => {
        impl Encode for $name {
            fn encode(&self, writer: &mut Writer) {
                writer.raw(&self.0);
            }
        }

        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Decode::decode(reader).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
                let array: [u8; $bytes] = bytes
                    .as_slice()
                    .try_into()
                    .map_err(|_| de::Error::custom(concat!("expected ", $bytes, " bytes")))?;
                Ok(Self(array))
            }
        }
    };
}
bytes_type!(PublicKey, 32);
bytes_type!(Signature, 64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use proptest::prelude::*;

    const NETWORK: NetworkId = NetworkId(Digest::ZERO);

    #[test]
    fn known_answer_of_rfc_8032() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let seed: [u8; 32] = hex::decode(seed).unwrap().try_into().unwrap();
        let key = SecretKey::from_seed(&seed);
        let expect = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(hex::encode(key.public().0), expect);
        assert_eq!(hex::encode(&key.sign_raw(b"").0[..4]), "e5564300");
        assert_eq!(format!("{key:?}"), "SecretKey(..)");
    }

    proptest! {
        #[test]
        fn only_the_signed_message_verifies(seed: [u8; 32], payload: Vec<u8>, flip in 0usize..64) {
            let key = SecretKey::from_seed(&seed);
            let mut signature = key.sign(Domain::Batch, NETWORK, &payload);
            let public = key.public();
            prop_assert!(public.verify(Domain::Batch, NETWORK, &payload, &signature).is_ok());
            prop_assert!(public.verify(Domain::Lines, NETWORK, &payload, &signature).is_err());
            signature.0[flip] ^= 1;
            prop_assert!(public.verify(Domain::Batch, NETWORK, &payload, &signature).is_err());
        }
    }
}
