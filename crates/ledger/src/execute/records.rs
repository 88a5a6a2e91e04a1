//! Records of pools: submitted, revealed, decided, taken back.
//!
//! A record is committed before it is revealed, and decided only when everybody who committed it
//! before has had time to say so. Of two commitments to one content the older has it, in whichever
//! pool; once it was accepted nobody else registers it again.
//!
//! **Invariant**: the deposit of an open submission lies with the reserved account of deposits. It
//! goes back, or is burned if reviewers reject the record: nobody earns by rejecting.

use super::pools::{invalid, miscounted, pool_of, refuse};
use crate::execution::Party;
use crate::key::Key;
use crate::object::{
    Decided, POOL_TEXT_BYTES_MAX, Pool, PoolMember, PoolRecord, Revealed, Submission,
    SubmissionState, TakenBack, commitment, is_pool_text, reserved,
};
use crate::postings;
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::{RevealRecord, ReviewRecord, SubmitRecord, Verdict, WithdrawRecord};
use crate::view::View;
use ambar_base::{Amount, ErrorCode};

pub(super) fn submit(
    view: &mut View<'_>,
    party: &Party,
    record: &SubmitRecord,
) -> Result<OperationResult, Stop> {
    view.require([Key::Parameters, Key::Balance(reserved::DEPOSITS)])?;
    let (mut pool, _) = pool_of(view, party, record.pool)?;
    let deposit = Amount::from(pool.rules.deposit.max(view.parameters()?.deposit));
    postings::transfer(view, party.account, reserved::DEPOSITS, deposit)?;
    let number = pool.submissions;
    pool.submissions = number.checked_add(1).ok_or_else(Refusal::overflow)?;
    let submission = Submission {
        contributor: party.account,
        commitment: record.commitment,
        committed: view.block.time,
        deposit,
        state: SubmissionState::Committed,
    };
    view.put(&Key::Pool(record.pool), &pool);
    view.put(&Key::Submission((record.pool, number)), &submission);
    Ok(OperationResult::Submission(number))
}

pub(super) fn reveal(
    view: &mut View<'_>,
    party: &Party,
    asked: &RevealRecord,
) -> Result<OperationResult, Stop> {
    let place = (asked.pool, asked.submission);
    let content = Key::Content(asked.record.content);
    view.require([Key::Pool(asked.pool), Key::Submission(place), content.clone()])?;
    let pool: Pool = view.named("pool", asked.pool, &Key::Pool(asked.pool))?;
    let mut submission = submission_of(view, place)?;
    check_revealed(view, party, asked, &submission)?;
    if let Some(why) = pool.rules.refuses(&asked.record) {
        return invalid(why);
    }
    if let Some(other) = view.get::<(u64, u64)>(&content)? {
        displace(view, other, &submission)?;
    }
    let revealed =
        Revealed { record: asked.record.clone(), accepting: Vec::new(), rejecting: Vec::new() };
    submission.state = SubmissionState::Revealed(revealed);
    view.put(&Key::Submission(place), &submission);
    view.put(&content, &place);
    Ok(OperationResult::Done)
}

fn submission_of(view: &View<'_>, place: (u64, u64)) -> Result<Submission, Stop> {
    let which = format!("{} of pool {}", place.1, place.0);
    view.named("submission", which, &Key::Submission(place))
}

fn check_revealed(
    view: &View<'_>,
    party: &Party,
    asked: &RevealRecord,
    submission: &Submission,
) -> Result<(), Stop> {
    if submission.contributor != party.account {
        return refuse(ErrorCode::NotAuthorised, "the submission is somebody else's");
    }
    if submission.state != SubmissionState::Committed {
        return invalid(format!("the submission is {}", submission.state.text()));
    }
    if view.block.time > submission.opens() {
        let message = "the time to reveal it is over: withdraw it and submit it again";
        return refuse(ErrorCode::TransactionExpired, message);
    }
    let RevealRecord { pool, record, salt, .. } = asked;
    if commitment(*pool, party.account, record, salt) != submission.commitment {
        return invalid("this is not what was committed to");
    }
    if !record.is_sound() {
        return invalid(format!(
            "a record has content, a title, a licence, each at most {POOL_TEXT_BYTES_MAX} bytes of \
             text in one line, and a source of a known form"
        ));
    }
    Ok(())
}

/// Whoever committed to a content first has it; the other's deposit goes back. Content that was
/// accepted stays its contributor's, who may bring it again after taking it back.
fn displace(view: &mut View<'_>, place: (u64, u64), newer: &Submission) -> Result<(), Stop> {
    let key = Key::Submission(place);
    let mut other: Submission = view.expect(&key)?;
    let taken = |what: &str| {
        let message =
            format!("the same content {what}: submission {} of pool {}", place.1, place.0);
        Err(Refusal::new(ErrorCode::ContentKnown, message).into())
    };
    match &other.state {
        SubmissionState::Accepted(_) => taken("stands"),
        SubmissionState::Revealed(_) if other.committed <= newer.committed => {
            taken("was committed before")
        }
        SubmissionState::Revealed(revealed) => {
            let reason = "the same content was committed before by somebody else".to_owned();
            let record = revealed.record.clone();
            let decided = Decided { record, height: view.block.height, reason };
            other.state = SubmissionState::Rejected(decided);
            give_back(view, &mut other)?;
            view.put(&key, &other);
            Ok(())
        }
        SubmissionState::Withdrawn(_) if other.contributor != newer.contributor => {
            taken("was registered, and taken back by its contributor")
        }
        _ => Ok(()),
    }
}

fn give_back(view: &mut View<'_>, submission: &mut Submission) -> Result<(), Stop> {
    release(view, submission, submission.contributor)
}

