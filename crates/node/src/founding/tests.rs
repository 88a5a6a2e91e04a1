//! What was founded opens, and names one another.

use super::*;
use crate::home::{COUNCIL, Home};
use ambar_base::Amount;

fn foundation(count: usize, development: bool) -> Foundation {
    Foundation {
        name: "four".into(),
        development,
        epoch_blocks: 64,
        credits: Price(5 * Price::CREDIT.0),
        heartbeat: Duration::from_millis(250),
        retention: Retention::Newest(5_000),
        sites: sites(count, &[], (PEER_PORT_DEFAULT, API_PORT_DEFAULT)).unwrap(),
    }
}

/// A network on the disk, with its homes opened.
struct Network {
    genesis: Genesis,
    homes: Vec<Home>,
    _directory: tempfile::TempDir,
}

fn founded(foundation: &Foundation) -> Network {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("network");
    let mut homes = Vec::new();
    let each = |founded: &Founded| homes.push(Home::open(&founded.home, None).unwrap());
    let genesis = foundation.found(&out, None, each).unwrap();
    Network { genesis, homes, _directory: directory }
}

#[test]
fn every_home_has_a_seat_and_names_the_others() {
    let Network { genesis, homes, .. } = &founded(&foundation(4, true));
    let committee = genesis.committee().unwrap();
    for home in homes {
        assert_eq!(home.genesis, *genesis);
        let me = home.validator.public();
        assert!(committee.seats().contains(&me));
        let network = home.config().unwrap().network.unwrap();
        assert_eq!(network.heartbeat, Duration::from_millis(250));
        let mut keys: Vec<_> = network.peers.iter().map(|peer| peer.key).collect();
        assert!(!keys.contains(&me));
        keys.push(me);
        keys.sort_unstable();
        assert_eq!(keys, committee.seats());
    }
}

#[test]
fn operators_can_pay_and_faucets_are_everywhere_on_development_networks_only() {
    for development in [true, false] {
        let Network { genesis, homes, .. } = &founded(&foundation(4, development));
        let has = |key: PublicKey| {
            let found = genesis.allocations.iter().find(|allocation| allocation.key == key);
            found.map(|allocation| allocation.amount)
        };
        for home in homes {
            let operator = has(home.operator().unwrap().public()).unwrap();
            let Parameters { node_bond, validator_bond, .. } = genesis.parameters;
            let rest = operator.0 - node_bond.0 - validator_bond.0;
            assert_eq!(Amount::from(Price(rest)), Amount::from(Price(5 * Price::CREDIT.0)));
            assert_eq!(has(home.validator.public()).is_some(), development);
            let held = home.keys().load(COUNCIL, None).unwrap();
            assert!(genesis.council.keys.contains(&held.public()));
        }
        assert_eq!(genesis.council.threshold, if development { 1 } else { 3 });
    }
}

#[test]
fn keys_are_encrypted_with_the_passphrase() {
    let secret = Passphrase::new("secret".into());
    let directory = tempfile::tempdir().unwrap();
    let network = foundation(1, true);
    network.found(directory.path(), Some(&secret), |_| ()).unwrap();
    let home = directory.path().join("1");
    assert_eq!(Home::open(&home, None).unwrap_err().code(), ErrorCode::Unauthenticated);
    assert!(Home::open(&home, Some(secret)).unwrap().operator().is_ok());
}

#[test]
fn nothing_is_written_over() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "mine").unwrap();
    let error = foundation(1, true).found(directory.path(), None, |_| ()).unwrap_err();
    assert!(matches!(error, FoundingError::NotEmpty(_)), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    for count in [0, SEATS_MAX + 1] {
        let error = foundation(count, true).found(&directory.path().join("new"), None, |_| ());
        assert!(matches!(error, Err(FoundingError::Count(_))));
    }
}

#[test]
fn a_home_joins_without_a_seat() {
    let Network { genesis, homes, .. } = &founded(&foundation(4, true));
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("fifth");
    let site = sites(1, &[], (7_900, 7_910)).unwrap()[0];
    let peer = homes[0].config().unwrap().network.unwrap().peers[0];
    let joining = |peers| {
        let place = (site, Duration::from_secs(1), peers);
        join(&home, genesis, place, Retention::Archive, None)
    };
    assert!(matches!(joining(Vec::new()), Err(FoundingError::NoPeers)));
    assert!(matches!(joining(vec![peer, peer]), Err(FoundingError::Peer(_))));
    let founded = joining(vec![peer]).unwrap();
    let opened = Home::open(&home, None).unwrap();
    assert_eq!(opened.genesis, *genesis);
    assert!(!genesis.committee().unwrap().seats().contains(&founded.validator));
    assert_eq!(opened.config().unwrap().network.unwrap().peers, [peer]);
    assert_eq!(opened.config().unwrap().retention, Retention::Archive);
    assert_eq!(homes[0].config().unwrap().retention, Retention::Newest(5_000));
}
