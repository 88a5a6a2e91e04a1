//! Many signatures checked at once, under the rule by which one is.
//!
//! A batch is one equation: the sum of the single ones, each multiplied by a coefficient
//! of 128 bits. The coefficients are drawn from a digest of everything that is checked
//! (Fiat and Shamir), so nothing here needs randomness: whoever changes a signature to fit
//! its coefficient changes every coefficient. A batch with a bad signature passes for one
//! choice of coefficients in 2^128. [ADR 0013](../../../../docs/adr/0013-zip-215.md) has the
//! argument.
//!
//! It does not know what a message means, nor who may sign.
//!
//! **Invariant**: a batch is accepted if and only if each of its signatures is.

use super::{BadSignature, PublicKey, Signature};
use crate::digest::Digest;
use crate::domain::{Domain, NetworkId};
use ed25519_zebra::VerificationKeyBytes;
use ed25519_zebra::batch::{Item, Verifier};
use rand_core::{CryptoRng, RngCore};

/// Most signatures of one equation: larger ones are hardly faster, and a bad signature costs
/// single checks of those beside it only.
pub const EQUATION_SIGNATURES_MAX: usize = 1024;
/// Keeps the digests that coefficients are drawn from apart from all others.
const COEFFICIENTS: &[u8] = b"ambar/coefficients\0";

/// A signature with key and message, hashed already: the message is not kept.
#[derive(Clone, Debug)]
pub struct Signed {
    item: Item,
    /// Of key, signature and message.
    digest: Digest,
}

impl Signed {
    /// A signature over `payload` for one purpose on one network.
    #[must_use]
    pub fn new(
        key: &PublicKey,
        domain: Domain,
        network: NetworkId,
        payload: &[u8],
        signature: &Signature,
    ) -> Self {
        Self::raw(key, &domain.message(network, payload), signature)
    }

    /// A signature over bytes whose own format separates domains.
    #[must_use]
    pub fn raw(key: &PublicKey, message: &[u8], signature: &Signature) -> Self {
        let item = (VerificationKeyBytes::from(key.0), signature.0.into(), message).into();
        let digest = Digest::of_parts(&[&key.0, &signature.0, message]);
        Self { item, digest }
    }

    /// Checks this signature alone.
    pub fn verify(&self) -> Result<(), BadSignature> {
        self.item.clone().verify_single().map_err(|_| BadSignature)
    }
}

/// Checks all signatures, in equations of up to [`EQUATION_SIGNATURES_MAX`].
pub fn verify_batch(signed: &[Signed]) -> Result<(), BadSignature> {
    signed.chunks(EQUATION_SIGNATURES_MAX).try_for_each(equation)
}

/// Whether each signature is good, in order: singly where an equation does not hold.
#[must_use]
pub fn verify_each(signed: &[Signed]) -> Vec<bool> {
    signed.chunks(EQUATION_SIGNATURES_MAX).flat_map(each_of_one).collect()
}

fn each_of_one(signed: &[Signed]) -> Vec<bool> {
    match equation(signed) {
        Ok(()) => vec![true; signed.len()],
        // The equation of one signature was its single check.
        Err(BadSignature) if signed.len() == 1 => vec![false],
        Err(BadSignature) => signed.iter().map(|one| one.verify().is_ok()).collect(),
    }
}

fn equation(signed: &[Signed]) -> Result<(), BadSignature> {
    if let [one] = signed {
        return one.verify();
    }
    let mut verifier = Verifier::new();
    signed.iter().for_each(|one| verifier.queue(one.item.clone()));
    verifier.verify(Coefficients::of(signed)).map_err(|_| BadSignature)
}

/// The coefficients of one equation: SHA-256 of a seed and a counter, where the seed is a
/// digest of all keys, signatures and messages. They take the place of randomness, which
/// would differ between machines.
struct Coefficients {
    seed: Digest,
    drawn: u64,
}

impl Coefficients {
    fn of(signed: &[Signed]) -> Self {
        let digests = signed.iter().map(|one| one.digest.0.as_slice());
        let parts: Vec<&[u8]> = std::iter::once(COEFFICIENTS).chain(digests).collect();
        Self { seed: Digest::of_parts(&parts), drawn: 0 }
    }
}

impl RngCore for Coefficients {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(Digest::BYTES) {
            let block = Digest::of_parts(&[&self.seed.0, &self.drawn.to_be_bytes()]);
            part.copy_from_slice(&block.0[..part.len()]);
            self.drawn += 1;
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Coefficients {}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
