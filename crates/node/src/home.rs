//! A node's home: one directory with everything it keeps.
//!
//! ```text
//! lock                     held while a process uses the home
//! format                   the version of this layout
//! node.toml                this node's configuration
//! keys/NAME.key            named keys
//! network/genesis          the network, encoded
//! network/validator.key    the key that votes on blocks, on a validator
//! network/voted            up to which epoch it may have voted
//! node/key                 the node's own key
//! tls/                     the certificate that the node made for its port, and its key
//! ledger/ blobs/ corpora/ID/ journal/ index/
//! ```
//!
//! **Invariant**: `network/genesis` is written last, so a home that has it is complete.
//! Everything is readable by its owner only.

mod format;
mod found;

pub use format::HOME_FORMAT;
pub use found::{HomeKeys, found};

use crate::config::Config;
use crate::error::NodeError;
use crate::keys::{KeyError, KeyFile, KeyStore, Passphrase, random, random_key};
use ambar_base::{Cid, Encode, SecretKey, codec};
use ambar_ledger::Genesis;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name of the key of a new home's operator.
pub const OPERATOR: &str = "operator";
/// The name of the key of a home's seat in the council.
pub const COUNCIL: &str = "council";
/// The node's configuration within a home.
pub const CONFIG_FILE: &str = "node.toml";
/// The directory of what concerns the network.
const NETWORK: &str = "network";
/// The directory of what concerns the node.
const NODE: &str = "node";
/// Where genesis lies in a home: a directory that has it is a home.
pub const GENESIS_PATH: &str = "network/genesis";
const GENESIS_FILE: &str = "genesis";
const VALIDATOR_FILE: &str = "validator.key";

/// An open home. No other process uses it until this is dropped.
#[derive(Debug)]
pub struct Home {
    root: PathBuf,
    _lock: File,
    /// The network.
    pub genesis: Genesis,
    /// The node's key.
    pub node_key: SecretKey,
    /// The key that votes on blocks, on a validator of the network.
    pub validator: SecretKey,
    /// The passphrase of this home's keys.
    pub passphrase: Option<Passphrase>,
}

/// Creates a directory with its parents, readable by its owner only.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file whole, readable by its owner only: there is the old one or the new one.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let staged = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&staged)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

