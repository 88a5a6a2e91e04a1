//! A gateway on a channel in voucher mode: what it admits is covered, so that whatever it
//! delivered settles, in whatever order and after whatever crash; and a payer who counts in a
//! purse is never asked for more than it signed.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod frozen;
#[path = "../../ledger/tests/world/mod.rs"]
mod world;

use ambar_base::{Cid, Digest, ErrorCode, Height, Moment, Price, Signature};
use ambar_gateway::admission::{Admission, Admitted, Verdict};
use ambar_gateway::books::{Books, Hold};
use ambar_gateway::certificate::Opened;
use ambar_gateway::record::{Answer, Metered};
use ambar_gateway::route::Router;
use ambar_gateway::view::LedgerView;
use ambar_gateway::{CallError, Offer, Serving, vouchers};
use ambar_licence::Right;
use ambar_receipt::{Counter, Leaf, Purse, Voucher, call_id};
use std::collections::BTreeMap;
use world::{World, key, model, terms};

/// What a call's line costs: a royalty per call.
const COST: u64 = 1_000;
/// What a call is held for.
const HOLD: u64 = 3_000;

/// Numbers that differ from seed to seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

/// A call that runs.
struct Running {
    hold: Hold,
    admitted: Height,
    time: Moment,
    voucher: Option<Voucher>,
}

/// One gateway over one ledger, with one channel in voucher mode.
struct Booth {
    world: World,
    serving: Serving,
    version: u64,
    id: Cid,
    grant: u64,
    node: u64,
    channel: u64,
    books: Books,
    running: Vec<Running>,
    /// Receipts that are durable and not final.
    journal: Vec<Metered>,
    next: u64,
}

fn booth() -> Booth {
    let mut world = World::new();
    for name in ["developer", "caller", "north"] {
        world.person(name);
    }
    let developer = world.id("developer");
    let rule = terms(&[Right::Call], 0, COST);
    let (version, id) = world.publish("developer", model(developer), &rule, None, vec![]).unwrap();
    let grant = world.accept("caller", id).unwrap();
    let node = world.node("north");
    world.serve("developer", id, "north");
    let channel = world.channel_in("caller", "north", vec![grant], Price::CREDIT, true);
    world.block(1_000);
    let serving = Serving::default();
    serving.insert(id, Offer::Template);
    let (books, running, journal) = (Books::default(), Vec::new(), Vec::new());
    let next = 0;
    Booth { world, serving, version, id, grant, node, channel, books, running, journal, next }
}

impl Booth {
    fn view(&self) -> LedgerView {
        frozen::view(&self.world.ledger)
    }

    fn voucher(&self, total: u64) -> Voucher {
        let session = key("caller's session");
        Voucher::sign(self.world.network, self.channel, Price(total), &session)
    }

    /// Admits a call with a voucher, or says why not.
    fn call(&mut self, total: u64) -> Result<u64, CallError> {
        let (view, now) = (self.view(), self.world.ledger.time());
        let router =
            Router { view: &view, serving: &self.serving, node: self.node, now, elsewhere: false };
        let route = router.route(self.channel, &self.id.to_string()).unwrap();
        let certificate = Opened {
            channel: self.channel,
            session: key("caller's session").public(),
            blocks: Vec::new(),
            holder: Digest::ZERO,
            last: Signature([0; 64]),
        };
        let admission = Admission {
            certificate: &certificate,
            route: &route,
            purpose: None,
            agent: None,
            voucher: Some(self.voucher(total)),
            price_max: Price(HOLD),
            lines_max: &[Price(COST)],
            now,
            ledger_age_ms: 0,
        };
        let admitted = match admission.decide(&self.books)? {
            Verdict::Admitted(admitted) => admitted,
            Verdict::Denied(denied) => return Err(denied.error),
            Verdict::Wanted(_) | Verdict::Overtaken => panic!("nothing has to be leased"),
        };
        let Admitted { hold, voucher, .. } = *admitted;
        let n = hold.receipt.n;
        self.next = self.next.max(n + 1);
        self.running.push(Running { hold, admitted: route.head.height, time: now, voucher });
        Ok(n)
    }

