//! Statements of organisations with departments: what is internal nets to zero, and the rows
//! of everybody sum to what they hold.

use super::{World, channel, index, key, take};
use crate::{EntryKind, Index, Place, Placed};
use ambar_base::{AccountId, Amount, Encode, Moment, Price};
use ambar_ledger::object::{Budget, Member, Role};
use ambar_ledger::query::State;
use ambar_ledger::transaction::{
    Actor, CreateDepartment, Envelope, OpenChannel, Operation, Recall, RegisterNode,
    TRANSACTION_VERSION, Transfer,
};
use ambar_licence::Period;
use std::collections::BTreeSet;

fn credits(number: u64) -> Price {
    Price(number * Price::CREDIT.0)
}

fn create(name: &str) -> Vec<Operation> {
    let members = vec![Member { key: key("member").public(), roles: Role::ALL.to_vec() }];
    let budget = Budget { amount: credits(9), per: Period::Month };
    let record = CreateDepartment { name: name.into(), members, threshold: 1, budget };
    vec![Operation::CreateDepartment(record)]
}

/// A transaction of a department.
fn by_department(world: &World, department: AccountId, operation: Operation) -> Vec<u8> {
    let envelope = Envelope {
        network: world.network,
        version: TRANSACTION_VERSION,
        actor: Actor::Account(department),
        nonce: world.ledger.account(&department.to_string()).unwrap().1.nonce,
        expires: world.ledger.height().after(10),
        fee_payer: None,
        fee_cap: Price::CREDIT,
        operations: vec![operation],
    };
    envelope.sign(&key("member")).to_bytes()
}

/// Three organisations that pay one another; the first has two departments, which open
/// channels and give back.
fn world() -> (World, Vec<AccountId>) {
    let mut world = World::new();
    let open = ["alice", "bob", "carol"].map(|name| ("faucet", world.open(name)));
    world.block(open.into());
    let register = RegisterNode::new(world.network, &key("carol"), &world.id("carol"), Price(500));
    world.block(vec![("carol", vec![Operation::RegisterNode(register)])]);
    world.block(vec![("alice", create("lab")), ("alice", create("sales"))]);
    let alice = world.id("alice");
    let parts = ["lab", "sales"].map(|name| AccountId::department(&alice, name));
    for part in parts {
        let open = OpenChannel { grants: vec![], expires: expires(), ..channel() };
        let open = by_department(&world, part, Operation::OpenChannel(open));
        world.transact(vec![open]);
    }
    let pay = |to: AccountId, amount| vec![Operation::Transfer(Transfer { to, amount })];
    let [bob, carol] = ["bob", "carol"].map(|name| world.id(name));
    let recall = Operation::Recall(Recall { department: parts[0], amount: None });
    world.block(vec![
        ("alice", pay(bob, credits(3))),
        ("bob", pay(carol, credits(2))),
        ("carol", pay(parts[0], credits(1))),
        ("alice", vec![recall]),
        ("bob", pay(alice, credits(4))),
    ]);
    (world, [alice].into_iter().chain(parts).collect())
}

fn expires() -> Moment {
    super::START.after(Moment::DAY_MS)
}

/// All rows of these accounts, a page of so many at a time.
fn all(index: &Index, accounts: &[AccountId], page: usize) -> Vec<(usize, Placed)> {
    let (mut rows, mut after) = (Vec::new(), None::<Place>);
    loop {
        let part = index.statements(accounts, after, page).unwrap();
        let Some((at, last)) = part.last() else { return rows };
        after = Some((last.height, last.ordinal, *at));
        rows.extend(part);
    }
}

fn signed(row: &Placed) -> i128 {
    let amount = i128::try_from(row.entry.amount.0).unwrap();
    if row.entry.incoming { amount } else { -amount }
}

fn sum<'a>(rows: impl Iterator<Item = &'a Placed>) -> i128 {
    rows.map(signed).sum()
}

fn held(world: &World, account: &AccountId) -> i128 {
    let (_, _, balance) = world.ledger.account(&account.to_string()).unwrap();
    i128::try_from(balance.sum().unwrap().0).unwrap()
}

