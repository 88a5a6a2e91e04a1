//! What a lessee asks of the ledger, answered by hand.

use super::*;
use crate::desk::{Ask, desk};
use ambar_base::{Digest, Encode, Price};
use ambar_consensus::{Committed, MemoryState, StateView};
use ambar_licence::decision::Spent;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

const PLACE: Place = (7, 0);
const NODE: u64 = 3;

/// A ledger that holds one lease.
struct Ledger {
    lease: Mutex<Option<Lease>>,
    head: watch::Sender<Head>,
}

impl Followed for Ledger {
    fn latest(&self) -> Result<LedgerView, StoreError> {
        let mut state = MemoryState::default();
        if let Some(lease) = *self.lease.lock().unwrap() {
            let key = Key::Lease((PLACE.0, (PLACE.1, NODE)));
            state.write(key.bytes(), Some(lease.to_bytes().into()));
        }
        Ok(LedgerView::of(StateView::new(*self.head.borrow(), Arc::new(state))))
    }

    fn heads(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }
}

struct World {
    lessee: Lessee,
    ledger: Arc<Ledger>,
    clock: Arc<AtomicU64>,
    asks: mpsc::Receiver<Ask>,
}

fn head(height: u64) -> Head {
    Head { height: Height(height), time: Moment(0), digest: Digest::ZERO }
}

fn world(lease: Option<Lease>) -> World {
    let (desk, asks) = desk();
    let (sender, _) = watch::channel(head(1));
    let ledger = Arc::new(Ledger { lease: Mutex::new(lease), head: sender });
    let clock = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&clock);
    let clock_of: Clock = Arc::new(move || Moment(told.load(Ordering::SeqCst)));
    let followed = Arc::clone(&ledger) as Arc<dyn Followed>;
    let lessee = Lessee::new((NODE, clock_of), followed, Books::default(), desk);
    World { lessee, ledger, clock, asks }
}

impl World {
    /// Answers the next ask: final at a height, or refused; what was asked.
    async fn answer(&mut self, result: Result<u64, ErrorCode>) -> Operation {
        let Ask { operation, answer } = self.asks.recv().await.unwrap();
        let committed = |height| {
            self.ledger.head.send_replace(head(height));
            Committed { height: Height(height), time: Moment(0), index: 1, outcome: Vec::new() }
        };
        let result = result.map(committed).map_err(|code| CallError::new(code, "no"));
        answer.send(result).unwrap();
        operation
    }

    fn used(&self, by: Option<(u64, Vec<u64>)>) {
        let at = (self.lessee.clock)();
        self.lessee.lock().used.insert(PLACE, Used { at, by });
    }

    /// Looks after leases once; how many requests are on their way then.
    fn round(&self, at_ms: u64) -> Vec<watch::Receiver<Answer>> {
        self.clock.store(at_ms, Ordering::SeqCst);
        self.lessee.round(false).unwrap()
    }

    fn held(&self) -> Spent {
        self.lessee.books.page().under(PLACE.0, PLACE.1)
    }
}