/// Gives what is held for a submission to somebody.
fn release(view: &mut View<'_>, submission: &mut Submission, to: u64) -> Result<(), Stop> {
    view.require([reserved::DEPOSITS, to].map(Key::Balance))?;
    let deposit = std::mem::take(&mut submission.deposit);
    postings::transfer(view, reserved::DEPOSITS, to, deposit)
}

pub(super) fn review(
    view: &mut View<'_>,
    party: &Party,
    asked: &ReviewRecord,
) -> Result<OperationResult, Stop> {
    let place = (asked.pool, asked.submission);
    view.require([Key::Pool(asked.pool), Key::Submission(place)])?;
    let mut pool: Pool = view.named("pool", asked.pool, &Key::Pool(asked.pool))?;
    let mut submission = submission_of(view, place)?;
    let SubmissionState::Revealed(mut revealed) = submission.state.clone() else {
        return invalid(format!("the submission is {}", submission.state.text()));
    };
    check_reviewer(view, party, &pool, &submission, &revealed)?;
    let enough = usize::from(pool.rules.agreeing);
    let decided = |reason: &str| Decided {
        record: revealed.record.clone(),
        height: view.block.height,
        reason: reason.to_owned(),
    };
    match &asked.verdict {
        Verdict::Accept if revealed.accepting.len() + 1 >= enough => {
            submission.state = SubmissionState::Accepted(decided(""));
            give_back(view, &mut submission)?;
            count_in(view, (asked.pool, &mut pool), submission.contributor)?;
        }
        Verdict::Accept => {
            revealed.accepting.push(party.account);
            submission.state = SubmissionState::Revealed(revealed);
        }
        Verdict::Reject(reason) if !is_pool_text(reason) => {
            return invalid(format!("a reason is one line of at most {POOL_TEXT_BYTES_MAX} bytes"));
        }
        Verdict::Reject(reason) if revealed.rejecting.len() + 1 >= enough => {
            submission.state = SubmissionState::Rejected(decided(reason));
            view.remove(&Key::Content(revealed.record.content));
            release(view, &mut submission, reserved::BURN)?;
        }
        Verdict::Reject(_) => {
            revealed.rejecting.push(party.account);
            submission.state = SubmissionState::Revealed(revealed);
        }
    }
    view.put(&Key::Submission(place), &submission);
    Ok(OperationResult::Done)
}

fn check_reviewer(
    view: &View<'_>,
    party: &Party,
    pool: &Pool,
    submission: &Submission,
    revealed: &Revealed,
) -> Result<(), Stop> {
    if pool.reviewers.binary_search(&party.account).is_err() {
        let message = format!("reviewers of pool {} decide", pool.name);
        return refuse(ErrorCode::NotAuthorised, message);
    }
    if submission.contributor == party.account {
        return refuse(ErrorCode::NotAuthorised, "nobody reviews their own record");
    }
    if view.block.time <= submission.opens() {
        let message = "somebody may yet reveal that they committed to it before: try again shortly";
        return refuse(ErrorCode::TooEarly, message);
    }
    if revealed.accepting.contains(&party.account) || revealed.rejecting.contains(&party.account) {
        return invalid("a reviewer says it once");
    }
    Ok(())
}

/// Counts a record of a member that stands from now on.
fn count_in(view: &mut View<'_>, pool: (u64, &mut Pool), who: u64) -> Result<(), Stop> {
    let (number, pool) = pool;
    let key = Key::PoolMember((number, who));
    // Whoever left comes back with what is accepted.
    let height = view.block.height;
    let found: Option<PoolMember> = view.get(&key)?;
    pool.members += u64::from(found.is_none());
    let mut member = found.unwrap_or(PoolMember { joined: height, records: 0 });
    pool.contributors += u64::from(member.records == 0);
    member.records += 1;
    pool.records += 1;
    view.put(&key, &member);
    view.put(&Key::Pool(number), pool);
    Ok(())
}

/// The contributor takes a record back: what it has earned stays, what is published from now on
/// lacks it.
pub(super) fn withdraw(
    view: &mut View<'_>,
    party: &Party,
    asked: &WithdrawRecord,
) -> Result<OperationResult, Stop> {
    let place = (asked.pool, asked.submission);
    view.require([Key::Pool(asked.pool), Key::Submission(place)])?;
    let mut submission = submission_of(view, place)?;
    if submission.contributor != party.account {
        return refuse(ErrorCode::NotAuthorised, "the submission is somebody else's");
    }
    let stands = matches!(submission.state, SubmissionState::Accepted(_));
    if !stands && !submission.is_open() {
        return invalid(format!("the submission is {}", submission.state.text()));
    }
    let record: Option<PoolRecord> = submission.record().cloned();
    if stands {
        count_out(view, asked.pool, party.account)?;
    } else {
        // Nobody has decided on it: its content is free again.
        record.iter().for_each(|record| view.remove(&Key::Content(record.content)));
        give_back(view, &mut submission)?;
    }
    submission.state = SubmissionState::Withdrawn(TakenBack { record, height: view.block.height });
    view.put(&Key::Submission(place), &submission);
    Ok(OperationResult::Done)
}

fn count_out(view: &mut View<'_>, number: u64, who: u64) -> Result<(), Stop> {
    let place = Key::PoolMember((number, who));
    let (mut pool, mut member): (Pool, PoolMember) =
        (view.expect(&Key::Pool(number))?, view.expect(&place)?);
    pool.records = pool.records.checked_sub(1).ok_or_else(miscounted)?;
    member.records = member.records.checked_sub(1).ok_or_else(miscounted)?;
    if member.records == 0 {
        pool.contributors = pool.contributors.checked_sub(1).ok_or_else(miscounted)?;
    }
    view.put(&Key::Pool(number), &pool);
    view.put(&place, &member);
    Ok(())
}
