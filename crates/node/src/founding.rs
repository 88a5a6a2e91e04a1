//! Founding a network of validators: one genesis, and a home for each of them; or a home for
//! a node that joins a network without a seat.
//!
//! Each home has keys of its own. On a development network each validator's key is also a
//! faucet of its own, so that credits are free at every node; the council's keys are others,
//! because the council's account may need several signatures.
//!
//! **Invariant**: the homes of one network name one another, and their operators can pay
//! what their nodes and seats cost.

mod sites;

pub use sites::{API_PORT_DEFAULT, Host, PEER_PORT_DEFAULT, Site, SiteError, sites};

use crate::config::{Config, NetworkConfig, NetworkConfigError, Peer, Retention};
use crate::error::NodeError;
use crate::home::{HomeKeys, found};
use crate::keys::{KeyError, Passphrase, random};
use ambar_base::account::ACCOUNT_KEYS_MAX;
use ambar_base::finality::SEATS_MAX;
use ambar_base::{Coded, ErrorCode, KeySet, Price, PublicKey};
use ambar_ledger::Genesis;
use ambar_ledger::genesis::{Allocation, GenesisValidator};
use ambar_ledger::object::Parameters;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What each operator can spend at first, besides what its node costs.
pub const OPERATOR_CREDITS_DEFAULT: Price = Price(1_000 * Price::CREDIT.0);
/// What the council can spend on fees.
const COUNCIL_CREDITS: Price = Price(1_000 * Price::CREDIT.0);
/// What all faucets of a development network can give together.
const FAUCET_CREDITS: Price = Price(1_000_000_000 * Price::CREDIT.0);
/// Blocks within which a batch may settle, and before payees of a network whose credits are
/// worth something can spend them.
const WINDOW_BLOCKS: u64 = 3_600;

/// What a network begins with.
#[derive(Clone, Debug)]
pub struct Foundation {
    /// What people call it.
    pub name: String,
    /// Whether credits are free.
    pub development: bool,
    /// Heights of an epoch.
    pub epoch_blocks: u64,
    /// What each operator can spend at first.
    pub credits: Price,
    /// The longest time between blocks when nothing happens.
    pub heartbeat: Duration,
    /// Which final blocks each node keeps.
    pub retention: Retention,
    /// Where each validator is.
    pub sites: Vec<Site>,
}

/// A home that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founded {
    /// The home.
    pub home: PathBuf,
    /// The key that it votes with, or only speaks to peers with.
    pub validator: PublicKey,
    /// Where it is.
    pub site: Site,
}

/// Why a network or a home is not founded.
#[derive(Debug, thiserror::Error)]
pub enum FoundingError {
    /// Something is there already.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// No validator, or too many.
    #[error("a network has 1 to {SEATS_MAX} validators, not {0}")]
    Count(usize),
    /// The homes find no place.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The peers are none.
    #[error(transparent)]
    Peer(#[from] NetworkConfigError),
    /// Nobody to join.
    #[error("a home that joins a network needs at least one peer")]
    NoPeers,
    /// A key cannot be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A home cannot be written.
    #[error(transparent)]
    Home(#[from] NodeError),
}

impl Coded for FoundingError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotEmpty(_) | Self::Count(_) | Self::NoPeers | Self::Peer(_) => {
                ErrorCode::RequestInvalid
            }
            Self::Site(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Home(error) => error.code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::NotEmpty(_) => Some("name a directory that is not there yet".into()),
            Self::NoPeers => Some("name a validator with --peer did:key:…@192.0.2.7:7800".into()),
            Self::Site(error) => error.help(),
            Self::Key(error) => error.help(),
            Self::Home(error) => error.help(),
            Self::Peer(_) | Self::Count(_) => None,
        }
    }
}

impl Foundation {
    /// Writes the homes `out/1`, `out/2` … and tells `each` of every one that is complete.
    pub fn found(
        &self,
        out: &Path,
        passphrase: Option<&Passphrase>,
        mut each: impl FnMut(&Founded),
    ) -> Result<Genesis, FoundingError> {
        let count = self.sites.len();
        if !(1..=SEATS_MAX).contains(&count) {
            return Err(FoundingError::Count(count));
        }
        check_empty(out)?;
        let keys = (0..count).map(|index| HomeKeys::random(index < ACCOUNT_KEYS_MAX));
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        let genesis = self.genesis(&keys, *random::<32>()?);
        if genesis.writes().is_none() {
            return Err(NodeError::GenesisUnsound.into());
        }
        for (index, (keys, site)) in keys.iter().zip(&self.sites).enumerate() {
            let home = out.join((index + 1).to_string());
            found(
                &home,
                &genesis,
                keys,
                &self.config(site, self.peers_of(index, &genesis)),
                passphrase,
            )?;
            each(&Founded { home, validator: keys.validator.public(), site: *site });
        }
        Ok(genesis)
    }