impl Home {
    /// Opens the home at `root`; a new one gets keys and a network of its own.
    ///
    /// # Errors
    /// [`NodeError::HomeInUse`], [`NodeError::Key`] if the passphrase does not fit.
    pub fn open(root: &Path, passphrase: Option<Passphrase>) -> Result<Self, NodeError> {
        let failed = |error| NodeError::file(root, error);
        private_directory(root).map_err(failed)?;
        let lock = lock(root)?;
        format::check(root)?;
        for directory in [NETWORK, NODE, "corpora"] {
            private_directory(&root.join(directory)).map_err(failed)?;
        }
        let node_key = key_at(&root.join(NODE).join("key"), passphrase.as_ref())?;
        let validator_file = root.join(NETWORK).join(VALIDATOR_FILE);
        let validator = key_at(&validator_file, passphrase.as_ref())?;
        let genesis = genesis(root, &validator, passphrase.as_ref())?;
        Ok(Self { root: root.to_owned(), _lock: lock, genesis, node_key, validator, passphrase })
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A directory of the home.
    #[must_use]
    pub fn directory(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where it is kept in which epochs the validator's key may have voted: beside the key,
    /// so that losing the ledger does not lose it.
    #[must_use]
    pub fn vote_mark(&self) -> PathBuf {
        self.root.join(NETWORK).join("voted")
    }

    /// The corpus of a dataset version.
    #[must_use]
    pub fn corpus(&self, version: &Cid) -> PathBuf {
        self.root.join("corpora").join(version.to_string())
    }

    /// The named keys.
    #[must_use]
    pub fn keys(&self) -> KeyStore {
        KeyStore::of(&self.root)
    }

    /// The operator's key.
    pub fn operator(&self) -> Result<SecretKey, NodeError> {
        Ok(self.keys().load(OPERATOR, self.passphrase.as_ref())?)
    }

    /// Reads the configuration.
    pub fn config(&self) -> Result<Config, NodeError> {
        Config::read(&self.root.join(CONFIG_FILE))
    }

    /// Replaces the configuration.
    pub fn write_config(&self, config: &Config) -> Result<(), NodeError> {
        config.write(&self.root.join(CONFIG_FILE))
    }
}

fn lock(root: &Path) -> Result<File, NodeError> {
    let path = root.join("lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(|error| NodeError::file(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(NodeError::HomeInUse(root.to_owned())),
        Err(TryLockError::Error(error)) => Err(NodeError::file(&path, error)),
    }
}

/// The key in a file, made if there is none.
fn key_at(path: &Path, passphrase: Option<&Passphrase>) -> Result<SecretKey, NodeError> {
    match KeyFile::read(path) {
        Ok(file) => Ok(file.open(path, passphrase)?),
        Err(KeyError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            let key = random_key()?;
            KeyFile::seal(&key, passphrase)?.create(path)?;
            Ok(key)
        }
        Err(other) => Err(other.into()),
    }
}

fn genesis(
    root: &Path,
    validator: &SecretKey,
    passphrase: Option<&Passphrase>,
) -> Result<Genesis, NodeError> {
    let path = root.join(NETWORK).join(GENESIS_FILE);
    match fs::read(&path) {
        Ok(bytes) => codec::decode(&bytes).map_err(|error| NodeError::Genesis(error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let keys = KeyStore::of(root);
            match keys.create(OPERATOR, passphrase) {
                Ok(_) | Err(KeyError::NameTaken(_)) => {}
                Err(other) => return Err(other.into()),
            }
            let genesis = Genesis::development(validator.public(), *random::<32>()?);
            let written = write_private(&path, &genesis.to_bytes());
            written.map_err(|error| NodeError::file(&path, error))?;
            Ok(genesis)
        }
        Err(error) => Err(NodeError::file(&path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Coded, ErrorCode};

    #[test]
    fn a_home_keeps_its_network_and_keys() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("home");
        let home = Home::open(&root, None).unwrap();
        let (genesis, node) = (home.genesis.clone(), home.node_key.public());
        assert_eq!(Home::open(&root, None).unwrap_err().code(), ErrorCode::HomeInUse);
        drop(home);
        let again = Home::open(&root, None).unwrap();
        assert_eq!((again.genesis.clone(), again.node_key.public()), (genesis, node));
        assert!(again.operator().is_ok());
    }

    #[test]
    fn a_home_of_a_newer_version_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        drop(Home::open(directory.path(), None).unwrap());
        let file = directory.path().join("format");
        let open = |text: &str| {
            fs::write(&file, text).unwrap();
            Home::open(directory.path(), None).map(drop)
        };
        let error = open("2").unwrap_err();
        assert_eq!(error.code(), ErrorCode::HomeTooNew, "{error}");
        assert!(error.to_string().contains("written by a newer version"), "{error}");
        assert_eq!(open("x").unwrap_err().code(), ErrorCode::DocumentInvalid);
        fs::remove_file(&file).unwrap();
        drop(Home::open(directory.path(), None).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "1\n");
    }

    #[test]
    fn an_encrypted_home_needs_its_passphrase() {
        let directory = tempfile::tempdir().unwrap();
        let secret = Passphrase::new("secret".into());
        drop(Home::open(directory.path(), Some(secret.clone())).unwrap());
        let code = |passphrase| Home::open(directory.path(), passphrase).unwrap_err().code();
        assert_eq!(code(None), ErrorCode::Unauthenticated);
        assert_eq!(code(Some(Passphrase::new("other".into()))), ErrorCode::Unauthenticated);
        assert!(Home::open(directory.path(), Some(secret)).is_ok());
    }
}
