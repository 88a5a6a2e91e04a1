//! Secrets by which this node calls upstream engines: `engine-keys/VERSION` in its home.
//!
//! A file is sealed with a key derived from the node's own, which the home's passphrase may
//! guard, for one version and one engine: a secret goes to no other URL than the one that it was
//! given for. It is in no capsule, no configuration, no log and no answer.
//!
//! **Invariant**: what is opened is what the owner sent for this version and this engine.

use crate::home::{Home, private_directory, write_private};
use crate::keys::random;
use ambar_base::{Cid, Coded, Digest, ErrorCode, SecretKey};
use ambar_compute::EngineSpec;
use ambar_compute::upstream::Secret;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use std::io;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Longest secret of an engine, bytes of visible ASCII.
pub const ENGINE_KEY_BYTES_MAX: usize = 4096;
/// What the sealing key is derived for.
const CONTEXT: &[u8] = b"ambar 2026-11 secrets of upstream engines";
const NONCE_BYTES: usize = 12;

/// Why a secret is not kept or cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EngineKeyError {
    /// It is none that a header holds.
    #[error("an engine's key has 1 to {ENGINE_KEY_BYTES_MAX} visible ASCII characters")]
    Form,
    /// It is for an engine that asks for none.
    #[error("only an upstream engine has a key")]
    NotUpstream,
    /// No random bytes could be had, or they could not be used.
    #[error("the engine's key cannot be sealed")]
    Sealing,
    /// A file cannot be read or written.
    #[error("the engine's key of {version}: {error}")]
    File {
        /// The version.
        version: Cid,
        /// What happened.
        #[source]
        error: io::Error,
    },
}

impl Coded for EngineKeyError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Form | Self::NotUpstream => ErrorCode::RequestInvalid,
            Self::Sealing => ErrorCode::Internal,
            Self::File { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
                ErrorCode::DiskFull
            }
            Self::File { .. } => ErrorCode::DiskFailed,
        }
    }
}

/// The secrets of a home.
pub(crate) struct EngineKeys {
    directory: PathBuf,
    key: Zeroizing<[u8; 32]>,
}

impl EngineKeys {
    /// Those that are kept in a home.
    pub fn of(home: &Home) -> Self {
        Self::new(home.directory("engine-keys"), &home.node_key)
    }

    fn new(directory: PathBuf, node: &SecretKey) -> Self {
        let key = Digest::of_parts(&[CONTEXT, node.seed().as_slice()]);
        Self { directory, key: Zeroizing::new(key.0) }
    }

    /// Checks what an owner sends.
    pub fn check(spec: &EngineSpec, secret: &str) -> Result<(), EngineKeyError> {
        if !matches!(spec, EngineSpec::Upstream { .. }) {
            return Err(EngineKeyError::NotUpstream);
        }
        let fits = (1..=ENGINE_KEY_BYTES_MAX).contains(&secret.len());
        let visible = secret.bytes().all(|byte| byte.is_ascii_graphic());
        if fits && visible { Ok(()) } else { Err(EngineKeyError::Form) }
    }

    /// Keeps a secret; durable when it returns.
    pub fn keep(
        &self,
        version: &Cid,
        spec: &EngineSpec,
        secret: &str,
    ) -> Result<(), EngineKeyError> {
        Self::check(spec, secret)?;
        let nonce = random::<NONCE_BYTES>().map_err(|_| EngineKeyError::Sealing)?;
        let aad = bound_to(version, spec);
        let payload = Payload { msg: secret.as_bytes(), aad: &aad };
        let sealed = self.cipher().encrypt(Nonce::from_slice(nonce.as_slice()), payload);
        let sealed = sealed.map_err(|_| EngineKeyError::Sealing)?;
        let failed = |error| EngineKeyError::File { version: *version, error };
        private_directory(&self.directory).map_err(failed)?;
        write_private(&self.path(version), &[nonce.as_slice(), &sealed].concat()).map_err(failed)
    }

    /// The secret of a version for this engine; nothing if none was given for it.
    pub fn open(&self, version: &Cid, spec: &EngineSpec) -> Result<Option<Secret>, EngineKeyError> {
        let bytes = match std::fs::read(self.path(version)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(EngineKeyError::File { version: *version, error }),
        };
        let Some((nonce, sealed)) = bytes.split_at_checked(NONCE_BYTES) else { return Ok(None) };
        let aad = bound_to(version, spec);
        let payload = Payload { msg: sealed, aad: &aad };
        // For another engine, or of a node key that was replaced: the owner sends it again.
        let opened = self.cipher().decrypt(Nonce::from_slice(nonce), payload).ok();
        let text = opened.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.map(Secret::new))
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(Key::from_slice(self.key.as_slice()))
    }

    fn path(&self, version: &Cid) -> PathBuf {
        self.directory.join(version.to_string())
    }
}

fn bound_to(version: &Cid, spec: &EngineSpec) -> Vec<u8> {
    format!("{version}\n{spec}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(directory: &std::path::Path, seed: u8) -> EngineKeys {
        EngineKeys::new(directory.join("engine-keys"), &SecretKey::from_seed(&[seed; 32]))
    }

    #[test]
    fn a_secret_is_for_one_version_and_engine_and_node() {
        let home = tempfile::tempdir().unwrap();
        let version = |bytes: &[u8]| Cid::of(bytes);
        let spec = |text: &str| text.parse::<EngineSpec>().unwrap();
        let (one, url) = (version(b"a"), spec("upstream:https://h/v1#m"));
        let kept = keys(home.path(), 1);
        assert_eq!(kept.open(&one, &url).unwrap(), None);
        kept.keep(&one, &url, "s3cret").unwrap();
        let bytes = std::fs::read(kept.path(&one)).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"s3cret"));
        // Another process of the same node has it.
        let again = keys(home.path(), 1);
        assert_eq!(again.open(&one, &url).unwrap(), Some(Secret::new("s3cret")));
        assert_eq!(again.open(&one, &spec("upstream:https://evil/v1#m")).unwrap(), None);
        assert_eq!(again.open(&version(b"b"), &url).unwrap(), None);
        assert_eq!(keys(home.path(), 2).open(&one, &url).unwrap(), None);
        kept.keep(&one, &url, "other").unwrap();
        assert_eq!(kept.open(&one, &url).unwrap(), Some(Secret::new("other")));
    }

    #[test]
    fn what_no_header_holds_is_refused() {
        let check = |spec: &str, secret: &str, ok: bool| {
            assert_eq!(EngineKeys::check(&spec.parse().unwrap(), secret).is_ok(), ok, "{secret:?}");
        };
        check("upstream:https://h", "sk-1", true);
        check("upstream:https://h", "", false);
        check("upstream:https://h", "a b", false);
        check("upstream:https://h", &"x".repeat(ENGINE_KEY_BYTES_MAX + 1), false);
        check("null", "sk-1", false);
    }
}
