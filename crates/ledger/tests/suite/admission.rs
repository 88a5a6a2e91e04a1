//! What is admitted without the state, and that what depends on the state is still checked
//! when a transaction is executed.

use crate::world::story::{Story, story};
use crate::world::{ASK, START, World, key, model, terms};
use ambar_base::{Digest, Encode, ErrorCode, Inception, NetworkId, Price, PublicKey, Signature};
use ambar_capsule::{Manifest, SignedManifest};
use ambar_ledger::transaction::{
    Actor, BatchSigners, Envelope, OPERATION_SIGNATURES_MAX, OpenChannel, Operation, Publish,
    RegisterNode, Settle, SignedTransaction, Transfer,
};
use ambar_ledger::{Admitted, BlockContext, Execution, Refusal};
use ambar_licence::Right;

/// The identity: a key for which anybody signs, by R = identity and S = 0.
fn nobody() -> (PublicKey, Signature) {
    let (mut key, mut signature) = ([0; 32], [0; 64]);
    (key[0], signature[0]) = (1, 1);
    (PublicKey(key), Signature(signature))
}

fn pay(world: &World, from: &str, amount: u64) -> SignedTransaction {
    let transfer = Transfer { to: world.id("faucet"), amount: Price(amount) };
    world.envelope(from, vec![Operation::Transfer(transfer)]).sign(&key(from))
}

fn codes(admitted: &[Result<Admitted, Refusal>]) -> Vec<Option<ErrorCode>> {
    admitted.iter().map(|one| one.as_ref().err().map(|refusal| refusal.code)).collect()
}

#[test]
fn many_are_admitted_as_each_alone() {
    let mut world = World::new();
    world.person("ana");
    let good = pay(&world, "ana", 1);
    let mut turned = pay(&world, "ana", 2);
    turned.signatures[0].1.0[9] ^= 1;
    let mut other = pay(&world, "ana", 3).envelope;
    other.network = NetworkId(Digest::of(b"other"));
    let other = other.sign(&key("ana"));
    let mut unsigned = pay(&world, "ana", 4);
    unsigned.signatures.clear();
    let bytes = [good, turned, other, unsigned].map(|one| one.to_bytes());
    let many: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).chain([&b"garbage"[..]]).collect();
    let expect = [
        None,
        Some(ErrorCode::SignatureInvalid),
        Some(ErrorCode::WrongNetwork),
        // Nothing in it is signed badly. Whether enough have signed, the state says.
        None,
        Some(ErrorCode::TransactionInvalid),
    ];
    assert_eq!(codes(&Admitted::of_all(world.network, &many)), expect);
    let alone: Vec<_> = many.iter().map(|one| Admitted::of(world.network, one)).collect();
    assert_eq!(codes(&alone), expect);
    let unsigned = world.apply(many[3]).unwrap_err();
    assert_eq!(unsigned.code, ErrorCode::SignatureInvalid);
    assert_eq!(codes(&Admitted::of_all(world.network, &[])), []);
}

#[test]
fn an_id_is_that_of_the_envelope() {
    let mut world = World::new();
    world.person("ana");
    let signed = pay(&world, "ana", 1);
    let bytes = signed.to_bytes();
    let admitted = Admitted::of(world.network, &bytes).unwrap();
    assert_eq!(admitted.id(), signed.envelope.id());
    assert_eq!(admitted.expires(), signed.envelope.expires);
    assert_eq!(Admitted::vouched(world.network, &bytes).unwrap().id(), admitted.id());
}

#[test]
fn what_another_network_admitted_is_not_executed() {
    let mut world = World::new();
    world.person("ana");
    let admitted = Admitted::of(world.network, &pay(&world, "ana", 1).to_bytes()).unwrap();
    let (height, time) = (world.ledger.height(), world.ledger.time());
    let block = BlockContext { network: NetworkId(Digest::of(b"other")), height, time };
    let refusal = Execution::transaction(block, admitted).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::WrongNetwork);
}

/// Each kind of signature within an operation, turned by one bit.
#[test]
fn signatures_within_operations_are_checked_without_the_state() {
    let mut world = World::new();
    let ana = world.person("ana");
    let secret = key("ana");
    let inception = Inception::single(key("new").public());
    let mut inception = inception.sign(world.network, &key("new"));
    let mut register = RegisterNode::new(world.network, &key("node"), &ana, ASK);
    let rule = terms(&[Right::Call], 1, 0);
    let manifest = Manifest { terms: rule.id(), ..model(ana) };
    let mut manifest = SignedManifest::sign(&manifest, world.network, &secret);
    inception.signature.0[3] ^= 1;
    register.proof.0[3] ^= 1;
    manifest.signature.0[3] ^= 1;
    let publish = Publish {
        manifest,
        terms: Some(rule.to_document()),
        contributors: None,
        grants: vec![],
        derives: vec![],
    };
    let operations = [
        Operation::CreateAccount(inception),
        Operation::RegisterNode(register),
        Operation::Publish(publish),
    ];
    for operation in operations {
        let bytes = world.envelope("ana", vec![operation.clone()]).sign(&secret).to_bytes();
        let refusal = Admitted::of(world.network, &bytes).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::SignatureInvalid, "{operation:?}");
    }
}

