//! Validators from registration to the bond that comes back or is burned.

use crate::world::{World, key};
use ambar_base::finality::{Ballot, Evidence, Proposal, SEATS_MAX, Statement};
use ambar_base::{Amount, Committee, Digest, Encode, ErrorCode, Price, PublicKey, SecretKey};
use ambar_ledger::query::State;
use ambar_ledger::result::{EjectedResult, OperationResult};
use ambar_ledger::roster::{RANKING_VALIDATORS_MAX, Status, Validator};
use ambar_ledger::transaction::{Actor, RegisterValidator, SignedTransaction, Transfer};
use ambar_ledger::{Admitted, Key, Operation, Refusal};

const WINDOW: u64 = 5;

fn seat(name: &str) -> SecretKey {
    key(&format!("{name}'s seat"))
}

/// The seats of these people, as committees order them.
fn seats(names: &[&str]) -> Vec<PublicKey> {
    let mut seats: Vec<_> = names.iter().map(|name| seat(name).public()).collect();
    seats.sort_unstable();
    seats
}

/// A network whose one validator is the faucet's, with people who would be.
fn world(people: &[&str]) -> World {
    let mut world = World::with(|genesis| {
        genesis.validators[0].key = seat("faucet").public();
        let rules = &mut genesis.parameters;
        (rules.fee_base, rules.fee_per_byte) = Default::default();
        (rules.settlement_window, rules.committee_max) = (WINDOW, 4);
    });
    for name in people {
        world.person(name);
        register(&mut world, name).unwrap();
    }
    world
}

fn registration(world: &World, name: &str, seat: &SecretKey) -> Operation {
    Operation::RegisterValidator(RegisterValidator::new(world.network, seat, &world.id(name)))
}

fn register(world: &mut World, name: &str) -> Result<u64, Refusal> {
    let operation = registration(world, name, &seat(name));
    match world.act(name, vec![operation])?[..] {
        [OperationResult::Validator(number)] => Ok(number),
        ref other => panic!("{other:?}"),
    }
}

fn rank(world: &mut World, names: &[&str]) -> Result<(), Refusal> {
    let keys = names.iter().map(|name| seat(name).public()).collect();
    world.act("faucet", vec![Operation::RankValidators(keys)]).map(|_| ())
}

fn status(world: &World, name: &str) -> Status {
    let by_key = Key::ValidatorNumber(seat(name).public());
    let number: u64 = world.ledger.must("validator", name, &by_key).unwrap();
    let validator: Validator =
        world.ledger.must("validator", name, &Key::Validator(number)).unwrap();
    validator.status
}

fn evidence(world: &World, name: &str, block: &str) -> Evidence {
    let (round, secret) = ((0, 7), seat(name));
    let proposal = Proposal { parent_view: 6, block: Digest::of(block.as_bytes()) };
    let cast = |statement| Ballot::cast(&secret, world.network, round, statement);
    let (one, other) = (cast(Statement::Nullify), cast(Statement::Finalize(proposal)));
    Evidence::new(secret.public(), round, one, other).unwrap()
}

fn report(world: &mut World, name: &str) -> Result<EjectedResult, Refusal> {
    let report = SignedTransaction::report(world.network, evidence(world, name, "block"));
    match &world.apply(&report.to_bytes())?[..] {
        [OperationResult::Ejected(result)] => Ok(result.clone()),
        other => panic!("{other:?}"),
    }
}

fn bond(world: &World) -> Amount {
    Amount::from(world.genesis.parameters.validator_bond)
}

