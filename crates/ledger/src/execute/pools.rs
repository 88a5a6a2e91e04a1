//! Pools: who belongs to them, and how their rules change.
//!
//! **Invariant**: a pool counts its members, and those of them who have a record that stands; more
//! than half of these change its rules.

use super::accounts::number_of;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{
    POOL_NAME_BYTES_MAX, POOL_TEXT_BYTES_MAX, Pool, PoolMember, PoolRules, Proposal, REVIEWERS_MAX,
    is_pool_text,
};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::{CreatePool, JoinPool, ProposeRules, VoteRules};
use crate::view::View;
use ambar_base::{AccountId, ErrorCode};

pub(super) fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Result<T, Stop> {
    Err(Refusal::new(code, message).into())
}

pub(super) fn invalid<T>(message: impl Into<String>) -> Result<T, Stop> {
    refuse(ErrorCode::TransactionInvalid, message)
}

pub(super) fn miscounted() -> Refusal {
    Refusal::new(ErrorCode::LedgerCorrupt, "a pool counts less than it has")
}

pub(super) fn create(
    view: &mut View<'_>,
    party: &Party,
    record: &CreatePool,
) -> Result<OperationResult, Stop> {
    let name = Key::PoolName(record.name.clone());
    let from = record.forked_from.map(Key::Pool);
    let reviewers = record.reviewers.iter().copied().map(Key::AccountNumber);
    view.require([Key::PoolBook, name.clone()].into_iter().chain(from).chain(reviewers))?;
    check_name(&record.name)?;
    if !is_pool_text(&record.theme) {
        return invalid(format!("a theme is one line of at most {POOL_TEXT_BYTES_MAX} bytes"));
    }
    if view.get::<u64>(&name)?.is_some() {
        return refuse(ErrorCode::NameTaken, format!("the name {} is taken", record.name));
    }
    if let Some(number) = record.forked_from {
        view.named::<Pool>("pool", number, &Key::Pool(number))?;
    }
    let reviewers = check_rules(view, &record.rules, &record.reviewers)?;
    let number = view.get::<u64>(&Key::PoolBook)?.unwrap_or_default();
    let pool = Pool {
        name: record.name.clone(),
        theme: record.theme.clone(),
        steward: party.account,
        rules: record.rules.clone(),
        reviewers,
        revision: 0,
        forked_from: record.forked_from,
        members: 1,
        contributors: 0,
        records: 0,
        submissions: 0,
        proposals: 0,
    };
    view.put(&Key::PoolBook, &number.checked_add(1).ok_or_else(Refusal::overflow)?);
    view.put(&name, &number);
    view.put(&Key::Pool(number), &pool);
    let member = PoolMember { joined: view.block.height, records: 0 };
    view.put(&Key::PoolMember((number, party.account)), &member);
    Ok(OperationResult::Pool(number))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let plain = name.bytes().all(|byte| letter(byte) || b"-._".contains(&byte));
    let edges = name.bytes().next().is_some_and(letter) && name.bytes().last().is_some_and(letter);
    // Pools are named by number, too.
    let number = name.bytes().all(|byte| byte.is_ascii_digit());
    if plain && edges && !number && name.len() <= POOL_NAME_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "a pool's name is 1 to {POOL_NAME_BYTES_MAX} of a-z 0-9 - . _ between letters or digits, \
         and no number"
    );
    Err(Refusal::new(ErrorCode::TransactionInvalid, message))
}

/// The reviewers' numbers, ascending, if rules and reviewers go together.
fn check_rules(
    view: &View<'_>,
    rules: &PoolRules,
    reviewers: &[AccountId],
) -> Result<Vec<u64>, Stop> {
    if !rules.is_sound() {
        return invalid("a rule of the pool is outside its limits");
    }
    if !(usize::from(rules.agreeing)..=REVIEWERS_MAX).contains(&reviewers.len()) {
        return invalid(format!(
            "{} of {} reviewers cannot agree; a pool has at most {REVIEWERS_MAX}",
            rules.agreeing,
            reviewers.len()
        ));
    }
    let numbers = reviewers.iter().map(|id| number_of(view, id));
    let mut numbers = numbers.collect::<Result<Vec<_>, _>>()?;
    numbers.sort_unstable();
    if numbers.windows(2).any(|pair| pair[0] == pair[1]) {
        return invalid("a reviewer is named twice");
    }
    Ok(numbers)
}

