//! Nodes, what they ask and serve; and what the council decides.

use super::ownership::own_line;
use crate::execution::Party;
use crate::history::{History, TooManyChanges};
use crate::key::Key;
use crate::object::{Endpoint, Node, Parameters, SERVERS_MAX, Serve, Servers, WINDOW_HEIGHTS_MAX};
use crate::postings;
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::{AllowServing, RegisterNode, SetAsk, SetEndpoint};
use crate::view::View;
use ambar_base::finality::SEATS_MAX;
use ambar_base::{Amount, ErrorCode};
use ambar_receipt::Tariff;

fn too_many(error: TooManyChanges) -> Refusal {
    Refusal::new(ErrorCode::LimitExceeded, error.to_string())
}

pub(super) fn register(
    view: &mut View<'_>,
    party: &Party,
    record: &RegisterNode,
) -> Result<OperationResult, Stop> {
    if !record.key.is_sound() {
        let message = "a node's key is an Ed25519 key that somebody can hold";
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    let by_key = Key::NodeNumber(record.key);
    if view.get::<u64>(&by_key)?.is_some() {
        let message = format!("node {} is registered", record.key.did());
        return Err(Refusal::new(ErrorCode::KeyNameTaken, message).into());
    }
    let mut node = Node {
        key: record.key,
        owner: party.account,
        ask: History::new(view.block.height, record.ask),
        bond: Amount::ZERO,
        next_batch: 0,
        nonce: 0,
    };
    let bond = view.parameters()?.node_bond;
    postings::bond(view, node.owner, &mut node.bond, bond)?;
    let number = view.number(|numbers| &mut numbers.nodes)?;
    view.put(&Key::Node(number), &node);
    view.put(&by_key, &number);
    Ok(OperationResult::Node(number))
}

pub(super) fn set_ask(
    view: &mut View<'_>,
    party: &Party,
    record: &SetAsk,
) -> Result<OperationResult, Stop> {
    let key = Key::Node(record.node);
    let mut node: Node = view.named("node", record.node, &key)?;
    if node.owner != party.account {
        let message = format!("node {} is somebody else's", record.node);
        return Err(Refusal::new(ErrorCode::NotAuthorised, message).into());
    }
    let (height, oldest) = (view.block.height, view.oldest()?);
    node.ask.set(height.after(1), oldest, record.ask).map_err(too_many)?;
    view.put(&key, &node);
    Ok(OperationResult::Done)
}

pub(super) fn set_endpoint(
    view: &mut View<'_>,
    party: &Party,
    record: &SetEndpoint,
) -> Result<OperationResult, Stop> {
    let node: Node = view.named("node", record.node, &Key::Node(record.node))?;
    if party.node != Some(record.node) && node.owner != party.account {
        let message = format!("node {} is somebody else's", record.node);
        return Err(Refusal::new(ErrorCode::NotAuthorised, message).into());
    }
    let key = Key::Endpoint(record.node);
    match record.address.clone().map(|address| Endpoint { address }) {
        None => view.remove(&key),
        Some(endpoint) if endpoint.is_sound() => view.put(&key, &endpoint),
        Some(Endpoint { address }) => {
            let message = format!("`{address}` is not a host and a port");
            return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
        }
    }
    Ok(OperationResult::Done)
}

/// Notes that a node may serve a line: nobody looks for it among all nodes then.
fn add_server(view: &mut View<'_>, line: u64, node: u64) -> Result<(), Stop> {
    let key = Key::Servers(line);
    let mut servers = view.get::<Servers>(&key)?.unwrap_or_default();
    let Err(place) = servers.nodes.binary_search(&node) else { return Ok(()) };
    if servers.nodes.len() >= SERVERS_MAX {
        let message = format!("at most {SERVERS_MAX} nodes serve one line");
        return Err(Refusal::new(ErrorCode::LimitExceeded, message).into());
    }
    servers.nodes.insert(place, node);
    view.put(&key, &servers);
    Ok(())
}

pub(super) fn allow_serving(
    view: &mut View<'_>,
    party: &Party,
    record: &AllowServing,
) -> Result<OperationResult, Stop> {
    view.require([Key::VersionNumber(record.version), Key::NodeNumber(record.node)])?;
    let (line, _) = own_line(view, party, &record.version)?;
    let node: u64 = view.named("node", record.node.did(), &Key::NodeNumber(record.node))?;
    let key = Key::Serve((line, node));
    let (height, oldest) = (view.block.height, view.oldest()?);
    if record.allowed {
        add_server(view, line, node)?;
    }
    let serve = match view.get::<Serve>(&key)? {
        None => Serve { allowed: History::new(height, record.allowed) },
        Some(mut serve) => {
            serve.allowed.set(height.after(1), oldest, record.allowed).map_err(too_many)?;
            serve
        }
    };
    view.put(&key, &serve);
    Ok(OperationResult::Done)
}

pub(super) fn check_council(view: &View<'_>, party: &Party) -> Result<(), Stop> {
    if view.governance()?.council == party.account {
        return Ok(());
    }
    let message = "only the council changes the network's rules";
    Err(Refusal::new(ErrorCode::NotAuthorised, message).into())
}

pub(super) fn set_parameters(
    view: &mut View<'_>,
    party: &Party,
    record: &Parameters,
) -> Result<OperationResult, Stop> {
    check_council(view, party)?;
    let latest = view.governance()?.parameters.latest().settlement_window;
    if !record.is_sound() || record.settlement_window < latest {
        let message = format!(
            "parts are at most the whole, windows at most {WINDOW_HEIGHTS_MAX} heights, the \
             settlement window never shrinks, and a committee has 1 to {SEATS_MAX} seats of which \
             one may change"
        );
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    let _: Vec<u8> = view.named("tariff", record.tariff, &Key::Tariff(record.tariff))?;
    let (height, oldest) = (view.block.height, view.oldest()?);
    let mut governance = view.governance()?;
    governance.parameters.set(height.after(1), oldest, record.clone()).map_err(too_many)?;
    view.put(&Key::Parameters, &governance);
    Ok(OperationResult::Done)
}

pub(super) fn publish_tariff(
    view: &mut View<'_>,
    party: &Party,
    bytes: &[u8],
) -> Result<OperationResult, Stop> {
    check_council(view, party)?;
    Tariff::decode(bytes)
        .map_err(|error| Refusal::new(ErrorCode::DocumentInvalid, error.to_string()))?;
    let number = view.number(|numbers| &mut numbers.tariffs)?;
    view.put(&Key::Tariff(number), &bytes.to_vec());
    Ok(OperationResult::Tariff(number))
}
