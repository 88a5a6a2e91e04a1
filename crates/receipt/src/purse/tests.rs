//! What a payer can lose at most, whatever the order of calls, answers, crashes and lies.

use super::*;
use ambar_base::{Encode, codec};
use proptest::prelude::*;

const FUNDED: Price = Price(1_000);

fn call(key: u64) -> (String, Digest) {
    (key.to_string(), Digest::of(&key.to_be_bytes()))
}

fn purse() -> Purse {
    Purse::new(3, Price(0), Price(0))
}

#[test]
fn a_call_is_covered_once() {
    let mut purse = purse();
    assert_eq!(purse.reserve(call(1), Price(10), FUNDED, 2), Ok(Price(10)));
    assert_eq!(purse.reserve(call(2), Price(20), FUNDED, 2), Ok(Price(30)));
    assert_eq!(purse.reserve(call(3), Price(1), FUNDED, 2), Err(PurseError::Busy(2)));
    assert_eq!(purse.acknowledge(&call(1).1, 0, Price(4)), Ok(()));
    let under_way = PurseError::UnderWay("2".into());
    assert_eq!(purse.reserve(call(2), Price(1), FUNDED, 2), Err(under_way));
    assert_eq!(purse.reserve(call(3), Price(10), FUNDED, 2), Ok(Price(34)));
    assert_eq!(purse.release(&call(2).1), Ok(()));
    let too_dear = PurseError::TooDear { price: Price(11), price_max: Price(10) };
    assert_eq!(purse.acknowledge(&call(3).1, 1, Price(11)), Err(too_dear));
    assert_eq!(purse.acknowledge(&call(3).1, 1, Price(10)), Ok(()));
    assert_eq!((purse.acknowledged, purse.signed), (Price(14), Price(34)));
    // What was released gives no room to anybody: the highest voucher stays what it is.
    assert_eq!(purse.reserve(call(4), Price(5), FUNDED, 2), Ok(Price(34)));
}

#[test]
fn a_receipt_counts_once() {
    let mut purse = purse();
    for price in [7, 0] {
        purse.reserve(call(1), Price(10), FUNDED, 1).unwrap();
        purse.acknowledge(&call(1).1, 5, Price(7)).unwrap();
        assert_eq!(purse.acknowledged, Price(7), "{price}");
    }
}

#[test]
fn the_channels_money_is_the_limit() {
    let mut purse = purse();
    assert_eq!(purse.reserve(call(1), Price(900), FUNDED, 4), Ok(Price(900)));
    let empty = PurseError::Empty { left: Price(100), price_max: Price(101) };
    assert_eq!(purse.reserve(call(2), Price(101), FUNDED, 4), Err(empty));
    assert_eq!(purse.reserve(call(2), Price(100), FUNDED, 4), Ok(FUNDED));
    assert_eq!(purse.left(FUNDED), Price(0));
    let huge = purse.reserve(call(3), Price(u64::MAX), FUNDED, 4).unwrap_err();
    assert_eq!(huge.code(), ErrorCode::ChannelEmpty);
}

#[test]
fn a_dispute_ends_signing_until_the_owner_goes_on() {
    let mut purse = purse();
    purse.reserve(call(1), Price(10), FUNDED, 4).unwrap();
    purse.reserve(call(2), Price(20), FUNDED, 4).unwrap();
    purse.dispute(&call(1).1, "no receipt").unwrap();
    let refused = purse.reserve(call(3), Price(1), FUNDED, 4).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::VoucherExceeded);
    assert!(refused.to_string().contains("no receipt"), "{refused}");
    purse.restart();
    assert!(purse.sound().is_err(), "a restart forgives nothing");
    assert_eq!(purse.acknowledge(&call(2).1, 1, Price(20)), Ok(()));
    purse.go_on(Price(0));
    assert_eq!(purse.acknowledged, Price(30), "the highest price counts as spent");
    assert_eq!(purse.reserve(call(3), Price(1), FUNDED, 4), Ok(Price(31)));
}

