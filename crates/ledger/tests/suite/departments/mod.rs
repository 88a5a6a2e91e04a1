//! Departments: who sets them, what their keys may do, and how much they draw.

mod property;
use crate::world::{ASK, START, World, key, model, terms};
use ambar_base::{
    AccountId, Amount, Cid, Encode, ErrorCode, Inception, KeySet, Moment, Price, SecretKey,
    SignedInception,
};
use ambar_capsule::SignedManifest;
use ambar_ledger::key::Key;
use ambar_ledger::object::{Budget, Department, Member, Role};
use ambar_ledger::query::State;
use ambar_ledger::result::{DrawnResult, OperationResult};
use ambar_ledger::transaction::{
    Accept, Actor, CreateDepartment, Envelope, FundChannel, OpenChannel, Operation, Publish,
    Recall, RegisterName, RotateKeys, SetBudget, SetMembers, TRANSACTION_VERSION, Transfer,
};
use ambar_ledger::{Refusal, SignedTransaction};
use ambar_licence::{Period, Right};

const CREDIT: u64 = Price::CREDIT.0;

fn credits(number: u64) -> Price {
    Price(number * CREDIT)
}

fn members(names: &[(&str, &[Role])]) -> Vec<Member> {
    let member =
        |(name, roles): &(&str, &[Role])| Member { key: key(name).public(), roles: roles.to_vec() };
    let mut members: Vec<_> = names.iter().map(member).collect();
    members.sort_by_key(|member| member.key);
    members
}

fn create(name: &str, members: Vec<Member>, amount: Price, per: Period) -> Operation {
    let budget = Budget { amount, per };
    Operation::CreateDepartment(CreateDepartment {
        name: name.into(),
        members,
        threshold: 1,
        budget,
    })
}

/// An envelope of an account, whoever signs it.
fn envelope(world: &World, account: AccountId, operations: Vec<Operation>) -> Envelope {
    Envelope {
        network: world.network,
        version: TRANSACTION_VERSION,
        actor: Actor::Account(account),
        nonce: world.ledger.account(&account.to_string()).unwrap().1.nonce,
        expires: world.ledger.height().after(10),
        fee_payer: None,
        fee_cap: Price::CREDIT,
        operations,
    }
}

fn signed(envelope: Envelope, keys: &[&str]) -> Vec<u8> {
    let signatures = keys.iter().map(|name| envelope.signature(&key(name))).collect();
    SignedTransaction { envelope, signatures, payer_signatures: Vec::new() }.to_bytes()
}

/// Asks as an account, signed by these keys.
fn ask(
    world: &mut World,
    account: AccountId,
    keys: &[&str],
    operation: Operation,
) -> Result<Vec<OperationResult>, Refusal> {
    let bytes = signed(envelope(world, account, vec![operation]), keys);
    world.apply(&bytes)
}

fn refused(
    world: &mut World,
    account: AccountId,
    keys: &[&str],
    operation: Operation,
) -> ErrorCode {
    ask(world, account, keys, operation).unwrap_err().code
}

/// A company with a department for research, whose keys are `ann` for everything, `sam` who
/// spends, `pia` who publishes and `rita` who reads; and a model with a node that serves it.
struct Stage {
    world: World,
    research: AccountId,
    model: Cid,
}

fn stage() -> Stage {
    let mut world = World::new();
    for name in ["company", "owner"] {
        world.person(name);
    }
    let manifest = model(world.id("owner"));
    let priced = terms(&[Right::Call], 10, 1_000);
    let (_, version) = world.publish("owner", manifest, &priced, None, vec![]).unwrap();
    world.node("owner");
    world.serve("owner", version, "owner");
    world.act("company", vec![create("research", team(), credits(5), Period::Month)]).unwrap();
    let research = AccountId::department(&world.id("company"), "research");
    Stage { world, research, model: version }
}

fn team() -> Vec<Member> {
    use Role::{Admin, Publish, Read, Spend};
    members(&[
        ("ann", &[Spend, Publish, Read, Admin]),
        ("sam", &[Spend]),
        ("pia", &[Publish]),
        ("rita", &[Read]),
    ])
}

