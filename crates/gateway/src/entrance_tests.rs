use super::*;
use futures::FutureExt;
use futures::future::BoxFuture;
use proptest::prelude::*;

type Coming = BoxFuture<'static, Result<Permit, Shed>>;

/// Someone who comes; if there is no room, it is in the queue when this returns.
fn come(entrance: &Entrance, payer: u64) -> Result<Permit, Coming> {
    let entrance = entrance.clone();
    let mut coming = async move { entrance.enter(payer).await }.boxed();
    match coming.as_mut().now_or_never() {
        Some(Ok(permit)) => Ok(permit),
        Some(Err(shed)) => Err(std::future::ready(Err(shed)).boxed()),
        None => Err(coming),
    }
}

fn waits(entrance: &Entrance, payer: u64) -> Coming {
    come(entrance, payer).err().expect("there is no room")
}

fn is_in(coming: &mut Coming) -> Option<Permit> {
    coming.as_mut().now_or_never().map(|met| met.expect("its time is not over"))
}

/// An entrance that is full of one payer's calls.
fn full(most: usize) -> (Entrance, Vec<Permit>) {
    let entrance = Entrance::new(most);
    let permits = std::iter::from_fn(|| come(&entrance, 0).ok()).collect();
    (entrance, permits)
}

fn nothing_is_left(entrance: &Entrance) {
    let state = entrance.lock();
    assert_eq!((state.in_hand, state.waiting), (0, 0));
    assert!(state.payers.is_empty() && state.order.is_empty());
}

#[test]
fn a_part_is_kept_for_who_has_nothing_in_hand() {
    let (entrance, mut permits) = full(8);
    assert_eq!(permits.len(), 6);
    let mut own = waits(&entrance, 0);
    permits.push(come(&entrance, 1).ok().unwrap());
    permits.push(come(&entrance, 2).ok().unwrap());
    let mut third = waits(&entrance, 3);
    // Who has nothing in hand comes before who came first.
    permits.remove(0);
    permits.push(is_in(&mut third).unwrap());
    assert!(is_in(&mut own).is_none());
    drop(permits);
    permits = vec![is_in(&mut own).unwrap()];
    assert_eq!(entrance.figures().in_hand, permits.len());
    drop(permits);
    nothing_is_left(&entrance);
}

#[test]
fn one_place_is_one_place() {
    let entrance = Entrance::new(0);
    let permit = come(&entrance, 1).ok().unwrap();
    let mut second = waits(&entrance, 2);
    drop(permit);
    assert!(is_in(&mut second).is_some());
}

#[test]
fn the_first_comes_in_first() {
    let (entrance, mut permits) = full(8);
    let mut waiting = [(); 3].map(|()| waits(&entrance, 0));
    for at in 0..3 {
        assert!(waiting[at..].iter_mut().all(|one| is_in(one).is_none()));
        permits.pop();
        permits.push(is_in(&mut waiting[at]).unwrap());
    }
}

#[test]
fn whoever_waits_too_long_is_refused() {
    let (entrance, permits) = full(4);
    let waiting = [waits(&entrance, 0), waits(&entrance, 0)];
    entrance.look(Duration::ZERO, Instant::now() + PATIENCE);
    for one in waiting {
        assert!(one.now_or_never().expect("its time is over").is_err());
    }
    let EntranceFigures { in_hand, waiting, shed, .. } = entrance.figures();
    assert_eq!((in_hand, waiting, shed), (permits.len(), 0, 2));
}

#[test]
fn the_queue_is_bounded() {
    let (entrance, _permits) = full(4);
    let waiting: Vec<Coming> = (0..WAITING_MAX).map(|_| waits(&entrance, 0)).collect();
    let over = waits(&entrance, 0).now_or_never().expect("it does not wait");
    assert!(over.is_err());
    drop(waiting);
    assert_eq!(entrance.figures().waiting, 0);
}

#[test]
fn whoever_leaves_with_its_permit_lets_the_next_one_in() {
    let (entrance, mut permits) = full(4);
    let (first, mut second) = (waits(&entrance, 0), waits(&entrance, 0));
    permits.pop();
    drop(first);
    assert!(is_in(&mut second).is_some());
}

#[test]
fn the_bound_falls_while_threads_are_late_and_rises_while_somebody_waits() {
    let (entrance, mut permits) = full(IN_HAND_MAX);
    let first = entrance.figures().limit;
    assert_eq!(first, IN_HAND_FIRST);
    let look = |late| entrance.look(late, Instant::now());
    look(Duration::ZERO);
    assert_eq!(entrance.figures().limit, first, "nobody waits");
    let mut waiting = waits(&entrance, 0);
    look(Duration::ZERO);
    assert!(entrance.figures().limit > first);
    permits.push(is_in(&mut waiting).unwrap());
    (0..100).for_each(|_| look(LATE_MAX * 2));
    assert_eq!(entrance.figures().limit, IN_HAND_MIN);
    let _waiting = waits(&entrance, 0);
    (0..8).for_each(|_| look(Duration::ZERO));
    assert!(entrance.figures().limit > permits.len(), "it rises from what is in hand");
}