#[test]
fn a_validator_is_registered_ranked_and_seated() {
    let mut world = world(&["ana", "ben"]);
    let hundred = Amount::from(Price(100 * Price::CREDIT.0));
    assert_eq!(world.balance(world.id("ana")), hundred.saturating_sub(bond(&world)));
    assert_eq!(status(&world, "ana"), Status::Candidate);
    assert_eq!(world.end_epoch(), seats(&["faucet"]));
    rank(&mut world, &["ben", "faucet", "ana"]).unwrap();
    assert_eq!(world.end_epoch(), seats(&["faucet", "ben"]));
    assert_eq!((status(&world, "ana"), status(&world, "ben")), (Status::Candidate, Status::Seated));
    assert_eq!(world.end_epoch(), seats(&["faucet", "ben", "ana"]));
    let roster = world.ledger.roster().unwrap();
    assert_eq!(roster.epoch, 3);
    rank(&mut world, &["ben"]).unwrap();
    let next = world.end_epoch();
    assert_eq!(next.len(), 2);
    assert_eq!(Committee::new(4, next.clone()).unwrap().seats(), next);
    assert_eq!(world.end_epoch(), seats(&["ben"]));
    assert_eq!(status(&world, "faucet"), Status::Candidate);
    // Whoever lost a seat keeps its bond, and takes a seat again.
    assert_eq!(world.ledger.check().unwrap().bonds, Amount(3 * bond(&world).0));
    rank(&mut world, &["faucet", "ben"]).unwrap();
    assert_eq!(world.end_epoch(), seats(&["faucet", "ben"]));
}

#[test]
fn an_epoch_ends_once() {
    let mut world = world(&[]);
    assert_eq!(world.ledger.end_epoch(1).unwrap_err().code, ErrorCode::LedgerCorrupt);
    assert_eq!(world.end_epoch(), seats(&["faucet"]));
    assert_eq!(world.ledger.end_epoch(0).unwrap_err().code, ErrorCode::LedgerCorrupt);
}

#[test]
fn an_account_and_a_key_have_one_validator() {
    let mut world = world(&["ana"]);
    world.person("ben");
    let second = registration(&world, "ana", &seat("second"));
    assert_eq!(world.refused("ana", second), ErrorCode::SeatTaken);
    let same_key = registration(&world, "ben", &seat("ana"));
    assert_eq!(world.refused("ben", same_key), ErrorCode::SeatTaken);
    let Operation::RegisterValidator(proved) = registration(&world, "ana", &seat("ben")) else {
        panic!()
    };
    let stolen = Operation::RegisterValidator(proved);
    assert_eq!(world.refused("ben", stolen), ErrorCode::SignatureInvalid);
    let to = world.id("faucet");
    let amount = Price(51 * Price::CREDIT.0);
    world.act("ben", vec![Operation::Transfer(Transfer { to, amount })]).unwrap();
    assert_eq!(register(&mut world, "ben").unwrap_err().code, ErrorCode::BalanceTooLow);
    let (mut nobody, mut proof) = ([0; 32], [0; 64]);
    (nobody[0], proof[0]) = (1, 1);
    let (key, proof) = (PublicKey(nobody), ambar_base::Signature(proof));
    let unsound = Operation::RegisterValidator(RegisterValidator { key, proof });
    assert_eq!(world.refused("ben", unsound), ErrorCode::TransactionInvalid);
}

#[test]
fn only_the_council_ranks_and_only_validators() {
    let mut world = world(&["ana"]);
    let ana = seat("ana").public();
    let ranking = |keys: Vec<PublicKey>| Operation::RankValidators(keys);
    assert_eq!(world.refused("ana", ranking(vec![ana])), ErrorCode::NotAuthorised);
    let stranger = seat("stranger").public();
    assert_eq!(world.refused("faucet", ranking(vec![ana, stranger])), ErrorCode::NotFound);
    assert_eq!(world.refused("faucet", ranking(vec![ana, ana])), ErrorCode::TransactionInvalid);
    let many = (0..=RANKING_VALIDATORS_MAX).map(|at| key(&at.to_string()).public()).collect();
    assert_eq!(world.refused("faucet", ranking(many)), ErrorCode::TransactionInvalid);
    const { assert!(RANKING_VALIDATORS_MAX >= SEATS_MAX) };
    // Nobody is preferred: the committee stays.
    rank(&mut world, &[]).unwrap();
    assert_eq!(world.end_epoch(), seats(&["faucet"]));
}

