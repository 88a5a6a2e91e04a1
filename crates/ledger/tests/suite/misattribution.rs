//! Claims that a call paid others than those whom its question and answer name.

use super::disputes::{Case, case};
use crate::world::{dataset, terms};
use ambar_base::{Amount, Cid, ErrorCode, Price};
use ambar_capsule::{Contributor, ContributorTable};
use ambar_ledger::object::{Claim, Misattributed};
use ambar_ledger::transaction::Ruling;
use ambar_licence::Right;
use ambar_receipt::audit::AUDIT_ONE_IN;

/// The case with a datanet of ana's, to which cleo and somebody without a key have contributed.
fn with_datanet() -> (Case, u64) {
    let mut case = case(&[]);
    let cleo = Contributor::Account(case.world.id("cleo"));
    let table = ContributorTable::new([cleo, Contributor::Name("Ada".into())].into()).unwrap();
    let manifest = dataset(case.world.id("ana"), &table);
    let rules = terms(&[Right::Call], 1, 0);
    let (version, _): (u64, Cid) =
        case.world.publish("ana", manifest, &rules, Some(&table), vec![]).unwrap();
    (case, version)
}

fn claim(line: u64, datanet: u64) -> Claim {
    Claim::Misattributed(Misattributed { line, datanet })
}

#[test]
fn shares_that_do_not_reproduce_cost_the_bond_more_than_they_gave() {
    let (mut case, datanet) = with_datanet();
    let (bond, royalty) = (case.node().bond, case.leaves[0].lines[0].royalty);
    let opened = case.dispute(0, claim(0, datanet));
    let number = case.open("cleo", opened.clone()).unwrap();
    let most = Price(royalty.0 * AUDIT_ONE_IN);
    let object = case.object(number);
    assert_eq!((object.price, object.node), (most, Some(case.node)));
    let beyond = case.rule(number, Ruling::Upheld(Price(most.0 + 1))).unwrap_err();
    assert_eq!(beyond.code, ErrorCode::TransactionInvalid, "{beyond}");
    let before = case.balance("cleo");
    let closed = case.rule(number, Ruling::Upheld(most)).unwrap();
    let paid = Amount::from(most).min(bond);
    assert_eq!((closed.refund, closed.claimant), (paid, case.world.id("cleo")));
    assert_eq!(
        case.balance("cleo"),
        before.checked_add(paid).and_then(|sum| sum.checked_add(object.deposit)).unwrap()
    );
    assert_eq!(case.node().bond.checked_add(paid), Some(bond));
    let again = case.open("cleo", opened).unwrap_err();
    assert_eq!(again.code, ErrorCode::TransactionInvalid, "{again}");
}

#[test]
fn whoever_paid_or_is_in_the_datanet_claims_it() {
    let (mut case, datanet) = with_datanet();
    let mut check = |who: &str, claim: Claim, expect: Option<ErrorCode>| {
        let opened = case.dispute(1, claim);
        let result = case.open(who, opened);
        assert_eq!(result.as_ref().err().map(|refusal| refusal.code), expect, "{who} {result:?}");
    };
    check("operator", claim(0, datanet), Some(ErrorCode::NotAuthorised));
    check("ana", claim(0, datanet), None);
    check("ben", claim(0, datanet), None);
    check("cleo", claim(0, datanet), None);
    check("cleo", claim(0, datanet + 1), Some(ErrorCode::NotFound));
    check("cleo", claim(1, datanet), Some(ErrorCode::TransactionInvalid));
    check("cleo", claim(u64::MAX, datanet), Some(ErrorCode::TransactionInvalid));
    assert_eq!(case.book().open, 3);
}
