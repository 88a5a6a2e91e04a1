//! Session keys of channels: drawn when a channel is opened, kept in the home, and used to
//! mint certificates offline.
//!
//! ```text
//! sessions/NETWORK/CHANNEL.key    the session key, encrypted as named keys are
//! sessions/NETWORK/CHANNEL.json   who opened the channel, and to which gateway
//! ```
//!
//! **Invariant**: a session's key is readable by its owner only and never replaced.

use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use ambar_base::{ErrorCode, NetworkId, PublicKey, SecretKey};
use ambar_gateway::certificate;
use ambar_licence::Narrowing;
use ambar_node::keys::{KeyFile, Passphrase, random_key};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// The directory of a home's sessions.
const SESSIONS_DIRECTORY: &str = "sessions";
/// Longest description of a session, bytes.
const DESCRIPTION_BYTES_MAX: u64 = 4 * 1024;

/// What is needed to mint certificates of a channel.
#[derive(Clone, Debug)]
pub struct Session {
    /// The channel's number.
    pub channel: u64,
    /// The name of the key that opened it.
    pub owner: String,
    /// The network.
    pub network: NetworkId,
    /// The gateway's key.
    pub gateway: PublicKey,
    /// The session key.
    pub key: SecretKey,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Description {
    owner: String,
    gateway: String,
}

/// A new session key.
pub fn draw() -> Outcome<SecretKey> {
    Ok(random_key()?)
}

impl Session {
    /// Keeps the session in the home.
    pub fn save(&self, home: &Path, passphrase: Option<&Passphrase>) -> Outcome {
        let folder = home.join(SESSIONS_DIRECTORY).join(self.network.to_string());
        files::private_directory(&folder)?;
        KeyFile::seal(&self.key, passphrase)?.create(&key_path(&folder, self.channel))?;
        let description = Description { owner: self.owner.clone(), gateway: self.gateway.did() };
        let text = serde_json::to_string(&description).or_fail(ErrorCode::Internal)?;
        files::write(&description_path(&folder, self.channel), text.as_bytes())
    }

    /// The session of a channel that was opened from this home; of several networks, the
    /// latest.
    pub fn load(home: &Path, channel: u64, passphrase: Option<&Passphrase>) -> Outcome<Self> {
        let folder = folder_of(home, channel).ok_or_else(|| {
            let message = format!("the session key of channel {channel} is not in this home");
            Failure::new(ErrorCode::ChannelUnknown, message).helping(
                "mint on the machine that opened the channel, or open one with `ambar license`",
            )
        })?;
        let path = description_path(&folder, channel);
        let text = files::read_text(&path, DESCRIPTION_BYTES_MAX)?;
        let about = |failure: Failure| failure.about(path.display());
        let Description { owner, gateway } =
            serde_json::from_str(&text).or_fail(ErrorCode::DocumentInvalid).map_err(about)?;
        let gateway =
            PublicKey::from_did(&gateway).or_fail(ErrorCode::DocumentInvalid).map_err(about)?;
        let network = folder.file_name().unwrap_or_default().to_string_lossy();
        let network = network.parse().or_fail(ErrorCode::DocumentInvalid).map_err(about)?;
        let path = key_path(&folder, channel);
        let key = KeyFile::read(&path)?.open(&path, passphrase)?;
        Ok(Self { channel, owner, network: NetworkId(network), gateway, key })
    }

    /// Refuses another key's channel.
    pub fn check_owner(&self, key: Option<&str>) -> Outcome {
        match key.filter(|key| *key != self.owner) {
            None => Ok(()),
            Some(key) => Err(Failure::new(
                ErrorCode::NotAuthorised,
                format!("channel {} was opened by {}, not {key}", self.channel, self.owner),
            )),
        }
    }

    /// A certificate of the channel.
    pub fn mint(&self, narrowing: &Narrowing) -> Outcome<String> {
        let Self { channel, network, gateway, key, .. } = self;
        Ok(certificate::mint(key, *network, *channel, gateway, narrowing)?)
    }
}

fn key_path(folder: &Path, channel: u64) -> PathBuf {
    folder.join(format!("{channel}.key"))
}

fn description_path(folder: &Path, channel: u64) -> PathBuf {
    folder.join(format!("{channel}.json"))
}

/// The network's folder that holds a channel's key, the latest if several do.
fn folder_of(home: &Path, channel: u64) -> Option<PathBuf> {
    let folders = fs::read_dir(home.join(SESSIONS_DIRECTORY)).ok()?;
    let folders = folders.filter_map(|entry| Some(entry.ok()?.path()));
    let written = |folder: &PathBuf| fs::metadata(key_path(folder, channel)).ok()?.modified().ok();
    let found = folders.filter_map(|folder| Some((written(&folder)?, folder)));
    found.max().map(|(_, folder)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::Digest;

    #[test]
    fn sessions_come_back_and_mint() {
        let home = tempfile::tempdir().unwrap();
        let gateway = SecretKey::from_seed(&[2; 32]).public();
        let network = NetworkId(Digest::of(b"network"));
        let key = SecretKey::from_seed(&[1; 32]);
        let session = Session { channel: 5, owner: "ann".into(), network, gateway, key };
        session.save(home.path(), None).unwrap();
        assert!(session.save(home.path(), None).is_err(), "a session is never replaced");
        let loaded = Session::load(home.path(), 5, None).unwrap();
        assert_eq!(loaded.key.public(), session.key.public());
        let certificate = loaded.mint(&Narrowing::default()).unwrap();
        let lookup = |channel| (channel == 5).then(|| session.key.public());
        let opened = certificate::open(&certificate, lookup, network, &gateway).unwrap();
        assert_eq!(opened.channel, 5);
        assert!(loaded.check_owner(Some("ann")).is_ok() && loaded.check_owner(None).is_ok());
        assert_eq!(loaded.check_owner(Some("bob")).unwrap_err().code, ErrorCode::NotAuthorised);
        let missing = Session::load(home.path(), 6, None).unwrap_err();
        assert_eq!(missing.code, ErrorCode::ChannelUnknown);
    }

    #[test]
    fn a_passphrase_protects_sessions() {
        let home = tempfile::tempdir().unwrap();
        let secret = Passphrase::new("secret".into());
        let (key, network) = (SecretKey::from_seed(&[1; 32]), NetworkId::default());
        let session =
            Session { channel: 1, owner: "ann".into(), network, gateway: key.public(), key };
        session.save(home.path(), Some(&secret)).unwrap();
        let refused = Session::load(home.path(), 1, None).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Unauthenticated);
        assert!(Session::load(home.path(), 1, Some(&secret)).is_ok());
    }
}
