//! `did:key` identifiers of Ed25519 keys (W3C CCG did:key v0.7: multibase base58btc of
//! the multicodec `0xed01` and the 32 key bytes).

use crate::keys::PublicKey;

const PREFIX: &str = "did:key:z";
const ED25519_PUB: [u8; 2] = [0xed, 0x01];
/// Longer texts are refused before they are decoded, bytes.
const DID_BYTES_MAX: usize = 80;

/// The text is not the did:key of an Ed25519 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a did:key of an Ed25519 key (it starts with did:key:z6Mk)")]
pub struct DidError;

impl PublicKey {
    /// The key's DID.
    #[must_use]
    pub fn did(&self) -> String {
        let bytes = [ED25519_PUB.as_slice(), &self.0].concat();
        format!("{PREFIX}{}", bs58::encode(bytes).into_string())
    }

    /// The key that a DID names.
    pub fn from_did(did: &str) -> Result<Self, DidError> {
        let encoded = did.strip_prefix(PREFIX).filter(|_| did.len() <= DID_BYTES_MAX);
        let bytes = bs58::decode(encoded.ok_or(DidError)?).into_vec().map_err(|_| DidError)?;
        let key = bytes.strip_prefix(&ED25519_PUB).ok_or(DidError)?;
        let key = Self(key.try_into().map_err(|_| DidError)?);
        if key.is_sound() { Ok(key) } else { Err(DidError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    #[test]
    fn round_trip_and_vector() {
        // Vector of the did:key specification, section "Ed25519 with X25519".
        let did = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
        assert_eq!(PublicKey::from_did(did).unwrap().did(), did);
        let key = SecretKey::from_seed(&[7; 32]).public();
        assert_eq!(PublicKey::from_did(&key.did()), Ok(key));
    }

    #[test]
    fn refuses_what_is_no_ed25519_did() {
        let check = |text: &str| assert_eq!(PublicKey::from_did(text), Err(DidError), "{text}");
        check("");
        check("did:web:example.org");
        check("did:key:z");
        check("did:key:z6Mk0OIl");
        check("did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme");
        check(&format!("did:key:z{}", "1".repeat(100)));
        // The point of order 4: a key that anybody signs for.
        check(&PublicKey([0; 32]).did());
    }
}
