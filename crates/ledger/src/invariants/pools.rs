//! Pools have sound rules, count their members and records, hold deposits for what is open alone,
//! and register each content once.

use super::{Violation, object};
use crate::key::Key;
use crate::object::{Pool, PoolMember, Proposal, Submission, SubmissionState};
use ambar_base::{Amount, Digest};
use std::collections::BTreeMap;

/// Pools of a state, and what they must agree with.
#[derive(Default)]
pub(super) struct Pools {
    next: u64,
    pools: BTreeMap<u64, Pool>,
    names: BTreeMap<String, u64>,
    members: BTreeMap<(u64, u64), PoolMember>,
    submissions: BTreeMap<(u64, u64), Submission>,
    contents: BTreeMap<Digest, (u64, u64)>,
    proposals: BTreeMap<(u64, u64), Proposal>,
}

impl Pools {
    pub(super) fn add(&mut self, key: &Key, value: &[u8]) -> Result<(), Violation> {
        match key {
            Key::PoolBook => self.next = object(key, value)?,
            Key::Pool(number) => {
                self.pools.insert(*number, object(key, value)?);
            }
            Key::PoolName(name) => {
                self.names.insert(name.clone(), object(key, value)?);
            }
            Key::PoolMember(place) => {
                self.members.insert(*place, object(key, value)?);
            }
            Key::Submission(place) => {
                self.submissions.insert(*place, object(key, value)?);
            }
            Key::Content(root) => {
                self.contents.insert(*root, object(key, value)?);
            }
            Key::Proposal(place) => {
                self.proposals.insert(*place, object(key, value)?);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn check(&self) -> Result<(), Violation> {
        let numbered = self.pools.keys().copied().eq(0..self.next);
        let named = self.names.len() == self.pools.len();
        if !numbered || !named {
            return Err(Violation::Pool(self.next));
        }
        if let Some((number, _)) =
            self.pools.iter().find(|(number, pool)| !self.agrees(**number, pool))
        {
            return Err(Violation::Pool(*number));
        }
        let registered = |(place, submission): &(&(u64, u64), &Submission)| {
            let live = matches!(
                submission.state,
                SubmissionState::Revealed(_) | SubmissionState::Accepted(_)
            );
            let content = submission.record().map(|record| record.content);
            !live || content.and_then(|root| self.contents.get(&root)) == Some(*place)
        };
        let lost = self.submissions.iter().find(|one| !registered(one));
        lost.map_or(Ok(()), |((pool, _), _)| Err(Violation::Pool(*pool)))
    }

    fn agrees(&self, number: u64, pool: &Pool) -> bool {
        let of = (number, 0)..=(number, u64::MAX);
        let members = self.members.range(of.clone()).map(|(_, member)| member);
        let standing = members.clone().filter(|member| member.records > 0).count() as u64;
        let theirs: u64 = members.clone().map(|member| member.records).sum();
        let submissions = self.submissions.range(of.clone());
        let accepted =
            |(_, one): &(_, &Submission)| matches!(one.state, SubmissionState::Accepted(_));
        let held = |(_, one): (_, &Submission)| one.is_open() || one.deposit == Amount::ZERO;
        self.names.get(&pool.name) == Some(&number)
            && pool.rules.is_sound()
            && pool.members == members.count() as u64
            && pool.contributors == standing
            && pool.records == theirs
            && pool.records == submissions.clone().filter(accepted).count() as u64
            && submissions.clone().all(held)
            && submissions.map(|((_, at), _)| *at).eq(0..pool.submissions)
            && self.proposals.range(of).map(|((_, at), _)| *at).eq(0..pool.proposals)
    }
}
