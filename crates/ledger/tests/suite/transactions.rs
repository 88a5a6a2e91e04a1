//! Who may act, who pays for it, and what never gets in.

use crate::world::{ASK, START, World, contributors, dataset, key, model, terms};
use ambar_base::{
    AccountId, Amount, Digest, Encode, ErrorCode, Height, Inception, KeySet, NetworkId, Price,
    SecretKey,
};
use ambar_capsule::SignedManifest;
use ambar_ledger::Admitted;
use ambar_ledger::fees;
use ambar_ledger::query::State;
use ambar_ledger::transaction::{
    Accept, Actor, AllowServing, Envelope, FundChannel, OPERATIONS_MAX, OpenChannel, Operation,
    Publish, RegisterName, RegisterNode, RotateKeys, SIGNATURES_MAX, SetAsk, SignedTransaction,
    TRANSACTION_BYTES_MAX, Transfer, TransferLine, TransferRoyalty,
};
use ambar_licence::Right;
use proptest::prelude::*;

fn people(names: &[&str]) -> World {
    let mut world = World::new();
    for name in names {
        world.person(name);
    }
    world
}

fn pay(to: AccountId, amount: u64) -> Operation {
    Operation::Transfer(Transfer { to, amount: Price(amount) })
}

fn keys(names: &[&str], threshold: u16) -> KeySet {
    let mut keys: Vec<_> = names.iter().map(|name| key(name).public()).collect();
    keys.sort_unstable();
    KeySet { keys, threshold }
}

fn rotate(keys: KeySet) -> Operation {
    Operation::RotateKeys(RotateKeys { keys, recovery: None })
}

fn submit(
    world: &mut World,
    envelope: &Envelope,
    signers: &[&str],
    payers: &[&str],
) -> Option<ErrorCode> {
    let sign = |name: &&str| envelope.signature(&key(name));
    let transaction = SignedTransaction {
        envelope: envelope.clone(),
        signatures: signers.iter().map(sign).collect(),
        payer_signatures: payers.iter().map(sign).collect(),
    };
    world.apply(&transaction.to_bytes()).err().map(|refusal| refusal.code)
}

#[test]
fn envelopes_are_checked() {
    let mut world = people(&["ana", "ben"]);
    let ben = world.id("ben");
    world.act("ana", vec![pay(ben, 1)]).unwrap();
    let fee = fees::fee(&world.envelope("ana", vec![pay(ben, 1)]), &world.genesis.parameters);
    let fee = fee.unwrap();
    let height = world.ledger.height();
    let mut check = |change: &dyn Fn(&mut Envelope), expect| {
        let mut envelope = world.envelope("ana", vec![pay(ben, 1)]);
        change(&mut envelope);
        assert_eq!(submit(&mut world, &envelope, &["ana"], &[]), expect);
    };
    check(&|e| e.nonce -= 1, Some(ErrorCode::NonceStale));
    check(&|e| e.nonce += 1, Some(ErrorCode::NonceStale));
    check(&|e| e.expires = Height(height.0 - 1), Some(ErrorCode::TransactionExpired));
    check(&|e| e.expires = height, None);
    check(&|e| e.fee_cap = Price(fee.0 - 1), Some(ErrorCode::FeeTooLow));
    check(&|e| e.fee_cap = fee, None);
    check(&|e| e.network = NetworkId(Digest::of(b"other")), Some(ErrorCode::WrongNetwork));
    check(&|e| e.version += 1, Some(ErrorCode::TransactionInvalid));
    check(&|e| e.operations.clear(), Some(ErrorCode::TransactionInvalid));
    check(&|e| e.operations = vec![pay(ben, 1); OPERATIONS_MAX], None);
    let many = vec![pay(ben, 1); OPERATIONS_MAX + 1];
    check(&|e| e.operations.clone_from(&many), Some(ErrorCode::TransactionInvalid));
    let nobody = AccountId(Digest::of(b"nobody"));
    check(&|e| e.actor = Actor::Account(nobody), Some(ErrorCode::AccountUnknown));
    check(&|e| e.actor = Actor::Node(9), Some(ErrorCode::NotAuthorised));
    check(&|e| e.fee_payer = Some(nobody), Some(ErrorCode::AccountUnknown));
    check(&|e| e.operations = vec![pay(nobody, 1)], Some(ErrorCode::AccountUnknown));
}

