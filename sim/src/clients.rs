//! The clients of a trial.

use crate::cast::{Cast, PAYERS};
use crate::market::Market;
use crate::payer::pay;
use crate::person::Person;
use crate::simulation::{Client, Net};
use crate::told::Told;
use crate::watchman::watch;
use ambar_ledger::Actor;
use futures::FutureExt;

/// Everybody who acts on the ledger.
#[must_use]
pub fn clients(cast: &Cast, told: &Told) -> Vec<Client> {
    let payers = (0..PAYERS).map(|number| payer(cast.clone(), told.clone(), number));
    let others = [market(cast.clone(), told.clone()), watchman(cast, told.clone())];
    payers.chain(others).collect()
}

fn payer(cast: Cast, told: Told, number: usize) -> Client {
    Box::new(move |net: Net| {
        let key = cast.payer(number);
        let actor = Actor::Account(cast.account(&key));
        let person = Person { net, told, network: cast.network, key, actor };
        pay(person, cast).boxed()
    })
}

fn watchman(cast: &Cast, told: Told) -> Client {
    let network = cast.network;
    Box::new(move |net: Net| watch(net, told, network).boxed())
}

fn market(cast: Cast, told: Told) -> Client {
    Box::new(move |net: Net| {
        let market = Market::new(&net, &told, &cast);
        market.trade().boxed()
    })
}