#[test]
fn one_statement_of_all_departments_reconciles() {
    let (world, accounts) = world();
    let directory = tempfile::tempdir().unwrap();
    let index = index(directory.path(), &world);
    world.take_all(&index);
    let rows = all(&index, &accounts, 1_000);
    for page in [1, 2, 3, 7] {
        assert_eq!(all(&index, &accounts, page), rows, "pages of {page}");
    }
    let places: Vec<_> = rows.iter().map(|(_, row)| (row.height, row.ordinal)).collect();
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "in the order of the ledger");
    for (at, account) in accounts.iter().enumerate() {
        let own = rows.iter().filter(|(of, _)| *of == at).map(|(_, row)| row);
        let single = index.statement(account, None, 1_000).unwrap();
        assert!(own.clone().eq(&single), "{account} has the rows of its own statement");
        assert_eq!(sum(own), held(&world, account), "{account}");
    }
    let whole: i128 = accounts.iter().map(|account| held(&world, account)).sum();
    assert_eq!(sum(rows.iter().map(|(_, row)| row)), whole);
    let inner: BTreeSet<_> = accounts.iter().collect();
    let internal = |row: &&Placed| row.entry.counterpart.is_some_and(|one| inner.contains(&one));
    let internal: Vec<_> = rows.iter().map(|(_, row)| row).filter(internal).collect();
    assert_eq!(sum(internal.iter().copied()), 0, "what is internal nets to zero");
    let kinds: BTreeSet<_> = internal.iter().map(|row| row.entry.kind).collect();
    assert_eq!(kinds, BTreeSet::from([EntryKind::Draw, EntryKind::Recall]));
}

/// What one paid the others received: between accounts every row has its other side, and all
/// rows of all accounts sum to what is held.
#[test]
fn three_organisations_reconcile_to_zero_between_them() {
    let (world, alices) = world();
    let directory = tempfile::tempdir().unwrap();
    let index = index(directory.path(), &world);
    world.take_all(&index);
    let reserved = ["burn", "network", "deposits"].map(AccountId::reserved);
    let others = ["bob", "carol", "faucet"].map(|name| world.id(name));
    let everybody: Vec<_> = alices.into_iter().chain(others).chain(reserved).collect();
    let rows = all(&index, &everybody, 5);
    let known: BTreeSet<_> = everybody.iter().collect();
    let transfers = rows.iter().map(|(_, row)| row).filter(|row| {
        let moved = matches!(row.entry.kind, EntryKind::Transfer | EntryKind::Deposit);
        moved || matches!(row.entry.kind, EntryKind::Draw | EntryKind::Recall)
    });
    let transfers: Vec<_> = transfers.collect();
    assert!(transfers.len() > 10, "{transfers:?}");
    assert!(
        transfers.iter().all(|row| row.entry.counterpart.is_some_and(|one| known.contains(&one)))
    );
    assert_eq!(sum(transfers.into_iter()), 0);
    // A fee has one row of its payer and two of those who got it.
    let fees = rows.iter().map(|(_, row)| row).filter(|row| {
        matches!(row.entry.kind, EntryKind::Fee | EntryKind::Network | EntryKind::Burn)
    });
    assert_eq!(sum(fees), 0);
    let held: i128 = everybody.iter().map(|account| held(&world, account)).sum();
    assert_eq!(sum(rows.iter().map(|(_, row)| row)), held);
    let channels = Amount::from(Price(2 * Price::CREDIT.0));
    let out = rows.iter().filter(|(_, row)| row.entry.kind == EntryKind::Channel);
    assert_eq!(sum(out.map(|(_, row)| row)), -i128::try_from(channels.0).unwrap());
}

/// An index that begins later has an opening row of each account at one place: no page loses
/// one of them.
#[test]
fn opening_rows_are_paged_too() {
    let (world, accounts) = world();
    let last = world.blocks.last().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let begun = &world.blocks[world.blocks.len() - 2];
    let index = Index::begin(directory.path(), &world.genesis, &begun.after, 1 << 20).unwrap();
    take(&index, last, &last.after).unwrap();
    let rows = all(&index, &accounts, 1);
    assert_eq!(rows, all(&index, &accounts, 1_000));
    for (at, account) in accounts.iter().enumerate() {
        let own = rows.iter().filter(|(of, _)| *of == at).map(|(_, row)| row);
        assert_eq!(sum(own), held(&world, account), "{account}");
    }
    assert!(rows.iter().all(|(_, row)| row.height >= begun.height));
}
