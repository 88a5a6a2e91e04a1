//! An index that begins after any block says of the blocks after it, and of the state, what one
//! from genesis says.

use super::{World, assert_sums, index, key, take, world};
use crate::{EntryKind, Index, IndexError};
use ambar_base::Height;

const PEOPLE: [&str; 4] = ["faucet", "alice", "bob", "carol"];

#[test]
fn it_knows_what_follows_from_the_state_and_all_that_comes_after() {
    let (world, version) = world();
    let directory = tempfile::tempdir().unwrap();
    let whole = index(directory.path(), &world);
    world.take_all(&whole);
    assert_eq!(whole.first(), Height(1));
    for (at, made) in world.blocks.iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let begin = || Index::begin(directory.path(), &world.genesis, &made.after, 1 << 20);
        let begun = begin().unwrap();
        assert_eq!((begun.first(), begun.cursor()), (made.height.after(1), made.height));
        for next in &world.blocks[at + 1..] {
            take(&begun, next, &next.after).unwrap();
        }
        assert_sums(&world, &begun, &PEOPLE);
        assert_eq!(begun.cursor(), whole.cursor());
        assert_eq!(begun.changes(0, 10), whole.changes(0, 10), "{at}");
        assert_eq!(begun.names(0), whole.names(0));
        assert_eq!(
            begun.search("ships harbour", None, 10),
            whole.search("ships harbour", None, 10)
        );
        assert_eq!(begun.changes(0, 10).unwrap()[0].id, version);
        for name in PEOPLE {
            same_rows(&world, (&begun, &whole), name, made.height);
        }
        let settled = begun.receipt(0, 0).unwrap();
        assert_eq!(settled, whole.receipt(0, 0).unwrap().filter(|one| one.height > made.height));
        // It goes on where it was, and is not taken for another.
        drop(begun);
        assert_eq!(index(directory.path(), &world).first(), made.height.after(1));
        assert_eq!(begin().unwrap().cursor(), whole.cursor());
    }
}

/// One opening row, then the very same rows.
fn same_rows(world: &World, (begun, whole): (&Index, &Index), name: &str, at: Height) {
    let id = world.id(name);
    let mut rows = begun.statement(&id, None, 1_000).unwrap();
    if rows.first().is_some_and(|row| row.height == at) {
        assert_eq!(rows.remove(0).entry.kind, EntryKind::Opening);
    }
    let mut expect = whole.statement(&id, None, 1_000).unwrap();
    expect.retain(|row| row.height > at);
    assert_eq!(rows, expect, "{name} after {at}");
    assert_eq!(begun.grants(&id), whole.grants(&id), "{name}");
    assert_eq!(begun.first_key(&id), whole.first_key(&id), "{name}");
    assert_eq!(begun.first_key(&id).unwrap(), Some(key(name).public()));
}

#[test]
fn one_that_began_elsewhere_is_not_begun_again() {
    let (world, _) = world();
    let directory = tempfile::tempdir().unwrap();
    drop(index(directory.path(), &world));
    let after = &world.blocks[2].after;
    let refused = Index::begin(directory.path(), &world.genesis, after, 1 << 20).err();
    assert_eq!(refused, Some(IndexError::Mismatch));
}
