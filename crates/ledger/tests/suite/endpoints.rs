//! Where nodes are reached, and which nodes serve a line.

use crate::world::{World, key, model, terms};
use ambar_base::{Decode, Digest, Encode, ErrorCode, codec};
use ambar_ledger::object::{ENDPOINT_BYTES_MAX, Endpoint, Servers};
use ambar_ledger::query::State;
use ambar_ledger::transaction::{Actor, AllowServing, Envelope, SetEndpoint, TRANSACTION_VERSION};
use ambar_ledger::{Key, Operation};
use ambar_licence::Right;
use std::fmt::Debug;

fn at(node: u64, address: &str) -> Operation {
    Operation::SetEndpoint(SetEndpoint { node, address: Some(address.into()) })
}

fn address(world: &World, node: u64) -> Option<String> {
    let endpoint: Option<Endpoint> = world.ledger.object(&Key::Endpoint(node)).unwrap();
    endpoint.map(|endpoint| endpoint.address)
}

#[test]
fn a_node_or_its_owner_says_where_it_is_reached() {
    let mut world = World::new();
    world.person("olga");
    world.person("eve");
    let node = world.node("olga");
    world.act("olga", vec![at(node, "node.example:7700")]).unwrap();
    assert_eq!(address(&world, node).as_deref(), Some("node.example:7700"));
    assert_eq!(world.refused("eve", at(node, "eve.example:7700")), ErrorCode::NotAuthorised);

    let envelope = Envelope {
        network: world.network,
        version: TRANSACTION_VERSION,
        actor: Actor::Node(node),
        nonce: 0,
        expires: world.ledger.height().after(10),
        fee_payer: None,
        fee_cap: ambar_base::Price::CREDIT,
        operations: vec![at(node, "[2001:db8::1]:443")],
    };
    world.apply(&envelope.sign(&key("olga's node")).to_bytes()).unwrap();
    assert_eq!(address(&world, node).as_deref(), Some("[2001:db8::1]:443"));

    let nowhere = Operation::SetEndpoint(SetEndpoint { node, address: None });
    world.act("olga", vec![nowhere]).unwrap();
    assert_eq!(address(&world, node), None);
}

#[test]
fn an_address_is_a_host_and_a_port() {
    let check = |address: &str, sound| {
        assert_eq!(Endpoint { address: address.into() }.is_sound(), sound, "{address}");
    };
    check("a:1", true);
    check("192.0.2.1:65535", true);
    check("[::1]:7700", true);
    for bad in ["", "a", ":1", "a:0", "a:01", "a:65536", "a b:1", "a/b:1", "[::1:1", "::1:1"] {
        check(bad, false);
    }
    check(&format!("{}:1", "a".repeat(ENDPOINT_BYTES_MAX)), false);
    let mut world = World::new();
    world.person("olga");
    let node = world.node("olga");
    assert_eq!(world.refused("olga", at(node, "a b:1")), ErrorCode::TransactionInvalid);
}

#[test]
fn the_nodes_of_a_line_are_listed_once() {
    let mut world = World::new();
    for name in ["ana", "olga", "otto"] {
        world.person(name);
    }
    let nodes = [world.node("olga"), world.node("otto")];
    let ana = world.id("ana");
    let terms = terms(&[Right::Call], 0, 1_000_000);
    let (_, version) = world.publish("ana", model(ana), &terms, None, vec![]).unwrap();
    let servers = |world: &World| {
        let servers: Option<Servers> = world.ledger.object(&Key::Servers(0)).unwrap();
        servers.map(|servers| servers.nodes)
    };
    let deny = AllowServing { version, node: key("otto's node").public(), allowed: false };
    world.act("ana", vec![Operation::AllowServing(deny.clone())]).unwrap();
    assert_eq!(servers(&world), None, "who never might is not listed");
    for node in ["otto", "olga", "otto"] {
        world.serve("ana", version, node);
        world.block(1_000);
    }
    assert_eq!(servers(&world), Some(nodes.to_vec()));
    world.act("ana", vec![Operation::AllowServing(deny)]).unwrap();
    assert_eq!(servers(&world), Some(nodes.to_vec()), "calls of before may still settle");
}

fn conforms<T: Encode + Decode + Debug + PartialEq>(value: &T, expect: &str) {
    let bytes = value.to_bytes();
    assert_eq!(Digest::of(&bytes).to_string(), expect, "{value:?}");
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(value));
}

/// These bytes are for ever.
#[test]
fn conformance() {
    conforms(
        &vec![at(300, "a:1"), Operation::SetEndpoint(SetEndpoint { node: 1, address: None })],
        "64fd2c8545a27a4deee0b17142c2d70df7a156c093541130447b0b7e77b38f7f",
    );
    conforms(
        &Endpoint { address: "a:1".into() },
        "023b1ed5963c342a289fdac5d62136e6a29c6ab19818a7e188679587049e1d07",
    );
    conforms(
        &Servers { nodes: vec![1, 300] },
        "87196400933d3cae4a16886c47f952c2f92b4c3b8540e4322c4c13610171caec",
    );
    conforms(
        &vec![Key::Endpoint(300), Key::Servers(300)],
        "5d29e16fcc5d1424db788cbabd16b7a8cc8525149cd92df0133fbeb75adb1253",
    );
}