    fn peers_of(&self, index: usize, genesis: &Genesis) -> Vec<Peer> {
        let peers = genesis.validators.iter().zip(&self.sites).enumerate();
        let others = peers.filter(|(other, _)| *other != index);
        others.map(|(_, (one, site))| Peer { key: one.key, address: site.advertise }).collect()
    }

    fn config(&self, site: &Site, peers: Vec<Peer>) -> Config {
        Config { retention: self.retention, ..config(site, self.heartbeat, peers) }
    }

    fn genesis(&self, keys: &[HomeKeys], salt: [u8; 32]) -> Genesis {
        let like = Genesis::development(keys[0].validator.public(), salt);
        let mut parameters = like.parameters.clone();
        if !self.development {
            parameters.settlement_window = WINDOW_BLOCKS;
            parameters.challenge_window = WINDOW_BLOCKS;
        }
        let council = council(keys, self.development);
        let mut allocations = self.allocations(keys, &parameters);
        allocations.push(Allocation { key: council.keys[0], amount: COUNCIL_CREDITS });
        Genesis {
            name: self.name.clone(),
            development: self.development,
            validators: validators(keys, parameters.validator_bond),
            epoch_blocks: self.epoch_blocks,
            council,
            allocations,
            parameters,
            ..like
        }
    }

    /// What each operator has, and each faucet.
    fn allocations(&self, keys: &[HomeKeys], rules: &Parameters) -> Vec<Allocation> {
        let bonds = rules.node_bond.0.saturating_add(rules.validator_bond.0);
        let operator = Price(self.credits.0.saturating_add(bonds));
        let faucet = Price(FAUCET_CREDITS.0 / keys.len() as u64);
        let operators = keys.iter().map(|keys| (keys.operator.public(), operator));
        let faucets = keys.iter().filter(|_| self.development);
        let faucets = faucets.map(|keys| (keys.validator.public(), faucet));
        operators.chain(faucets).map(|(key, amount)| Allocation { key, amount }).collect()
    }
}

/// Each operator owns the seat of its home.
fn validators(keys: &[HomeKeys], bond: Price) -> Vec<GenesisValidator> {
    let seat = |keys: &HomeKeys| {
        let (key, owner) = (keys.validator.public(), keys.operator.public());
        GenesisValidator { key, owner, bond }
    };
    keys.iter().map(seat).collect()
}

/// One key of the council is enough on a development network, elsewhere more than half.
fn council(keys: &[HomeKeys], development: bool) -> KeySet {
    let held = keys.iter().filter_map(|keys| keys.council.as_ref());
    let mut keys: Vec<_> = held.map(ambar_base::SecretKey::public).collect();
    keys.sort_unstable();
    let most = u16::try_from(keys.len() / 2 + 1).unwrap_or(u16::MAX);
    KeySet { keys, threshold: if development { 1 } else { most } }
}

fn config(site: &Site, heartbeat: Duration, peers: Vec<Peer>) -> Config {
    let Site { listen, advertise, api } = *site;
    let network = NetworkConfig { listen, advertise, heartbeat, peers };
    Config { listen: Some(api), network: Some(network), ..Config::default() }
}

/// Writes the home of a node that joins a network without a seat.
pub fn join(
    home: &Path,
    genesis: &Genesis,
    (site, heartbeat, peers): (Site, Duration, Vec<Peer>),
    retention: Retention,
    passphrase: Option<&Passphrase>,
) -> Result<Founded, FoundingError> {
    check_empty(home)?;
    if peers.is_empty() {
        return Err(FoundingError::NoPeers);
    }
    if genesis.writes().is_none() {
        return Err(NodeError::GenesisUnsound.into());
    }
    let peers = crate::config::network::distinct(peers)?;
    let keys = HomeKeys::random(false)?;
    let config = Config { retention, ..config(&site, heartbeat, peers) };
    found(home, genesis, &keys, &config, passphrase)?;
    Ok(Founded { home: home.to_owned(), validator: keys.validator.public(), site })
}

/// That nothing is in the way.
fn check_empty(directory: &Path) -> Result<(), FoundingError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| NodeError::file(directory, error))?,
    };
    match entries.count() {
        0 => Ok(()),
        _ => Err(FoundingError::NotEmpty(directory.to_owned())),
    }
}

#[cfg(test)]
mod tests;
