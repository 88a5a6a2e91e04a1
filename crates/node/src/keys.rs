//! Named key files: `keys/NAME.key` in a home.
//!
//! A file holds a seed, encrypted with a passphrase if there was one when it was written
//! (Argon2id, RFC 9106, and ChaCha20-Poly1305, RFC 8439), else plain. Files are readable by
//! their owner only. This module knows no ledger: a key may have an account or not.

mod file;

pub use file::KeyFile;

use ambar_base::{Coded, ErrorCode, PublicKey, SecretKey};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The environment variable that holds the passphrase.
pub const PASSPHRASE_VARIABLE: &str = "AMBAR_PASSPHRASE";
/// Longest name of a key, bytes.
pub const KEY_NAME_BYTES_MAX: usize = 64;
/// The directory of a home's keys.
pub const KEYS_DIRECTORY: &str = "keys";
const SUFFIX: &str = ".key";

/// What keys are encrypted with. Wiped when dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// A passphrase.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The environment's passphrase, if it is set and not empty.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        let text = std::env::var(PASSPHRASE_VARIABLE).ok()?;
        (!text.is_empty()).then(|| Self::new(text))
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key has this name.
    #[error("there is no key named {0}")]
    Unknown(String),
    /// A key has this name.
    #[error("there is a key named {0}")]
    NameTaken(String),
    /// The name is none.
    #[error("{0:?} is no name of a key: a-z, 0-9, - and _, at most {KEY_NAME_BYTES_MAX} bytes")]
    Name(String),
    /// The file is encrypted and there is no passphrase.
    #[error("{} is encrypted: set {PASSPHRASE_VARIABLE}", .0.display())]
    PassphraseMissing(PathBuf),
    /// The passphrase is another, or the file is damaged.
    #[error("the passphrase does not open {}", .0.display())]
    PassphraseWrong(PathBuf),
    /// Not a key file of a version that is known.
    #[error("{} is not a key file: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(String),
}

impl Coded for KeyError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown(_) => ErrorCode::KeyUnknown,
            Self::NameTaken(_) => ErrorCode::KeyNameTaken,
            Self::Name(_) => ErrorCode::RequestInvalid,
            Self::PassphraseMissing(_) | Self::PassphraseWrong(_) => ErrorCode::Unauthenticated,
            Self::File { .. } => ErrorCode::DocumentInvalid,
            Self::Io { .. } => ErrorCode::FileUnreadable,
            Self::Randomness(_) => ErrorCode::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::PassphraseMissing(_) | Self::PassphraseWrong(_) => {
                Some(format!("set {PASSPHRASE_VARIABLE} to the passphrase of the key"))
            }
            _ => None,
        }
    }
}

/// What is known of a key without its passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name.
    pub name: String,
    /// The public key.
    pub key: PublicKey,
    /// Whether the file is encrypted.
    pub encrypted: bool,
}

/// The keys of a home. Other processes may use them at once.
#[derive(Clone, Debug)]
pub struct KeyStore {
    directory: PathBuf,
}

/// A new random key.
pub fn random_key() -> Result<SecretKey, KeyError> {
    Ok(SecretKey::from_seed(&*random::<32>()?))
}

/// Random bytes, wiped when dropped.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, KeyError> {
    let mut bytes = Zeroizing::new([0; N]);
    let filled = getrandom::fill(bytes.as_mut_slice());
    filled.map_err(|error| KeyError::Randomness(error.to_string())).map(|()| bytes)
}

impl KeyStore {
    /// The keys of the home at `home`.
    #[must_use]
    pub fn of(home: &Path) -> Self {
        Self { directory: home.join(KEYS_DIRECTORY) }
    }

    /// Makes a new key. Its file is durable when this returns.
    pub fn create(
        &self,
        name: &str,
        passphrase: Option<&Passphrase>,
    ) -> Result<SecretKey, KeyError> {
        let key = random_key()?;
        self.insert(name, &key, passphrase).map(|()| key)
    }

