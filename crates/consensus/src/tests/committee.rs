//! Four validators on the loopback: one order, one state, whoever was asked; a third may be
//! away, and comes back.

use super::toy::{Toy, account, genesis, transfer};
use crate::chain::Chain;
use crate::engine::Consensus;
use crate::replay::{Origin, audit};
use crate::settings::{Patience, PeerSettings, Settings, system_clock};
use ambar_base::{Checkpoint, Committee, Digest, Encode, Height, NetworkId, SecretKey};
use futures::executor::block_on;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

const VALIDATORS: u8 = 4;

fn keys() -> Vec<SecretKey> {
    (1..=VALIDATORS).map(|n| SecretKey::from_seed(&[n; 32])).collect()
}

fn trusted() -> Checkpoint {
    let seats = keys().iter().map(SecretKey::public).collect();
    let committee = Committee::new(0, seats).unwrap();
    Checkpoint { network: NetworkId(Digest::of(b"four")), committee }
}

/// Addresses that were free a moment ago, all at once.
fn addresses() -> Vec<SocketAddr> {
    let bind = |_| TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let listeners: Vec<_> = keys().iter().map(bind).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

struct Network {
    directories: Vec<tempfile::TempDir>,
    addresses: Vec<SocketAddr>,
}

impl Network {
    fn new() -> Self {
        let directories = keys().iter().map(|_| tempfile::tempdir().unwrap()).collect();
        Self { directories, addresses: addresses() }
    }

    fn settings(&self, index: usize) -> Settings {
        let others = keys().into_iter().zip(&self.addresses).enumerate();
        let known = others.filter(|(other, _)| *other != index);
        let known = known.map(|(_, (key, address))| (key.public(), *address)).collect();
        let (listen, advertise) = (self.addresses[index], self.addresses[index]);
        Settings {
            peers: Some(PeerSettings { listen, advertise, known }),
            patience: Patience::with_heartbeat(Duration::from_millis(100)),
            ..Settings::new(trusted(), keys()[index].clone())
        }
    }

    fn open(&self, index: usize) -> Chain {
        let machine = Arc::new(Toy::default());
        let directory = self.directories[index].path();
        Chain::open(directory, self.settings(index), machine, genesis(), system_clock()).unwrap()
    }
}

fn send(chain: &Chain, nonces: std::ops::Range<u64>) -> Height {
    let waits: Vec<_> = nonces
        .map(|nonce| chain.submit(transfer(nonce, (nonce % 8) as u16, 3, 1).to_bytes()))
        .collect();
    let heights = waits.into_iter().map(|wait| block_on(wait).unwrap().height);
    heights.max().unwrap()
}

fn reach(chain: &Chain, height: Height) {
    block_on(chain.watch().wait_for(|head| head.height >= height)).unwrap();
}

/// All chains have the same block at `height`, final by their committee's votes.
fn agree(chains: &[&Chain], height: Height) {
    for chain in chains {
        reach(chain, height);
    }
    let header = |chain: &Chain| {
        let block = chain.block(height).unwrap().unwrap();
        block.finality.verify(&trusted()).unwrap().clone()
    };
    let first = header(chains[0]);
    assert!(chains.iter().all(|chain| header(chain) == first), "the chain forked at {height}");
}

#[test]
fn four_agree_and_one_may_be_away() {
    let network = Network::new();
    let mut chains: Vec<_> = (0..keys().len()).map(|index| network.open(index)).collect();
    let height = send(&chains[1], 0..20);
    agree(&chains.iter().collect::<Vec<_>>(), height);

    let away = chains.pop().unwrap();
    block_on(away.shutdown());
    drop(away);
    let height = send(&chains[0], 20..40);
    agree(&chains.iter().collect::<Vec<_>>(), height);

    chains.push(network.open(chains.len()));
    let height = send(chains.last().unwrap(), 40..60);
    let all: Vec<_> = chains.iter().collect();
    agree(&all, height);
    let value = |chain: &Chain| chain.read().unwrap().get(&account(3)).unwrap();
    assert!(all.iter().all(|chain| value(chain).is_some()));
    for chain in all {
        let machine = Toy::default();
        let origin = Origin { trusted: trusted(), machine: &machine, genesis: genesis() };
        assert_eq!(audit(&origin, chain).unwrap().transactions, 60);
    }
}
