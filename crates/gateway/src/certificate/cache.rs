//! A bounded memory of opened certificates: a client sends the same one with every call.
//!
//! Entries go by the BLAKE3 hash of the text, so secrets are not kept, and each remembers the
//! session key it verified with: a channel whose key changed is verified anew. Refusals
//! are not remembered. Two generations bound it: when the young one is full it becomes
//! the old one, and what nobody asked for since is forgotten.

use super::open::{Opened, open};
use super::{CERTIFICATE_BYTES_MAX, CertificateError};
use ambar_base::{NetworkId, PublicKey};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most certificates remembered.
pub const CERTIFICATES_CACHED_MAX: usize = 8_192;
const GENERATION_MAX: usize = CERTIFICATES_CACHED_MAX / 2;

/// What an entry goes by.
type Hash = [u8; blake3::OUT_LEN];

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Hash, Arc<Opened>>,
    old: HashMap<Hash, Arc<Opened>>,
}

impl Generations {
    fn get(&mut self, key: &Hash) -> Option<Arc<Opened>> {
        if let Some(found) = self.young.get(key) {
            return Some(Arc::clone(found));
        }
        let found = self.old.remove(key)?;
        self.insert(*key, Arc::clone(&found));
        Some(found)
    }

    fn insert(&mut self, key: Hash, opened: Arc<Opened>) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, opened);
    }

    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

/// One gateway's opener of certificates.
#[derive(Debug)]
pub struct Certificates {
    network: NetworkId,
    gateway: PublicKey,
    seen: Mutex<Generations>,
}

impl Certificates {
    /// An opener that has seen nothing. `gateway` is the gateway's own key.
    #[must_use]
    pub fn new(network: NetworkId, gateway: PublicKey) -> Self {
        Self { network, gateway, seen: Mutex::default() }
    }

    /// [`open`]s a certificate, or remembers it. `lookup` is asked every time.
    pub fn open(
        &self,
        certificate: &str,
        lookup: impl Fn(u64) -> Option<PublicKey>,
    ) -> Result<Arc<Opened>, CertificateError> {
        if certificate.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::TooLarge(certificate.len()));
        }
        let key = *blake3::hash(certificate.as_bytes()).as_bytes();
        let seen = self.with_seen(|seen| seen.get(&key));
        if let Some(opened) = seen.filter(|seen| lookup(seen.channel) == Some(seen.session)) {
            return Ok(opened);
        }
        let opened = Arc::new(open(certificate, lookup, self.network, &self.gateway)?);
        self.with_seen(|seen| seen.insert(key, Arc::clone(&opened)));
        Ok(opened)
    }

    /// How many certificates it remembers, at most [`CERTIFICATES_CACHED_MAX`].
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.with_seen(|seen| seen.len())
    }

    /// A panic while the lock is held leaves a cache that is still true, so poison is
    /// ignored.
    fn with_seen<T>(&self, act: impl FnOnce(&mut Generations) -> T) -> T {
        act(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Digest, Signature};

    #[test]
    fn generations_are_bounded_and_keep_what_is_asked_for() {
        let opened = |channel| {
            let session = PublicKey([0; 32]);
            let (holder, last) = (Digest::ZERO, Signature([0; 64]));
            Arc::new(Opened { channel, session, blocks: Vec::new(), holder, last })
        };
        let key = |n: u64| *blake3::hash(&n.to_le_bytes()).as_bytes();
        let mut seen = Generations::default();
        for n in 0..3 * CERTIFICATES_CACHED_MAX as u64 {
            seen.insert(key(n), opened(n));
            assert!(seen.get(&key(0)).is_some(), "{n}");
            assert!(seen.len() <= CERTIFICATES_CACHED_MAX);
        }
        assert!(seen.get(&key(1)).is_none());
    }
}
