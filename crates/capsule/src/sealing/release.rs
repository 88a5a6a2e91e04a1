//! Release: how a licensee asks for a version's key, and how it is handed over.
//!
//! The licensee draws an X25519 key for the request and has its account sign the request.
//! No signing key is turned into a key of encryption: one key, one use. Whoever holds the
//! version key checks signature, grant and status, and wraps the version key for that
//! request alone by HPKE (RFC 9180), base mode, with DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256 and ChaCha20-Poly1305.
//!
//! Base mode does not show who wrapped: anybody can wrap some key for a request he saw.
//! The version's key commitment tells whether it is the key.

use super::key::VersionKey;
use ambar_base::keys::Signed;
use ambar_base::{
    AccountId, Cid, Decode, DecodeError, Digest, Domain, Encode, NetworkId, PublicKey, Reader,
    SecretKey, Signature, Writer, record,
};
use blake3::{Hasher, OutputReader};
use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{CryptoRng, Infallible, TryCryptoRng, TryRng};
use hpke::{
    Deserializable, HpkeError, Kem, OpModeR, OpModeS, Serializable,
    single_shot_open_inout_detached, single_shot_seal_inout_detached_with_rng,
};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

const SEED_CONTEXT: &str = "Ambar 2026-11-28 sealed version key release seed, format 1";
const KEY: usize = VersionKey::BYTES;
const TAG: usize = 16;
const CIPHERTEXT: usize = KEY + TAG;

/// An X25519 public key (RFC 7748).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecipientKey(pub [u8; 32]);

impl Encode for RecipientKey {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }
}

impl Decode for RecipientKey {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Decode::decode(reader).map(Self)
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecipientKey({})", Digest(self.0))
    }
}

/// The secret half of a [`RecipientKey`]. It prints as nothing and is wiped when dropped.
pub struct RecipientSecret(<X25519HkdfSha256 as Kem>::PrivateKey);

impl RecipientSecret {
    /// The secret of 32 bytes that the caller drew at random, for one request.
    ///
    /// # Panics
    /// Never: any 32 bytes are a secret of X25519 (RFC 7748, section 5).
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let secret = Deserializable::from_bytes(bytes);
        Self(secret.expect("any 32 bytes are a secret of X25519"))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> RecipientKey {
        RecipientKey(X25519HkdfSha256::sk_to_pk(&self.0).to_bytes().into())
    }
}

impl fmt::Debug for RecipientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecipientSecret(..)")
    }
}

/// Why a key is not released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// Nothing that is wrapped for it is secret.
    #[error("the recipient's key is no usable X25519 key")]
    Recipient,
    /// Changed, for another request, or for another recipient.
    #[error("the released key was not wrapped for this request and recipient")]
    Refused,
}

record! {
    /// A licensee's request for the key of a version.
    pub struct ReleaseRequest {
        /// The network whose ledger holds the grant.
        pub network: NetworkId,
        /// The sealed version.
        pub version: Cid,
        /// The number of the grant.
        pub grant: u64,
        /// The account that holds the grant and signs the request.
        pub licensee: AccountId,
        /// The key to wrap for.
        pub recipient: RecipientKey,
        /// Random: no two requests are the same, so none is answered twice unnoticed.
        pub nonce: [u8; 32],
    }
}

impl ReleaseRequest {
    /// The digest that the licensee signs, and that HPKE's `info` is: it binds every field.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Domain::Release.digest(&self.to_bytes())
    }

    /// Signs the request with a key of the licensee's account.
    #[must_use]
    pub fn sign(&self, key: &SecretKey) -> Signature {
        key.sign(Domain::Release, self.network, &self.digest().0)
    }

    /// A signature over the request, to be checked.
    #[must_use]
    pub fn signed(&self, key: &PublicKey, signature: &Signature) -> Signed {
        Signed::new(key, Domain::Release, self.network, &self.digest().0, signature)
    }

    /// Wraps a version's key for this request. The caller verified the request, and draws
    /// `seed` at random for it; a seed that was used before weakens nothing between
    /// requests, whose digests are hashed with it.
    pub fn wrap(&self, key: &VersionKey, seed: &[u8; 32]) -> Result<Released, ReleaseError> {
        wrap(&self.recipient, &self.digest(), key, seed)
    }
}