    /// Keeps a key under a name.
    pub fn insert(
        &self,
        name: &str,
        key: &SecretKey,
        passphrase: Option<&Passphrase>,
    ) -> Result<(), KeyError> {
        let path = self.path(name)?;
        crate::home::private_directory(&self.directory)
            .map_err(|error| KeyError::Io { path: self.directory.clone(), error })?;
        match KeyFile::seal(key, passphrase)?.create(&path) {
            Err(KeyError::Io { error, .. }) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(KeyError::NameTaken(name.to_owned()))
            }
            other => other,
        }
    }

    /// A key by its name.
    pub fn load(&self, name: &str, passphrase: Option<&Passphrase>) -> Result<SecretKey, KeyError> {
        let path = self.path(name)?;
        self.read(name, &path)?.open(&path, passphrase)
    }

    /// A public key by its name: needs no passphrase.
    pub fn info(&self, name: &str) -> Result<KeyInfo, KeyError> {
        let path = self.path(name)?;
        let file = self.read(name, &path)?;
        Ok(KeyInfo { name: name.to_owned(), key: file.key(&path)?, encrypted: file.encrypted() })
    }

    /// Every key, by name.
    pub fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        let failed = |error| KeyError::Io { path: self.directory.clone(), error };
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(failed)?.file_name();
            names.extend(file.to_str().and_then(|f| f.strip_suffix(SUFFIX)).map(str::to_owned));
        }
        names.sort_unstable();
        names.iter().map(|name| self.info(name)).collect()
    }

    /// The file of a key.
    pub fn path(&self, name: &str) -> Result<PathBuf, KeyError> {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let good = (1..=KEY_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
        if good {
            Ok(self.directory.join(format!("{name}{SUFFIX}")))
        } else {
            Err(KeyError::Name(name.to_owned()))
        }
    }

    fn read(&self, name: &str, path: &Path) -> Result<KeyFile, KeyError> {
        match KeyFile::read(path) {
            Err(KeyError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                Err(KeyError::Unknown(name.to_owned()))
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, KeyStore) {
        let home = tempfile::tempdir().unwrap();
        let store = KeyStore::of(home.path());
        (home, store)
    }

    #[test]
    fn keys_are_kept_under_their_names() {
        let (_home, store) = store();
        let key = store.create("alice", None).unwrap();
        assert_eq!(store.load("alice", None).unwrap().public(), key.public());
        let secret = Passphrase::new("correct horse".into());
        let other = store.create("bob", Some(&secret)).unwrap();
        let listed: Vec<_> =
            store.list().unwrap().into_iter().map(|i| (i.name, i.key, i.encrypted)).collect();
        let expect =
            [("alice".to_owned(), key.public(), false), ("bob".into(), other.public(), true)];
        assert_eq!(listed, expect);
    }

    #[test]
    fn refusals_are_typed() {
        let (_home, store) = store();
        let secret = Passphrase::new("correct horse".into());
        store.create("bob", Some(&secret)).unwrap();
        let code = |result: Result<SecretKey, KeyError>| result.unwrap_err().code();
        assert_eq!(code(store.create("bob", None)), ErrorCode::KeyNameTaken);
        assert_eq!(code(store.load("eve", None)), ErrorCode::KeyUnknown);
        assert_eq!(code(store.load("../x", None)), ErrorCode::RequestInvalid);
        assert!(matches!(store.load("bob", None), Err(KeyError::PassphraseMissing(_))));
        let wrong = Passphrase::new("wrong horse".into());
        assert!(matches!(store.load("bob", Some(&wrong)), Err(KeyError::PassphraseWrong(_))));
        assert!(store.load("bob", Some(&secret)).is_ok());
    }

    #[test]
    fn a_changed_file_is_refused() {
        let (_home, store) = store();
        let secret = Passphrase::new("p".into());
        let key = store.create("bob", Some(&secret)).unwrap();
        let path = store.path("bob").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let stranger = SecretKey::from_seed(&[9; 32]).public().did();
        fs::write(&path, text.replace(&key.public().did(), &stranger)).unwrap();
        assert!(matches!(store.load("bob", Some(&secret)), Err(KeyError::PassphraseWrong(_))));
        fs::write(&path, text.replace("ambar_key = 1", "ambar_key = 2")).unwrap();
        assert!(matches!(store.load("bob", Some(&secret)), Err(KeyError::File { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn files_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let (home, store) = store();
        store.create("alice", None).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.path("alice").unwrap()), 0o600);
        assert_eq!(mode(&home.path().join(KEYS_DIRECTORY)), 0o700);
    }
}
