//! Accounts whose keys are lost: who begins, ends and finishes their recovery, and when.

use crate::world::{World, key};
use ambar_base::{AccountId, Digest, Encode, ErrorCode, KeySet, NetworkId, Price, SecretKey};
use ambar_ledger::object::{Account, RECOVERY_DELAY_BLOCKS, RECOVERY_DELAY_MS, Recovery};
use ambar_ledger::query::State;
use ambar_ledger::transaction::{BeginRecovery, RotateKeys, Transfer};
use ambar_ledger::{Key, MemoryLedger, Operation};
use proptest::prelude::*;

fn set(names: &[&str], threshold: u16) -> KeySet {
    let mut keys: Vec<_> = names.iter().map(|name| key(name).public()).collect();
    keys.sort_unstable();
    KeySet { keys, threshold }
}

/// Two of these three recover ana's account.
fn friends() -> KeySet {
    set(&["friend 1", "friend 2", "friend 3"], 2)
}

fn rotate(keys: KeySet, recovery: Option<&KeySet>) -> Operation {
    Operation::RotateKeys(RotateKeys { keys, recovery: recovery.map(KeySet::digest) })
}

/// Ana, who has named her friends, and ben, who pays for what they ask.
fn people() -> World {
    let mut world = World::new();
    for name in ["ana", "ben"] {
        world.person(name);
    }
    world.act("ana", vec![rotate(set(&["ana"], 1), Some(&friends()))]).unwrap();
    world
}

fn account(world: &World) -> Account {
    world.ledger.account(&world.id("ana").to_string()).unwrap().1
}

fn running(world: &World) -> Option<Recovery> {
    let number = world.ledger.account_number(&world.id("ana").to_string()).unwrap();
    world.ledger.object(&Key::Recovery(number)).unwrap()
}

fn secrets(names: &[&str]) -> Vec<SecretKey> {
    names.iter().map(|name| key(name)).collect()
}

/// The recovery of ana's account to the key `ana 2`, unsigned.
fn record(world: &World) -> BeginRecovery {
    BeginRecovery {
        account: world.id("ana"),
        nonce: account(world).nonce,
        recovery: friends(),
        keys: set(&["ana 2"], 1),
        next: Some(friends().digest()),
        signatures: Vec::new(),
    }
}

fn begin(world: &World, signers: &[&str]) -> Operation {
    Operation::BeginRecovery(record(world).sign(world.network, &secrets(signers)))
}

/// Lets blocks and time pass in which nothing happens.
fn pass(world: &mut World, blocks: u64, ms: u64) {
    let at = (world.ledger.height().after(blocks - 1), world.ledger.time());
    let entries = world.ledger.entries().map(|(key, value)| (key.to_vec(), value.to_vec()));
    let entries: Vec<_> = entries.collect();
    world.ledger = MemoryLedger::after(world.network, at, entries);
    world.block(ms);
}

fn finish(world: &World) -> Operation {
    Operation::FinishRecovery(world.id("ana"))
}

#[test]
fn friends_give_an_account_new_keys_after_a_delay() {
    let mut world = people();
    let before = account(&world);
    let (height, time) = (world.ledger.height(), world.ledger.time());
    world.act("ben", vec![begin(&world, &["friend 1", "friend 3"])]).unwrap();
    assert_eq!(account(&world), before, "nothing changes at once");
    let from = (time.after(RECOVERY_DELAY_MS), height.after(RECOVERY_DELAY_BLOCKS));
    let due = running(&world).unwrap();
    assert_eq!((due.from, due.from_height), from);
    pass(&mut world, RECOVERY_DELAY_BLOCKS + 5, RECOVERY_DELAY_MS - 1);
    assert_eq!(world.refused("ben", finish(&world)), ErrorCode::TransactionInvalid, "too early");
    pass(&mut world, 1, 1);
    assert_eq!(world.ledger.time(), from.0);
    world.act("ben", vec![finish(&world)]).unwrap();
    let after = account(&world);
    assert_eq!(after.keys, Some(set(&["ana 2"], 1)));
    assert_eq!(after.recovery, Some(friends().digest()));
    assert_eq!((after.id, after.nonce), (before.id, before.nonce + 1));
    assert_eq!(running(&world), None);
    assert_eq!(world.refused("ben", finish(&world)), ErrorCode::NotFound, "it is finished once");

    let pay = |world: &World| {
        let transfer = Transfer { to: world.id("ben"), amount: Price(5) };
        world.envelope("ana", vec![Operation::Transfer(transfer)])
    };
    let lost = pay(&world).sign(&key("ana"));
    assert_eq!(world.apply(&lost.to_bytes()).unwrap_err().code, ErrorCode::SignatureInvalid);
    let new = pay(&world).sign(&key("ana 2"));
    world.apply(&new.to_bytes()).unwrap();
}

