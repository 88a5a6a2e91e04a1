//! Four validators on the loopback: one order, one state, whoever was asked; a third may be
//! away, and comes back.

use super::toy::{Toy, account, genesis, transfer};
use ambar_base::{Checkpoint, Committee, Digest, Encode, Height, NetworkId, PublicKey, SecretKey};
use ambar_chain::Chain;
use ambar_consensus::Block;
use ambar_consensus::engine::Consensus;
use ambar_consensus::replay::{Origin, audit};
use ambar_consensus::settings::{Patience, PeerSettings, Rules, Settings, system_clock};
use futures::executor::block_on;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// Validators on the loopback, the first of which are the committee of genesis.
pub struct Network {
    founders: usize,
    directories: Vec<tempfile::TempDir>,
    addresses: Vec<SocketAddr>,
    change: fn(&mut Settings),
}

/// Keys of as many validators as any test has.
fn key(index: usize) -> SecretKey {
    SecretKey::from_seed(&[index as u8 + 1; 32])
}

/// Short, so that the turn of a validator that is away passes soon.
const PATIENCE: Patience = Patience {
    heartbeat: Duration::from_millis(100),
    leader: Duration::from_millis(400),
    view: Duration::from_millis(600),
    silence: Duration::from_millis(900),
};

/// Validators of a network at most.
const VALIDATORS: usize = 4;

/// Addresses that were free a moment ago, all at once.
fn addresses() -> Vec<SocketAddr> {
    let bind = |_| TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let listeners: Vec<_> = (0..VALIDATORS).map(bind).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

impl Network {
    /// The first `founders` are the committee of genesis; `change` is made to all settings.
    pub fn with(founders: usize, change: fn(&mut Settings)) -> Self {
        let directories = (0..VALIDATORS).map(|_| tempfile::tempdir().unwrap()).collect();
        Self { founders, directories, addresses: addresses(), change }
    }

    pub fn trusted(&self) -> Checkpoint {
        let seats = (0..self.founders).map(|index| key(index).public()).collect();
        let committee = Committee::new(0, seats).unwrap();
        Checkpoint { network: NetworkId(Digest::of(b"four")), committee }
    }

    pub fn keys(&self, indices: &[usize]) -> Vec<PublicKey> {
        let mut keys: Vec<_> = indices.iter().map(|index| key(*index).public()).collect();
        keys.sort_unstable();
        keys
    }

    pub fn settings(&self, index: usize) -> Settings {
        let others = (0..VALIDATORS).filter(|other| *other != index);
        let known = others.map(|other| (key(other).public(), self.addresses[other])).collect();
        let (listen, advertise) = (self.addresses[index], self.addresses[index]);
        let mut settings = Settings {
            peers: Some(PeerSettings { listen, advertise, known }),
            patience: PATIENCE,
            ..Settings::new(Rules::new(self.trusted()), key(index))
        };
        (self.change)(&mut settings);
        settings
    }

    pub fn machine(&self) -> Toy {
        Toy { seats: self.trusted().committee.seats().to_vec(), ..Toy::default() }
    }

    pub fn open(&self, index: usize) -> Chain {
        let (machine, directory) = (Arc::new(self.machine()), self.directories[index].path());
        Chain::open(directory, self.settings(index), machine, genesis(), system_clock()).unwrap()
    }
}

pub fn send(chain: &Chain, nonces: std::ops::Range<u64>) -> Height {
    let waits: Vec<_> = nonces
        .map(|nonce| chain.submit(transfer(nonce, (nonce % 8) as u16, 3, 1).to_bytes()))
        .collect();
    let heights = waits.into_iter().map(|wait| block_on(wait).unwrap().height);
    heights.max().unwrap()
}

pub fn reach(chain: &Chain, height: Height) {
    block_on(chain.watch().wait_for(|head| head.height >= height)).unwrap();
}

/// All chains have the same block at `height`, final by the committee of its epoch; or at the
/// first later height that none of them began at or behind.
pub fn agree(network: &Network, chains: &[&Chain], height: Height) {
    let mut height = height;
    // Looked at once: a chain that keeps few blocks may forget one between two looks.
    let blocks = loop {
        chains.iter().for_each(|chain| reach(chain, height));
        let blocks: Option<Vec<_>> =
            chains.iter().map(|chain| chain.block(height).unwrap()).collect();
        if let Some(blocks) = blocks {
            break blocks;
        }
        let oldest = chains.iter().map(|chain| chain.oldest().unwrap());
        height = oldest.fold(height, Height::max).after(1);
    };
    let header = |block: &Block| {
        let epoch = block.finality.certificate.epoch;
        let shown = chains[0].handovers(0, epoch).unwrap();
        let trusted = network.trusted().reach(epoch, &shown).unwrap();
        block.finality.verify(&trusted).unwrap().clone()
    };
    let first = header(&blocks[0]);
    assert!(blocks.iter().all(|block| header(block) == first), "the chain forked at {height}");
}

#[test]
fn four_agree_and_one_may_be_away() {
    let network = Network::with(VALIDATORS, |_| {});
    let mut chains: Vec<_> = (0..VALIDATORS).map(|index| network.open(index)).collect();
    let height = send(&chains[1], 0..20);
    agree(&network, &chains.iter().collect::<Vec<_>>(), height);

    let away = chains.pop().unwrap();
    block_on(away.shutdown());
    drop(away);
    let height = send(&chains[0], 20..40);
    agree(&network, &chains.iter().collect::<Vec<_>>(), height);

    chains.push(network.open(chains.len()));
    let height = send(chains.last().unwrap(), 40..60);
    let all: Vec<_> = chains.iter().collect();
    agree(&network, &all, height);
    let value = |chain: &Chain| chain.read().unwrap().get(&account(3)).unwrap();
    assert!(all.iter().all(|chain| value(chain).is_some()));
    let heard = all[0].participation();
    assert_eq!((heard.epoch, heard.own.is_some(), heard.sits_out), (0, true, false));
    // Blocks go on, and with them votes, until everybody was heard.
    while !all[0].participation().seats.iter().all(|seat| seat.voted.is_some()) {
        reach(all[0], all[0].head().height.after(1));
    }
    for chain in all {
        let machine = network.machine();
        let rules = network.settings(0).rules;
        let origin = Origin { rules, machine: &machine, genesis: genesis() };
        assert_eq!(audit(&origin, chain).unwrap().transactions, 60);
    }
}
