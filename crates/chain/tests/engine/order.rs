//! Order, answers, refusals, fates, time, opening and closing.

use super::toy::{
    ACCOUNTS, Act, Toy, Transaction, account, checkpoint, fill, genesis, hand_clock, origin,
    passing, passing_with, settings, transfer,
};
use ambar_base::{
    Checkpoint, Coded, Committee, Digest, Encode, ErrorCode, Height, NetworkId, SecretKey,
};
use ambar_chain::Chain;
use ambar_consensus::engine::{Consensus, Fate, Status};
use ambar_consensus::error::{Fault, OpenError, StoreError, SubmitError};
use ambar_consensus::limits::ROUNDS_MAX;
use ambar_consensus::replay::audit;
use ambar_consensus::settings::{Patience, Settings, system_clock};
use futures::executor::block_on;
use futures::future::join_all;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn submit(engine: &Chain, transaction: &Transaction) -> Result<u64, SubmitError> {
    block_on(engine.submit(transaction.to_bytes())).map(|committed| committed.height.0)
}

fn balance(engine: &Chain, number: u16) -> u64 {
    let value = engine.read().unwrap().get(&account(number)).unwrap().unwrap();
    u64::from_be_bytes(value.as_ref().try_into().unwrap())
}

#[test]
fn a_final_transaction_is_read_proven_and_remembered() {
    let engine = passing(settings());
    let transaction = transfer(1, 0, 1, 10);
    let committed = block_on(engine.submit(transaction.to_bytes())).unwrap();
    assert_eq!((committed.height, committed.index), (Height(1), 1));
    assert_eq!((balance(&engine, 0), balance(&engine, 1)), (999_990, 1_000_010));
    let proof = engine.proof(Height(1), 1).unwrap().unwrap();
    let header = proof.verify(&checkpoint(), &committed.outcome).unwrap();
    assert_eq!((header.height, header.time), (committed.height, committed.time));
    assert_eq!(header.digest(), engine.head().digest);
    assert_eq!(engine.proof(Height(1), 2), Ok(None));
    assert_eq!(engine.proof(Height(2), 0), Ok(None));
    let fate = Fate::Final { height: Height(1), index: 1 };
    assert_eq!(engine.fate(&transaction.id()), Ok(fate));
    assert_eq!(engine.fate(&Digest::ZERO), Ok(Fate::Unknown));
    // Again is the same, not once more.
    assert_eq!(block_on(engine.submit(transaction.to_bytes())), Ok(committed));
    assert_eq!(balance(&engine, 0), 999_990);
    assert_eq!(engine.head().height, Height(1));
}

#[test]
fn refusals_reach_the_submitter_and_are_in_no_block() {
    let engine = passing(settings());
    let check = |transaction: &Transaction, expect: ErrorCode| {
        let error = submit(&engine, transaction).unwrap_err();
        assert_eq!(error.code(), expect, "{error}");
    };
    check(&transfer(1, 0, 1, u64::MAX), ErrorCode::BalanceTooLow);
    check(&Transaction::new(2, Act::Rounds(ROUNDS_MAX as u64 + 1)), ErrorCode::LimitExceeded);
    check(&fill(3, 65_537), ErrorCode::LimitExceeded);
    check(&Transaction::new(4, Act::Peek), ErrorCode::Internal);
    check(
        &Transaction { expiry: Height(0), ..transfer(5, 0, 1, 1) },
        ErrorCode::TransactionExpired,
    );
    let garbage = block_on(engine.submit(vec![0xff; 3])).unwrap_err();
    assert_eq!(garbage.code(), ErrorCode::TransactionInvalid);
    let large = block_on(engine.submit(vec![0; (4 << 20) + 1])).unwrap_err();
    assert_eq!(large.code(), ErrorCode::TransactionTooLarge);
    for height in 1..=engine.head().height.0 {
        assert!(engine.block(Height(height)).unwrap().unwrap().transactions.is_empty());
    }
    let fate = engine.fate(&transfer(1, 0, 1, u64::MAX).id()).unwrap();
    assert!(matches!(fate, Fate::Refused(refusal) if refusal.code == ErrorCode::BalanceTooLow));
    assert!(submit(&engine, &Transaction::new(6, Act::Rounds(ROUNDS_MAX as u64))).is_ok());
}

#[test]
fn an_expiry_is_the_last_height() {
    let engine = passing(settings());
    assert_eq!(submit(&engine, &Transaction { expiry: Height(1), ..transfer(1, 0, 1, 1) }), Ok(1));
    let late = Transaction { expiry: Height(1), ..transfer(2, 0, 1, 1) };
    let expect = SubmitError::TransactionExpired { expiry: Height(1), next: Height(2) };
    assert_eq!(submit(&engine, &late), Err(expect));
}

#[test]
fn many_at_once_all_become_final_and_replay() {
    let mut settings = settings();
    settings.rules.block.transactions_max = 7;
    let engine = passing(settings);
    let all: Vec<_> = (0..200u64)
        .map(|nonce| Transaction {
            fee: nonce % 3,
            ..transfer(nonce, (nonce % 8) as u16, 3, nonce)
        })
        .collect();
    // Every transaction twice: the second joins the first or finds it final.
    let answers = all.iter().chain(&all).map(|one| engine.submit(one.to_bytes()));
    let answers: Vec<_> = answers.collect();
    let answers = block_on(join_all(answers));
    for (first, second) in answers[..200].iter().zip(&answers[200..]) {
        assert!(first.is_ok() && first == second, "{first:?} {second:?}");
    }
    let replayed = audit(&origin(&Toy::default()), &*engine).unwrap();
    assert_eq!(replayed.transactions, 200);
    assert!(replayed.head.height >= Height(200 / 7));
}

