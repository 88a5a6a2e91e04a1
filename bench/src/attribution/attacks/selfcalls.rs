//! Calls that somebody makes to be paid: what of each credit comes back, as the ledger settles it.

use super::super::page::{Page, per_cent};
use crate::world::{World, dataset, model, prompt, shares, terms};
use ambar_base::{Amount, Cid, Price};
use ambar_capsule::{Contributor, ContributorTable};
use ambar_ledger::Refusal;
use ambar_licence::{Right, Terms};
use ambar_receipt::Counter;
use anyhow::Result;

/// Calls that are settled.
const CALLS: u64 = 50;
/// Who calls, and is the one contributor that the calls pay.
const CALLER: &str = "caller";
/// The other parts of a call, each with who has it unless it is the caller's.
const ROLES: [&str; 4] = ["curator", "author", "developer", "operator"];
/// Prices of the example, in billionths of a credit: the datanet's and the prompt's for each
/// call, the model's for each MU.
const DATANET_PER_CALL: u64 = 200_000;
const PROMPT_PER_CALL: u64 = 100_000;
const MODEL_PER_MU: u64 = 2_000_000;

/// Measures and tells.
pub fn run(page: &mut Page) -> Result<()> {
    let (mut rows, mut owned) = (Vec::new(), Vec::new());
    let mut last = 0.0;
    for role in [None].into_iter().chain(ROLES.map(Some)) {
        owned.extend(role);
        let (price, back) = settled(&owned).map_err(|refusal| anyhow::anyhow!(refusal.message))?;
        let case = match role {
            None => "contributor".to_owned(),
            Some("curator") => "and curator".to_owned(),
            Some("author") => "and author of the prompt".to_owned(),
            Some("developer") => "and developer of the model".to_owned(),
            Some(_) => "and operator of the node".to_owned(),
        };
        last = 100.0 * (1.0 - back / price);
        rows.push(vec![case, per_cent(back, price), format!("{last:.1}")]);
    }
    let fee = World::new().genesis.parameters.network_fee;
    page.part("Self-calls");
    page.text(&format!(
        "Somebody calls the example's prompt {CALLS} times through a channel of their own, in a \
         way that pays nobody's records but theirs, with the example's prices and a node that \
         asks next to nothing. Each line adds a role that is theirs, too. The defences are the \
         fee, and that all others of a call are paid; without them everything would come back.",
    ));
    page.table(&["the caller is", "comes back, %", "lost, %"], &rows);
    page.text(&format!(
        "Bound: at least the network's fee, {fee} on top of a call's lines, half of which is \
         burned, is lost, so calling oneself never pays by itself; whoever is everybody lost \
         {last:.1} % here. It could pay where calls earn something else, such as a place in a \
         list."
    ));
    Ok(())
}

/// What calls cost, and what of it their maker gets back, who has these roles.
fn settled(owned: &[&'static str]) -> Result<(f64, f64), Refusal> {
    let name = |role: &'static str| if owned.contains(&role) { CALLER } else { role };
    let [curator, author, developer, operator] = ROLES.map(name);
    let mut world = World::new();
    for person in [&[CALLER][..], &ROLES[..]].concat() {
        world.person(person);
    }
    let node = world.node(operator);
    let (data, data_id) = datanet(&mut world, curator)?;
    let rule = both(MODEL_PER_MU, 0);
    let manifest = model(world.id(developer));
    let (llm, llm_id) = world.publish(developer, manifest, &rule, None, vec![])?;
    let mut grants = Vec::new();
    for id in [llm_id, data_id] {
        grants.push(world.accept(author, id)?);
    }
    let manifest = prompt(world.id(author), llm_id, data_id);
    let rule = both(0, PROMPT_PER_CALL);
    let (ask, ask_id) = world.publish(author, manifest, &rule, None, grants.clone())?;
    for (owner, id) in [(author, ask_id), (developer, llm_id), (curator, data_id)] {
        world.serve(owner, id, operator);
    }
    let grant = world.accept(CALLER, ask_id)?;
    let channel = world.channel(CALLER, operator, vec![grant], Price(10 * Price::CREDIT.0));
    world.block(100);
    let tokens = [(Counter::TokensIn, 256), (Counter::TokensOut, 64)];
    let mut lines = vec![
        world.line(ask, grant, node, &[]),
        world.line(llm, grants[0], node, &tokens),
        world.line(data, grants[1], node, &[(Counter::RetrievedBytes, 700)]),
    ];
    // The caller's is the first contributor of the table, and the only one that is used.
    lines[2].shares = [1, 2].map(|method| shares(data, method, &[(0, 450_000_000)])).to_vec();
    let leaves: Vec<_> = (0..CALLS).map(|n| world.leaf(channel, n, lines.clone())).collect();
    let price: u64 =
        leaves.iter().filter_map(ambar_receipt::Leaf::price).map(|price| price.0).sum();
    let before = world.balance(world.id(CALLER));
    world.settle(operator, node, leaves)?;
    let after = world.balance(world.id(CALLER));
    let back = after.checked_sub(before).unwrap_or_default();
    let credits = |amount: Amount| amount.0 as f64;
    Ok((credits(Amount::from(Price(price))), credits(back)))
}

fn both(per_mu: u64, per_call: u64) -> Terms {
    terms(&[Right::Call, Right::Compose], per_mu, per_call)
}

/// A datanet with records of the caller and of somebody else.
fn datanet(world: &mut World, curator: &str) -> Result<(u64, Cid), Refusal> {
    let people = [Contributor::Account(world.id(CALLER)), Contributor::Name("Ben".into())].into();
    let table = ContributorTable::new(people).expect("two contributors in their order");
    let manifest = dataset(world.id(curator), &table);
    world.publish(curator, manifest, &both(0, DATANET_PER_CALL), Some(&table), vec![])
}
