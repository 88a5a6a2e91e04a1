//! The gateway's own books between two final blocks: what is held for calls under way and
//! what is metered but not settled, so that no budget, quota or channel is overdrawn by
//! calls that run at the same time.
//!
//! **Invariant**: a [`Hold`] is counted from the moment it is taken until it is either
//! dropped (nothing is owed) or turned into a charge, which is counted until it is final.

use crate::call::ReceiptId;
use crate::window::Window;
use ambar_base::{Digest, Height, Moment, Price};
use ambar_ledger::object::Lease;
use ambar_ledger::quota::{RATE_PERIOD, Share};
use ambar_licence::RateUnit;
use ambar_licence::decision::Spent;
use ambar_receipt::Voucher;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Grants with a rate that one gateway keeps the times of: at most 12 KB each.
const WINDOWS_MAX: usize = 65_536;

/// What a call counts under one grant in one period of its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaClaim {
    /// The grant.
    pub grant: u64,
    /// The period.
    pub period: u64,
    /// Lines under the grant, and what they cost, or can cost at most: royalty and node fee.
    pub spent: Spent,
}

/// What a call counts against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The channel that pays.
    pub channel: u64,
    /// The certificate's blocks, outermost first.
    pub blocks: Vec<Digest>,
    /// Grants whose quota counts, each once.
    pub quotas: Vec<QuotaClaim>,
}

#[derive(Default)]
struct Sums {
    /// Next sequence number by channel.
    next: BTreeMap<u64, u64>,
    /// Held or charged and not final, by channel.
    channels: BTreeMap<u64, u64>,
    /// Everything ever spent or held under a block of a certificate.
    blocks: BTreeMap<Digest, Spent>,
    /// Held or charged and not final, by grant and period.
    quotas: BTreeMap<(u64, u64), Spent>,
    /// Calls that count against a rate, by grant.
    windows: BTreeMap<u64, Window>,
    /// The highest voucher that was seen, by channel.
    vouchers: BTreeMap<u64, Voucher>,
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

    /// Takes a voucher that was checked before this process started.
    pub fn vouch(&self, voucher: Voucher) {
        self.lock().vouch(voucher);
    }

    /// A charge is final: the ledger counts it from this block on.
    pub fn finalise(&self, claim: &Claim, price: Price, height: Height) {
        let mut sums = self.lock();
        sums.settled = sums.settled.max(height);
        let channel = sums.channels.entry(claim.channel).or_default();
        *channel = channel.saturating_sub(price.0);
        claim.quotas.iter().for_each(|quota| sums.take_out(quota));
    }

    /// What was spared of a lease is back as of a block, or was not given back.
    pub fn release(&self, (grant, period): (u64, u64), share: Share, back: Option<Height>) {
        let mut sums = self.lock();
        sums.settled = sums.settled.max(back.unwrap_or_default());
        if period != RATE_PERIOD {
            sums.take_out(&withheld((grant, period), share));
        } else if back.is_some() {
            sums.windows.remove(&grant);
        } else if let Some(window) = sums.windows.get_mut(&grant) {
            window.release(share.rate);
        }
    }
}

/// What is on its way back counts like calls that are admitted.
fn withheld((grant, period): (u64, u64), share: Share) -> QuotaClaim {
    QuotaClaim { grant, period, spent: Spent { price: share.spend, calls: share.calls } }
}

impl Sums {
    fn vouch(&mut self, voucher: Voucher) -> Voucher {
        let highest = self.vouchers.entry(voucher.channel).or_insert(voucher);
        if voucher.total > highest.total {
            *highest = voucher;
        }
        *highest
    }

    fn add(&mut self, claim: &Claim, price: Price) {
        let channel = self.channels.entry(claim.channel).or_default();
        *channel = channel.saturating_add(price.0);
        for block in &claim.blocks {
            let spent = self.blocks.entry(*block).or_default();
            spent.price.0 = spent.price.0.saturating_add(price.0);
            spent.calls += 1;
        }
        claim.quotas.iter().for_each(|quota| self.put_in(quota));
    }

    fn put_in(&mut self, quota: &QuotaClaim) {
        let sum = self.quotas.entry((quota.grant, quota.period)).or_default();
        sum.calls = sum.calls.saturating_add(quota.spent.calls);
        sum.price.0 = sum.price.0.saturating_add(quota.spent.price.0);
    }

    fn take_out(&mut self, quota: &QuotaClaim) {
        let key = (quota.grant, quota.period);
        let Some(sum) = self.quotas.get_mut(&key) else { return };
        sum.calls = sum.calls.saturating_sub(quota.spent.calls);
        sum.price = sum.price.saturating_sub(quota.spent.price);
        if *sum == Spent::default() {
            self.quotas.remove(&key);
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
        claim.quotas.iter().for_each(|quota| self.take_out(quota));
    }
}

impl Page<'_> {
    /// Takes a voucher whose signature is good; the highest one of its channel.
    pub fn vouch(&mut self, voucher: Voucher) -> Voucher {
        self.sums.vouch(voucher)
    }

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

    /// Held or charged and not final, by grant and period.
    #[must_use]
    pub fn under(&self, grant: u64, period: u64) -> Spent {
        self.sums.quotas.get(&(grant, period)).copied().unwrap_or_default()
    }

    /// The calls that count against a grant's rate. `part` is what the lease holds when the
    /// grant is first seen: nobody knows when an earlier process used it. Nothing if too many
    /// are kept.
    pub fn window(
        &mut self,
        grant: u64,
        unit: RateUnit,
        now: Moment,
        part: u32,
    ) -> Option<&mut Window> {
        let windows = &mut self.sums.windows;
        if windows.len() >= WINDOWS_MAX && !windows.contains_key(&grant) {
            return None;
        }
        Some(windows.entry(grant).or_insert_with(|| Window::new(unit, now, part)))
    }