/// A settlement with its batch changed.
fn settlement(story: &Story, change: impl Fn(&mut Settle)) -> Vec<u8> {
    let mut envelope: Envelope =
        story.world.settlement("operator", story.node, vec![story.leaf(0)]);
    let [Operation::Settle(settle)] = &mut envelope.operations[..] else { panic!() };
    change(settle);
    envelope.sign(&key("operator's node")).to_bytes()
}

#[test]
fn a_batch_is_signed_by_the_keys_it_names() {
    let mut story = story();
    let changes: [fn(&mut Settle); 5] = [
        |s| s.signers.gateway = key("stranger").public(),
        |s| s.signers.nodes[0] = key("stranger").public(),
        |s| s.signers.nodes.clear(),
        |s| s.batch.nodes.push(Signature([0; 64])),
        |s| s.batch.signature.0[5] ^= 1,
    ];
    for change in changes {
        let bytes = settlement(&story, change);
        let refusal = Admitted::of(story.world.network, &bytes).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::SignatureInvalid);
    }
    let bytes = settlement(&story, |_| {});
    assert!(Admitted::of(story.world.network, &bytes).is_ok());
    story.world.apply(&bytes).unwrap();
}

/// A stranger's good signatures are admitted, and refused by the state.
#[test]
fn the_keys_a_batch_names_are_those_of_gateway_and_nodes() {
    let mut story = story();
    let (network, stranger) = (story.world.network, key("stranger"));
    let forge = |gateway: bool| {
        settlement(&story, |settle| {
            let Settle { batch, signers, .. } = settle;
            if gateway {
                batch.signature = batch.header.sign(network, &stranger);
                signers.gateway = stranger.public();
                return;
            }
            let of = (batch.header.gateway, batch.header.number);
            batch.nodes[0] = batch.header.nodes[0].sign(network, of, &stranger);
            signers.nodes[0] = stranger.public();
        })
    };
    let (by_gateway, by_node) = (forge(true), forge(false));
    for bytes in [by_gateway, by_node] {
        assert!(Admitted::of(network, &bytes).is_ok());
        let refusal = story.world.apply(&bytes).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::SignatureInvalid, "{refusal}");
    }
}

#[test]
fn signatures_within_operations_are_bounded() {
    let story = story();
    let nodes = |count: usize| {
        let bytes = settlement(&story, |settle| {
            settle.batch.nodes = vec![Signature([0; 64]); count];
            settle.signers = BatchSigners::single(key("x").public(), &settle.batch.header);
        });
        Admitted::of(story.world.network, &bytes).unwrap_err().code
    };
    // The batch's own signature is one of them.
    assert_eq!(nodes(OPERATION_SIGNATURES_MAX), ErrorCode::TransactionInvalid);
    assert_eq!(nodes(OPERATION_SIGNATURES_MAX - 1), ErrorCode::SignatureInvalid);
}

/// Under ZIP-215 anybody signs for a key of small order, so no object may name one.
#[test]
fn keys_that_name_nobody_are_refused() {
    let mut story = story();
    let (nobody, proof) = nobody();
    let register = RegisterNode { key: nobody, proof, ask: ASK };
    let open = OpenChannel {
        session_key: nobody,
        gateway: key("operator's node").public(),
        grants: vec![],
        amount: Price(1),
        unit_price_max: Price(1),
        expires: START.after(1_000_000_000),
        vouchers: false,
    };
    for operation in [Operation::RegisterNode(register), Operation::OpenChannel(open)] {
        let code = story.world.refused("operator", operation);
        assert_eq!(code, ErrorCode::TransactionInvalid);
    }
}

#[test]
fn a_nodes_key_only_settles() {
    let mut world = World::new();
    let ana = world.person("ana");
    let register = RegisterNode::new(world.network, &key("other"), &ana, ASK);
    let mut envelope = world.envelope("ana", vec![Operation::RegisterNode(register)]);
    envelope.actor = Actor::Node(0);
    let refusal = Admitted::of(world.network, &envelope.sign(&key("ana")).to_bytes()).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NotAuthorised);
}
