use super::*;
use crate::counters::Counter;
use ambar_base::{Digest, amount};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn line(royalty: u64, node_fee: u64, shares: Vec<Shares>) -> Line {
    Line {
        version: 1,
        grant: 1,
        node: 4,
        tariff: 0,
        counters: Counters::default(),
        mu: Mu::ZERO,
        royalty: Price(royalty),
        node_fee: Price(node_fee),
        shares,
    }
}

fn shares(datanet: u64, method: u16, weights: &[(u32, u32)]) -> Shares {
    let weights = weights.iter().map(|(index, weight)| (*index, Weight(*weight))).collect();
    Shares { datanet, method, weights, evidence: Digest::ZERO }
}

fn plan() -> Plan {
    let weights = [
        (Party::Line(2), Weight(100_000_000)),
        (Party::Datanet(7), Weight(600_000_000)),
        (Party::Datanet(8), Weight(300_000_000)),
    ];
    Plan::new(weights.into()).unwrap()
}

fn paid(line: &Line) -> Result<BTreeMap<Payee, Amount>, BillError> {
    let mut paid = BTreeMap::new();
    pay_line(line, &plan(), |payee, amount| {
        *paid.entry(payee).or_insert(Amount::ZERO) =
            Amount(paid.get(&payee).map_or(0, |a: &Amount| a.0) + amount.0);
    })?;
    Ok(paid)
}

#[test]
fn royalty_flows_over_the_plan_and_the_shares() {
    let line = line(
        10,
        3,
        vec![
            shares(7, 1, &[(0, 400_000_000), (5, 100_000_000)]),
            shares(7, 2, &[(5, 100_000_000)]),
        ],
    );
    let expect = [
        (Payee::Royalty(2), Price(1).into()),
        (Payee::Contributor(7, 0), Price(4).into()),
        (Payee::Contributor(7, 5), Price(2).into()),
        (Payee::Treasury(8), Price(3).into()),
        (Payee::Node(4), Price(3).into()),
    ];
    assert_eq!(paid(&line), Ok(expect.into()));
}

#[test]
fn wrong_shares_are_refused() {
    let check = |list: Vec<Shares>, expect: fn(&BillError) -> bool| {
        let error = paid(&line(10, 3, list)).unwrap_err();
        assert!(expect(&error), "{error}");
    };
    check(vec![shares(7, 1, &[(0, 600_000_001)])], |e| matches!(e, BillError::Shares { .. }));
    check(vec![shares(7, 1, &[(0, 1)])], |e| matches!(e, BillError::Shares { .. }));
    check(vec![shares(9, 1, &[(0, 1)])], |e| matches!(e, BillError::Shares { .. }));
    check(vec![shares(7, 1, &[])], |e| *e == BillError::ShareOrder);
    check(vec![shares(7, 1, &[(1, 1), (0, 1)])], |e| *e == BillError::ShareOrder);
    check(vec![shares(7, 2, &[(0, 1)]), shares(7, 1, &[(0, 1)])], |e| *e == BillError::ShareOrder);
}

#[test]
fn claims_are_compared() {
    let price = PriceRule { per_mu: Price(2000), per_call: Price(100), minimum: Price(0) };
    let counters = Counters::new([(Counter::TokensOut, 1500)]);
    let bill = line_bill(&counters, &price, &Tariff::standard(), Price(500)).unwrap();
    let expect = LineBill { mu: Mu(1_500_000_000), royalty: Price(3100), node_fee: Price(750) };
    assert_eq!(bill, expect);
    let mut good = line(3100, 750, Vec::new());
    good.mu = bill.mu;
    assert_eq!(check_line(&good, &bill), Ok(()));
    let changes: [fn(&mut Line); 3] =
        [|l| l.mu.0 += 1, |l| l.royalty.0 += 1, |l| l.node_fee.0 -= 1];
    for change in changes {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(matches!(check_line(&bad, &bill), Err(BillError::Mismatch { .. })));
    }
}

proptest! {
    #[test]
    fn payouts_sum_to_the_price(
        royalty: u64,
        node_fee: u64,
        fee: u64,
        burn in 0u32..=1_000_000_000,
        first in 1u32..600_000_000,
    ) {
        let (royalty, node_fee, fee) = (royalty / 4, node_fee / 4, fee / 4);
        let list = vec![shares(7, 1, &[(1, first), (2, 600_000_000 - first)])];
        let mut sum = Vec::new();
        let line = line(royalty, node_fee, list);
        pay_line(&line, &plan(), |_, amount| sum.push(amount)).unwrap();
        pay_network_fee(Price(fee), Weight(burn), |_, amount| sum.push(amount));
        let price = Price(royalty + node_fee + fee);
        prop_assert_eq!(amount::total(sum), Some(Amount::from(price)));
    }

    #[test]
    fn fees_round_down(lines: u64, rate in 0u32..=1_000_000_000) {
        let fee = network_fee(Price(lines), Weight(rate));
        let exact = u128::from(lines) * u128::from(rate);
        prop_assert_eq!(u128::from(fee.0), exact / 1_000_000_000);
    }
}
