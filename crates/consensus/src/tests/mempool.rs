//! The pool alone: order, priority, limits, joining.

use crate::engine::Committed;
use crate::error::{StoreError, SubmitError};
use crate::machine::Admission;
use crate::mempool::Mempool;
use crate::settings::{BlockLimits, PoolLimits};
use ambar_base::{Digest, Height, Moment};
use std::collections::BTreeSet;

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

fn selected(pool: &Mempool, transactions_max: usize, bytes_max: usize) -> Vec<u8> {
    let limits = BlockLimits { transactions_max, bytes_max, writes_max: 1 };
    pool.select(&limits).iter().map(|candidate| candidate.id.0[0]).collect()
}

#[test]
fn who_offers_most_goes_first_but_in_the_order_of_arrival() {
    let mut pool = Mempool::new(POOL);
    for (id, fee) in [(1, 5), (2, 1), (3, 9), (4, 5)] {
        pool.insert(admission(id, fee), vec![0; 10]).unwrap();
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
    assert!(pool.insert(admission(1, 0), vec![0; 101]).is_err());
    let mut waits = vec![pool.insert(admission(1, 0), vec![0; 60]).unwrap()];
    assert_eq!(pool.insert(admission(2, 0), vec![0; 41]).err(), Some(SubmitError::Overloaded));
    waits.push(pool.insert(admission(1, 0), vec![0; 60]).unwrap());
    assert_eq!(pool.insert(admission(1, 0), vec![]).err(), Some(SubmitError::Overloaded));
    waits.pop();
    waits.push(pool.insert(admission(1, 0), vec![0; 60]).unwrap());
    for id in 2..5 {
        pool.insert(admission(id, 0), vec![0; 1]).unwrap();
    }
    assert_eq!(pool.insert(admission(5, 0), vec![]).err(), Some(SubmitError::Overloaded));
    let committed = Committed { height: Height(1), time: Moment(1), index: 1, outcome: vec![1] };
    pool.resolve(0, &Ok(committed.clone()));
    for mut wait in waits {
        assert_eq!(wait.try_recv(), Ok(Ok(committed.clone())));
    }
    assert!(!pool.contains(&Digest([1; 32])));
    pool.insert(admission(5, 0), vec![0; 97]).unwrap();
}

#[test]
fn a_failure_answers_all_and_keeps_what_may_become_final() {
    let mut pool = Mempool::new(POOL);
    let mut kept = pool.insert(admission(1, 0), vec![]).unwrap();
    let mut lost = pool.insert(admission(2, 0), vec![]).unwrap();
    let error = SubmitError::Store(StoreError::DiskFull);
    pool.fail_all(&error, &BTreeSet::from([0]));
    assert_eq!(kept.try_recv(), Ok(Err(error.clone())));
    assert_eq!(lost.try_recv(), Ok(Err(error)));
    assert!(pool.contains(&Digest([1; 32])) && !pool.contains(&Digest([2; 32])));
    assert!(!pool.is_empty());
}