#[test]
fn only_the_accounts_keys_sign() {
    let mut world = people(&["ana", "ben"]);
    let envelope = world.envelope("ana", vec![pay(world.id("ben"), 1)]);
    let mut check = |signers: &[&str], expect| {
        assert_eq!(submit(&mut world, &envelope, signers, &[]), expect, "{signers:?}");
    };
    check(&[], Some(ErrorCode::SignatureInvalid));
    check(&["ben"], Some(ErrorCode::SignatureInvalid));
    check(&["ana", "ben"], Some(ErrorCode::SignatureInvalid));
    check(&["ana"; SIGNATURES_MAX + 1], Some(ErrorCode::TransactionInvalid));
    check(&["ana"], None);
}

#[test]
fn two_of_three_must_sign() {
    let mut world = people(&["ana", "ben"]);
    world.act("ana", vec![rotate(keys(&["ana", "second", "third"], 2))]).unwrap();
    let envelope = world.envelope("ana", vec![pay(world.id("ben"), 1)]);
    let mut check = |signers: &[&str], expect| {
        assert_eq!(submit(&mut world, &envelope, signers, &[]), expect, "{signers:?}");
    };
    check(&["ana"], Some(ErrorCode::SignatureInvalid));
    check(&["third", "third"], Some(ErrorCode::SignatureInvalid));
    check(&["ana", "second", "ben"], Some(ErrorCode::SignatureInvalid));
    check(&["third", "second"], None);
}

#[test]
fn key_sets_are_checked() {
    let mut world = people(&["ana"]);
    let reversed = |mut set: KeySet| {
        set.keys.reverse();
        set
    };
    let bad = [
        keys(&["ana", "second"], 3),
        keys(&["ana"], 0),
        keys(&[], 1),
        reversed(keys(&["ana", "second"], 1)),
    ];
    for set in bad {
        assert_eq!(world.refused("ana", rotate(set)), ErrorCode::TransactionInvalid);
    }
}

#[test]
fn a_key_that_was_rotated_out_signs_nothing() {
    let mut world = people(&["ana", "ben"]);
    world.act("ana", vec![rotate(keys(&["fresh"], 1))]).unwrap();
    let envelope = world.envelope("ana", vec![pay(world.id("ben"), 1)]);
    let old = submit(&mut world, &envelope, &["ana"], &[]);
    assert_eq!(old, Some(ErrorCode::SignatureInvalid));
    let rule = terms(&[Right::Call], 1, 0);
    let manifest = ambar_capsule::Manifest { terms: rule.id(), ..model(world.id("ana")) };
    let publish = |world: &World, secret: &SecretKey| {
        let manifest = SignedManifest::sign(&manifest, world.network, secret);
        let terms = Some(rule.to_document());
        let publish =
            Publish { manifest, terms, contributors: None, grants: vec![], derives: vec![] };
        world.envelope("ana", vec![Operation::Publish(publish)])
    };
    let stolen = publish(&world, &key("ana"));
    let refused = submit(&mut world, &stolen, &["fresh"], &[]);
    assert_eq!(refused, Some(ErrorCode::NotAuthorised));
    let honest = publish(&world, &key("fresh"));
    assert_eq!(submit(&mut world, &honest, &["fresh"], &[]), None);
    // Nor does it open a second account.
    let again = Inception::single(key("ana").public()).sign(world.network, &key("ana"));
    assert_eq!(world.refused("ben", Operation::CreateAccount(again)), ErrorCode::KeyNameTaken);
}

#[test]
fn a_nodes_key_can_only_settle() {
    let mut world = people(&["operator", "ben"]);
    let node = world.node("operator");
    let ben = world.id("ben");
    for operation in [pay(ben, 1), rotate(keys(&["ben"], 1)), Operation::CloseChannel(0)] {
        let mut envelope = world.envelope("operator", vec![operation]);
        (envelope.actor, envelope.nonce) = (Actor::Node(node), 0);
        let code = submit(&mut world, &envelope, &["operator's node"], &[]);
        assert_eq!(code, Some(ErrorCode::NotAuthorised));
    }
}