/// Wraps a key for a recipient and a purpose, whose digest is bound.
pub(super) fn wrap(
    recipient: &RecipientKey,
    info: &Digest,
    key: &VersionKey,
    seed: &[u8; 32],
) -> Result<Released, ReleaseError> {
    let mut content = key.to_bytes();
    let random = &mut SeedRng::new(seed, &info.0);
    let sealed = seal(recipient, &info.0, content.as_mut_slice(), b"", random);
    let (encapsulated, tag) = sealed.map_err(|_| ReleaseError::Recipient)?;
    let mut ciphertext = [0; CIPHERTEXT];
    ciphertext[..KEY].copy_from_slice(content.as_slice());
    ciphertext[KEY..].copy_from_slice(&tag);
    Ok(Released { encapsulated, ciphertext })
}

/// Opens what was wrapped for a recipient and a purpose.
pub(super) fn unwrap(
    secret: &RecipientSecret,
    info: &Digest,
    released: &Released,
) -> Result<VersionKey, ReleaseError> {
    let (mut key, mut tag) = (Zeroizing::new([0; KEY]), [0; TAG]);
    key.copy_from_slice(&released.ciphertext[..KEY]);
    tag.copy_from_slice(&released.ciphertext[KEY..]);
    let opened = open(secret, &released.encapsulated, &info.0, key.as_mut_slice(), b"", &tag);
    opened.map_err(|_| ReleaseError::Refused)?;
    Ok(VersionKey::from_bytes(&key))
}

record! {
    /// A version's key, wrapped for one request of a licensee or of a node: 80 bytes.
    pub struct Released {
        /// HPKE's encapsulated key.
        pub encapsulated: [u8; 32],
        /// The version key's ciphertext and tag.
        pub ciphertext: [u8; CIPHERTEXT],
    }
}

impl Released {
    /// Opens the key. That it is the version's key is for the version's commitment to say.
    pub fn open(
        &self,
        secret: &RecipientSecret,
        request: &ReleaseRequest,
    ) -> Result<VersionKey, ReleaseError> {
        unwrap(secret, &request.digest(), self)
    }
}

/// RFC 9180, section 6.1, `SealBase`, in place: the encapsulated key and the tag.
fn seal(
    recipient: &RecipientKey,
    info: &[u8],
    content: &mut [u8],
    bound: &[u8],
    random: &mut impl CryptoRng,
) -> Result<([u8; 32], [u8; TAG]), HpkeError> {
    let public = Deserializable::from_bytes(&recipient.0)?;
    let content = InOutBuf::from(content);
    let (encapsulated, tag) = single_shot_seal_inout_detached_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &public, info, content, bound, random)?;
    Ok((encapsulated.to_bytes().into(), tag.to_bytes().into()))
}

/// RFC 9180, section 6.1, `OpenBase`, in place.
fn open(
    secret: &RecipientSecret,
    encapsulated: &[u8; 32],
    info: &[u8],
    content: &mut [u8],
    bound: &[u8],
    tag: &[u8; TAG],
) -> Result<(), HpkeError> {
    let encapsulated = Deserializable::from_bytes(encapsulated)?;
    let tag = AeadTag::<ChaCha20Poly1305>::from_bytes(tag)?;
    let content = InOutBuf::from(content);
    single_shot_open_inout_detached::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret.0,
        &encapsulated,
        info,
        content,
        bound,
        &tag,
    )
}

/// The caller's randomness as HPKE takes it: BLAKE3 `derive_key` of seed and request, read
/// on for as long as HPKE draws.
struct SeedRng(OutputReader);

impl SeedRng {
    fn new(seed: &[u8; 32], request: &[u8; 32]) -> Self {
        let mut hasher = Hasher::new_derive_key(SEED_CONTEXT);
        let reader = hasher.update(seed).update(request).finalize_xof();
        hasher.zeroize();
        Self(reader)
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }
}

impl Drop for SeedRng {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl TryRng for SeedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.take()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.take()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for SeedRng {}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