#[test]
fn streams_that_are_silent_keep_nobody_out() {
    let (entrance, mut permits) = full(IN_HAND_MAX);
    // Fifty come just after a look, and again, and threads are never late.
    while permits.len() < 2_000 {
        let mut coming = [(); 50].map(|()| waits(&entrance, 0));
        entrance.look(Duration::ZERO, Instant::now() + PATIENCE);
        permits.extend(coming.iter_mut().map(|one| is_in(one).expect("there is room")));
        let free = std::iter::from_fn(|| come(&entrance, 0).ok()).take(5_000);
        permits.extend(free);
    }
    assert_eq!(entrance.figures().shed, 0);
}

#[test]
fn one_long_moment_is_not_many() {
    let (entrance, _permits) = full(IN_HAND_MAX);
    entrance.look(Duration::from_secs(3600), Instant::now());
    (0..4).for_each(|_| entrance.look(Duration::ZERO, Instant::now()));
    assert!(entrance.figures().late_us < 3_000, "{:?}", entrance.figures());
}

#[tokio::test]
async fn the_keeper_refuses_and_rests() {
    let (entrance, permits) = full(1);
    let stop = CancellationToken::new();
    let keeper = tokio::spawn(entrance.clone().keep(stop.clone()));
    assert!(entrance.enter(7).await.is_err());
    drop(permits);
    assert!(entrance.enter(7).await.is_ok());
    stop.cancel();
    keeper.await.unwrap();
}

#[derive(Clone, Debug)]
enum Act {
    Come(u64),
    /// Somebody who is in goes.
    Go(usize),
    /// Somebody who waits leaves.
    Leave(usize),
    Look {
        late: bool,
        over: bool,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0_u64..4).prop_map(Act::Come),
        3 => any::<usize>().prop_map(Act::Go),
        1 => any::<usize>().prop_map(Act::Leave),
        1 => any::<(bool, bool)>().prop_map(|(late, over)| Act::Look { late, over }),
    ];
    proptest::collection::vec(act, 0..200)
}

/// Everything that was promised, after every act.
fn holds(entrance: &Entrance, permits: usize, waiting: usize) {
    let state = entrance.lock();
    assert_eq!((state.in_hand, state.waiting), (permits, waiting));
    let of_payers = state.payers.values().map(|payer| (payer.in_hand, payer.waiting.len()));
    let sum = of_payers.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!(sum, (permits, waiting));
    for (id, payer) in &state.payers {
        let queued = state.order.contains(&(payer.in_hand, payer.turn, *id));
        assert_eq!(queued, !payer.waiting.is_empty());
        assert!(payer.waiting.is_empty() || !state.has_room(payer.in_hand), "room and who waits");
    }
}

proptest! {
    #[test]
    fn room_is_never_exceeded_wasted_or_lost(most in 1_usize..12, acts in acts()) {
        let entrance = Entrance::new(most);
        let (mut permits, mut waiting) = (Vec::new(), Vec::<Coming>::new());
        for act in acts {
            let before = entrance.figures();
            match act {
                Act::Come(payer) => match come(&entrance, payer) {
                    Ok(permit) => {
                        prop_assert!(before.in_hand < before.limit);
                        permits.push(permit);
                    }
                    Err(coming) => waiting.push(coming),
                },
                Act::Go(_) if permits.is_empty() => {}
                Act::Go(at) => drop(permits.swap_remove(at % permits.len())),
                Act::Leave(_) if waiting.is_empty() => {}
                Act::Leave(at) => drop(waiting.swap_remove(at % waiting.len())),
                Act::Look { late, over } => {
                    let late = if late { LATE_SEEN_MAX } else { Duration::ZERO };
                    let now = Instant::now() + if over { PATIENCE } else { Duration::ZERO };
                    entrance.look(late, now);
                }
            }
            let mut left = Vec::new();
            for mut one in waiting {
                match one.as_mut().now_or_never() {
                    None => left.push(one),
                    Some(Ok(permit)) => permits.push(permit),
                    Some(Err(Shed)) => {}
                }
            }
            waiting = left;
            holds(&entrance, permits.len(), waiting.len());
            prop_assert!(permits.len() <= most);
        }
        drop(waiting);
        drop(permits);
        nothing_is_left(&entrance);
    }
}