#[test]
fn scans_page_through_a_prefix() {
    let engine = passing(settings());
    let view = engine.read().unwrap();
    submit(&engine, &fill(0, 3)).unwrap();
    assert!(view.scan(b"fill", None, 10).unwrap().is_empty(), "a view does not change");
    let view = engine.read().unwrap();
    let first = view.scan(b"a", None, 5).unwrap();
    let rest = view.scan(b"a", Some(&first[4].0), 100).unwrap();
    let keys: Vec<_> = first.iter().chain(&rest).map(|(key, _)| key.clone()).collect();
    assert_eq!(keys, (0..ACCOUNTS).map(account).collect::<Vec<_>>());
    assert_eq!(view.scan(b"fill", Some(b"a"), 10).unwrap().len(), 3);
    assert!(view.scan(b"fill", Some(b"z"), 10).unwrap().is_empty());
}

#[test]
fn the_pool_is_bounded() {
    let mut settings = settings();
    settings.pool.transactions_max = 0;
    let engine = passing(settings);
    assert_eq!(submit(&engine, &transfer(1, 0, 1, 1)), Err(SubmitError::Overloaded));
}

#[test]
fn time_never_goes_back() {
    let (time, clock) = hand_clock();
    let engine = passing_with(settings(), Toy::default(), clock);
    let check = |nonce: u64, shown: u64, expect: u64| {
        time.store(shown, Ordering::SeqCst);
        let committed = block_on(engine.submit(transfer(nonce, 0, 1, 1).to_bytes())).unwrap();
        assert_eq!(committed.time.0, expect);
    };
    check(1, 0, 1);
    check(2, 5_000, 5_000);
    check(3, 5_000, 5_001);
    check(4, 17, 5_002);
    check(5, 5_003, 5_003);
    check(6, 9_000, 9_000);
}

#[test]
fn an_idle_chain_beats() {
    let engine = passing(Settings {
        patience: Patience::with_heartbeat(Duration::from_millis(1)),
        ..settings()
    });
    let mut heads = engine.watch();
    let head = block_on(heads.wait_for(|head| head.height >= Height(5))).map(|head| *head);
    assert!(head.unwrap().height >= Height(5));
    let block = engine.block(Height(3)).unwrap().unwrap();
    assert_eq!((block.transactions.len(), block.outcomes.len()), (0, 1));
    assert!(block.body_agrees());
}

#[test]
fn a_block_that_cannot_begin_halts_the_chain_and_not_the_reads() {
    let engine =
        passing_with(settings(), Toy { last_height: Some(1), ..Toy::default() }, system_clock());
    submit(&engine, &transfer(1, 0, 1, 1)).unwrap();
    let error = submit(&engine, &transfer(2, 0, 1, 1)).unwrap_err();
    let SubmitError::Halted(fault) = error else { panic!("{error}") };
    assert!(matches!(fault, Fault::Begin { height: Height(2), .. }), "{fault}");
    assert_eq!(engine.status(), Status::Halted(fault.clone()));
    assert_eq!(submit(&engine, &transfer(3, 0, 1, 1)), Err(SubmitError::Halted(fault)));
    assert_eq!(balance(&engine, 0), 999_999);
    assert!(engine.block(Height(1)).unwrap().is_some());
}

#[test]
fn a_panic_refuses_the_transaction_and_not_the_next() {
    let engine = passing(settings());
    let error = submit(&engine, &Transaction::new(1, Act::Panic)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Internal, "{error}");
    assert!(submit(&engine, &transfer(2, 0, 1, 1)).is_ok());
}

fn open(dir: &Path, settings: Settings, riches: u64) -> Result<Chain, OpenError> {
    let mut genesis = genesis();
    genesis[0].1 = riches.to_be_bytes().to_vec();
    Chain::open(dir, settings, Arc::new(Toy::default()), genesis, system_clock())
}

#[test]
fn a_home_has_one_user_and_one_genesis() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path(), settings(), 5).unwrap();
    submit(&engine, &transfer(1, 0, 1, 1)).unwrap();
    let head = engine.head();
    assert_eq!(open(dir.path(), settings(), 5).err(), Some(OpenError::HomeInUse));
    block_on(engine.shutdown());
    assert_eq!(engine.status(), Status::Stopped);
    assert_eq!(submit(&engine, &transfer(2, 0, 1, 1)), Err(SubmitError::ShuttingDown));
    // Closed already, though the handle still lives.
    let again = open(dir.path(), settings(), 5).unwrap();
    assert_eq!(again.head(), head);
    assert_eq!(engine.read().err(), Some(StoreError::Closed));
    drop(again);
    let mismatch = |settings, riches| {
        let error = open(dir.path(), settings, riches).err();
        assert!(matches!(error, Some(OpenError::HomeMismatch(_))), "{error:?}");
    };
    mismatch(settings(), 6);
    let with = |change: &dyn Fn(&mut Checkpoint)| {
        let mut settings = settings();
        change(&mut settings.rules.genesis);
        settings
    };
    mismatch(with(&|genesis| genesis.network = NetworkId(Digest::ZERO)), 5);
    let other = Committee::new(0, vec![SecretKey::from_seed(&[4; 32]).public()]).unwrap();
    mismatch(with(&|genesis| genesis.committee = other.clone()), 5);
    assert_eq!(open(dir.path(), settings(), 5).unwrap().head(), head);
}