impl Stage {
    fn department(&self) -> Department {
        let number = self.world.ledger.account_number(&self.research.to_string()).unwrap();
        self.world.ledger.must("department", number, &Key::Department(number)).unwrap()
    }

    fn accept(&self) -> Operation {
        let terms = self.world.ledger.version(&self.model).unwrap().1.terms;
        Operation::Accept(Accept { version: self.model, terms, territory: None, offer: None })
    }

    fn ask(
        &mut self,
        keys: &[&str],
        operation: Operation,
    ) -> Result<Vec<OperationResult>, Refusal> {
        ask(&mut self.world, self.research, keys, operation)
    }

    fn refused(&mut self, keys: &[&str], operation: Operation) -> ErrorCode {
        refused(&mut self.world, self.research, keys, operation)
    }
}

fn channel(amount: Price, grants: Vec<u64>) -> Operation {
    Operation::OpenChannel(OpenChannel {
        session_key: key("session").public(),
        gateway: key("owner's node").public(),
        grants,
        amount,
        unit_price_max: Price(1_000_000_000),
        expires: START.after(365 * Moment::DAY_MS),
        vouchers: false,
    })
}

/// What an operation drew; nothing if it drew nothing.
fn drawn(results: &[OperationResult]) -> Amount {
    match results.last() {
        Some(OperationResult::Drawn(DrawnResult { amount, .. })) => *amount,
        _ => Amount::ZERO,
    }
}

#[test]
fn a_department_spends_its_organisations_money_within_its_budget() {
    let mut stage = stage();
    let company = stage.world.id("company");
    let before = stage.world.balance(company);
    let results = stage.ask(&["sam"], stage.accept()).unwrap();
    assert_eq!(results[0], OperationResult::Grant(0));
    let first = drawn(&results);
    assert!(first > Amount::ZERO, "the fee is drawn");
    let results = stage.ask(&["sam"], channel(credits(3), vec![0])).unwrap();
    let (organisation, department) = (company, stage.research);
    let amount = drawn(&results);
    let all = OperationResult::Drawn(DrawnResult { organisation, department, amount });
    assert_eq!(results, [OperationResult::Channel(0), all]);
    assert_eq!(stage.world.channel_state(0).funded, Amount::from(credits(3)));
    assert_eq!(stage.world.balance(stage.research), Amount::ZERO, "no money idles");
    let gone = before.0 - stage.world.balance(company).0;
    assert_eq!(gone, first.0 + amount.0, "all came from the company");
    assert_eq!(stage.department().drawn.0, gone);
    let fund = Operation::FundChannel(FundChannel { channel: 0, amount: credits(2) });
    assert_eq!(stage.refused(&["sam"], fund.clone()), ErrorCode::DepartmentOverBudget);
    let less = Operation::FundChannel(FundChannel { channel: 0, amount: credits(1) });
    stage.ask(&["sam"], less).unwrap();

    stage.world.block(31 * Moment::DAY_MS);
    assert_eq!(stage.department().drawn_at(stage.world.ledger.time()), Amount::ZERO);
    stage.ask(&["sam"], fund).unwrap();

    let leaf = stage.world.leaf(0, 0, vec![stage.world.line(0, 0, 0, &[])]);
    stage.world.settle("owner", 0, vec![leaf]).unwrap();
}

#[test]
fn what_it_has_is_spent_first() {
    let mut stage = stage();
    let gift = Operation::Transfer(Transfer { to: stage.research, amount: credits(2) });
    stage.world.act("company", vec![gift]).unwrap();
    let results = stage.ask(&["sam"], channel(credits(1), vec![])).unwrap();
    assert_eq!(results, [OperationResult::Channel(0)], "nothing was drawn");
    let have = stage.world.balance(stage.research);
    let results = stage.ask(&["sam"], channel(credits(1), vec![])).unwrap();
    let deposit = stage.world.genesis.parameters.deposit;
    assert!(
        drawn(&results) >= Amount(Amount::from(credits(1)).0 + Amount::from(deposit).0 - have.0)
    );
    assert_eq!(stage.world.balance(stage.research), Amount::ZERO);
}

