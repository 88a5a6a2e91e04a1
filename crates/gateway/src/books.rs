//! The gateway's own books between two final blocks: what is held for calls under way and
//! what is metered but not settled, so that no budget, quota or channel is overdrawn by
//! calls that run at the same time.
//!
//! **Invariant**: a [`Hold`] is counted from the moment it is taken until it is either
//! dropped (nothing is owed) or turned into a charge, which is counted until it is final.

use crate::call::ReceiptId;
use ambar_base::{Digest, Height, Price};
use ambar_licence::decision::Spent;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a call counts against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The channel that pays.
    pub channel: u64,
    /// The certificate's blocks, outermost first.
    pub blocks: Vec<Digest>,
    /// Grants with a quota, and the period that the call falls in.
    pub quotas: Vec<(u64, u64)>,
}

#[derive(Default)]
struct Sums {
    /// Next sequence number by channel.
    next: BTreeMap<u64, u64>,
    /// Held or charged and not final, by channel.
    channels: BTreeMap<u64, u64>,
    /// Everything ever spent or held under a block of a certificate.
    blocks: BTreeMap<Digest, Spent>,
    /// Calls held or charged and not final, by grant and period.
    quotas: BTreeMap<(u64, u64), u64>,
    /// The last block whose charges are not counted here any more.
    settled: Height,
}

/// The books.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<Sums>>);

/// Money and calls set aside for one call. Dropping it gives them back.
pub struct Hold {
    books: Books,
    claim: Claim,
    price: Price,
    /// The call's place in its channel.
    pub receipt: ReceiptId,
    settled: bool,
}

/// What the books say while a decision is made: nothing changes until it is taken.
pub struct Page<'a> {
    sums: MutexGuard<'a, Sums>,
    books: &'a Books,
}

impl Books {
    /// Opens the books for one decision: others wait, so two calls never spend the same.
    #[must_use]
    pub fn page(&self) -> Page<'_> {
        Page { sums: self.lock(), books: self }
    }

    fn lock(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sequence numbers below `next` are taken.
    pub fn advance(&self, channel: u64, next: u64) {
        let mut sums = self.lock();
        let known = sums.next.entry(channel).or_default();
        *known = next.max(*known);
    }

    /// Counts what was spent under a block before this process started.
    pub fn remember(&self, block: Digest, spent: Spent) {
        self.lock().blocks.insert(block, spent);
    }

    /// What was spent or held under a block.
    #[must_use]
    pub fn spent(&self, block: &Digest) -> Spent {
        self.lock().blocks.get(block).copied().unwrap_or_default()
    }

    /// Counts a charge that was made before this process started and is not final.
    pub fn charge(&self, claim: &Claim, price: Price) {
        self.lock().add(claim, price);
    }

    /// A charge is final: the ledger counts it from this block on.
    pub fn finalise(&self, claim: &Claim, price: Price, height: Height) {
        let mut sums = self.lock();
        sums.settled = sums.settled.max(height);
        let channel = sums.channels.entry(claim.channel).or_default();
        *channel = channel.saturating_sub(price.0);
        for quota in &claim.quotas {
            let calls = sums.quotas.entry(*quota).or_default();
            *calls = calls.saturating_sub(1);
        }
    }
}

impl Sums {
    fn add(&mut self, claim: &Claim, price: Price) {
        let channel = self.channels.entry(claim.channel).or_default();
        *channel = channel.saturating_add(price.0);
        for block in &claim.blocks {
            let spent = self.blocks.entry(*block).or_default();
            spent.price.0 = spent.price.0.saturating_add(price.0);
            spent.calls += 1;
        }
        for quota in &claim.quotas {
            *self.quotas.entry(*quota).or_default() += 1;
        }
    }

    fn remove(&mut self, claim: &Claim, price: Price) {
        let channel = self.channels.entry(claim.channel).or_default();
        *channel = channel.saturating_sub(price.0);
        for block in &claim.blocks {
            let spent = self.blocks.entry(*block).or_default();
            spent.price.0 = spent.price.0.saturating_sub(price.0);
            spent.calls = spent.calls.saturating_sub(1);
        }
        for quota in &claim.quotas {
            let calls = self.quotas.entry(*quota).or_default();
            *calls = calls.saturating_sub(1);
        }
    }
}

impl Page<'_> {
    /// Held or charged and not final, by channel.
    #[must_use]
    pub fn unsettled(&self, channel: u64) -> Price {
        Price(self.sums.channels.get(&channel).copied().unwrap_or_default())
    }

    /// The earliest state of the ledger that these books complete: an earlier one lacks
    /// charges that are not counted here any more.
    #[must_use]
    pub fn settled(&self) -> Height {
        self.sums.settled
    }

    /// Spent or held under a block.
    #[must_use]
    pub fn spent(&self, block: &Digest) -> Spent {
        self.sums.blocks.get(block).copied().unwrap_or_default()
    }

    /// Calls held or charged and not final, by grant and period.
    #[must_use]
    pub fn calls(&self, grant: u64, period: u64) -> u64 {
        self.sums.quotas.get(&(grant, period)).copied().unwrap_or_default()
    }

    /// Takes a hold of `price` and the next sequence number, which is at least `from`.
    #[must_use]
    pub fn hold(mut self, claim: Claim, price: Price, from: u64) -> Hold {
        let next = self.sums.next.entry(claim.channel).or_default();
        let n = from.max(*next);
        *next = n + 1;
        self.sums.add(&claim, price);
        let receipt = ReceiptId { channel: claim.channel, n };
        Hold { books: self.books.clone(), claim, price, receipt, settled: false }
    }
}

impl Hold {
    /// What is held.
    #[must_use]
    pub fn price(&self) -> Price {
        self.price
    }

    /// What the call counts against.
    #[must_use]
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The call is charged: its price replaces what was held.
    pub fn charge(mut self, price: Price) {
        let mut sums = self.books.lock();
        sums.remove(&self.claim, self.price);
        sums.add(&self.claim, price);
        drop(sums);
        self.settled = true;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.settled {
            self.books.lock().remove(&self.claim, self.price);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        Claim { channel: 3, blocks: vec![Digest::of(b"a"), Digest::of(b"b")], quotas: vec![(1, 0)] }
    }

    fn state(books: &Books) -> (u64, Spent, u64) {
        let page = books.page();
        (page.unsettled(3).0, page.spent(&Digest::of(b"b")), page.calls(1, 0))
    }

    fn spent(price: u64, calls: u64) -> Spent {
        Spent { price: Price(price), calls }
    }

    #[test]
    fn a_hold_becomes_a_charge_or_nothing() {
        let books = Books::default();
        let hold = books.page().hold(claim(), Price(100), 0);
        assert_eq!(state(&books), (100, spent(100, 1), 1));
        hold.charge(Price(30));
        assert_eq!(state(&books), (30, spent(30, 1), 1));
        drop(books.page().hold(claim(), Price(50), 0));
        assert_eq!(state(&books), (30, spent(30, 1), 1));
        books.finalise(&claim(), Price(30), Height(4));
        assert_eq!(state(&books), (0, spent(30, 1), 0));
        books.finalise(&claim(), Price(0), Height(2));
        assert_eq!(books.page().settled(), Height(4));
    }

    #[test]
    fn sequence_numbers_are_never_given_twice() {
        let books = Books::default();
        books.advance(3, 7);
        let numbers: Vec<u64> =
            (0..3).map(|_| books.page().hold(claim(), Price(1), 5).receipt.n).collect();
        assert_eq!(numbers, [7, 8, 9]);
        assert_eq!(books.page().hold(claim(), Price(1), 20).receipt.n, 20);
    }
}
