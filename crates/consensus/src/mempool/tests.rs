//! The pool alone: order, priority, limits, joining.

use super::Mempool;
use crate::engine::Committed;
use crate::error::{StoreError, SubmitError};
use crate::machine::Admission;
use crate::settings::{BlockLimits, PoolLimits};
use ambar_base::{Digest, Height, Moment};
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::HashSet;

const POOL: PoolLimits = PoolLimits {
    transactions_max: 4,
    bytes_max: 100,
    transaction_bytes_max: 100,
    submitters_max: 2,
    refusals_max: 1,
};

fn admission(id: u8, fee_per_byte: u64) -> Admission {
    Admission { id: Digest([id; 32]), expiry: Height(9), fee_per_byte }
}

fn bytes(count: usize) -> Bytes {
    Bytes::from(vec![0; count])
}

fn selected(pool: &Mempool, transactions_max: usize, bytes_max: usize) -> Vec<u8> {
    let limits = BlockLimits { transactions_max, bytes_max, writes_max: 1 };
    pool.select(&limits, &HashSet::from([Digest([7; 32])]))
        .iter()
        .map(|candidate| candidate.id.0[0])
        .collect()
}

#[test]
fn who_offers_most_goes_first_but_in_the_order_of_arrival() {
    let mut pool = Mempool::new(POOL);
    for (id, fee) in [(1, 5), (2, 1), (3, 9), (4, 5)] {
        pool.insert(admission(id, fee), bytes(10)).unwrap();
    }
    assert_eq!(selected(&pool, 4, 40), [1, 2, 3, 4]);
    assert_eq!(selected(&pool, 3, 40), [1, 3, 4]);
    assert_eq!(selected(&pool, 2, 40), [1, 3]);
    assert_eq!(selected(&pool, 4, 35), [1, 3, 4]);
    assert_eq!(selected(&pool, 4, 5), [3], "something always goes in");
}

#[test]
fn count_bytes_and_submitters_are_bounded() {
    let mut pool = Mempool::new(POOL);
    assert!(pool.insert(admission(1, 0), bytes(101)).is_err());
    let mut waits = vec![pool.insert(admission(1, 0), bytes(60)).unwrap()];
    assert_eq!(pool.insert(admission(2, 0), bytes(41)).err(), Some(SubmitError::Overloaded));
    waits.push(pool.insert(admission(1, 0), bytes(60)).unwrap());
    assert_eq!(pool.insert(admission(1, 0), bytes(0)).err(), Some(SubmitError::Overloaded));
    waits.pop();
    waits.push(pool.insert(admission(1, 0), bytes(60)).unwrap());
    for id in 2..5 {
        pool.insert(admission(id, 0), bytes(1)).unwrap();
    }
    assert_eq!(pool.insert(admission(5, 0), bytes(0)).err(), Some(SubmitError::Overloaded));
    let committed = Committed { height: Height(1), time: Moment(1), index: 1, outcome: vec![1] };
    pool.resolve(&Digest([1; 32]), &Ok(committed.clone()));
    for mut wait in waits {
        assert_eq!(wait.try_recv(), Ok(Ok(committed.clone())));
    }
    assert!(!pool.contains(&Digest([1; 32])));
    pool.insert(admission(5, 0), bytes(97)).unwrap();
}

#[test]
fn what_is_taken_is_not_selected() {
    let mut pool = Mempool::new(POOL);
    pool.insert(admission(7, 0), bytes(1)).unwrap();
    assert!(selected(&pool, 4, 40).is_empty());
    let taken = HashSet::from([Digest([7; 32])]);
    assert!(!pool.has_besides(&taken) && pool.has_besides(&HashSet::new()));
    pool.insert(admission(1, 0), bytes(1)).unwrap();
    assert_eq!(selected(&pool, 4, 40), [1]);
    assert!(pool.has_besides(&taken));
}

#[test]
fn what_came_too_late_is_answered() {
    let mut pool = Mempool::new(POOL);
    let mut late = pool.insert(admission(1, 0), bytes(1)).unwrap();
    pool.expire(Height(9));
    assert!(late.try_recv().is_err() && pool.contains(&Digest([1; 32])));
    pool.expire(Height(10));
    let expect = SubmitError::TransactionExpired { expiry: Height(9), next: Height(10) };
    assert_eq!(late.try_recv(), Ok(Err(expect)));
    assert!(!pool.contains(&Digest([1; 32])));
}

#[test]
fn a_failure_is_told_to_all_and_what_waits_may_wait_on() {
    let mut pool = Mempool::new(POOL);
    let mut first = pool.insert(admission(1, 0), bytes(0)).unwrap();
    let error = SubmitError::Store(StoreError::DiskFull);
    pool.tell_all(&error);
    assert_eq!(first.try_recv(), Ok(Err(error.clone())));
    assert!(pool.contains(&Digest([1; 32])));
    let mut second = pool.insert(admission(2, 0), bytes(0)).unwrap();
    pool.fail_all(&error);
    assert_eq!(second.try_recv(), Ok(Err(error)));
    assert!(!pool.has_besides(&HashSet::new()));
}

#[test]
fn everybody_hears_of_the_end_in_the_order_of_arrival() {
    let mut pool = Mempool::new(PoolLimits { transactions_max: 32, ..POOL });
    let mut waits = FuturesUnordered::new();
    for number in 0..32_u8 {
        let wait = pool.insert(admission(number.reverse_bits(), 0), bytes(0)).unwrap();
        waits.push(wait.map(move |_| number));
    }
    // Each is asked once, so that from now on it is asked in the order in which it is woken.
    assert!(waits.next().now_or_never().is_none());
    pool.fail_all(&SubmitError::ShuttingDown);
    let heard: Vec<_> = waits.collect().now_or_never().unwrap();
    assert_eq!(heard, (0..32).collect::<Vec<_>>());
}
