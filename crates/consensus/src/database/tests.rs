//! The view against a model that forgets nothing: whatever is kept, pruned, lost in a crash or
//! replaced, what it says is what the model says.

use super::{Beginning, Database, Finalized, Snapshot};
use crate::block::Writes;
use crate::draft::{self, Executed, Placing};
use crate::settings::Rules;
use crate::state::{Entry, MemoryState};
use ambar_base::finality::{BlockHeader, Certificate, FinalHeader, Handover, Round};
use ambar_base::{Checkpoint, Committee, Digest, Height, Moment, NetworkId, SecretKey};
use bytes::Bytes;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// Heights of an epoch here.
const EPOCH: u64 = 5;

fn key() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

fn checkpoint() -> Checkpoint {
    let committee = Committee::new(0, vec![key().public()]).unwrap();
    Checkpoint { network: NetworkId(Digest::of(b"view")), committee }
}

fn rules() -> Rules {
    Rules { epoch_blocks: EPOCH, ..Rules::new(checkpoint()) }
}

fn open(file: &Path) -> Database {
    let (rules, writes) = (rules(), Writes::new());
    let header = draft::genesis(&rules, &writes);
    let committee = &rules.genesis.committee;
    Database::open(file, 1 << 20, Beginning { header: &header, writes: &writes, committee })
        .unwrap()
}

fn votes(height: Height) -> Certificate {
    let epoch = rules().epochs().containing(height);
    Certificate { epoch, view: height.0, parent_view: 0, votes: Vec::new() }
}

/// Everything that was ever committed.
struct Model {
    blocks: Vec<(BlockHeader, Vec<Digest>)>,
    states: Vec<MemoryState>,
    voted: Vec<bool>,
    /// The block of which only header and votes are kept.
    base: u64,
}

impl Model {
    fn new() -> Self {
        let header = draft::genesis(&rules(), &Writes::new());
        let (blocks, states) = (vec![(header, Vec::new())], vec![MemoryState::default()]);
        Self { blocks, states, voted: vec![true], base: 0 }
    }

