//! People who pay one another.

use crate::cast::{Cast, PAYERS};
use crate::person::Person;
use ambar_base::Price;
use ambar_ledger::Operation;
use ambar_ledger::transaction::Transfer;
use std::time::Duration;

/// Most that one transfer moves, nano-credit.
const AMOUNT_MAX: u64 = 1_000_000_000;
/// Longest pause between two transfers, ms.
const PAUSE_MS_MAX: u64 = 1_500;

/// Pays others until everything is healed, and then once more.
pub async fn pay(person: Person, cast: Cast) {
    let mut last = false;
    while !last {
        last = person.net.healed();
        let to = person.net.below(PAYERS as u64) as usize;
        let to = cast.account(&cast.payer(to));
        let amount = Price(1 + person.net.below(AMOUNT_MAX));
        if person.act(vec![Operation::Transfer(Transfer { to, amount })]).await.is_none() {
            return;
        }
        let pause = person.net.below(PAUSE_MS_MAX);
        person.net.sleep(Duration::from_millis(pause)).await;
    }
}