/// What a network that stood still for days makes of a recovery.
#[test]
fn time_without_blocks_is_not_enough() {
    let mut world = people();
    world.act("ben", vec![begin(&world, &["friend 1", "friend 3"])]).unwrap();
    pass(&mut world, RECOVERY_DELAY_BLOCKS - 1, 3 * RECOVERY_DELAY_MS);
    assert_eq!(world.refused("ben", finish(&world)), ErrorCode::TransactionInvalid);
    pass(&mut world, 1, 1);
    world.act("ben", vec![finish(&world)]).unwrap();
}

#[test]
fn what_was_signed_once_is_not_used_again() {
    let mut world = people();
    let old = begin(&world, &["friend 1", "friend 2"]);
    world.act("ben", vec![old.clone()]).unwrap();
    let again = world.refused("ben", old.clone());
    assert_eq!(again, ErrorCode::TransactionInvalid, "the delay does not begin anew");
    world.act("ana", vec![Operation::CancelRecovery]).unwrap();
    assert_eq!(running(&world), None);
    assert_eq!(world.refused("ben", old.clone()), ErrorCode::NonceStale);
    assert_eq!(world.refused("ana", Operation::CancelRecovery), ErrorCode::NotFound);

    let next = begin(&world, &["friend 1", "friend 2"]);
    world.act("ben", vec![next.clone()]).unwrap();
    pass(&mut world, RECOVERY_DELAY_BLOCKS, RECOVERY_DELAY_MS);
    world.act("ben", vec![finish(&world)]).unwrap();
    // The same friends are named again, and the account has done nothing since.
    assert_eq!(world.refused("ben", next), ErrorCode::NonceStale);
    assert_eq!(world.refused("ben", old), ErrorCode::NonceStale);
}

#[test]
fn the_present_keys_end_a_recovery() {
    let mut world = people();
    world.act("ben", vec![begin(&world, &["friend 1", "friend 2"])]).unwrap();
    assert_eq!(world.refused("ben", Operation::CancelRecovery), ErrorCode::NotFound, "of ben");
    assert!(running(&world).is_some());
    world.act("ana", vec![rotate(set(&["ana"], 1), Some(&friends()))]).unwrap();
    assert_eq!(running(&world), None, "rotating ends it too");
    pass(&mut world, RECOVERY_DELAY_BLOCKS, RECOVERY_DELAY_MS);
    assert_eq!(world.refused("ben", finish(&world)), ErrorCode::NotFound);
    assert_eq!(account(&world).keys, Some(set(&["ana"], 1)));
}

#[test]
fn only_the_keys_that_were_named_recover() {
    let mut world = people();
    let check = |world: &mut World, record: BeginRecovery, expect, why: &str| {
        assert_eq!(world.refused("ben", Operation::BeginRecovery(record)), expect, "{why}");
    };
    let (network, invalid) = (world.network, ErrorCode::SignatureInvalid);
    let signed = |world: &World, names: &[&str]| record(world).sign(network, &secrets(names));
    let two = ["friend 1", "friend 2"];

    let few = signed(&world, &two[..1]);
    check(&mut world, few, invalid, "one of two");
    let twice = signed(&world, &["friend 1", "friend 1"]);
    check(&mut world, twice, invalid, "one friend twice");
    let none = signed(&world, &[]);
    check(&mut world, none, invalid, "nobody");
    let stranger = signed(&world, &["friend 1", "friend 2", "ben"]);
    check(&mut world, stranger, invalid, "a stranger among them");

    let strangers = set(&["ben"], 1);
    let other = BeginRecovery { recovery: strangers, ..record(&world) };
    let other = other.sign(network, &secrets(&["ben"]));
    check(&mut world, other, ErrorCode::NotAuthorised, "another set");
    let lower = BeginRecovery { recovery: set(&two, 1), ..record(&world) };
    let lower = lower.sign(network, &secrets(&two[..1]));
    check(&mut world, lower, ErrorCode::NotAuthorised, "a lower threshold");
    let of_ben = BeginRecovery { account: world.id("ben"), ..record(&world) };
    let of_ben = of_ben.sign(network, &secrets(&two));
    check(&mut world, of_ben, ErrorCode::NotAuthorised, "an account that named nobody");
    let nowhere = BeginRecovery { account: AccountId::reserved("nobody"), ..record(&world) };
    let nowhere = nowhere.sign(network, &secrets(&two));
    check(&mut world, nowhere, ErrorCode::AccountUnknown, "an account that is not there");
    let keyless = BeginRecovery { keys: set(&[], 1), ..record(&world) };
    let keyless = keyless.sign(network, &secrets(&two));
    check(&mut world, keyless, ErrorCode::TransactionInvalid, "no keys");
    assert_eq!(running(&world), None);
}

