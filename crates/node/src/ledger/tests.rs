//! What keeps a ledger from opening, each with its code.

use super::*;
use crate::config::Peer;
use crate::config::network::HEARTBEAT_DEFAULT;
use crate::founding::{Foundation, OPERATOR_CREDITS_DEFAULT, sites};
use ambar_base::{Coded, ErrorCode, SecretKey};
use std::fs;
use std::path::Path;

/// The first home of a network of `validators`, on ports where nobody listens.
fn home(directory: &Path, validators: usize) -> Home {
    let network = Foundation {
        name: "test".into(),
        development: true,
        epoch_blocks: 64,
        credits: OPERATOR_CREDITS_DEFAULT,
        heartbeat: HEARTBEAT_DEFAULT,
        retention: crate::config::Retention::default(),
        sites: sites(validators, &[], (7_800, 7_700)).unwrap(),
    };
    network.found(directory, None, |_| ()).unwrap();
    Home::open(&directory.join("1"), None).unwrap()
}

/// The configuration of a home, listening on any free port.
fn config(home: &Home) -> Config {
    let mut config = home.config().unwrap();
    if let Some(network) = &mut config.network {
        network.listen = "127.0.0.1:0".parse().unwrap();
    }
    config
}

fn refused(home: &Home, config: &Config) -> NodeError {
    open(home, config, false).err().expect("the ledger does not open")
}

#[test]
fn a_node_is_not_its_own_peer() {
    let directory = tempfile::tempdir().unwrap();
    let home = home(directory.path(), 2);
    let mut config = config(&home);
    let (key, address) = (home.validator.public(), "127.0.0.1:9".parse().unwrap());
    config.network.as_mut().unwrap().peers.push(Peer { key, address });
    let error = refused(&home, &config);
    assert!(matches!(error, NodeError::OwnPeer(_)), "{error}");
    assert_eq!(error.code(), ErrorCode::DocumentInvalid);
}

#[test]
fn somebody_must_make_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let home = home(directory.path(), 4);
    let none = Config { network: None, ..config(&home) };
    let mut nobody = config(&home);
    nobody.network.as_mut().unwrap().peers.clear();
    for config in [none, nobody] {
        let error = refused(&home, &config);
        assert!(matches!(error, NodeError::Unconnected { seats: 4, seated: true }), "{error}");
    }
}

#[test]
fn a_stranger_to_a_network_of_one_has_nobody_to_follow() {
    let directory = tempfile::tempdir().unwrap();
    let mut home = home(directory.path(), 1);
    home.validator = SecretKey::from_seed(&[9; 32]);
    let error = refused(&home, &Config::default());
    assert!(matches!(error, NodeError::Unconnected { seats: 1, seated: false }), "{error}");
    assert!(error.help().unwrap().contains("ambar network join"), "{error}");
}

#[test]
fn a_taken_port_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let home = home(directory.path(), 2);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(&home);
    let taken = other.local_addr().unwrap();
    config.network.as_mut().unwrap().listen = taken;
    let error = refused(&home, &config);
    assert_eq!(error.code(), ErrorCode::AddressInUse);
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
}

#[test]
fn another_networks_ledger_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut first = home(one.path(), 1);
    drop(open(&first, &config(&first), false).unwrap());
    let second = home(two.path(), 1);
    first.genesis = second.genesis.clone();
    first.validator = second.validator.clone();
    let error = refused(&first, &config(&first));
    assert_eq!(error.code(), ErrorCode::HomeMismatch, "{error}");
    assert!(error.help().unwrap().contains("genesis"), "{error}");
}

#[test]
fn a_validator_does_not_forget_its_votes() {
    let directory = tempfile::tempdir().unwrap();
    let home = home(directory.path(), 1);
    let ledger = open(&home, &config(&home), false).unwrap();
    let mut head = ledger.watch();
    futures::executor::block_on(head.wait_for(|head| head.height.0 > 0)).unwrap();
    futures::executor::block_on(ledger.shutdown());
    drop((head, ledger));
    fs::remove_dir_all(home.directory("ledger").join(ENGINE)).unwrap();
    let error = refused(&home, &config(&home));
    assert!(matches!(error, NodeError::EngineMissing(height) if height.0 > 0), "{error}");
    // Unless somebody knows better: the engine then follows the blocks that are here.
    let ledger = open(&home, &config(&home), true).unwrap();
    let NodeError::EngineMissing(height) = error else { unreachable!("as asserted") };
    let mut head = ledger.watch();
    futures::executor::block_on(head.wait_for(|head| head.height > height)).unwrap();
    futures::executor::block_on(ledger.shutdown());
}
