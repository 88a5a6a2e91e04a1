//! What a manifest's reader learns of sealed content before he has a key.

use super::SEALING_FORMAT;
use super::key::{KeyCommitment, VersionKey};
use super::layout::{Layout, LengthError, SEALED_CHUNK_BYTES};
use ambar_base::document::{self, DocumentError};
use serde::{Deserialize, Serialize};

/// Largest descriptor, bytes.
pub const SEALED_CONTENT_BYTES_MAX: usize = 256;

/// The media type of a descriptor.
pub const SEALED_CONTENT_MEDIA_TYPE: &str = "application/vnd.ambar.sealed+cbor";

/// What chunks are sealed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// STREAM over ChaCha20-Poly1305, keys derived by BLAKE3, as [`crate::sealing`] says.
    #[serde(rename = "stream-be32-chacha20poly1305-blake3")]
    StreamChaCha20Poly1305,
}

/// How the content of a version is sealed.
///
/// Nothing in it is a function of the plaintext but its length, which the ciphertext shows
/// anyway: a digest of plaintext would let whoever guesses the content know that he is
/// right. The commitment is a function of the key alone; with the roots of the ciphertext
/// it fixes the plaintext all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedContent {
    /// What chunks are sealed by.
    pub algorithm: Algorithm,
    /// The sealing format: 1.
    pub ambar: u16,
    /// Length of every sealed chunk but a file's last, bytes.
    pub chunk_bytes: u64,
    /// What tells the version's key from another.
    pub key: KeyCommitment,
    /// Sum of the files' plaintext lengths.
    pub plaintext_bytes: u64,
}

/// What is wrong with a descriptor, or with what is said to belong to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealedContentError {
    /// Not a descriptor.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Written for another version of Ambar.
    #[error("sealing format {0} is not known; this version opens format {SEALING_FORMAT}")]
    Format(u16),
    /// Chunks of another length.
    #[error("sealed chunks have {SEALED_CHUNK_BYTES} bytes, not {0}")]
    ChunkBytes(u64),
    /// A file has a length that no sealed file has.
    #[error(transparent)]
    Length(#[from] LengthError),
    /// The files' lengths sum to something else.
    #[error("the files hold {found} bytes of plaintext; {declared} are declared")]
    PlaintextBytes {
        /// What is declared.
        declared: u64,
        /// What the files' lengths show, or the largest number if they show more.
        found: u64,
    },
    /// The key is another version's.
    #[error("the key is not the one that this content was sealed with")]
    Key,
}

impl SealedContent {
    /// The descriptor of content that was sealed with a key.
    #[must_use]
    pub fn new(key: &VersionKey, plaintext_bytes: u64) -> Self {
        Self {
            algorithm: Algorithm::StreamChaCha20Poly1305,
            ambar: u16::from(SEALING_FORMAT),
            chunk_bytes: SEALED_CHUNK_BYTES,
            key: key.commitment(),
            plaintext_bytes,
        }
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        document::encode(self)
    }

    /// Reads and checks a descriptor.
    pub fn decode(bytes: &[u8]) -> Result<Self, SealedContentError> {
        let content: Self = document::decode(bytes, SEALED_CONTENT_BYTES_MAX)?;
        content.check().map(|()| content)
    }

    /// Checks every rule that needs no file.
    pub fn check(&self) -> Result<(), SealedContentError> {
        if self.ambar != u16::from(SEALING_FORMAT) {
            return Err(SealedContentError::Format(self.ambar));
        }
        if self.chunk_bytes != SEALED_CHUNK_BYTES {
            return Err(SealedContentError::ChunkBytes(self.chunk_bytes));
        }
        Ok(())
    }

    /// Checks the files' sealed lengths, which needs no key.
    pub fn check_lengths(
        &self,
        sealed: impl IntoIterator<Item = u64>,
    ) -> Result<(), SealedContentError> {
        let mut found = 0u64;
        for bytes in sealed {
            found = found.saturating_add(Layout::of_sealed(bytes)?.plaintext());
        }
        let declared = self.plaintext_bytes;
        let agree = found == declared && found < u64::MAX;
        if agree { Ok(()) } else { Err(SealedContentError::PlaintextBytes { declared, found }) }
    }

    /// Checks that a key is the one that sealed the content.
    pub fn check_key(&self, key: &VersionKey) -> Result<(), SealedContentError> {
        if key.commitment() == self.key { Ok(()) } else { Err(SealedContentError::Key) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> VersionKey {
        VersionKey::from_bytes(&[7; 32])
    }

    fn sealed() -> SealedContent {
        SealedContent::new(&key(), 16_369)
    }

    /// The bytes of this exemplar are for ever; a change needs a new format number.
    #[test]
    fn conformance() {
        assert_eq!(
            document::id(&sealed()).to_string(),
            "bafyreifevvxwdkruuwllhjrlhr7nvidqssagi6bfvr23ydoe4glvp7pitu"
        );
        assert_eq!(SealedContent::decode(&sealed().encode()), Ok(sealed()));
        assert!(sealed().encode().len() <= SEALED_CONTENT_BYTES_MAX);
    }

    #[test]
    fn rules() {
        let check = |content: SealedContent, expect: SealedContentError| {
            assert_eq!(SealedContent::decode(&content.encode()), Err(expect));
        };
        check(SealedContent { ambar: 2, ..sealed() }, SealedContentError::Format(2));
        check(SealedContent { chunk_bytes: 9, ..sealed() }, SealedContentError::ChunkBytes(9));
        let mut bytes = sealed().encode();
        let at = bytes.windows(6).position(|window| window == b"stream").unwrap();
        bytes[at] = b'x';
        let error = SealedContent::decode(&bytes).unwrap_err();
        assert!(matches!(error, SealedContentError::Document(DocumentError::Shape(_))));
    }

    #[test]
    fn another_key_is_told_at_once() {
        assert_eq!(sealed().check_key(&key()), Ok(()));
        let other = VersionKey::from_bytes(&[8; 32]);
        assert_eq!(sealed().check_key(&other), Err(SealedContentError::Key));
    }

    #[test]
    fn lengths_sum_to_what_is_declared() {
        let check = |lengths: &[u64], expect| {
            assert_eq!(sealed().check_lengths(lengths.iter().copied()), expect);
        };
        let found = |found| Err(SealedContentError::PlaintextBytes { declared: 16_369, found });
        check(&[16_384 + 17], Ok(()));
        check(&[16, 16_384, 17], Ok(()));
        check(&[16_384], found(16_368));
        check(&[], found(0));
        check(&[16_385], Err(LengthError::Sealed(16_385).into()));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            prop_assert!(SealedContent::decode(&bytes).is_err());
        }

        #[test]
        fn commitments_differ_from_keys_and_each_other(one: [u8; 32], two: [u8; 32]) {
            prop_assume!(one != two);
            let (first, second) = (VersionKey::from_bytes(&one), VersionKey::from_bytes(&two));
            prop_assert_ne!(first.commitment(), second.commitment());
            prop_assert_ne!(first.commitment().0, one);
            prop_assert_ne!(&first.commitment().0, &*first.of_file(0, 0));
        }
    }
}