#[test]
fn a_seat_is_given_back_at_the_border_and_the_bond_after_a_window() {
    let mut world = world(&["ana"]);
    rank(&mut world, &["faucet", "ana"]).unwrap();
    world.end_epoch();
    let withdraw = |world: &mut World| world.act("ana", vec![Operation::WithdrawBond]);
    let code = |result: Result<Vec<OperationResult>, Refusal>| result.unwrap_err().code;
    assert_eq!(code(withdraw(&mut world)), ErrorCode::BondLocked);
    world.act("ana", vec![Operation::RetireValidator]).unwrap();
    assert_eq!(status(&world, "ana"), Status::Leaving);
    assert_eq!(world.refused("ana", Operation::RetireValidator), ErrorCode::TransactionInvalid);
    assert_eq!(code(withdraw(&mut world)), ErrorCode::BondLocked);
    world.block(1000);
    assert_eq!(world.end_epoch(), seats(&["faucet"]));
    assert_eq!(status(&world, "ana"), Status::Left(world.ledger.height()));
    for _ in 0..WINDOW {
        world.block(1000);
        assert_eq!(code(withdraw(&mut world)), ErrorCode::BondLocked);
    }
    world.block(1000);
    let before = world.balance(world.id("ana"));
    let expect = vec![OperationResult::Withdrawn(bond(&world))];
    assert_eq!(withdraw(&mut world), Ok(expect));
    assert_eq!(world.balance(world.id("ana")), Amount(before.0 + bond(&world).0));
    // It is ranked still, and is no validator.
    assert_eq!(world.end_epoch(), seats(&["faucet"]));
    assert_eq!(code(withdraw(&mut world)), ErrorCode::NotFound);
    // It may come again.
    register(&mut world, "ana").unwrap();
    assert_eq!(world.end_epoch(), seats(&["faucet"]));
    rank(&mut world, &["faucet", "ana"]).unwrap();
    assert_eq!(world.end_epoch(), seats(&["faucet", "ana"]));
}

#[test]
fn a_candidate_leaves_at_once() {
    let mut world = world(&["ana"]);
    rank(&mut world, &["ana", "faucet"]).unwrap();
    world.act("ana", vec![Operation::RetireValidator]).unwrap();
    assert_eq!(status(&world, "ana"), Status::Left(world.ledger.height()));
    assert_eq!(world.end_epoch(), seats(&["faucet"]));
    // The last one stays until there is another.
    world.act("faucet", vec![Operation::RetireValidator]).unwrap();
    assert_eq!(world.end_epoch(), seats(&["faucet"]));
    assert_eq!(status(&world, "faucet"), Status::Leaving);
}

#[test]
fn who_cheats_loses_seat_bond_and_key() {
    let mut world = world(&["ana", "ben"]);
    rank(&mut world, &["faucet", "ana", "ben"]).unwrap();
    world.end_epoch();
    world.end_epoch();
    let before = world.balance(ambar_base::AccountId::reserved("burn"));
    let (owner, burned) = (world.id("ana"), bond(&world));
    let result = report(&mut world, "ana").unwrap();
    assert_eq!((result.owner, result.burned), (owner, burned));
    let after = world.balance(ambar_base::AccountId::reserved("burn"));
    assert_eq!(after, Amount(before.0 + burned.0));
    let again = SignedTransaction::report(world.network, evidence(&world, "ana", "other"));
    assert_eq!(world.apply(&again.to_bytes()).unwrap_err().code, ErrorCode::ValidatorEjected);
    assert_eq!(report(&mut world, "ana").unwrap_err().code, ErrorCode::ValidatorEjected);
    // Its seat ends with the epoch, its key for ever.
    assert_eq!(status(&world, "ana"), Status::Ejected(world.ledger.height()));
    assert_eq!(world.ledger.roster().unwrap().seats.len(), 3);
    assert_eq!(world.end_epoch(), seats(&["faucet", "ben"]));
    let code = register(&mut world, "ana").unwrap_err().code;
    assert_eq!(code, ErrorCode::ValidatorEjected);
    assert_eq!(world.refused("ana", Operation::WithdrawBond), ErrorCode::NotFound);
    assert_eq!(world.refused("ana", Operation::RetireValidator), ErrorCode::NotFound);
    let code = rank(&mut world, &["faucet", "ben", "ana"]).unwrap_err().code;
    assert_eq!(code, ErrorCode::ValidatorEjected);
    assert_eq!(world.end_epoch(), seats(&["faucet", "ben"]));
}

