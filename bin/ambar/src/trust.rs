//! Whom `ambar receipt verify` trusts: what `--network-key` takes, and the checkpoint that
//! it means.
//!
//! It asks no node: what somebody is to trust must come from elsewhere than from whom they
//! doubt.

use crate::failure::{Failure, Outcome};
use crate::files;
use ambar_base::{Checkpoint, Committee, Digest, ErrorCode, NetworkId, PublicKey, codec};
use ambar_ledger::Genesis;
use ambar_receipt::checkpoint;
use ambar_receipt::export::open;
use std::path::Path;

/// Largest file that names whom to trust, bytes: a genesis with all the allocations that it
/// may have.
const TRUST_BYTES_MAX: u64 = 1 << 20;

/// What may be given.
const ACCEPTED: &str = "give the network's did:key, a checkpoint file as `ambar network \
                        checkpoint` writes it, or a network's genesis file";

/// Whom to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The only validator of the first epoch, of whatever network a receipt names.
    Key(PublicKey),
    /// A committee of one network.
    Checkpoint(Checkpoint),
}

impl Trust {
    /// Reads a `did:key`, or the file that the text names.
    pub fn read(text: &str) -> Outcome<Self> {
        if text.starts_with("did:") {
            let key = PublicKey::from_did(text);
            return key.map(Self::Key).map_err(|error| refused(text, error));
        }
        let path = Path::new(text);
        if !files::is_standard(path) && !path.exists() {
            return Err(refused(text, "neither a did:key nor a file"));
        }
        let bytes = files::read(path, TRUST_BYTES_MAX)?;
        of_file(text, &bytes).map(Self::Checkpoint)
    }

    /// The checkpoint by which a receipt's file is verified.
    pub fn checkpoint(self, file: &[u8]) -> Outcome<Checkpoint> {
        // What cannot be opened does not verify, whatever its network.
        self.of(network_of(file).unwrap_or(NetworkId(Digest::ZERO)))
    }

    /// The checkpoint of a network, if a key is all that was given.
    pub fn of(self, network: NetworkId) -> Outcome<Checkpoint> {
        let key = match self {
            Self::Checkpoint(checkpoint) => return Ok(checkpoint),
            Self::Key(key) => key,
        };
        let committee = Committee::new(0, vec![key]).map_err(Failure::internal)?;
        Ok(Checkpoint { network, committee })
    }
}

/// The network that a receipt's file names.
pub fn network_of(file: &[u8]) -> Option<NetworkId> {
    open(file).ok().map(|sealed| sealed.document.network())
}

fn of_file(name: &str, bytes: &[u8]) -> Outcome<Checkpoint> {
    let helping = |failure: Failure| failure.about(name).helping(ACCEPTED);
    let invalid = |what: &str| helping(Failure::new(ErrorCode::DocumentInvalid, what));
    if let Ok(genesis) = codec::decode::<Genesis>(bytes) {
        return genesis.checkpoint().ok_or_else(|| invalid("the genesis has no sound committee"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| invalid("the file is neither a checkpoint nor a genesis"))?;
    checkpoint::read(text).map_err(|errors| helping(errors.into()))
}

fn refused(text: &str, why: impl std::fmt::Display) -> Failure {
    Failure::input(format!("--network-key {text}: {why}")).helping(ACCEPTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Encode, SecretKey};
    use std::fs;

    fn key() -> PublicKey {
        SecretKey::from_seed(&[7; 32]).public()
    }

    #[test]
    fn keys_checkpoints_and_genesis_are_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trusted");
        let written = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            Trust::read(path.to_str().unwrap())
        };
        let genesis = Genesis::development(key(), [7; 32]);
        let expect = genesis.checkpoint().unwrap();
        assert_eq!(Trust::read(&key().did()), Ok(Trust::Key(key())));
        assert_eq!(written(&genesis.to_bytes()), Ok(Trust::Checkpoint(expect.clone())));
        let text = checkpoint::write(&expect);
        assert_eq!(written(text.as_bytes()), Ok(Trust::Checkpoint(expect.clone())));
        let of_a_key = Trust::Key(key()).checkpoint(b"no receipt").unwrap();
        assert_eq!(of_a_key.committee, expect.committee);
    }

    #[test]
    fn anything_else_is_told_what_is_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trusted");
        let check = |text: &str, code: ErrorCode, says: &str| {
            let failure = Trust::read(text).unwrap_err();
            assert_eq!(failure.code, code, "{failure}");
            assert!(failure.message.contains(says), "{failure}");
            assert_eq!(failure.help, ACCEPTED);
        };
        check("did:key:x", ErrorCode::RequestInvalid, "did:key of an Ed25519 key");
        check(&"ab".repeat(32), ErrorCode::RequestInvalid, "neither a did:key nor a file");
        let file = |bytes: &[u8], says: &str| {
            fs::write(&path, bytes).unwrap();
            check(path.to_str().unwrap(), ErrorCode::DocumentInvalid, says);
        };
        file(b"format = 1\nepoch = 0", "line 1: `network` is missing");
        file(b"format = 1\nepoch = x", "trusted: line 2: not TOML");
        file(&[0xff, 0xfe], "neither a checkpoint nor a genesis");
        let mut genesis = Genesis::development(key(), [7; 32]);
        genesis.validators.clear();
        file(&genesis.to_bytes(), "no sound committee");
    }
}
