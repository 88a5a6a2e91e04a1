//! A chain that forgets its old blocks: what it keeps is proved and audited as before.

use super::committee::{Network, agree, reach, send};
use super::toy::{Toy, checkpoint, genesis, origin, settings, transfer};
use ambar_base::{Encode, Height};
use ambar_chain::Chain;
use ambar_consensus::engine::{Consensus, Fate};
use ambar_consensus::replay::{Origin, audit};
use ambar_consensus::settings::{Patience, Settings, system_clock};
use futures::executor::block_on;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn open(dir: &Path, epoch_blocks: u64, kept: Option<u64>) -> Chain {
    let patience = Patience::with_heartbeat(Duration::from_millis(2));
    let mut settings = Settings { patience, bodies_kept: kept, ..settings() };
    settings.rules.epoch_blocks = epoch_blocks;
    Chain::open(dir, settings, Arc::new(Toy::default()), genesis(), system_clock()).unwrap()
}

fn audited(chain: &Chain, epoch_blocks: u64) {
    let machine = Toy::default();
    let mut origin = origin(&machine);
    origin.rules.epoch_blocks = epoch_blocks;
    audit(&origin, chain).unwrap();
}

/// The oldest block that is here is proved from genesis on.
fn proved(chain: &Chain) {
    let history = chain.history().unwrap();
    // Genesis has no outcomes.
    let oldest = history.oldest().max(Height(1));
    let block = history.block(oldest).unwrap().unwrap();
    let mut proof = block.proof(0).unwrap();
    let epoch = proof.block.certificate.epoch;
    proof.handovers = chain.handovers(0, epoch).unwrap();
    assert_eq!(proof.handovers.len() as u64, epoch);
    proof.verify(&checkpoint(), &block.outcomes[0]).unwrap();
}

#[test]
fn old_blocks_are_forgotten_and_the_rest_is_proved_and_audited() {
    let dir = tempfile::tempdir().unwrap();
    let chain = open(dir.path(), 4, Some(6));
    let old = transfer(1, 0, 1, 5);
    let committed = block_on(chain.submit(old.to_bytes())).unwrap();
    reach(&chain, committed.height.after(40));
    let history = chain.history().unwrap();
    let head = history.head().height;
    assert_eq!(history.oldest().0, head.0 - 5);
    assert_eq!(history.block(Height(head.0 - 6)), Ok(None));
    assert_eq!(chain.fate(&old.id()), Ok(Fate::Unknown));
    assert!(block_on(chain.submit(old.to_bytes())).is_err(), "and does not happen again");
    proved(&chain);
    audited(&chain, 4);
    block_on(chain.shutdown());
}

#[test]
fn the_window_may_change_with_every_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut oldest = 0;
    for (round, kept) in [None, Some(30), Some(5), Some(50), None, Some(4)].into_iter().enumerate()
    {
        // An epoch is longer than what is kept of it, and goes on after the start.
        let chain = open(dir.path(), 64, kept);
        block_on(chain.submit(transfer(round as u64, 0, 1, 1).to_bytes())).unwrap();
        reach(&chain, chain.head().height.after(50));
        let now = chain.oldest().unwrap().0;
        assert!(now >= oldest, "{kept:?}: what was forgotten does not come back");
        assert!(kept.is_none_or(|kept| now + kept + 50 > chain.head().height.0));
        oldest = now;
        proved(&chain);
        audited(&chain, 64);
        block_on(chain.shutdown());
    }
    assert!(oldest > 200, "{oldest}");
}

/// The engine's library prunes what it saw become final since its start.
#[test]
fn a_node_that_is_restarted_often_forgets_too() {
    const KEPT: usize = 300;
    let dir = tempfile::tempdir().unwrap();
    let open = |heartbeat| {
        let patience = Patience::with_heartbeat(Duration::from_millis(heartbeat));
        let settings = Settings { patience, blocks_kept: KEPT, ..settings() };
        let machine = Arc::new(Toy::default());
        Chain::open(dir.path(), settings, machine, genesis(), system_clock()).unwrap()
    };
    for round in 1..=8 {
        let chain = open(2);
        reach(&chain, Height(round * 200));
        block_on(chain.submit(transfer(round, 0, 1, 1).to_bytes())).unwrap();
        block_on(chain.shutdown());
    }
    let chain = open(1_000);
    let machine = Toy::default();
    audit(&origin(&machine), &chain).unwrap();
    block_on(chain.shutdown());
    // Sections of 256 blocks, of which the first and the last may be kept in part; seven were
    // made.
    let kept = KEPT / 256 + 2;
    for part in ["blocks-value", "finalizations-value"] {
        let found = std::fs::read_dir(dir.path().join("engine").join(part)).unwrap().count();
        assert!(found <= kept, "{part} has {found} sections");
    }
}

#[test]
fn a_node_that_began_at_its_peers_state_proves_and_audits_what_it_has() {
    let network = Network::with(4, |settings| {
        settings.rules.epoch_blocks = 32;
        settings.fetch_state_behind = 32;
        settings.bodies_kept = Some(40);
        settings.patience.heartbeat = Duration::from_millis(5);
    });
    let mut chains: Vec<_> = (0..3).map(|index| network.open(index)).collect();
    send(&chains[0], 0..20);
    reach(&chains[0], Height(100));
    chains.push(network.open(3));
    let height = send(&chains[1], 20..30);
    agree(&network, &chains.iter().collect::<Vec<_>>(), height);
    for chain in &chains {
        let history = chain.history().unwrap();
        assert!(history.oldest() > Height(50), "{:?}", history.oldest());
        let block = history.block(history.oldest()).unwrap().unwrap();
        let shown = chain.handovers(0, block.finality.certificate.epoch).unwrap();
        let reached = network.trusted().reach(block.finality.certificate.epoch, &shown).unwrap();
        block.finality.verify(&reached).unwrap();
        let machine = network.machine();
        let rules = network.settings(0).rules;
        audit(&Origin { rules, machine: &machine, genesis: genesis() }, chain).unwrap();
    }
}