pub(super) fn join(
    view: &mut View<'_>,
    party: &Party,
    record: &JoinPool,
) -> Result<OperationResult, Stop> {
    let key = Key::Pool(record.pool);
    view.require(record.member.map(Key::AccountNumber).into_iter().chain([key.clone()]))?;
    let mut pool: Pool = view.named("pool", record.pool, &key)?;
    let member = match record.member {
        Some(id) => number_of(view, &id)?,
        None => party.account,
    };
    let by_steward = pool.steward == party.account;
    if !by_steward && (member != party.account || !pool.rules.open) {
        let message = format!("the steward of pool {} brings members in", pool.name);
        return refuse(ErrorCode::NotAuthorised, message);
    }
    let place = Key::PoolMember((record.pool, member));
    if view.get::<PoolMember>(&place)?.is_some() {
        return invalid(format!("the account is a member of pool {} already", pool.name));
    }
    pool.members = pool.members.checked_add(1).ok_or_else(Refusal::overflow)?;
    view.put(&key, &pool);
    view.put(&place, &PoolMember { joined: view.block.height, records: 0 });
    Ok(OperationResult::Done)
}

/// Records of who leaves stay, and their contributor may come back.
pub(super) fn leave(
    view: &mut View<'_>,
    party: &Party,
    number: u64,
) -> Result<OperationResult, Stop> {
    let (mut pool, member) = pool_of(view, party, number)?;
    if pool.steward == party.account {
        return invalid("the steward does not leave");
    }
    if member.records > 0 {
        return invalid(format!("withdraw the {} records that stand first", member.records));
    }
    pool.members = pool.members.checked_sub(1).ok_or_else(miscounted)?;
    view.put(&Key::Pool(number), &pool);
    view.remove(&Key::PoolMember((number, party.account)));
    Ok(OperationResult::Done)
}

/// The pool, and the party as its member.
pub(super) fn pool_of(
    view: &View<'_>,
    party: &Party,
    number: u64,
) -> Result<(Pool, PoolMember), Stop> {
    let place = Key::PoolMember((number, party.account));
    view.require([Key::Pool(number), place.clone()])?;
    let pool: Pool = view.named("pool", number, &Key::Pool(number))?;
    match view.get(&place)? {
        Some(member) => Ok((pool, member)),
        None => refuse(ErrorCode::NotAuthorised, format!("join pool {} first", pool.name)),
    }
}

pub(super) fn propose(
    view: &mut View<'_>,
    party: &Party,
    asked: &ProposeRules,
) -> Result<OperationResult, Stop> {
    view.require(asked.reviewers.iter().copied().map(Key::AccountNumber))?;
    let (mut pool, _) = pool_of(view, party, asked.pool)?;
    let reviewers = check_rules(view, &asked.rules, &asked.reviewers)?;
    let number = pool.proposals;
    pool.proposals = number.checked_add(1).ok_or_else(Refusal::overflow)?;
    let mut proposal = Proposal {
        by: party.account,
        rules: asked.rules.clone(),
        reviewers,
        revision: pool.revision,
        height: view.block.height,
        ayes: Vec::new(),
        noes: Vec::new(),
        passed: None,
    };
    // While nobody has a record that stands, nobody but the steward has a say.
    if pool.contributors == 0 && pool.steward == party.account {
        pass(&mut pool, &mut proposal, view);
    }
    view.put(&Key::Pool(asked.pool), &pool);
    view.put(&Key::Proposal((asked.pool, number)), &proposal);
    Ok(OperationResult::Proposal(number))
}

fn pass(pool: &mut Pool, proposal: &mut Proposal, view: &View<'_>) {
    pool.rules = proposal.rules.clone();
    pool.reviewers = proposal.reviewers.clone();
    pool.revision += 1;
    proposal.passed = Some(view.block.height);
}

/// One vote for each contributor. Rules pass with more than half of those who may vote.
pub(super) fn vote(
    view: &mut View<'_>,
    party: &Party,
    asked: &VoteRules,
) -> Result<OperationResult, Stop> {
    let key = Key::Proposal((asked.pool, asked.proposal));
    view.require([key.clone()])?;
    let (mut pool, member) = pool_of(view, party, asked.pool)?;
    let which = format!("{} of pool {}", asked.proposal, asked.pool);
    let mut proposal: Proposal = view.named("proposal", which, &key)?;
    if proposal.passed.is_some() || proposal.revision != pool.revision {
        return invalid("the rules have changed since it was proposed");
    }
    if member.records == 0 || member.joined > proposal.height {
        let message = "members vote who joined before the proposal and have a record that stands";
        return refuse(ErrorCode::NotAuthorised, message);
    }
    let (to, from) = match asked.aye {
        true => (&mut proposal.ayes, &mut proposal.noes),
        false => (&mut proposal.noes, &mut proposal.ayes),
    };
    from.retain(|voter| *voter != party.account);
    if let Err(at) = to.binary_search(&party.account) {
        to.insert(at, party.account);
    }
    if proposal.ayes.len() as u64 > pool.contributors / 2 {
        pass(&mut pool, &mut proposal, view);
        view.put(&Key::Pool(asked.pool), &pool);
    }
    view.put(&key, &proposal);
    Ok(OperationResult::Done)
}
