//! One key file: TOML, so that a person sees whose key it is.

use super::{KeyError, Passphrase, random};
use ambar_base::{PublicKey, SecretKey};
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// The key file format that this version reads and writes.
pub const KEY_FILE_FORMAT: u16 = 1;
/// Largest key file, bytes.
const KEY_FILE_BYTES_MAX: u64 = 4096;
/// Memory of one derivation, KiB; passes over it; lanes: OWASP's advice for Argon2id.
const ARGON2_MEMORY_KIB: u32 = 19_456;
const ARGON2_PASSES: u32 = 2;
const ARGON2_LANES: u32 = 1;
/// Most memory that a file may ask for, KiB, and most passes and lanes.
const ARGON2_MEMORY_KIB_MAX: u32 = 1 << 20;
const ARGON2_PASSES_MAX: u32 = 64;
const ARGON2_LANES_MAX: u32 = 16;

/// A key file's content.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    ambar_key: u16,
    did: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<Encrypted>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Encrypted {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    nonce: String,
    ciphertext: String,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyFile({})", self.did)
    }
}

impl KeyFile {
    /// The file of a key, encrypted if there is a passphrase.
    pub fn seal(key: &SecretKey, passphrase: Option<&Passphrase>) -> Result<Self, KeyError> {
        let did = key.public().did();
        let (seed, encrypted) = match passphrase {
            None => (Some(Zeroizing::new(hex::encode(key.seed().as_slice()))), None),
            Some(passphrase) => (None, Some(Encrypted::seal(key, &did, passphrase)?)),
        };
        Ok(Self { ambar_key: KEY_FILE_FORMAT, did, seed, encrypted })
    }

    /// Reads a file. What it holds is not opened yet.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |error| KeyError::Io { path: path.to_owned(), error };
        let mut text = Zeroizing::new(String::new());
        let file = File::open(path).map_err(failed)?;
        file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        // The parser's own message would repeat the line, and with it a seed.
        let file: Self = toml::from_str(&text).map_err(|_| refused(path, "it does not parse"))?;
        if file.ambar_key != KEY_FILE_FORMAT {
            return Err(refused(path, "it is of another version"));
        }
        Ok(file)
    }

    /// Writes a new file, readable by its owner only and durable.
    ///
    /// # Errors
    /// [`KeyError::Io`] with `AlreadyExists` if there is one.
    pub fn create(&self, path: &Path) -> Result<(), KeyError> {
        let text = toml::to_string(self).map_err(|error| refused(path, &error.to_string()))?;
        let text = Zeroizing::new(text);
        let failed = |error| KeyError::Io { path: path.to_owned(), error };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        let parent = path.parent().unwrap_or(Path::new("."));
        File::open(parent).and_then(|directory| directory.sync_all()).map_err(failed)
    }

    /// The public key.
    pub fn key(&self, path: &Path) -> Result<PublicKey, KeyError> {
        PublicKey::from_did(&self.did).map_err(|error| refused(path, &error.to_string()))
    }

    /// Whether a passphrase is needed.
    #[must_use]
    pub fn encrypted(&self) -> bool {
        self.encrypted.is_some()
    }

    /// The secret key.
    pub fn open(
        &self,
        path: &Path,
        passphrase: Option<&Passphrase>,
    ) -> Result<SecretKey, KeyError> {
        let seed = match (&self.seed, &self.encrypted) {
            (Some(text), None) => {
                let mut seed = Zeroizing::new([0; 32]);
                hex::decode_to_slice(text.as_bytes(), seed.as_mut_slice())
                    .map_err(|_| refused(path, "its seed is not 64 hexadecimal digits"))?;
                seed
            }
            (None, Some(encrypted)) => {
                let missing = || KeyError::PassphraseMissing(path.to_owned());
                let passphrase = passphrase.ok_or_else(missing)?;
                let wrong = || KeyError::PassphraseWrong(path.to_owned());
                encrypted.open(&self.did, passphrase).ok_or_else(wrong)?
            }
            _ => return Err(refused(path, "it holds either a seed or an encrypted one")),
        };
        let key = SecretKey::from_seed(&seed);
        if key.public() == self.key(path)? {
            Ok(key)
        } else {
            Err(refused(path, "its seed belongs to another key"))
        }
    }
}

fn refused(path: &Path, reason: &str) -> KeyError {
    KeyError::File { path: path.to_owned(), reason: reason.to_owned() }
}

impl Encrypted {
    fn seal(key: &SecretKey, did: &str, passphrase: &Passphrase) -> Result<Self, KeyError> {
        let (salt, nonce) = (random::<16>()?, random::<12>()?);
        let mut sealed = Self {
            memory_kib: ARGON2_MEMORY_KIB,
            passes: ARGON2_PASSES,
            lanes: ARGON2_LANES,
            salt: hex::encode(salt.as_slice()),
            nonce: hex::encode(nonce.as_slice()),
            ciphertext: String::new(),
        };
        let failed = || KeyError::Randomness("the key derivation failed".into());
        let cipher = sealed.cipher(salt.as_slice(), passphrase).ok_or_else(failed)?;
        let seed = key.seed();
        let payload = Payload { msg: seed.as_slice(), aad: did.as_bytes() };
        let nonce = Nonce::from_slice(nonce.as_slice());
        let ciphertext = cipher.encrypt(nonce, payload).map_err(|_| failed())?;
        sealed.ciphertext = hex::encode(ciphertext);
        Ok(sealed)
    }

    fn open(&self, did: &str, passphrase: &Passphrase) -> Option<Zeroizing<[u8; 32]>> {
        let (salt, nonce) = (hex::decode(&self.salt).ok()?, hex::decode(&self.nonce).ok()?);
        let ciphertext = hex::decode(&self.ciphertext).ok()?;
        let nonce: [u8; 12] = nonce.try_into().ok()?;
        let cipher = self.cipher(&salt, passphrase)?;
        let payload = Payload { msg: &ciphertext, aad: did.as_bytes() };
        let seed = Zeroizing::new(cipher.decrypt(Nonce::from_slice(&nonce), payload).ok()?);
        let mut bytes = Zeroizing::new([0; 32]);
        (seed.len() == bytes.len()).then(|| bytes.copy_from_slice(&seed))?;
        Some(bytes)
    }

    fn cipher(&self, salt: &[u8], passphrase: &Passphrase) -> Option<ChaCha20Poly1305> {
        let bounded = self.memory_kib <= ARGON2_MEMORY_KIB_MAX
            && self.passes <= ARGON2_PASSES_MAX
            && self.lanes <= ARGON2_LANES_MAX;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).ok();
        let params = params.filter(|_| bounded)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.bytes(), salt, key.as_mut_slice())
            .ok()?;
        Some(ChaCha20Poly1305::new(Key::from_slice(key.as_slice())))
    }
}
