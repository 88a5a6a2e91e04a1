//! Writing a home before any node runs in it: for a network that begins, or for one that
//! exists already.
//!
//! **Invariant**: genesis is written last, so what was interrupted is no home.

use super::{COUNCIL, GENESIS_FILE, NETWORK, NODE, OPERATOR, format, private_directory};
use super::{VALIDATOR_FILE, write_private};
use crate::config::Config;
use crate::error::NodeError;
use crate::keys::{KeyError, KeyFile, KeyStore, Passphrase, random_key};
use ambar_base::{Encode, SecretKey};
use ambar_ledger::Genesis;
use std::path::Path;

/// The keys of one home.
#[derive(Clone, Debug)]
pub struct HomeKeys {
    /// Votes on blocks, if it has a seat, and speaks to peers.
    pub validator: SecretKey,
    /// The node's own.
    pub node: SecretKey,
    /// The operator's: owns node and seat.
    pub operator: SecretKey,
    /// A key of the network's council, if this home holds one.
    pub council: Option<SecretKey>,
}

impl HomeKeys {
    /// New random keys.
    pub fn random(council: bool) -> Result<Self, KeyError> {
        Ok(Self {
            validator: random_key()?,
            node: random_key()?,
            operator: random_key()?,
            council: council.then(random_key).transpose()?,
        })
    }

    fn write(&self, root: &Path, passphrase: Option<&Passphrase>) -> Result<(), KeyError> {
        let seal = |key, path: &Path| KeyFile::seal(key, passphrase)?.create(path);
        seal(&self.validator, &root.join(NETWORK).join(VALIDATOR_FILE))?;
        seal(&self.node, &root.join(NODE).join("key"))?;
        let named = KeyStore::of(root);
        named.insert(OPERATOR, &self.operator, passphrase)?;
        match &self.council {
            Some(key) => named.insert(COUNCIL, key, passphrase),
            None => Ok(()),
        }
    }
}

/// Writes a new home. The directory may exist, but holds nothing yet.
pub fn found(
    root: &Path,
    genesis: &Genesis,
    keys: &HomeKeys,
    config: &Config,
    passphrase: Option<&Passphrase>,
) -> Result<(), NodeError> {
    for directory in [NETWORK, NODE] {
        let directory = root.join(directory);
        private_directory(&directory).map_err(|error| NodeError::file(&directory, error))?;
    }
    format::write(root)?;
    keys.write(root, passphrase)?;
    config.write(&root.join(super::CONFIG_FILE))?;
    let path = root.join(NETWORK).join(GENESIS_FILE);
    write_private(&path, &genesis.to_bytes()).map_err(|error| NodeError::file(&path, error))
}
