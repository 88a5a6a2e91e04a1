use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy)]
enum Act {
    Push(u64),
    Pop,
    /// Removes the waiting item at this place, modulo how many there are.
    Remove(usize),
    /// Pops an item and puts it back before its party's others.
    Again,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0u64..5).prop_map(Act::Push),
        3 => Just(Act::Pop),
        1 => any::<usize>().prop_map(Act::Remove),
        1 => Just(Act::Again),
    ];
    proptest::collection::vec(act, 0..200)
}

/// A queue beside the plain list of what should wait, in the order of arrival.
#[derive(Default)]
struct Both {
    queue: FairQueue<(u64, u64)>,
    waiting: Vec<(u64, u64)>,
    /// Per waiting party, which others had a turn since it last had one or came.
    since: BTreeMap<u64, BTreeSet<u64>>,
}

impl Both {
    fn push(&mut self, party: u64, number: u64) {
        self.queue.push(party, number, (party, number));
        self.waiting.push((party, number));
        self.since.entry(party).or_default();
    }

    fn pop(&mut self) -> Option<(u64, u64)> {
        let popped = self.queue.pop();
        assert_eq!(popped.is_none(), self.waiting.is_empty());
        let (party, number) = popped?;
        let first = self.waiting.iter().find(|(other, _)| *other == party).copied();
        assert_eq!(first, Some((party, number)), "first come, first served within a party");
        self.forget(party, number);
        for (other, had) in &mut self.since {
            assert!(*other == party || had.insert(party), "{party} twice before {other}");
        }
        if let Some(had) = self.since.get_mut(&party) {
            had.clear();
        }
        popped
    }

    fn again(&mut self) {
        if let Some((party, number)) = self.pop() {
            self.queue.push_again(party, number, (party, number));
            self.waiting.insert(0, (party, number));
            self.since.entry(party).or_default();
        }
    }

    fn remove(&mut self, at: usize) {
        let Some((party, number)) = self.waiting.get(at % self.waiting.len().max(1)).copied()
        else {
            return;
        };
        assert_eq!(self.queue.remove(party, number), Some((party, number)));
        assert_eq!(self.queue.remove(party, number), None);
        self.forget(party, number);
    }

    fn forget(&mut self, party: u64, number: u64) {
        self.waiting.retain(|waiting| *waiting != (party, number));
        if !self.waiting.iter().any(|(other, _)| *other == party) {
            self.since.remove(&party);
        }
    }
}

proptest! {
    #[test]
    fn parties_take_turns_and_nothing_is_lost(acts in acts()) {
        let mut both = Both::default();
        for (number, act) in (0..).zip(acts) {
            match act {
                Act::Push(party) => both.push(party, number),
                Act::Pop => drop(both.pop()),
                Act::Remove(at) => both.remove(at),
                Act::Again => both.again(),
            }
            prop_assert_eq!(both.queue.is_empty(), both.waiting.is_empty());
        }
        while both.pop().is_some() {}
        prop_assert!(both.queue.lines.is_empty() && both.queue.is_empty());
    }

    #[test]
    fn whoever_waits_alone_is_delayed_by_one_turn_of_each_other(
        crowds in proptest::collection::vec(1usize..40, 0..6),
    ) {
        let mut queue = FairQueue::default();
        for (party, jobs) in (1..).zip(&crowds) {
            (0..*jobs).for_each(|_| queue.push(party, 0, party));
        }
        queue.push(0, 0, 0);
        let before = std::iter::from_fn(|| queue.pop()).take_while(|party| *party != 0).count();
        prop_assert!(before <= crowds.len(), "{before} turns");
    }
}

#[test]
fn one_with_many_jobs_does_not_delay_another_with_one() {
    let mut queue = FairQueue::default();
    (0..20).for_each(|number| queue.push(7, number, (7, number)));
    queue.push(8, 0, (8, 0));
    let order: Vec<_> = std::iter::from_fn(|| queue.pop()).take(3).collect();
    assert_eq!(order, [(7, 0), (8, 0), (7, 1)]);
}
