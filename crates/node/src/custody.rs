//! Keys of sealed versions that this node keeps for their owners: `sealed/VERSION` in its home.
//!
//! A file holds what the owner sent: the key, wrapped for this node. Without the node's own key,
//! which the home's passphrase may guard, it says nothing.
//!
//! **Invariant**: a key that is kept is the one that its version's manifest commits to.

use crate::home::{Home, private_directory, write_private};
use ambar_base::{Cid, Coded, Encode, ErrorCode, NetworkId, SecretKey, Signature, codec};
use ambar_capsule::Manifest;
use ambar_capsule::sealing::{
    CustodyRequest, RecipientSecret, Released, SealedContent, VersionKey,
};
use std::io;
use std::path::PathBuf;

/// The keys that a node keeps.
pub struct Custody {
    directory: PathBuf,
    network: NetworkId,
    node: SecretKey,
    secret: RecipientSecret,
}

/// Why a key is not kept, or cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// Nobody gave this node the key.
    #[error("this node does not keep the key of {0}")]
    Missing(Cid),
    /// The key opens nothing of the version.
    #[error("that is not the key that {0} is sealed with")]
    Wrong(Cid),
    /// There is nothing to have a key for.
    #[error("{0} is not sealed")]
    NotSealed(Cid),
    /// A file cannot be read or written.
    #[error("the key of {version}: {error}")]
    File {
        /// The version.
        version: Cid,
        /// What happened.
        #[source]
        error: io::Error,
    },
}

impl Coded for CustodyError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Missing(_) => ErrorCode::ContentKeyMissing,
            Self::Wrong(_) => ErrorCode::ContentKeyWrong,
            Self::NotSealed(_) => ErrorCode::RequestInvalid,
            Self::File { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
                ErrorCode::DiskFull
            }
            Self::File { .. } => ErrorCode::DiskFailed,
        }
    }
}

impl Custody {
    /// The keys that are kept in a home.
    #[must_use]
    pub fn of(home: &Home) -> Self {
        Self {
            directory: home.directory("sealed"),
            network: home.genesis.network(),
            node: home.node_key.clone(),
            secret: RecipientSecret::of_node(&home.node_key),
        }
    }

    /// For which key this node wants a version's key, and its signature.
    #[must_use]
    pub fn request(&self, version: Cid) -> (CustodyRequest, Signature) {
        let request = CustodyRequest {
            network: self.network,
            version,
            node: self.node.public(),
            recipient: self.secret.public(),
        };
        let signature = request.sign(&self.node);
        (request, signature)
    }

    /// Keeps the key of a version; durable when it returns. The same key may come again.
    pub fn keep(&self, manifest: &Manifest, wrapped: &Released) -> Result<(), CustodyError> {
        let version = manifest.id();
        let sealed = manifest.content.sealed.as_ref();
        let sealed = sealed.ok_or(CustodyError::NotSealed(version))?;
        self.open(version, sealed, wrapped)?;
        let failed = |error| CustodyError::File { version, error };
        private_directory(&self.directory).map_err(failed)?;
        write_private(&self.path(&version), &wrapped.to_bytes()).map_err(failed)
    }

    /// The key of a version.
    pub fn key(&self, version: Cid, sealed: &SealedContent) -> Result<VersionKey, CustodyError> {
        let bytes = std::fs::read(self.path(&version)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CustodyError::Missing(version),
            _ => CustodyError::File { version, error },
        })?;
        // Damaged, or of a node key that was replaced: the owner sends it again.
        let wrapped = codec::decode(&bytes).map_err(|_| CustodyError::Wrong(version))?;
        self.open(version, sealed, &wrapped)
    }

    fn open(
        &self,
        version: Cid,
        sealed: &SealedContent,
        wrapped: &Released,
    ) -> Result<VersionKey, CustodyError> {
        let (request, _) = self.request(version);
        let wrong = || CustodyError::Wrong(version);
        let key = request.open(wrapped, &self.secret).map_err(|_| wrong())?;
        sealed.check_key(&key).map_err(|_| wrong())?;
        Ok(key)
    }

    fn path(&self, version: &Cid) -> PathBuf {
        self.directory.join(version.to_string())
    }
}

impl std::fmt::Debug for Custody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Custody({})", self.directory.display())
    }
}
