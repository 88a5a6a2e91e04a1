//! What is stored has one spelling, and a damaged store is refused or harmless.

use super::toy::{Toy, fill, genesis, origin, settings, transfer};
use ambar_base::finality::FinalHeader;
use ambar_base::{Encode, Height};
use ambar_chain::Chain;
use ambar_consensus::Block;
use ambar_consensus::block::{Writes, writes_digest};
use ambar_consensus::database::VIEW;
use ambar_consensus::engine::Consensus;
use ambar_consensus::replay::audit;
use ambar_consensus::settings::system_clock;
use bytes::Bytes;
use futures::executor::block_on;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::LazyLock;

/// Changing these bytes makes every stored ledger unreadable.
#[test]
fn conformance() {
    let value = Some(Bytes::from(vec![7; 300]));
    let writes = Writes::from([(b"a".to_vec(), value), (b"b".to_vec(), None)]);
    assert_eq!(
        writes_digest(&writes).to_string(),
        "0b0e99efe3fd5e1e488d169d00f22915cb941021e9dc726092ff03ad6761d65d"
    );
}

fn open(dir: &Path) -> Result<Chain, ambar_consensus::OpenError> {
    Chain::open(dir, settings(), Arc::new(Toy::default()), genesis(), system_clock())
}

/// The bytes of the view of a closed ledger of a few blocks, and its fifth block.
static LEDGER: LazyLock<(Vec<u8>, Block)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path()).unwrap();
    for nonce in 0..20 {
        block_on(engine.submit(transfer(nonce, 0, 1, 1).to_bytes())).unwrap();
    }
    block_on(engine.submit(fill(20, 500).to_bytes())).unwrap();
    let fifth = engine.history().unwrap().block(Height(5)).unwrap().unwrap();
    block_on(engine.shutdown());
    (fs::read(dir.path().join(VIEW)).unwrap(), fifth)
});

/// Where the file is not just zeros that nothing refers to.
fn used() -> Vec<usize> {
    let used =
        LEDGER.0.chunks(4096).enumerate().filter(|(_, page)| page.iter().any(|byte| *byte != 0));
    used.map(|(page, _)| page * 4096).collect()
}

/// Opens a ledger whose view has one bit of every copy of `part` flipped, pages that nothing
/// refers to any more included, and that has lost all else. The engine would wait for peers if it
/// were given what cannot be final.
fn open_with_a_flip_in(part: &[u8], at: usize) -> Result<Chain, ambar_consensus::OpenError> {
    let mut bytes = LEDGER.0.clone();
    let copies = LEDGER.0.windows(part.len()).enumerate().filter(|(_, window)| *window == part);
    let copies: Vec<usize> = copies.map(|(copy, _)| copy).collect();
    assert!(!copies.is_empty());
    copies.iter().for_each(|copy| bytes[copy + at] ^= 1);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(VIEW), bytes).unwrap();
    open(dir.path())
}

#[test]
fn a_damaged_block_is_not_waited_for() {
    let FinalHeader { header, certificate, .. } = &LEDGER.1.finality;
    let (header, votes) = (header.to_bytes(), certificate.to_bytes());
    let transaction = &LEDGER.1.transactions[0];
    for part in [header.as_slice(), transaction, votes.as_slice()] {
        for eighth in 0..8 {
            let at = part.len() * eighth / 8;
            let opened = open_with_a_flip_in(part, at);
            assert!(opened.is_err(), "byte {at} of {}", part.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_flipped_bit_is_refused_or_changes_nothing(
        page: prop::sample::Index, at in 0usize..4096, bit in 0u8..8,
    ) {
        let mut bytes = LEDGER.0.clone();
        bytes[page.get(&used()) + at] ^= 1 << bit;
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(VIEW), bytes).unwrap();
        if let Ok(engine) = open(dir.path()) {
            let replayed = audit(&origin(&Toy::default()), &engine);
            prop_assert!(replayed.map_or(true, |replayed| replayed.transactions == 21));
        }
    }
}
