use super::*;
use futures::FutureExt;
use futures::future::BoxFuture;
use proptest::prelude::*;

fn turnstile(slots: usize) -> Turnstile {
    Turnstile::new(slots, WAITING_PER_PAYER_DEFAULT)
}

fn waiting(turnstile: &Turnstile, payer: u64, urgency: Priority) -> BoxFuture<'static, Turn> {
    let mut turn = turnstile.place(payer, urgency).ok().unwrap().turn().boxed();
    // Polled once, so that it is in the queue.
    match turn.as_mut().now_or_never() {
        Some(turn) => std::future::ready(turn).boxed(),
        None => turn,
    }
}

/// The order in which calls get the one slot.
fn order(calls: &[(u64, Priority)]) -> Vec<usize> {
    let turnstile = turnstile(1);
    let busy = turnstile.place(99, Priority::Normal).ok().unwrap().turn().now_or_never().unwrap();
    let mut calls: Vec<_> = calls
        .iter()
        .enumerate()
        .map(|(at, (payer, urgency))| (at, waiting(&turnstile, *payer, *urgency)))
        .collect();
    let (mut order, mut held) = (Vec::new(), Some(busy));
    while !calls.is_empty() {
        drop(held.take());
        let ready = calls
            .iter_mut()
            .enumerate()
            .find_map(|(index, (at, call))| call.now_or_never().map(|turn| (index, *at, turn)));
        let (index, at, turn) = ready.expect("a free slot is taken");
        order.push(at);
        held = Some(turn);
        drop(calls.remove(index));
    }
    order
}

#[test]
fn payers_take_turns() {
    use Priority::Normal;
    let many = [(1, Normal), (1, Normal), (1, Normal), (2, Normal), (3, Normal), (2, Normal)];
    assert_eq!(order(&many), [0, 3, 4, 1, 5, 2]);
}

#[test]
fn urgency_counts_among_the_calls_of_one_payer() {
    use Priority::{High, Low, Normal};
    assert_eq!(order(&[(1, Low), (1, Normal), (1, High), (1, High)]), [2, 3, 1, 0]);
    assert_eq!(order(&[(1, Low), (2, High), (2, High)]), [0, 1, 2], "payers are alike");
}

#[test]
fn whoever_leaves_is_passed_over() {
    let turnstile = turnstile(1);
    let first = waiting(&turnstile, 1, Priority::Normal).now_or_never().unwrap();
    let second = waiting(&turnstile, 2, Priority::Normal);
    let mut third = waiting(&turnstile, 3, Priority::Normal);
    assert_eq!(turnstile.load(), (1, 2));
    drop(second);
    assert_eq!(turnstile.load(), (1, 1));
    drop(first);
    let third = third.as_mut().now_or_never().expect("it is next");
    assert_eq!(turnstile.load(), (1, 0));
    drop(third);
    assert_eq!(turnstile.load(), (0, 0));
}

#[test]
fn a_turn_that_nobody_takes_is_the_next_ones() {
    let turnstile = turnstile(1);
    let first = waiting(&turnstile, 1, Priority::Normal).now_or_never().unwrap();
    let second = waiting(&turnstile, 2, Priority::Normal);
    let mut third = waiting(&turnstile, 3, Priority::Normal);
    // The second has its turn, and goes away with it.
    drop(first);
    drop(second);
    assert!(third.as_mut().now_or_never().is_some());
}

#[test]
fn queues_are_bounded() {
    let turnstile = turnstile(1);
    let _busy = waiting(&turnstile, 0, Priority::Normal).now_or_never().unwrap();
    let place = |payer| turnstile.place(payer, Priority::Normal);
    let mut places: Vec<_> =
        (0..WAITING_PER_PAYER_DEFAULT).map(|_| place(1).ok().unwrap()).collect();
    let full = place(1).err().unwrap();
    assert!(full.own && full.retry_after == RETRY_AFTER_MIN, "nothing is known yet: {full:?}");
    let others = (2..).flat_map(|payer| std::iter::repeat_n(payer, WAITING_PER_PAYER_DEFAULT));
    places.extend(others.map_while(|payer| place(payer).ok()));
    assert_eq!(places.len(), WAITING_MAX);
    assert!(!place(1_000).err().unwrap().own);
    places.pop();
    assert!(place(1_000).is_ok());
}

#[test]
fn a_payer_has_the_places_that_the_operator_gives_it() {
    let turnstile = Turnstile::new(1, 2);
    let _busy = waiting(&turnstile, 1, Priority::Normal).now_or_never().unwrap();
    let place = |payer| turnstile.place(payer, Priority::Normal);
    let places = [place(1), place(1), place(2)].map(|place| place.ok().unwrap());
    assert!(place(1).err().unwrap().own, "its own calls fill it");
    assert!(place(2).is_ok());
    drop(places);
    assert!(place(1).is_ok());
}

#[derive(Clone, Debug)]
enum Act {
    Come(u64, Priority),
    Leave(usize),
    End(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let urgency = prop_oneof![Just(Priority::High), Just(Priority::Normal), Just(Priority::Low)];
    prop_oneof![
        3 => (0u64..4, urgency).prop_map(|(payer, urgency)| Act::Come(payer, urgency)),
        1 => any::<usize>().prop_map(Act::Leave),
        2 => any::<usize>().prop_map(Act::End),
    ]
}

proptest! {
    #[test]
    fn slots_are_neither_overdrawn_nor_idle(
        slots in 1usize..4,
        acts in proptest::collection::vec(act(), 0..60),
    ) {
        let turnstile = turnstile(slots);
        let (mut queue, mut turns): (Vec<BoxFuture<'static, Turn>>, Vec<Turn>) = Default::default();
        for act in acts {
            match act {
                Act::Come(payer, urgency) => queue.push(waiting(&turnstile, payer, urgency)),
                Act::Leave(at) if !queue.is_empty() => drop(queue.remove(at % queue.len())),
                Act::End(at) if !turns.is_empty() => drop(turns.remove(at % turns.len())),
                Act::Leave(_) | Act::End(_) => {}
            }
            let mut left = Vec::new();
            for mut call in queue.drain(..) {
                match call.as_mut().now_or_never() {
                    Some(turn) => turns.push(turn),
                    None => left.push(call),
                }
            }
            queue = left;
            prop_assert!(turns.len() <= slots);
            prop_assert!(queue.is_empty() || turns.len() == slots, "a slot is idle");
            prop_assert_eq!(turnstile.load(), (turns.len(), queue.len()));
        }
    }
}