fn want() -> Want {
    let share = |calls| Share { calls, ..Share::default() };
    let (need, left) = (share(1), share(80));
    Want { channel: 9, grant: PLACE.0, period: PLACE.1, through: vec![4, 5], need, left, rate: 0 }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn lease(calls: u64, until: u64) -> Lease {
    Lease { calls, spend: Price(50), rate: 0, until: Height(until) }
}

fn taken(calls: u64) -> Operation {
    let share = Share { calls, ..Share::default() };
    take_of((9, PLACE), share, vec![4, 5])
}

fn returned(calls: u64, spend: u64) -> Operation {
    let (grant, period) = PLACE;
    Operation::ReturnLease(ReturnLease { grant, period, calls, spend: Price(spend), rate: 0 })
}

async fn ended(mut answer: watch::Receiver<Answer>) -> Result<(), CallError> {
    answer.wait_for(Option::is_some).await.unwrap().clone().unwrap()
}

#[tokio::test]
async fn calls_that_wait_share_one_request() {
    let mut world = world(None);
    let (want, lessee) = (want(), world.lessee.clone());
    let calls = futures::future::join_all((0..50).map(|_| lessee.take(&want, soon())));
    let (answers, asked) = tokio::join!(calls, world.answer(Ok(2)));
    assert_eq!(asked, taken(10));
    assert!(answers.iter().all(Result::is_ok));
    assert!(world.asks.try_recv().is_err(), "one was enough");
    let (_, asked) = tokio::join!(lessee.take(&want, soon()), world.answer(Ok(3)));
    assert_eq!(asked, taken(20), "twice as much");
}

#[tokio::test]
async fn what_keeps_a_gateway_from_leasing_is_no_fault_of_the_caller() {
    let mut world = world(None);
    let (want, lessee) = (want(), world.lessee.clone());
    for (code, expect) in [
        (ErrorCode::BalanceTooLow, Some(ErrorCode::Unavailable)),
        (ErrorCode::Overloaded, Some(ErrorCode::Overloaded)),
        (ErrorCode::TransactionExpired, None),
    ] {
        let (taken, _) = tokio::join!(lessee.take(&want, soon()), world.answer(Err(code)));
        assert_eq!(taken.err().map(|error| error.code), expect, "{code}");
    }
    let late = lessee.take(&want, Instant::now()).await.unwrap_err();
    assert!(late.code == ErrorCode::Overloaded && late.retry, "{late}");
}

#[tokio::test]
async fn what_nobody_used_for_a_while_goes_back() {
    let mut world = world(Some(lease(5, 999)));
    world.used(None);
    assert!(world.round(29_999).is_empty());
    let answers = world.round(30_000);
    assert_eq!((answers.len(), world.held().calls), (1, 5));
    assert!(world.round(40_000).is_empty(), "one is on its way");
    assert_eq!(world.answer(Err(ErrorCode::BalanceTooLow)).await, returned(5, 50));
    assert!(ended(answers[0].clone()).await.is_err());
    assert_eq!(world.held(), Spent::default(), "it stays");

    let answers = world.round(50_000);
    assert_eq!(world.answer(Ok(8)).await, returned(5, 50));
    ended(answers[0].clone()).await.unwrap();
    assert_eq!(world.held(), Spent::default());
    assert_eq!(world.lessee.books.page().settled(), Height(8), "older states still have it");
    *world.ledger.lease.lock().unwrap() = Some(Lease { until: Height(999), ..Lease::default() });
    assert!(world.round(60_000).is_empty() && world.lessee.lock().used.is_empty());
}

#[tokio::test]
async fn a_lease_in_use_is_extended_before_it_ends() {
    let mut world = world(Some(lease(5, 100)));
    world.used(Some((9, vec![4, 5])));
    world.ledger.head.send_replace(head(100 - EXTEND_BLOCKS));
    assert!(world.round(1_000).is_empty());
    world.ledger.head.send_replace(head(101 - EXTEND_BLOCKS));
    let answers = world.round(2_000);
    assert_eq!(world.answer(Ok(60)).await, taken(0));
    ended(answers[0].clone()).await.unwrap();
    world.used(None);
    assert!(world.round(3_000).is_empty(), "nobody knows by which channel");
}

#[tokio::test]
async fn leases_of_an_earlier_process_are_found_and_those_of_an_end_given_back() {
    let mut world = world(Some(lease(5, 999)));
    world.lessee.take_up().unwrap();
    assert_eq!(world.lessee.lock().used.keys().copied().collect::<Vec<_>>(), [PLACE]);
    let lessee = world.lessee.clone();
    let ((), asked) = tokio::join!(lessee.close(), world.answer(Ok(2)));
    assert_eq!(asked, returned(5, 50));
}