#[test]
fn a_signature_is_for_these_keys_this_account_nonce_and_network() {
    let mut world = people();
    let good = record(&world).sign(world.network, &secrets(&["friend 1", "friend 2"]));
    let elsewhere = NetworkId(Digest::of(b"elsewhere"));
    let changed = [
        BeginRecovery { keys: set(&["ben"], 1), ..good.clone() },
        BeginRecovery { next: None, ..good.clone() },
        BeginRecovery { account: world.id("ben"), ..good.clone() },
        BeginRecovery { nonce: good.nonce + 1, ..good.clone() },
        record(&world).sign(elsewhere, &secrets(&["friend 1", "friend 2"])),
    ];
    for record in changed {
        let code = world.refused("ben", Operation::BeginRecovery(record.clone()));
        assert_eq!(code, ErrorCode::SignatureInvalid, "{record:?}");
    }
    // Good signatures for another time are no better.
    let ahead = BeginRecovery { nonce: good.nonce + 1, ..record(&world) };
    let ahead = ahead.sign(world.network, &secrets(&["friend 1", "friend 2"]));
    assert_eq!(world.refused("ben", Operation::BeginRecovery(ahead)), ErrorCode::NonceStale);
    world.act("ben", vec![Operation::BeginRecovery(good)]).unwrap();
}

/// What happens to ana's account.
#[derive(Clone, Debug)]
enum Act {
    Begin(Vec<usize>),
    Replay,
    Cancel,
    Rotate,
    Pay,
    Finish,
    Pass(u64, u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => prop::collection::vec(0usize..4, 0..4).prop_map(Act::Begin),
        2 => Just(Act::Replay),
        1 => Just(Act::Cancel),
        1 => Just(Act::Rotate),
        1 => Just(Act::Pay),
        3 => Just(Act::Finish),
        2 => (1..=RECOVERY_DELAY_BLOCKS, 1..=RECOVERY_DELAY_MS)
            .prop_map(|(blocks, ms)| Act::Pass(blocks, ms)),
    ]
}

const SIGNERS: [&str; 4] = ["friend 1", "friend 2", "friend 3", "ben"];

/// Two distinct friends and nobody else.
fn enough(signers: &[usize]) -> bool {
    let mut distinct = signers.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len() >= 2 && !distinct.contains(&3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The keys change only by who has them, or by enough friends and the whole delay later.
    #[test]
    fn keys_change_by_owner_or_friends_only(acts in prop::collection::vec(act(), 1..30)) {
        let mut world = people();
        // Whose turn: the name of the key that holds the account now.
        let mut owner = "ana";
        let (mut due, mut last) = (None, None);
        for act in acts {
            let nonce = account(&world).nonce;
            let by_owner = |world: &mut World, operation| {
                let signed = world.envelope("ana", vec![operation]).sign(&key(owner));
                world.apply(&signed.to_bytes())
            };
            match &act {
                Act::Begin(signers) => {
                    let names: Vec<_> = signers.iter().map(|at| SIGNERS[*at]).collect();
                    let operation = begin(&world, &names);
                    let done = world.act("ben", vec![operation.clone()]).is_ok();
                    prop_assert_eq!(done, enough(signers) && due.is_none());
                    if done {
                        let from = world.ledger.time().after(RECOVERY_DELAY_MS);
                        due = Some((from, world.ledger.height().after(RECOVERY_DELAY_BLOCKS)));
                        last = Some((operation, nonce));
                    }
                }
                Act::Replay => {
                    let Some((operation, signed)) = last.clone() else { continue };
                    let done = world.act("ben", vec![operation]).is_ok();
                    prop_assert!(!done || (signed == nonce && due.is_none()));
                    prop_assert!(!done, "every end of a recovery moves the nonce");
                }
                Act::Cancel => {
                    let done = by_owner(&mut world, Operation::CancelRecovery).is_ok();
                    prop_assert_eq!(done, due.take().is_some());
                }
                Act::Rotate => {
                    let rotation = rotate(set(&[owner], 1), Some(&friends()));
                    by_owner(&mut world, rotation).unwrap();
                    due = None;
                }
                Act::Pay => {
                    let pay = Transfer { to: world.id("ben"), amount: Price(5) };
                    by_owner(&mut world, Operation::Transfer(pay)).unwrap();
                }
                Act::Finish => {
                    let done = world.act("ben", vec![finish(&world)]).is_ok();
                    let (time, height) = (world.ledger.time(), world.ledger.height());
                    let is_due = due.is_some_and(|(from, at)| from <= time && at <= height);
                    prop_assert_eq!(done, is_due);
                    if done {
                        (owner, due) = ("ana 2", None);
                    }
                }
                Act::Pass(blocks, ms) => pass(&mut world, *blocks, *ms),
            }
            prop_assert_eq!(account(&world).keys, Some(set(&[owner], 1)), "{:?}", act);
            prop_assert_eq!(running(&world).map(|it| (it.from, it.from_height)), due);
        }
        world.ledger.check().unwrap();
    }
}