#[test]
fn keys_do_what_their_roles_say() {
    let mut stage = stage();
    let (accept, research) = (stage.accept(), stage.research);
    for who in ["pia", "rita"] {
        let refusal = stage.ask(&[who], accept.clone()).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotAuthorised);
        assert!(refusal.message.contains("lacks the role `spend`"), "{}", refusal.message);
    }
    let both = stage.refused(&["sam", "pia"], accept.clone());
    assert_eq!(both, ErrorCode::NotAuthorised, "who lacks the role does not sign along");
    assert_eq!(stage.refused(&["company"], accept), ErrorCode::SignatureInvalid);

    let publish = |world: &World| {
        let priced = terms(&[Right::Call], 10, 0);
        let manifest = model(research);
        let manifest =
            ambar_capsule::Manifest { terms: priced.id(), creator: research, ..manifest };
        Operation::Publish(Publish {
            manifest: SignedManifest::sign(&manifest, world.network, &key("pia")),
            terms: Some(priced.to_document()),
            contributors: None,
            grants: vec![],
            derives: vec![],
        })
    };
    assert_eq!(stage.refused(&["sam"], publish(&stage.world)), ErrorCode::NotAuthorised);
    let results = stage.ask(&["pia"], publish(&stage.world)).unwrap();
    let OperationResult::Version(version) = &results[0] else { panic!("{results:?}") };
    let name = RegisterName { name: "sonar".into(), version: version.id };
    stage.ask(&["ann"], Operation::RegisterName(name)).unwrap();

    let send = Transfer { to: stage.world.id("owner"), amount: Price(1) };
    let nested = create("deep", team(), credits(1), Period::Day);
    let rotate = RotateKeys { keys: KeySet::single(key("ann").public()), recovery: None };
    for never in [Operation::Transfer(send), nested, Operation::RotateKeys(rotate)] {
        let refusal = stage.ask(&["ann"], never).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotAuthorised);
        assert!(refusal.message.contains("no role"), "{}", refusal.message);
    }
    let only = members(&[("ann", &[Role::Admin]), ("eve", &[Role::Spend])]);
    let set =
        Operation::SetMembers(SetMembers { department: research, members: only, threshold: 1 });
    assert_eq!(stage.refused(&["sam"], set.clone()), ErrorCode::NotAuthorised);
    stage.ask(&["ann"], set).unwrap();
    assert_eq!(stage.refused(&["sam"], stage.accept()), ErrorCode::SignatureInvalid);
    stage.ask(&["eve"], stage.accept()).unwrap();
}

#[test]
fn as_many_keys_with_the_role_sign_as_the_threshold_says() {
    let mut stage = stage();
    use Role::{Publish, Spend};
    let team = members(&[("ann", &[Spend]), ("sam", &[Spend]), ("pia", &[Publish])]);
    let set = |members, threshold, department| {
        Operation::SetMembers(SetMembers { department, members, threshold })
    };
    let too_few = set(team, 2, stage.research);
    let refusal = stage.world.act("company", vec![too_few]).unwrap_err();
    assert!(refusal.message.contains("1 have the role `publish`"), "{}", refusal.message);
    let team = members(&[("ann", &[Spend]), ("sam", &[Spend]), ("rita", &[Role::Read])]);
    stage.world.act("company", vec![set(team, 2, stage.research)]).unwrap();
    assert_eq!(stage.refused(&["ann"], stage.accept()), ErrorCode::SignatureInvalid);
    assert_eq!(stage.refused(&["ann", "rita"], stage.accept()), ErrorCode::NotAuthorised);
    stage.ask(&["ann", "sam"], stage.accept()).unwrap();
}

