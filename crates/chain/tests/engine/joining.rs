//! Committees that change, and nodes that begin at their peers' state.

use super::committee::{Network, agree, reach, send};
use super::toy::{Act, Transaction, account};
use ambar_base::{Encode, Height};
use ambar_consensus::engine::Consensus;
use futures::executor::block_on;
use std::time::Duration;

#[test]
fn seats_change_at_the_ends_of_epochs() {
    let network = Network::with(3, |settings| settings.rules.epoch_blocks = 8);
    let mut chains: Vec<_> = (0..3).map(|index| network.open(index)).collect();
    let height = send(&chains[0], 0..8);
    agree(&network, &chains.iter().collect::<Vec<_>>(), height);

    // The fourth follows without a seat, and gets one.
    chains.push(network.open(3));
    assert_eq!(chains[3].participation().own, None);
    let all = network.keys(&[0, 1, 2, 3]);
    let grow = Transaction::new(100, Act::Seats(all));
    let height = block_on(chains[3].submit(grow.to_bytes())).unwrap().height;
    reach(&chains[3], Height(height.0 + 16));
    assert_eq!(chains[3].participation().seats.len(), 4);
    assert!(chains[3].participation().own.is_some());

    // Two of the first leave it, one of them for good.
    let shrink = Transaction::new(101, Act::Seats(network.keys(&[1, 2, 3])));
    let height = block_on(chains[1].submit(shrink.to_bytes())).unwrap().height;
    reach(&chains[1], Height(height.0 + 16));
    block_on(chains.remove(0).shutdown());
    let height = send(&chains[0], 8..16);
    let last: Vec<_> = chains.iter().collect();
    agree(&network, &last, height);
    let handovers = chains[0].handovers(0, chains[0].participation().epoch).unwrap();
    let mut trusted = network.trusted();
    for handover in &handovers {
        trusted.advance(handover).unwrap();
    }
    assert_eq!(trusted.committee.seats().len(), 3);
}

#[test]
fn a_new_node_begins_at_its_peers_state() {
    let network = Network::with(4, |settings| {
        settings.rules.epoch_blocks = 64;
        settings.fetch_state_behind = 32;
    });
    let mut chains: Vec<_> = (0..3).map(|index| network.open(index)).collect();
    send(&chains[0], 0..40);
    reach(&chains[0], Height(100));
    chains.push(network.open(3));
    let height = send(&chains[1], 40..60);
    let all: Vec<_> = chains.iter().collect();
    agree(&network, &all, height);
    let read = |chain: &dyn Consensus| chain.read().unwrap().get(&account(3)).unwrap();
    assert!(read(all[0]).is_some() && read(all[0]) == read(all[3]));
    assert_eq!(all[3].block(Height(20)), Ok(None), "it has no blocks of before");
    // It votes: without the first, three of four are enough only with it.
    drop(all);
    block_on(chains.remove(0).shutdown());
    let height = send(&chains[2], 60..80);
    agree(&network, &chains.iter().collect::<Vec<_>>(), height);
    // And goes on where it stopped.
    block_on(chains.remove(2).shutdown());
    chains.push(network.open(3));
    let height = send(&chains[2], 80..90);
    agree(&network, &chains.iter().collect::<Vec<_>>(), height);
}

#[test]
fn a_node_that_was_away_too_long_begins_anew() {
    let network = Network::with(4, |settings| {
        settings.rules.epoch_blocks = 128;
        settings.fetch_state_behind = 16;
        settings.blocks_kept = 16;
        settings.patience.heartbeat = Duration::from_millis(5);
    });
    let mut chains: Vec<_> = (0..4).map(|index| network.open(index)).collect();
    let height = send(&chains[0], 0..8);
    agree(&network, &chains.iter().collect::<Vec<_>>(), height);
    let away = chains.remove(3);
    let last = away.head().height;
    block_on(away.shutdown());
    drop(away);
    // Pruning comes in sections: far enough that the blocks in between are gone everywhere.
    let height = Height(height.0 + 600);
    reach(&chains[0], height);
    chains.push(network.open(3));
    reach(&chains[3], height);
    send(&chains[1], 8..16);
    let all: Vec<_> = chains.iter().collect();
    // A node that is slow here may begin anew more than once, and then lacks blocks between.
    let height = loop {
        let height = all[3].head().height;
        if all.iter().all(|chain| chain.block(height).unwrap().is_some()) {
            break height;
        }
        reach(all[3], height.after(1));
    };
    agree(&network, &all, height);
    let between = Height(last.0 + 100);
    assert_eq!(all[3].block(between), Ok(None), "it has not fetched the blocks between");
}