#[test]
fn the_ledger_is_compared() {
    let mut purse = purse();
    purse.reserve(call(1), Price(10), FUNDED, 4).unwrap();
    assert_eq!(purse.compare(Price(10)), Ok(()));
    let overdrawn = purse.compare(Price(11)).unwrap_err();
    assert_eq!(overdrawn.code(), ErrorCode::VoucherExceeded);
    purse.release(&call(1).1).unwrap();
    assert!(purse.compare(Price(1)).is_err(), "a released call was settled");
    purse.go_on(Price(10));
    assert_eq!((purse.acknowledged, purse.compare(Price(10))), (Price(10), Ok(())));
    // What is under way may be in what has settled: it is not counted twice.
    purse.reserve(call(2), Price(10), FUNDED, 4).unwrap();
    purse.go_on(Price(15));
    assert_eq!((purse.acknowledged, purse.counted.len()), (Price(20), 0));
}

/// The bytes of a purse lie in homes; a change needs a new file.
#[test]
fn conformance() {
    let mut purse = Purse::new(300, Price(7), Price(9));
    purse.reserve(call(1), Price(10), FUNDED, 2).unwrap();
    purse.dispute(&call(1).1, "no receipt").unwrap();
    purse.numbers.insert(4);
    let bytes = purse.to_bytes();
    assert_eq!(
        Digest::of(&bytes).to_string(),
        "f6f907abebe108106bc5d8bc4743f8eb5266ae64842e5195f421c2fa3d77b97e"
    );
    assert_eq!(codec::decode(&bytes), Ok(purse));
}

/// What happens to a payer.
#[derive(Clone, Debug)]
enum Deed {
    Reserve {
        price_max: u64,
    },
    Acknowledge {
        which: usize,
        price: u64,
        n: u64,
    },
    Release {
        which: usize,
    },
    Dispute {
        which: usize,
    },
    /// The process ends and begins again, with what was durable.
    Crash,
    GoOn,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => (1_u64..60).prop_map(|price_max| Deed::Reserve { price_max }),
        4 => (any::<usize>(), 0_u64..70, 0_u64..30)
            .prop_map(|(which, price, n)| Deed::Acknowledge { which, price, n }),
        2 => any::<usize>().prop_map(|which| Deed::Release { which }),
        1 => any::<usize>().prop_map(|which| Deed::Dispute { which }),
        1 => Just(Deed::Crash),
        1 => Just(Deed::GoOn),
    ];
    prop::collection::vec(deed, 0..60)
}

proptest! {
    #[test]
    fn the_loss_is_bounded(deeds in deeds(), parallel in 1_usize..5) {
        let mut purse = purse();
        // The most that was under way at once: what a liar can gain.
        let mut exposed = 0;
        for (at, deed) in deeds.into_iter().enumerate() {
            let before = purse.clone();
            let pick = |which: usize| before.counted.get(which % before.counted.len().max(1));
            match deed {
                Deed::Reserve { price_max } => {
                    let key = call(at as u64);
                    if let Ok(total) = purse.reserve(key, Price(price_max), FUNDED, parallel) {
                        let under_way = purse.under_way().unwrap().0;
                        prop_assert!(total.0 <= before.signed.0.max(purse.acknowledged.0 + under_way));
                        prop_assert!(purse.running() <= parallel && before.sound().is_ok());
                        exposed = exposed.max(under_way);
                    } else {
                        prop_assert_eq!(&purse, &before);
                    }
                }
                Deed::Acknowledge { which, price, n } => {
                    let Some(ticket) = pick(which) else { continue };
                    let known = before.numbers.contains(n);
                    let taken = purse.acknowledge(&ticket.call, n, Price(price));
                    prop_assert_eq!(taken.is_ok(), price <= ticket.price_max.0);
                    let added = if taken.is_ok() && !known { price } else { 0 };
                    prop_assert_eq!(purse.acknowledged.0, before.acknowledged.0 + added);
                }
                Deed::Release { which } => {
                    let Some(ticket) = pick(which) else { continue };
                    purse.release(&ticket.call).unwrap();
                }
                Deed::Dispute { which } => {
                    let Some(ticket) = pick(which) else { continue };
                    purse.dispute(&ticket.call, "a lie").unwrap();
                }
                Deed::Crash => {
                    purse = codec::decode(&purse.to_bytes()).unwrap();
                    purse.restart();
                    prop_assert_eq!(purse.running(), 0);
                }
                Deed::GoOn => purse.go_on(Price(0)),
            }
            prop_assert!(purse.signed >= before.signed, "it never signs less");
            prop_assert!(purse.acknowledged >= before.acknowledged);
            prop_assert!(purse.signed <= FUNDED && purse.acknowledged <= purse.signed);
            prop_assert!(purse.signed.0 - purse.acknowledged.0 <= exposed);
        }
    }
}