#[test]
fn the_organisation_stays_in_control() {
    let mut stage = stage();
    let (company, research) = (stage.world.id("company"), stage.research);
    let by_others = [
        Operation::SetBudget(SetBudget {
            department: research,
            budget: Budget { amount: credits(9), per: Period::Term },
        }),
        Operation::SetMembers(SetMembers { department: research, members: team(), threshold: 1 }),
        Operation::Recall(Recall { department: research, amount: None }),
        Operation::CloseDepartment(research),
    ];
    for operation in &by_others {
        assert_eq!(stage.world.refused("owner", operation.clone()), ErrorCode::NotAuthorised);
    }
    let again = create("research", team(), credits(1), Period::Day);
    assert_eq!(stage.world.refused("company", again.clone()), ErrorCode::NameTaken);
    stage.world.act("owner", vec![again]).unwrap();

    // Whatever becomes of the organisation's keys, the department is its own.
    let keys = KeySet::single(key("new").public());
    let rotate = Operation::RotateKeys(RotateKeys { keys, recovery: None });
    stage.world.act("company", vec![rotate]).unwrap();
    stage.ask(&["sam"], channel(credits(2), vec![])).unwrap();
    let by_company =
        |stage: &mut Stage, operation| ask(&mut stage.world, company, &["new"], operation);
    let close = Operation::CloseDepartment(research);
    let busy = by_company(&mut stage, close.clone()).unwrap_err();
    assert!(busy.message.contains("has 1 channels"), "{}", busy.message);
    by_company(&mut stage, Operation::CloseChannel(0)).unwrap();
    let window = stage.world.genesis.parameters.settlement_window;
    (0..window + 2).for_each(|_| stage.world.block(1_000));
    let parts =
        [Amount::from(credits(2)).0, Amount::from(stage.world.genesis.parameters.deposit).0];
    let back = Amount(parts.into_iter().sum());
    assert_eq!(stage.world.balance(research), back, "what the channel held is the department's");
    let one = Operation::Recall(Recall { department: research, amount: Some(credits(1)) });
    let recalled = by_company(&mut stage, one).unwrap();
    assert_eq!(recalled, [OperationResult::Recalled(Amount::from(credits(1)))]);
    let rest = Amount(back.0 - Amount::from(credits(1)).0);
    assert_eq!(by_company(&mut stage, close.clone()).unwrap(), [OperationResult::Recalled(rest)]);
    assert_eq!(stage.world.balance(research), Amount::ZERO);
    assert_eq!(stage.refused(&["sam"], stage.accept()), ErrorCode::NotAuthorised, "it has no keys");
    assert_eq!(by_company(&mut stage, close).unwrap_err().code, ErrorCode::NotFound);
    // What comes later can still be had.
    let gift = Operation::Transfer(Transfer { to: research, amount: credits(1) });
    stage.world.act("owner", vec![gift]).unwrap();
    let all = Operation::Recall(Recall { department: research, amount: None });
    let recalled = by_company(&mut stage, all).unwrap();
    assert_eq!(recalled, [OperationResult::Recalled(Amount::from(credits(1)))]);
}

#[test]
fn a_budget_holds_from_when_it_is_set() {
    let mut stage = stage();
    let set = |stage: &mut Stage, amount, per| {
        let budget = Budget { amount, per };
        let set = Operation::SetBudget(SetBudget { department: stage.research, budget });
        stage.world.act("company", vec![set]).unwrap();
    };
    stage.ask(&["sam"], channel(credits(3), vec![])).unwrap();
    set(&mut stage, credits(2), Period::Month);
    assert_eq!(stage.refused(&["sam"], stage.accept()), ErrorCode::DepartmentOverBudget);
    set(&mut stage, Price(0), Period::Month);
    set(&mut stage, credits(4), Period::Month);
    let fund = |amount| Operation::FundChannel(FundChannel { channel: 0, amount });
    let over = stage.refused(&["sam"], fund(credits(1)));
    assert_eq!(over, ErrorCode::DepartmentOverBudget, "what was drawn this month counts on");
    set(&mut stage, credits(4), Period::Day);
    stage.ask(&["sam"], fund(credits(3))).unwrap();
    stage.world.block(Moment::DAY_MS);
    stage.ask(&["sam"], fund(credits(3))).unwrap();
    set(&mut stage, credits(4), Period::Term);
    stage.ask(&["sam"], fund(credits(3))).unwrap();
    stage.world.block(400 * Moment::DAY_MS);
    assert_eq!(stage.refused(&["sam"], fund(credits(3))), ErrorCode::DepartmentOverBudget);
}