    /// Sets aside what no call needs of a lease, which the state has after the block `height`
    /// at `time`, so that it can be given back; nothing if that cannot be said now. Whoever
    /// takes it says what became of it: [`Books::release`]. A rate is spared whole, when its
    /// last call does not count any more for anybody.
    pub fn spare(
        &mut self,
        (height, time): (Height, Moment),
        (grant, period): (u64, u64),
        lease: &Lease,
    ) -> Option<Share> {
        if height < self.sums.settled {
            return None;
        }
        if period == RATE_PERIOD {
            if let Some(window) = self.sums.windows.get_mut(&grant) {
                if window.wait_ms(time, lease.rate, lease.rate) > 0 {
                    return None;
                }
                window.withhold(lease.rate);
            }
            return Some(Share { rate: lease.rate, ..Share::default() });
        }
        let own = self.under(grant, period);
        let calls = lease.calls.saturating_sub(own.calls);
        let spend = lease.spend.saturating_sub(own.price);
        let share = Share { calls, spend, rate: 0 };
        if share.is_empty() && own != Spent::default() {
            return None;
        }
        self.sums.put_in(&withheld((grant, period), share));
        Some(share)
    }

    /// Calls are admitted under a grant whose window was looked at.
    pub fn admit(&mut self, grant: u64, now: Moment, calls: u32) {
        if let Some(window) = self.sums.windows.get_mut(&grant) {
            window.add(now, calls);
        }
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

    /// The call is charged: what it is charged for replaces what was held.
    pub fn charge(mut self, charged: &Claim, price: Price) {
        let mut sums = self.books.lock();
        sums.remove(&self.claim, self.price);
        sums.add(charged, price);
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
        costing(80)
    }

    fn costing(price: u64) -> Claim {
        let quota = QuotaClaim { grant: 1, period: 0, spent: spent(price, 1) };
        let blocks = vec![Digest::of(b"a"), Digest::of(b"b")];
        Claim { channel: 3, blocks, quotas: vec![quota] }
    }

    fn state(books: &Books) -> (u64, Spent, Spent) {
        let page = books.page();
        (page.unsettled(3).0, page.spent(&Digest::of(b"b")), page.under(1, 0))
    }

    fn spent(price: u64, calls: u64) -> Spent {
        Spent { price: Price(price), calls }
    }

    #[test]
    fn a_hold_becomes_a_charge_or_nothing() {
        let books = Books::default();
        let hold = books.page().hold(claim(), Price(100), 0);
        assert_eq!(state(&books), (100, spent(100, 1), spent(80, 1)));
        hold.charge(&costing(20), Price(30));
        assert_eq!(state(&books), (30, spent(30, 1), spent(20, 1)));
        drop(books.page().hold(claim(), Price(50), 0));
        assert_eq!(state(&books), (30, spent(30, 1), spent(20, 1)));
        books.finalise(&costing(20), Price(30), Height(4));
        assert_eq!(state(&books), (0, spent(30, 1), spent(0, 0)));
        books.finalise(&claim(), Price(0), Height(2));
        assert_eq!(books.page().settled(), Height(4));
    }

    #[test]
    fn what_goes_back_to_a_quota_is_not_there_for_calls() {
        let books = Books::default();
        let (place, until) = ((1, 0), Height(99));
        let at = |height| (Height(height), Moment(0));
        let lease = Lease { calls: 5, spend: Price(100), rate: 0, until };
        let hold = books.page().hold(claim(), Price(100), 0);
        let share = Share { calls: 4, spend: Price(20), rate: 0 };
        assert_eq!(books.page().spare(at(3), place, &lease), Some(share));
        assert_eq!(state(&books).2, spent(100, 5));
        books.release(place, share, None);
        assert_eq!((state(&books).2, books.page().settled()), (spent(80, 1), Height(0)));
        assert_eq!(books.page().spare(at(3), place, &lease), Some(share));
        books.release(place, share, Some(Height(7)));
        assert_eq!((state(&books).2, books.page().settled()), (spent(80, 1), Height(7)));
        assert_eq!(books.page().spare(at(6), place, &lease), None, "an older state");
        let left = Lease { calls: 1, spend: Price(80), rate: 0, until };
        assert_eq!(books.page().spare(at(7), place, &left), None, "a call needs it");
        drop(hold);
        let nothing = Lease { until, ..Lease::default() };
        assert_eq!(books.page().spare(at(7), place, &nothing), Some(Share::default()));
    }

    #[test]
    fn a_rate_goes_back_when_its_last_call_is_a_unit_old() {
        let (books, place) = (Books::default(), (1, RATE_PERIOD));
        let lease = Lease { rate: 4, until: Height(99), ..Lease::default() };
        let spare = |ms| books.page().spare((Height(1), Moment(ms)), place, &lease);
        let wait_ms = |ms| {
            let mut page = books.page();
            let window = page.window(1, RateUnit::Second, Moment(ms), 0).unwrap();
            window.wait_ms(Moment(ms), 4, 1)
        };
        assert_eq!(wait_ms(5_000), 0);
        books.page().admit(1, Moment(5_000), 1);
        assert_eq!(spare(5_999), None);
        let share = Share { rate: 4, ..Share::default() };
        assert_eq!(spare(6_000), Some(share));
        assert_eq!(wait_ms(6_000), 1_000, "all of it is on its way back");
        books.release(place, share, None);
        assert_eq!(wait_ms(6_000), 0);
        assert_eq!(spare(6_000), Some(share));
        books.release(place, share, Some(Height(2)));
        assert_eq!((wait_ms(6_000), books.page().settled()), (0, Height(2)));
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