#[test]
fn a_node_is_registered_by_whoever_holds_its_key() {
    let mut world = people(&["operator", "thief"]);
    let secret = key("operator's node");
    let register = RegisterNode::new(world.network, &secret, &world.id("operator"), ASK);
    let stolen = Operation::RegisterNode(register.clone());
    assert_eq!(world.refused("thief", stolen), ErrorCode::SignatureInvalid);
    world.act("operator", vec![Operation::RegisterNode(register.clone())]).unwrap();
    let twice = Operation::RegisterNode(register);
    assert_eq!(world.refused("operator", twice), ErrorCode::KeyNameTaken);
}

#[test]
fn somebody_else_pays_the_fee_if_they_signed() {
    let mut world = people(&["ana", "ben"]);
    let (ana, ben) = (world.id("ana"), world.id("ben"));
    let mut envelope = world.envelope("ana", vec![pay(ben, 7)]);
    envelope.fee_payer = Some(ben);
    let fee = fees::fee(&envelope, &world.genesis.parameters).unwrap();
    for payers in [&[][..], &["ana"], &["ben", "ana"]] {
        let code = submit(&mut world, &envelope, &["ana"], payers);
        assert_eq!(code, Some(ErrorCode::SignatureInvalid), "{payers:?}");
    }
    let before = [ana, ben].map(|id| world.balance(id).0);
    assert_eq!(submit(&mut world, &envelope, &["ana"], &["ben"]), None);
    let seven = Amount::from(Price(7)).0;
    let after = [before[0] - seven, before[1] + seven - Amount::from(fee).0];
    assert_eq!([ana, ben].map(|id| world.balance(id).0), after);
    let mut own = world.envelope("ana", vec![pay(ben, 7)]);
    own.fee_payer = Some(ana);
    assert_eq!(submit(&mut world, &own, &["ana"], &[]), None);
}

#[test]
fn without_money_nothing_moves() {
    let mut world = people(&["ana", "ben"]);
    let secret = key("poor");
    let inception = Inception::single(secret.public()).sign(world.network, &secret);
    let poor = inception.inception.id(world.network);
    world.act("ana", vec![Operation::CreateAccount(inception)]).unwrap();
    let mut envelope = world.envelope("poor", vec![pay(world.id("ben"), 0)]);
    assert_eq!(submit(&mut world, &envelope, &["poor"], &[]), Some(ErrorCode::BalanceTooLow));
    envelope.fee_payer = Some(world.id("ana"));
    assert_eq!(submit(&mut world, &envelope, &["poor"], &["ana"]), None);
    assert_eq!(world.balance(poor), Amount::ZERO);
}

#[test]
fn accounts_without_keys_neither_act_nor_pay() {
    let mut world = people(&["ana", "ben"]);
    let table = contributors(&["Ada"]);
    let rule = terms(&[Right::Call], 1, 0);
    let manifest = dataset(world.id("ana"), &table);
    let (_, datanet) = world.publish("ana", manifest, &rule, Some(&table), vec![]).unwrap();
    for id in [AccountId::escrow(&datanet, "Ada"), AccountId::reserved("burn")] {
        world.act("ana", vec![pay(id, 1_000_000_000)]).unwrap();
        let mut envelope = world.envelope("ana", vec![pay(world.id("ben"), 1)]);
        (envelope.actor, envelope.nonce) = (Actor::Account(id), 0);
        let acted = submit(&mut world, &envelope, &["ana"], &[]);
        assert_eq!(acted, Some(ErrorCode::NotAuthorised));
        let mut envelope = world.envelope("ana", vec![pay(world.id("ben"), 1)]);
        envelope.fee_payer = Some(id);
        let paid = submit(&mut world, &envelope, &["ana"], &["ana"]);
        assert_eq!(paid, Some(ErrorCode::NotAuthorised));
    }
}

#[test]
fn all_operations_or_none() {
    let mut world = people(&["ana", "ben"]);
    let ben = world.id("ben");
    let before = world.balance(ben);
    let operations = vec![pay(ben, 5), pay(ben, 200 * Price::CREDIT.0)];
    let refusal = world.act("ana", operations).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BalanceTooLow);
    assert_eq!(world.balance(ben), before);
}

