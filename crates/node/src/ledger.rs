//! Opening a home's ledger: alone, or among the validators that `node.toml` names.
//!
//! **Invariant**: an engine is opened only with somebody who can make blocks for it, and
//! never without the votes that it has cast.

use crate::config::{Config, NetworkConfig};
use crate::engine::{LEDGER_CACHE_BYTES, settings};
use crate::error::NodeError;
use crate::home::{Home, private_directory};
use ambar_base::{Committee, Height};
use ambar_chain::Chain;
use ambar_consensus::{AtRest, Consensus, Patience, PeerSettings, Rules, Settings, system_clock};
use ambar_machine::{LedgerMachine, genesis_state, rules};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

/// The engine's directory within the ledger's.
pub(crate) const ENGINE: &str = "engine";

/// The ledger's directory, which is there when this returns.
pub(crate) fn directory(home: &Home) -> Result<PathBuf, NodeError> {
    let directory = home.directory("ledger");
    private_directory(&directory).map_err(|error| NodeError::file(&directory, error))?;
    Ok(directory)
}

/// Opens the ledger and starts its engine.
pub(crate) fn open(
    home: &Home,
    config: &Config,
    resume: bool,
) -> Result<Arc<dyn Consensus>, NodeError> {
    let rules = rules(&home.genesis).ok_or(NodeError::GenesisUnsound)?;
    config.retention.check(&home.genesis.parameters)?;
    let network = config.network.as_ref();
    check(home, &rules.genesis.committee, network)?;
    if resume {
        resume_votes(home)?;
    } else {
        remembers(home, &rules, network)?;
    }
    let alone = settings(rules, &home.validator);
    let (vote_mark, bodies_kept) = (Some(home.vote_mark()), config.retention.blocks());
    let alone = Settings { vote_mark, bodies_kept, ..alone };
    let settings = match network {
        Some(network) => connected(alone, network),
        None => alone,
    };
    if let Some(network) = network {
        free(network.listen)?;
    }
    let genesis = genesis_state(&home.genesis).ok_or(NodeError::GenesisUnsound)?;
    let machine = Arc::new(LedgerMachine::new(home.genesis.network()));
    Ok(Arc::new(Chain::open(&directory(home)?, settings, machine, genesis, system_clock())?))
}

/// Settings of an engine among the validators of a network.
fn connected(settings: Settings, network: &NetworkConfig) -> Settings {
    let NetworkConfig { listen, advertise, heartbeat, peers } = network;
    let known = peers.iter().map(|peer| (peer.key, peer.address)).collect();
    Settings {
        patience: Patience::with_heartbeat(*heartbeat),
        peers: Some(PeerSettings { listen: *listen, advertise: *advertise, known }),
        ..settings
    }
}

/// That somebody makes blocks for this node, and that nobody dials itself.
fn check(
    home: &Home,
    committee: &Committee,
    network: Option<&NetworkConfig>,
) -> Result<(), NodeError> {
    let me = home.validator.public();
    let peers = network.map_or(&[][..], |network| &network.peers);
    if peers.iter().any(|peer| peer.key == me) {
        return Err(NodeError::OwnPeer(me.did()));
    }
    let (seats, seated) = (committee.seats().len(), committee.seats().contains(&me));
    let alone = seats == 1 && seated;
    if alone || !peers.is_empty() { Ok(()) } else { Err(NodeError::Unconnected { seats, seated }) }
}

/// That a validator whose engine begins anew does not vote again on what it may have voted on
/// before: it begins at genesis, or its mark says where to begin and peers have the blocks. An
/// engine without a seat fetches what it lacks.
fn remembers(home: &Home, rules: &Rules, network: Option<&NetworkConfig>) -> Result<(), NodeError> {
    let directory = directory(home)?;
    let seated = rules.genesis.committee.seats().contains(&home.validator.public());
    let peers = network.is_some_and(|network| !network.peers.is_empty());
    let marked = home.vote_mark().exists() && peers;
    if !seated || marked || directory.join(ENGINE).exists() {
        return Ok(());
    }
    let genesis = genesis_state(&home.genesis).ok_or(NodeError::GenesisUnsound)?;
    let stored = AtRest::open(&directory, rules, genesis, LEDGER_CACHE_BYTES)?;
    match stored.stored() {
        Height(0) => Ok(()),
        height => Err(NodeError::EngineMissing(height)),
    }
}

/// Lets a validator vote whose engine begins anew, on the word of somebody who knows that no
/// block is final that is newer than those here. An engine that is there goes on by itself.
fn resume_votes(home: &Home) -> Result<(), NodeError> {
    let mark = home.vote_mark();
    if directory(home)?.join(ENGINE).exists() || !mark.exists() {
        return Ok(());
    }
    fs::remove_file(&mark).map_err(|error| NodeError::file(&mark, error))
}

/// That nobody else listens there: the engine itself would try again and again.
fn free(address: SocketAddr) -> Result<(), NodeError> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(NodeError::PeerAddressInUse(address))
        }
        Err(error) => Err(NodeError::Listen { address, error }),
    }
}

#[cfg(test)]
mod tests;