    /// A call ends: it delivers, or not. What it costs.
    fn end(&mut self, which: usize, delivers: bool) -> (u64, Price) {
        let Running { hold, admitted, time, voucher } = self.running.swap_remove(which);
        let n = hold.receipt.n;
        if !delivers {
            return (n, Price::ZERO);
        }
        let counts = [(Counter::TokensOut, 0)];
        let line = self.world.line(self.version, self.grant, self.node, &counts);
        let leaf = Leaf { admitted, time, ..self.world.leaf(self.channel, n, vec![line]) };
        let metered = Metered {
            leaf,
            details: None,
            decision: None,
            evidence: vec![],
            blocks: vec![],
            quotas: vec![],
            fingerprint: Digest::ZERO,
            voucher,
            capsule: String::new(),
            answer: Answer::default(),
        };
        let price = metered.price();
        hold.charge(&metered.claim(), price);
        self.journal.push(metered);
        (n, price)
    }

    /// Settles these calls as the settler does.
    fn settle(&mut self, calls: &[Metered]) {
        let leaves = calls.iter().map(|call| call.leaf.clone()).collect();
        let vouchers = vouchers::of_batch(&self.view(), calls.iter()).unwrap();
        let settlement = self.world.settlement_with("north", self.node, leaves, vouchers);
        let signed = settlement.sign(&key("north's node"));
        self.world.apply(&ambar_base::Encode::to_bytes(&signed)).unwrap();
        let height = self.world.ledger.height();
        for call in calls {
            self.books.finalise(&call.claim(), call.price(), height);
        }
        self.world.block(1_000);
    }

    /// Settles some of what was delivered, the newest or the oldest of it.
    fn settle_some(&mut self, dice: &mut Dice) {
        if self.journal.is_empty() {
            return;
        }
        let some = 1 + dice.below(self.journal.len());
        let calls = if dice.below(2) == 0 {
            self.journal.drain(..some).collect::<Vec<_>>()
        } else {
            let at = self.journal.len() - some;
            self.journal.split_off(at)
        };
        self.settle(&calls);
    }

    /// The process dies: its memory is lost, what was not delivered is not charged.
    fn kill(&mut self) {
        self.running.clear();
        self.books = Books::default();
        self.books.advance(self.channel, self.next);
        for call in &self.journal {
            self.books.charge(&call.claim(), call.price());
            call.voucher.into_iter().for_each(|voucher| self.books.vouch(voucher));
        }
    }

    /// Everything spent, charged or held, nano-credit, and what vouchers cover on the ledger.
    fn counted(&self) -> (u64, u64) {
        let channel = self.world.channel_state(self.channel);
        let spent = u64::try_from(channel.spent.0 / u128::from(Price::CREDIT.0)).unwrap();
        (spent + self.books.page().unsettled(self.channel).0, channel.vouched.unwrap().0)
    }
}

#[test]
fn room_is_exact() {
    let mut booth = booth();
    let refused = |booth: &mut Booth, total| {
        assert_eq!(booth.call(total).unwrap_err().code, ErrorCode::VoucherExceeded);
        assert_eq!(booth.counted().0, booth.running.len() as u64 * HOLD);
    };
    refused(&mut booth, 0);
    refused(&mut booth, HOLD - 1);
    booth.call(HOLD).unwrap();
    // The same voucher has no room for another call at the same time.
    refused(&mut booth, HOLD);
    refused(&mut booth, 2 * HOLD - 1);
    // Vouchers may come in any order: the highest counts.
    booth.call(3 * HOLD).unwrap();
    booth.call(HOLD).unwrap();
    refused(&mut booth, HOLD);
    let kept = booth.running.iter().map(|call| call.voucher.unwrap().total.0);
    assert_eq!(kept.collect::<Vec<_>>(), [HOLD, 3 * HOLD, 3 * HOLD]);
}