    fn head(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    /// Whether the next block is the last of its epoch.
    fn ends_next(&self) -> bool {
        rules().epochs().ending_at(Height(self.head() + 1)).is_some()
    }

    /// The next block, with as many transactions as writes.
    fn next(&mut self, writes: Writes, voted: bool) -> Finalized {
        let (parent, _) = self.blocks.last().unwrap();
        let height = parent.height.after(1);
        let epochs = rules().epochs();
        let epoch = epochs.containing(height);
        let seats = vec![key().public()];
        let next = epochs.ending_at(height).map(|_| Committee::new(epoch + 1, seats).unwrap());
        let id = |index: usize| Digest::of(format!("{height} {index}").as_bytes());
        let ids: Vec<Digest> = (0..writes.len()).map(id).collect();
        let executed = Executed {
            context: rules().context(height, Moment(height.0)),
            transactions: ids.iter().map(|id| Bytes::copy_from_slice(&id.0)).collect(),
            outcomes: vec![Vec::new(); ids.len() + 1],
            writes,
            next_committee: next,
        };
        let leader = key().public();
        let round = Round { epoch, view: height.0, parent_view: height.0 - 1, leader };
        let parent = parent.digest();
        let header = executed.header(Placing { parent, round, state: draft::STATE_BEFORE });
        let mut state = self.states.last().unwrap().clone();
        for (key, value) in &executed.writes {
            state.write(key.clone(), value.clone());
        }
        self.states.push(state);
        self.blocks.push((header.clone(), ids.clone()));
        self.voted.push(voted);
        Finalized { header, executed, ids }
    }

    /// Whether a block is final by the votes for blocks up to `head`.
    fn final_at(&self, height: u64, head: u64) -> bool {
        (height..=head).any(|at| self.voted[at as usize])
    }

    /// The newest block was committed: of older ones `kept` stay, but two are forgotten at a
    /// time, and none above the newest that was voted on.
    fn committed(&mut self, kept: Option<u64>) {
        let Some(kept) = kept else { return };
        let head = self.head();
        let certified = (0..=head).rev().find(|height| self.voted[*height as usize]);
        let due = head.saturating_sub(kept).min(certified.unwrap());
        self.base = self.base.max(due.min(self.base + 2));
    }

    /// What a snapshot of the newest block says is true, and it forgot what it should.
    fn check_newest(&self, snapshot: &Snapshot) {
        let oldest = if self.base == 0 { 0 } else { self.base + 1 };
        assert_eq!((snapshot.head().height.0, snapshot.oldest().0), (self.head(), oldest));
        self.check(snapshot);
    }

    /// What a snapshot says is true, and it says all of what it claims to keep.
    fn check(&self, snapshot: &Snapshot) {
        let head = snapshot.head().height.0;
        assert_eq!(snapshot.head().digest, self.blocks[head as usize].0.digest());
        let oldest = snapshot.oldest().0;
        for height in 0..=head {
            let (header, ids) = &self.blocks[height as usize];
            let block = snapshot.block(Height(height)).unwrap();
            let here = height >= oldest || height == 0 && oldest == 0;
            assert_eq!(block.is_some(), here && self.final_at(height, head), "{height}");
            assert!(block.is_none_or(|block| block.body_agrees() || height == 0));
            for (id, index) in ids.iter().zip(1..) {
                let place = here.then_some((Height(height), index));
                assert_eq!(snapshot.place(id).unwrap(), place, "{height}");
            }
            if here && self.final_at(height, head) {
                let found = snapshot.final_header(Height(height)).unwrap().unwrap();
                assert_eq!(found.header, *header);
            }
        }
        self.check_ends(snapshot, head);
        match snapshot.base() {
            Ok(None) => assert_eq!(oldest, 0),
            Ok(Some((block, state))) => {
                assert!(block.header.height.0 + 1 >= oldest);
                assert_eq!(state, self.states[block.header.height.0 as usize]);
            }
            Err(_) => assert!(!self.final_at(head, head), "nobody reads such a view"),
        }
    }

    /// Every epoch that ended is known, if the view was there or was told.
    fn check_ends(&self, snapshot: &Snapshot, head: u64) {
        for epoch in 0..head / EPOCH {
            let last = (epoch + 1) * EPOCH - 1;
            let end = snapshot.end(epoch).unwrap();
            assert_eq!(end.is_some(), self.final_at(last, head), "epoch {epoch} at {head}");
            let Some(end) = end else { continue };
            assert_eq!(end.header, self.blocks[last as usize].0);
            assert!(end.descendants.is_empty());
            assert!(snapshot.committee(epoch + 1).unwrap().is_some());
        }
    }
}

/// What is done to a view.
#[derive(Clone, Debug)]
enum Step {
    /// A block that writes these keys, and whether it was voted on.
    Block(Vec<(u8, Option<u8>)>, bool),
    /// Another number of blocks is kept from now on.
    Keep(Option<u64>),
    Flush,
    /// The process ends, and another begins.
    Reopen,
    /// What is on the disk now is opened.
    Crash,
    /// The state is fetched after so many blocks that never come here.
    Replace(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = (0u8..12, prop::option::weighted(0.8, any::<u8>()));
    let writes = prop::collection::vec(write, 0..6);
    let step = prop_oneof![
        24 => (writes, prop::bool::weighted(0.7)).prop_map(|(writes, voted)| Step::Block(writes, voted)),
        2 => prop::option::weighted(0.8, 1u64..12).prop_map(Step::Keep),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        2 => Just(Step::Crash),
        1 => (1u8..8).prop_map(Step::Replace),
    ];
    prop::collection::vec(step, 1..80)
}

fn of(writes: &[(u8, Option<u8>)]) -> Writes {
    let entry = |(key, value): &(u8, Option<u8>)| {
        (vec![*key], value.map(|value| Bytes::copy_from_slice(&[value])))
    };
    writes.iter().map(entry).collect()
}

/// Blocks that others made; the view begins after the last of them.
fn replace(model: &mut Model, view: &Database, blocks: u8) {
    for n in 0..blocks {
        model.next(of(&[(n, Some(n))]), true);
    }
    let head = model.head();
    let mut handovers = Vec::new();
    for epoch in 0..head / EPOCH {
        let last = (epoch + 1) * EPOCH - 1;
        let last = FinalHeader {
            header: model.blocks[last as usize].0.clone(),
            descendants: Vec::new(),
            certificate: votes(Height(last)),
        };
        let next = Committee::new(epoch + 1, vec![key().public()]).unwrap();
        handovers.push(Handover { last, next });
    }
    view.learn_handovers(&handovers).unwrap();
    let state = model.states.last().unwrap();
    let entries: Vec<Entry> =
        state.entries().map(|(key, value)| (key.to_vec(), value.clone())).collect();
    let header = &model.blocks[head as usize].0;
    view.replace(header, &votes(header.height), &mut entries.into_iter()).unwrap();
    if header.next_committee.is_some() {
        let next = Committee::new(head / EPOCH + 1, vec![key().public()]).unwrap();
        view.learn(&[next]).unwrap();
    }
    model.base = head;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_kept_is_what_was(
        steps in steps(),
        kept in prop::option::weighted(0.8, 1u64..12),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (file, crashed) = (directory.path().join("view"), directory.path().join("crashed"));
        let mut view = open(&file);
        let (mut model, mut kept) = (Model::new(), kept);
        for step in steps {
            match step {
                Step::Block(writes, voted) => {
                    let voted = voted || model.ends_next();
                    let block = model.next(of(&writes), voted);
                    let votes = voted.then(|| votes(block.header.height));
                    view.commit(&block, votes.as_ref(), kept).unwrap();
                    model.committed(kept);
                }
                Step::Keep(other) => kept = other,
                Step::Flush => view.flush().unwrap(),
                Step::Reopen => {
                    view.flush().unwrap();
                    drop(view);
                    view = open(&file);
                }
                Step::Crash => {
                    fs::copy(&file, &crashed).unwrap();
                    let found = open(&crashed);
                    model.check(&found.snapshot().unwrap());
                }
                Step::Replace(blocks) => {
                    replace(&mut model, &view, blocks);
                    view.flush().unwrap();
                }
            }
            model.check_newest(&view.snapshot().unwrap());
        }
    }
}

#[test]
fn a_window_that_changes_is_reached_and_never_left() {
    let directory = tempfile::tempdir().unwrap();
    let view = open(&directory.path().join("view"));
    let mut model = Model::new();
    let mut run = |blocks: u8, kept: Option<u64>| {
        for n in 0..blocks {
            let block = model.next(of(&[(n % 7, Some(n)), (n % 3, None)]), true);
            view.commit(&block, Some(&votes(block.header.height)), kept).unwrap();
        }
        let snapshot = view.snapshot().unwrap();
        model.check(&snapshot);
        let base = snapshot.base().unwrap().map(|(block, _)| block.header.height.0);
        (snapshot.oldest().0, base)
    };
    assert_eq!(run(20, None), (0, None));
    // Two a block: the state is told from the first block that can be undone.
    assert_eq!(run(5, Some(10)), (11, Some(20)));
    assert_eq!(run(15, Some(10)), (31, Some(30)));
    assert_eq!(run(4, Some(10)), (35, Some(34)));
    // A larger window grows into its size, and an archive that lacks blocks tells from where.
    assert_eq!(run(10, Some(40)), (35, Some(34)));
    assert_eq!(run(10, None), (35, Some(34)));
    assert_eq!(run(40, Some(3)), (102, Some(101)));
}

#[test]
fn a_snapshot_does_not_change_when_blocks_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let view = open(&directory.path().join("view"));
    let mut model = Model::new();
    let mut run = |blocks: u8| {
        for n in 0..blocks {
            let block = model.next(of(&[(n, Some(n))]), true);
            view.commit(&block, Some(&votes(block.header.height)), Some(4)).unwrap();
        }
        view.snapshot().unwrap()
    };
    let before = run(10);
    let after = run(10);
    assert_eq!((before.oldest(), after.oldest()), (Height(7), Height(17)));
    assert!(before.block(Height(7)).unwrap().is_some());
    assert!(after.block(Height(7)).unwrap().is_none());
}

#[test]
fn an_epochs_last_block_needs_votes_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let view = open(&directory.path().join("view"));
    let mut model = Model::new();
    while !model.ends_next() {
        view.commit(&model.next(Writes::new(), false), None, None).unwrap();
    }
    let last = model.next(Writes::new(), true);
    assert!(view.commit(&last, None, None).is_err());
    let head = view.snapshot().unwrap().head().height;
    assert_eq!(head.after(1), last.header.height, "nothing of it is stored");
    view.commit(&last, Some(&votes(last.header.height)), None).unwrap();
    model.check_newest(&view.snapshot().unwrap());
}
