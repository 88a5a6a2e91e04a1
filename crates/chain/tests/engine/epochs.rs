//! One committee after another: what a light client follows, and what a lost journal costs.

use super::toy::{
    Act, Passing, Toy, Transaction, checkpoint, genesis, key, origin, passing, settings, transfer,
};
use ambar_base::finality::OutcomeProof;
use ambar_base::{Committee, Encode, Height, SecretKey};
use ambar_chain::Chain;
use ambar_consensus::engine::{Consensus, Status};
use ambar_consensus::error::Fault;
use ambar_consensus::replay::{Origin, audit};
use ambar_consensus::rest::AtRest;
use ambar_consensus::settings::{Patience, Settings, system_clock};
use futures::executor::block_on;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn short() -> Settings {
    let patience = Patience::with_heartbeat(Duration::from_millis(2));
    let mut settings = Settings { patience, ..settings() };
    settings.rules.epoch_blocks = 4;
    settings
}

fn short_origin(machine: &Toy) -> Origin<'_> {
    let mut origin = origin(machine);
    origin.rules = short().rules;
    origin
}

fn reach(engine: &dyn Consensus, height: u64) {
    block_on(engine.watch().wait_for(|head| head.height >= Height(height))).unwrap();
}

fn proof(engine: &Passing, height: u64, index: u64) -> (OutcomeProof, Vec<u8>) {
    let block = engine.block(Height(height)).unwrap().unwrap();
    let mut proof = engine.proof(Height(height), index).unwrap().unwrap();
    proof.handovers = engine.handovers(0, proof.block.certificate.epoch).unwrap();
    (proof, block.outcomes[index as usize].clone())
}

#[test]
fn a_proof_leads_from_genesis_through_the_epochs() {
    let engine = passing(short());
    reach(&*engine, 21);
    let (shown, outcome) = proof(&engine, 20, 0);
    assert_eq!((shown.block.certificate.epoch, shown.handovers.len()), (5, 5));
    shown.verify(&checkpoint(), &outcome).unwrap();
    let mut gap = shown.clone();
    gap.handovers.remove(2);
    assert!(gap.verify(&checkpoint(), &outcome).is_err());

    // The end of an epoch is an outcome too, and says who votes next.
    let (ending, seats) = proof(&engine, 19, 1);
    ending.verify(&checkpoint(), &seats).unwrap();
    let next = Committee::new(5, vec![key().public()]).unwrap();
    assert_eq!(ending.block.header.next_committee, Some(next.digest()));
    assert!(engine.block(Height(20)).unwrap().unwrap().finality.header.next_committee.is_none());
    assert_eq!(engine.participation().seats.len(), 1);
    let machine = Toy::default();
    assert!(audit(&short_origin(&machine), &*engine).unwrap().head.height >= Height(21));
}

#[test]
fn a_ledger_goes_on_in_the_epoch_in_which_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let open =
        || Chain::open(dir.path(), short(), Arc::new(Toy::default()), genesis(), system_clock());
    for round in 1..6 {
        let chain = open().unwrap();
        reach(&chain, round * 7);
        block_on(chain.submit(transfer(round, 0, 1, 1).to_bytes())).unwrap();
        block_on(chain.shutdown());
    }
    let chain = open().unwrap();
    assert!(chain.participation().epoch >= 8);
}

/// A crash keeps an epoch's last block and loses its votes, and the view has not seen it yet.
#[test]
fn lost_votes_for_the_end_of_an_epoch_come_again() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = |dir| Chain::open(dir, short(), Arc::new(Toy::default()), genesis(), system_clock());
    let chain = open(one.path()).unwrap();
    reach(&chain, 9);
    block_on(chain.shutdown());
    drop(chain);

    let at_rest = |dir| AtRest::open(dir, &short().rules, genesis(), 1 << 20).unwrap();
    let (whole, mut made) = (at_rest(one.path()), at_rest(two.path()));
    let head = whole.height().unwrap().0;
    let machine = Toy::default();
    let origin = short_origin(&machine);
    for height in 1..(head + 1) / 4 * 4 - 1 {
        made.append(&origin, &whole.block(Height(height)).unwrap().unwrap()).unwrap();
    }
    made.flush().unwrap();
    drop((whole, made));
    for kept in ["engine", "voted"] {
        fs::rename(one.path().join(kept), two.path().join(kept)).unwrap();
    }
    let mut lost = 0;
    for part in fs::read_dir(two.path().join("engine")).unwrap() {
        let part = part.unwrap();
        if part.file_name().to_string_lossy().starts_with("finalizations") {
            fs::remove_dir_all(part.path()).unwrap();
            lost += 1;
        }
    }
    assert!(lost > 0, "votes are kept elsewhere");

    let chain = open(two.path()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while chain.head().height.0 < head + 4 {
        assert!(Instant::now() < deadline, "{:?} at {}", chain.status(), chain.head().height);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(audit(&origin, &chain).is_ok());
}

#[test]
fn a_committee_of_one_may_give_way_to_another() {
    let other = SecretKey::from_seed(&[9; 32]);
    let engine = passing(short());
    let next = Transaction::new(1, Act::Seats(vec![other.public()]));
    let height = block_on(engine.submit(next.to_bytes())).unwrap().height;
    let last = height.0 / 4 * 4 + 3;
    reach(&*engine, last);
    block_on(engine.watch().wait_for(|head| head.height >= Height(last))).unwrap();
    let waits = || engine.participation().epoch == last / 4 + 1;
    while !waits() {
        std::thread::yield_now();
    }
    let now = engine.participation();
    assert_eq!((now.own, now.seats[0].key), (None, other.public()));
}

#[test]
fn a_validator_without_its_votes_does_not_vote_again() {
    let dir = tempfile::tempdir().unwrap();
    let open = |settings| {
        Chain::open(dir.path(), settings, Arc::new(Toy::default()), genesis(), system_clock())
    };
    let chain = open(settings()).unwrap();
    block_on(chain.submit(transfer(1, 0, 1, 1).to_bytes())).unwrap();
    block_on(chain.shutdown());
    drop(chain);
    fs::remove_dir_all(dir.path().join("engine")).unwrap();
    let chain = open(settings()).unwrap();
    let mut halted = false;
    for _ in 0..10_000 {
        halted = chain.status() == Status::Halted(Fault::VotesLost { epoch: 0 });
        if halted {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(halted, "{:?}", chain.status());
    assert!(chain.participation().sits_out);
    assert_eq!(chain.head().height, Height(1), "and reads go on");
}
