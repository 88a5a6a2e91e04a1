//! Plans, and paying a line by one: to the last unit, or not at all.

use crate::{Reach, Target, promise, sample};
use ambar_base::{Amount, Encode, Weight, amount, weight};
use ambar_capsule::Plan;
use ambar_capsule::plan::PLAN_PARTIES_MAX;
use ambar_receipt::Line;
use ambar_receipt::bill::pay_line;
use ambar_receipt::verify::fixture::plan;

pub(super) const TARGET: Target = Target { name: "plan", seeds, attempt };

type Paid = (Plan, Line);

fn seeds() -> Vec<Vec<u8>> {
    let lines = sample::world().leaves[0].lines.clone();
    let paid = |line: Line| -> Paid { (plan(line.version), line) };
    lines.into_iter().map(|line| paid(line).to_bytes()).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Some((plan, line)) = promise::compact::<Paid>(input) else { return Reach::Refused };
    assert!(plan.entries().count() <= PLAN_PARTIES_MAX, "the limit of parties");
    let whole = weight::total(plan.entries().map(|(_, weight)| weight));
    assert_eq!(whole, Some(Weight::ONE), "a plan sums to the whole");
    let mut payouts = Vec::new();
    if pay_line(&line, &plan, |_, amount| payouts.push(amount)).is_err() {
        return Reach::Decoded;
    }
    let owed = [line.royalty, line.node_fee].map(Amount::from);
    assert_eq!(amount::total(payouts), amount::total(owed), "a line is paid exactly");
    Reach::Used
}
