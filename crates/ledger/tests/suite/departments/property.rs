//! Whatever is asked in whatever order: no budget is overdrawn, and credits are conserved.

use super::*;
use proptest::prelude::*;

/// An act of a random run, with credits where it has some.
#[derive(Clone, Debug)]
enum Act {
    Open(u64),
    Fund(u64),
    Close,
    Budget(u64, Period),
    Recall(Option<u64>),
    Gift(u64),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let per = prop_oneof![Just(Period::Day), Just(Period::Month), Just(Period::Term)];
    prop_oneof![
        4 => (0u64..6).prop_map(Act::Open),
        3 => (0u64..6).prop_map(Act::Fund),
        1 => Just(Act::Close),
        2 => (0u64..12, per).prop_map(|(amount, per)| Act::Budget(amount, per)),
        1 => prop::option::of(0u64..3).prop_map(Act::Recall),
        1 => (0u64..3).prop_map(Act::Gift),
        3 => (1u64..40).prop_map(Act::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// In each period no more is drawn than the largest budget that held in it, whatever a
    /// department gets and gives back meanwhile; and the world checks after every transaction
    /// that no credit is lost.
    #[test]
    fn no_period_draws_more_than_its_budget(acts in prop::collection::vec(act(), 1..40)) {
        let mut stage = stage();
        let since = stage.department().since;
        let (mut budget, mut most) = ((5, Period::Month), 5);
        let (mut period, mut sum) = (0, Amount::ZERO);
        for act in acts {
            let operation = match act.clone() {
                Act::Wait(days) => {
                    stage.world.block(days * Moment::DAY_MS / 4);
                    continue;
                }
                Act::Open(amount) => Some(channel(credits(amount), vec![])),
                Act::Fund(amount) => {
                    Some(Operation::FundChannel(FundChannel { channel: 0, amount: credits(amount) }))
                }
                Act::Close => Some(Operation::CloseChannel(0)),
                _ => None,
            };
            let now = stage.world.ledger.time();
            if budget.1.number(now, since) != period {
                (period, sum, most) = (budget.1.number(now, since), Amount::ZERO, budget.0);
            }
            let before = stage.world.balance(stage.world.id("company"));
            if let Some(operation) = operation {
                let results = stage.ask(&["sam"], operation);
                let drew = results.as_deref().map_or(Amount::ZERO, drawn);
                sum = sum.checked_add(drew).unwrap();
                let after = stage.world.balance(stage.world.id("company"));
                prop_assert_eq!(before.0 - after.0, drew.0, "a draw is all that leaves");
            }
            let department = stage.research;
            match act {
                Act::Budget(amount, per) => {
                    let new = Budget { amount: credits(amount), per };
                    let set = Operation::SetBudget(SetBudget { department, budget: new });
                    stage.world.act("company", vec![set]).unwrap();
                    if per != budget.1 {
                        (period, sum, most) = (per.number(now, since), Amount::ZERO, amount);
                    }
                    (budget, most) = ((amount, per), most.max(amount));
                }
                Act::Recall(amount) => {
                    let amount = amount.map(credits);
                    let have = stage.world.balance(department);
                    let recall = Operation::Recall(Recall { department, amount });
                    let done = stage.world.act("company", vec![recall]);
                    let enough = amount.is_none_or(|amount| Amount::from(amount) <= have);
                    prop_assert_eq!(done.is_ok(), enough, "{:?}", done);
                }
                Act::Gift(amount) => {
                    let gift = Transfer { to: department, amount: credits(amount) };
                    stage.world.act("owner", vec![Operation::Transfer(gift)]).unwrap();
                }
                _ => {}
            }
            prop_assert_eq!(stage.department().drawn_at(now), sum);
            prop_assert!(sum <= Amount::from(credits(most)), "{} of {}", sum, most);
        }
        prop_assert!(stage.world.ledger.time() >= START && ASK > Price(0));
    }
}