#[test]
fn a_call_that_ends_late_is_covered() {
    let mut booth = booth();
    booth.call(HOLD).unwrap();
    booth.call(2 * HOLD).unwrap();
    // The second ends and settles first, with its own higher voucher.
    booth.end(1, true);
    let second: Vec<_> = booth.journal.drain(..).collect();
    booth.settle(&second);
    assert_eq!(booth.counted().1, 2 * HOLD);
    booth.end(0, true);
    let first: Vec<_> = booth.journal.drain(..).collect();
    booth.settle(&first);
    assert_eq!(booth.counted().1, 2 * HOLD);
}

/// Payers who sign what they like; `settle` fails the test if the ledger refuses a leaf.
#[test]
fn whatever_is_delivered_settles() {
    let (mut admitted, mut refused) = (0, 0);
    for seed in 0..12 {
        let (mut booth, mut dice) = (booth(), Dice(seed));
        for _ in 0..60 {
            match dice.below(10) {
                0..=4 => {
                    let (counted, vouched) = booth.counted();
                    let total = [counted, counted + HOLD, counted + 2 * HOLD, vouched];
                    match booth.call(total[dice.below(4)]) {
                        Ok(_) => admitted += 1,
                        Err(error) => {
                            assert_eq!(error.code, ErrorCode::VoucherExceeded);
                            refused += 1;
                        }
                    }
                }
                5..=6 if !booth.running.is_empty() => {
                    let which = dice.below(booth.running.len());
                    booth.end(which, dice.below(4) > 0);
                }
                7..=8 => booth.settle_some(&mut dice),
                9 => booth.kill(),
                _ => {}
            }
        }
        let rest: Vec<_> = booth.journal.drain(..).collect();
        if !rest.is_empty() {
            booth.settle(&rest);
        }
        let (counted, vouched) = booth.counted();
        let held = booth.running.len() as u64 * HOLD;
        assert!(counted - held <= vouched, "seed {seed}: {counted} {held} {vouched}");
    }
    assert!(admitted > 60 && refused > 60, "{admitted} {refused}");
}

/// What a purse signs is always enough for an honest gateway, also after one of both dies.
#[test]
fn a_purse_signs_enough() {
    for seed in 0..12 {
        let (mut booth, mut dice) = (booth(), Dice(1_000 + seed));
        let mut purse = Purse::new(booth.channel, Price(0), Price(0));
        // The identity of each call by its sequence number.
        let mut calls: BTreeMap<u64, Digest> = BTreeMap::new();
        for at in 0..80_u64 {
            match dice.below(10) {
                0..=3 => {
                    let key = at.to_string();
                    let call = call_id(booth.channel, &Digest::ZERO, &key);
                    let reserved = purse.reserve((key, call), Price(HOLD), Price::CREDIT, 4);
                    if let Ok(total) = reserved {
                        let n = booth.call(total.0).expect("the voucher covers the call");
                        calls.insert(n, call);
                    }
                }
                4..=6 if !booth.running.is_empty() => {
                    let which = dice.below(booth.running.len());
                    let (n, price) = booth.end(which, dice.below(4) > 0);
                    match price {
                        Price::ZERO => purse.release(&calls[&n]).unwrap(),
                        price => purse.acknowledge(&calls[&n], n, price).unwrap(),
                    }
                }
                7..=8 => booth.settle_some(&mut dice),
                9 => {
                    // What the gateway forgot was not charged.
                    for running in &booth.running {
                        purse.release(&calls[&running.hold.receipt.n]).unwrap();
                    }
                    booth.kill();
                    purse.restart();
                }
                _ => {}
            }
        }
        assert!(calls.len() > 5, "seed {seed}");
        let (counted, vouched) = booth.counted();
        let under_way = purse.under_way().unwrap().0;
        assert_eq!(counted, purse.acknowledged.0 + under_way, "seed {seed}");
        assert!(vouched <= purse.signed.0);
    }
}