/// Operations of one transaction see what those before them did; its signatures are those
/// of the keys that held before.
#[test]
fn operations_apply_in_order() {
    let mut world = people(&["ana"]);
    let inception = Inception::single(key("new").public()).sign(world.network, &key("new"));
    let new = inception.inception.id(world.network);
    let create = Operation::CreateAccount(inception);
    let turned = vec![pay(new, 9), create.clone()];
    assert_eq!(world.act("ana", turned).unwrap_err().code, ErrorCode::AccountUnknown);
    let operations = vec![rotate(keys(&["fresh"], 1)), create, pay(new, 9)];
    world.act("ana", operations).unwrap();
    assert_eq!(world.balance(new), Amount::from(Price(9)));
}

#[test]
fn nobody_acts_on_what_is_somebody_elses() {
    let mut world = people(&["ana", "ben", "thief"]);
    let node = world.node("ana");
    let rule = terms(&[Right::Call], 1, 0);
    let manifest = model(world.id("ana"));
    let (_, version) = world.publish("ana", manifest, &rule, None, vec![]).unwrap();
    let grant = world.accept("ben", version).unwrap();
    let channel = world.channel("ben", "ana", vec![grant], Price::CREDIT);
    let (thief, gateway) = (world.id("thief"), key("ana's node").public());
    let open = OpenChannel {
        session_key: key("session").public(),
        gateway,
        grants: vec![grant],
        amount: Price(1),
        unit_price_max: Price(1),
        expires: START.after(1_000_000),
        vouchers: false,
    };
    let operations = [
        Operation::RegisterName(RegisterName { name: "it".into(), version }),
        Operation::TransferLine(TransferLine { version, to: thief, grants: vec![] }),
        Operation::TransferRoyalty(TransferRoyalty { royalty: 0, to: thief }),
        Operation::RevokeGrant(grant),
        Operation::OpenChannel(open),
        Operation::FundChannel(FundChannel { channel, amount: Price(1) }),
        Operation::CloseChannel(channel),
        Operation::SetAsk(SetAsk { node, ask: Price(1) }),
        Operation::AllowServing(AllowServing { version, node: gateway, allowed: true }),
        Operation::SetParameters(world.genesis.parameters.clone()),
        Operation::PublishTariff(world.genesis.tariff.clone()),
    ];
    for operation in operations {
        let what = format!("{operation:?}");
        assert_eq!(world.refused("thief", operation), ErrorCode::NotAuthorised, "{what}");
    }
    let other = Accept {
        version,
        terms: ambar_base::Cid::of(b"other terms"),
        territory: None,
        offer: None,
    };
    assert_eq!(world.refused("thief", Operation::Accept(other)), ErrorCode::GrantMissing);
}

#[test]
fn transactions_are_bounded() {
    let world = people(&["ana"]);
    let large = vec![0; TRANSACTION_BYTES_MAX + 1];
    let refusal = Admitted::of(world.network, &large).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::TransactionTooLarge);
    let refusal = Admitted::of(world.network, &large[1..]).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::TransactionInvalid);
}

proptest! {
    #[test]
    fn garbage_is_refused(bytes: Vec<u8>) {
        let mut world = World::new();
        prop_assert!(world.apply(&bytes).is_err());
    }

    /// One bit of a good transaction: envelope, key and signature are all covered.
    #[test]
    fn a_changed_bit_is_refused(position: prop::sample::Index, bit in 0u8..8) {
        let mut world = people(&["ana", "ben"]);
        let envelope = world.envelope("ana", vec![pay(world.id("ben"), 1)]);
        let mut bytes = envelope.sign(&key("ana")).to_bytes();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        prop_assert!(world.apply(&bytes).is_err());
    }
}

#[test]
fn an_actor_is_told_its_next_nonce() {
    let mut world = people(&["ana", "ben"]);
    let mut envelope = world.envelope("ana", vec![pay(world.id("ben"), 1)]);
    envelope.nonce = 40;
    let refusal = world.apply(&envelope.sign(&key("ana")).to_bytes()).unwrap_err();
    assert_eq!(refusal.to_string(), "the nonce is 40, the next one is 0");
    let (_, account, _) = world.ledger.account(&key("ana").public().did()).unwrap();
    assert_eq!(account.nonce, 0);
}