#[test]
fn a_bond_that_waits_is_burned_and_one_that_is_back_is_not() {
    let mut world = world(&["ana", "ben"]);
    for name in ["ana", "ben"] {
        world.act(name, vec![Operation::RetireValidator]).unwrap();
    }
    (0..=WINDOW).for_each(|_| world.block(1000));
    report(&mut world, "ana").unwrap();
    assert_eq!(world.refused("ana", Operation::WithdrawBond), ErrorCode::NotFound);
    world.act("ben", vec![Operation::WithdrawBond]).unwrap();
    assert_eq!(report(&mut world, "ben").unwrap_err().code, ErrorCode::NotFound);
}

/// Anybody may report, for nothing or as an account.
#[test]
fn nobody_reports_in_one_form_and_does_nothing_else() {
    let mut world = world(&["ana"]);
    world.person("eva");
    let report = SignedTransaction::report(world.network, evidence(&world, "ana", "block"));
    let refused = |change: &dyn Fn(&mut SignedTransaction)| {
        let mut changed = report.clone();
        change(&mut changed);
        Admitted::of(world.network, &changed.to_bytes()).unwrap_err().code
    };
    let to = world.id("eva");
    let conflict = report.envelope.operations[0].clone();
    let transfer = Operation::Transfer(Transfer { to, amount: Price(1) });
    let signature = report.envelope.signature(&key("eva"));
    let shape: [&dyn Fn(&mut SignedTransaction); 8] = [
        &|t| t.envelope.operations = vec![transfer.clone()],
        &|t| t.envelope.operations.push(conflict.clone()),
        &|t| t.envelope.nonce = 1,
        &|t| t.envelope.expires.0 -= 1,
        &|t| t.envelope.fee_payer = Some(to),
        &|t| t.envelope.fee_cap = Price(1),
        &|t| t.signatures.push(signature),
        &|t| t.payer_signatures.push(signature),
    ];
    for change in shape {
        assert_eq!(refused(change), ErrorCode::NotAuthorised);
    }
    let foreign = Evidence::new(
        seat("ana").public(),
        (0, 8),
        Ballot::cast(&seat("ana"), world.network, (0, 7), Statement::Nullify),
        Ballot::cast(
            &seat("ana"),
            world.network,
            (0, 8),
            Statement::Finalize(Proposal { parent_view: 0, block: Digest::ZERO }),
        ),
    );
    let foreign = Operation::ReportConflict(foreign.unwrap());
    let swap = |t: &mut SignedTransaction| t.envelope.operations = vec![foreign.clone()];
    assert_eq!(refused(&swap), ErrorCode::SignatureInvalid);
    assert!(matches!(report.envelope.actor, Actor::Nobody));
    let ejected = world.act("eva", vec![conflict]).unwrap();
    assert!(matches!(ejected[..], [OperationResult::Ejected(_)]));
    assert_eq!(world.apply(&report.to_bytes()).unwrap_err().code, ErrorCode::ValidatorEjected);
}

#[test]
fn a_node_reports_nobody() {
    let mut world = world(&["ana"]);
    let node = world.node("ana");
    let conflict = Operation::ReportConflict(evidence(&world, "ana", "block"));
    let mut envelope = world.envelope("ana", vec![conflict]);
    envelope.actor = Actor::Node(node);
    let bytes = envelope.sign(&key("ana's node")).to_bytes();
    assert_eq!(world.apply(&bytes).unwrap_err().code, ErrorCode::NotAuthorised);
}
