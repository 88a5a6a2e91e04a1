//! Listening to consensus: who votes, and who votes against itself.

use crate::conflict::{Conflict, conflict};
use crate::types::{Scheme, Sha};
use ambar_consensus::core::Core;
use commonware_actor::Feedback;
use commonware_consensus::simplex::types::{Activity, Attributable as _};
use commonware_consensus::types::{Epoch, View};
use commonware_consensus::{Epochable as _, Reporter, Viewable as _};
use std::sync::Arc;

/// Notes what it hears and passes it on.
pub(crate) struct Hearing<R> {
    core: Arc<Core>,
    next: R,
}

impl<R: Clone> Clone for Hearing<R> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), next: self.next.clone() }
    }
}

impl<R> Hearing<R> {
    pub(crate) fn new(core: Arc<Core>, next: R) -> Self {
        Self { core, next }
    }

    fn voted(&self, epoch: Epoch, view: View, seat: impl Into<usize>) {
        self.core.voted(epoch.get(), seat.into(), view.get());
    }

    fn note(&self, activity: &Activity<Scheme, Sha>) {
        match activity {
            Activity::Notarize(vote) => self.voted(vote.epoch(), vote.view(), vote.signer()),
            Activity::Nullify(vote) => self.voted(vote.epoch(), vote.view(), vote.signer()),
            Activity::Finalize(vote) => self.voted(vote.epoch(), vote.view(), vote.signer()),
            other => {
                if let Some(Conflict { seat, round, ballots }) = conflict(other) {
                    self.core.conflict(seat, round, ballots);
                }
            }
        }
    }
}

impl<R: Reporter<Activity = Activity<Scheme, Sha>>> Reporter for Hearing<R> {
    type Activity = Activity<Scheme, Sha>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        self.note(&activity);
        self.next.report(activity)
    }
}
