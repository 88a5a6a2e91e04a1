//! The bytes of what is counted and leased of quotas are for ever, as those of everything else
//! on the ledger.

use ambar_base::{Decode, Digest, Encode, Height, Price, codec};
use ambar_ledger::Operation;
use ambar_ledger::object::{Lease, QuotaCount};
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{ReturnLease, TakeLease};
use std::fmt::Debug;

fn check<T: Encode + Decode + Debug + PartialEq>(what: &str, value: &T, expect: &str) {
    let bytes = value.to_bytes();
    assert_eq!(Digest::of(&bytes).to_string(), expect, "{what}");
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(value), "{what}");
}

#[test]
fn quotas_and_leases() {
    let value = QuotaCount {
        calls: 300,
        spend: Price(1 << 40),
        calls_leased: 2,
        spend_leased: Price(300),
        rate_leased: 4,
    };
    check("count", &value, "33c0492b9e1e9770e37e9924aabeec518e1e55601702f47c05152a7b85650475");
    let value = Lease { calls: 300, spend: Price(1 << 40), rate: 2, until: Height(300) };
    check("lease", &value, "1c90db68d487e25a805ebbd159908d9bdc7dc4bd85eeb267d4b4cb2f655d75fd");
    check(
        "leased",
        &OperationResult::Leased(value),
        "b9fb4d143d645af6121492c5daf37f86e513f59e047cbc589a2a8ab938831247",
    );
    let take = TakeLease {
        channel: 1,
        grant: 300,
        period: u64::MAX,
        calls: 2,
        spend: Price(1 << 40),
        rate: 3,
        through: vec![4, 300],
    };
    check(
        "take",
        &Operation::TakeLease(take),
        "77b5eb9ecc662e4fb91d33080b4933faa92c07960f9f0638afb9633499c974eb",
    );
    let give = ReturnLease { grant: 300, period: 1, calls: 2, spend: Price(1 << 40), rate: 3 };
    check(
        "return",
        &Operation::ReturnLease(give),
        "2484668e283d409acad312dcf0a574f7391ae8c5d072022ea1b90820c614b828",
    );
}
