//! The key of a version, and what is derived from it.

use ambar_base::Digest;
use blake3::Hasher;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

// Contexts as BLAKE3 asks for them: application, date, purpose; never input.
const FILE_CONTEXT: &str = "Ambar 2026-11-28 sealed file key, format 1";
const COMMITMENT_CONTEXT: &str = "Ambar 2026-11-28 sealed version key commitment, format 1";

/// The key of one sealed version. It prints as nothing and is wiped when dropped.
///
/// It is random and serves one version, once: sealing is deterministic, so the same input
/// under the same key is the same bytes, and other input under it would repeat nonces. In
/// return a seal that broke off is taken up again by sealing anew, and whoever holds key
/// and plaintext can show that the ciphertext is its seal.
#[derive(Clone)]
pub struct VersionKey(Zeroizing<[u8; VersionKey::BYTES]>);

impl VersionKey {
    /// Length in bytes.
    pub const BYTES: usize = 32;

    /// The key of bytes that the caller drew at random, or was given.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The key's bytes, wiped when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::BYTES]> {
        self.0.clone()
    }

    /// What a descriptor says of the key: enough to know it, nothing to find it by.
    #[must_use]
    pub fn commitment(&self) -> KeyCommitment {
        KeyCommitment(*self.derive(COMMITMENT_CONTEXT, &[]))
    }

    /// The key of one file. The plaintext's length is part of it, so that a file that grew
    /// and was wrongly sealed under the same version key repeats no nonce.
    pub(super) fn of_file(&self, file: u32, plaintext: u64) -> Zeroizing<[u8; 32]> {
        self.derive(FILE_CONTEXT, &[&file.to_be_bytes(), &plaintext.to_be_bytes()])
    }

    /// The parts have a fixed length for each context.
    fn derive(&self, context: &str, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut hasher = Hasher::new_derive_key(context);
        hasher.update(self.0.as_slice());
        for part in parts {
            hasher.update(part);
        }
        let mut hash = hasher.finalize();
        let key = Zeroizing::new(*hash.as_bytes());
        hash.zeroize();
        hasher.zeroize();
        key
    }
}

impl fmt::Debug for VersionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VersionKey(..)")
    }
}

/// A keyed hash of nothing: BLAKE3 `derive_key` of the version key alone.
///
/// A wrong key is told by it before a byte is fetched. It is a function of a random key
/// and of no plaintext, so content that could be guessed cannot be tried against it; and
/// as no two keys with one commitment can be found, it fixes, with the signed roots of the
/// ciphertext, the one plaintext that opens. ChaCha20-Poly1305 alone would not: it has
/// ciphertexts that open under two keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyCommitment(pub [u8; 32]);

impl fmt::Debug for KeyCommitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyCommitment({})", Digest(self.0))
    }
}

impl Serialize for KeyCommitment {
    /// A byte string of 32 bytes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Digest(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KeyCommitment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Digest::deserialize(deserializer).map(|digest| Self(digest.0))
    }
}
