//! The bytes of what is asked and kept of departments are for ever, as those in
//! `conformance.rs` are.

use ambar_base::{
    AccountId, Amount, Decode, Digest, Encode, Moment, NetworkId, Price, SecretKey, codec,
};
use ambar_ledger::Key;
use ambar_ledger::object::{Budget, Department, Member, Role};
use ambar_ledger::result::{DrawnResult, OperationResult};
use ambar_ledger::transaction::{CreateDepartment, Operation, Recall, SetBudget, SetMembers};
use ambar_licence::Period;
use std::fmt::Debug;

fn check<T: Encode + Decode + Debug + PartialEq>(value: &T, expect: &str) {
    let bytes = value.to_bytes();
    assert_eq!(Digest::of(&bytes).to_string(), expect, "{value:?}");
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(value));
}

fn members() -> Vec<Member> {
    let member = |number: u8, roles: &[Role]| Member {
        key: SecretKey::from_seed(&[number; 32]).public(),
        roles: roles.to_vec(),
    };
    let mut members = vec![member(1, &Role::ALL), member(2, &[Role::Read])];
    members.sort_by_key(|member| member.key);
    members
}

const BUDGET: Budget = Budget { amount: Price(300), per: Period::Month };

fn account() -> AccountId {
    AccountId::reserved("a")
}

#[test]
fn ids_are_of_organisation_and_name() {
    let id = AccountId::department(&account(), "research");
    assert_eq!(id.to_string(), "17a63e82f2d91875e8a5e4c52f988043754e52d46f2dfdb2fc8c6b94a958edd6");
    assert_ne!(id, AccountId::department(&account(), "researc"));
    assert_ne!(id, AccountId::department(&id, "research"));
    assert_ne!(NetworkId::default().0, id.0);
}

#[test]
fn objects() {
    let department = Department {
        organisation: 300,
        members: members(),
        budget: BUDGET,
        since: Moment(1_800_000_000_000),
        period: 7,
        drawn: Amount(1 << 70),
        channels: 2,
        closed: false,
    };
    check(&department, "b6cf26066d0896b79dafa0186352d1ddaca02ee55b4fea73fb61049a64092f63");
    check(
        &vec![Key::Department(300), Key::Departments(300)],
        "aad330601f1ed822b1c28fadda5dd61f6b82b20799bdc4aaf83ffa555a032f3f",
    );
    check(
        &vec![Period::Day, Period::Month, Period::Term],
        "5c42fbeb8424c28e5c3daf9334c3a2572fc99702d1c4bcf92c5cb9f5c32635f6",
    );
}

#[test]
fn operations() {
    let (department, members) = (account(), members());
    let name = "research".to_owned();
    let checks = [
        (
            Operation::CreateDepartment(CreateDepartment {
                name,
                members: members.clone(),
                threshold: 1,
                budget: BUDGET,
            }),
            "8157f97b1767e400a495032f2012201fb8b99afde13477067a8c344163e04344",
        ),
        (
            Operation::SetBudget(SetBudget { department, budget: BUDGET }),
            "ebe04fb144dea1ff0f70000aa29fe02bc66bcd5a8caf3fceee45b19c9cc54b29",
        ),
        (
            Operation::SetMembers(SetMembers { department, members, threshold: 1 }),
            "8349da61a2cc6e0f8c09bf3adb981b47ae0aec37ba33be0b17812ed7541d607f",
        ),
        (
            Operation::Recall(Recall { department, amount: Some(Price(300)) }),
            "1464bb4ed63a48d3d515054dbed45a48d2297c4b8b5c58c7984d54d17c38c36b",
        ),
        (
            Operation::CloseDepartment(department),
            "720537bee5d7df4a5dddf04b97ffbdc9fc4aa29ae550d174f4b25ce0231aefc8",
        ),
    ];
    for (operation, expect) in checks {
        check(&operation, expect);
    }
    let (organisation, amount) = (AccountId::reserved("b"), Amount(1 << 70));
    let results = vec![
        OperationResult::Drawn(DrawnResult { organisation, department, amount }),
        OperationResult::Recalled(amount),
    ];
    check(&results, "fe6ad40be23ff0454c05e36e774423c2d49c358be0f51e233808665ad7a851c7");
}