#[test]
fn an_organisation_cannot_give_what_it_lacks() {
    let mut stage = stage();
    let budget = Budget { amount: credits(1_000), per: Period::Term };
    let set = Operation::SetBudget(SetBudget { department: stage.research, budget });
    stage.world.act("company", vec![set]).unwrap();
    let much = channel(credits(500), vec![]);
    assert_eq!(stage.refused(&["sam"], much), ErrorCode::BalanceTooLow);
    assert_eq!(stage.department().drawn, Amount::ZERO);
}

#[test]
fn a_department_pays_for_nobody_else_and_others_may_pay_for_it() {
    let mut stage = stage();
    let pay = |world: &World, actor: AccountId, payer: AccountId, operation| Envelope {
        fee_payer: Some(payer),
        ..envelope(world, actor, vec![operation])
    };
    let (owner, research) = (stage.world.id("owner"), stage.research);
    let send = Operation::Transfer(Transfer { to: owner, amount: Price(1) });
    let signed = |envelope: Envelope, actor: &str, payer: &str| {
        let signatures = vec![envelope.signature(&key(actor))];
        let payer_signatures = vec![envelope.signature(&key(payer))];
        SignedTransaction { envelope, signatures, payer_signatures }.to_bytes()
    };
    let theirs = pay(&stage.world, owner, research, send);
    let refusal = stage.world.apply(&signed(theirs, "owner", "ann")).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NotAuthorised);
    let kind = pay(&stage.world, research, owner, stage.accept());
    let results = stage.world.apply(&signed(kind, "sam", "owner")).unwrap();
    assert_eq!(results, [OperationResult::Grant(0)], "nothing was drawn");
}

#[test]
fn key_sets_and_names_have_rules() {
    let mut world = World::new();
    world.person("company");
    let good = || members(&[("ann", &[Role::Spend])]);
    let check = |world: &mut World, name: &str, members: Vec<Member>, threshold| {
        let budget = Budget { amount: credits(1), per: Period::Day };
        let record = CreateDepartment { name: name.into(), members, threshold, budget };
        let code = world.refused("company", Operation::CreateDepartment(record));
        assert_eq!(code, ErrorCode::TransactionInvalid, "{name}");
    };
    for name in ["", "Sales", "a b", "-a", "é", &"a".repeat(65)] {
        check(&mut world, name, good(), 1);
    }
    check(&mut world, "none", vec![], 1);
    check(&mut world, "zero", good(), 0);
    check(&mut world, "more", good(), 2);
    check(&mut world, "roleless", members(&[("ann", &[])]), 1);
    check(&mut world, "twice", members(&[("ann", &[Role::Spend, Role::Spend])]), 1);
    check(&mut world, "turned", members(&[("ann", &[Role::Read, Role::Spend])]), 1);
    let mut unordered = members(&[("ann", &[Role::Spend]), ("sam", &[Role::Spend])]);
    unordered.reverse();
    check(&mut world, "unordered", unordered, 1);
    world.act("company", vec![create("sales", good(), credits(1), Period::Day)]).unwrap();
}

/// An account of two of three keys needs no department's rules.
#[test]
fn an_organisation_of_several_keys_has_departments() {
    let mut world = World::new();
    let keys: Vec<SecretKey> = ["one", "two", "three"].map(key).into();
    let mut set: Vec<_> = keys.iter().map(SecretKey::public).collect();
    set.sort_unstable();
    let first = keys[0].public();
    let inception = Inception { first, keys: KeySet { keys: set, threshold: 2 }, recovery: None };
    let signed_inception: SignedInception = inception.sign(world.network, &keys[0]);
    let id = signed_inception.inception.id(world.network);
    let gift = Transfer { to: id, amount: credits(20) };
    let open = vec![Operation::CreateAccount(signed_inception), Operation::Transfer(gift)];
    world.act("faucet", open).unwrap();
    let found = create("lab", members(&[("ann", &[Role::Spend])]), credits(1), Period::Day);
    assert_eq!(refused(&mut world, id, &["two"], found.clone()), ErrorCode::SignatureInvalid);
    ask(&mut world, id, &["two", "three"], found).unwrap();
}
