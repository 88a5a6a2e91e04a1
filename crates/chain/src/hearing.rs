//! Listening to consensus: who is there, who votes, and who votes against itself.

use crate::conflict::{Conflict, conflict};
use crate::types::{Key, Scheme, Sha, our_key};
use ambar_consensus::core::Core;
use commonware_actor::Feedback;
use commonware_consensus::simplex::types::{Activity, Attributable as _};
use commonware_consensus::types::{Epoch, View};
use commonware_consensus::{Epochable as _, Reporter, Viewable as _};
use commonware_p2p::{Message, Receiver};
use std::fmt;
use std::num::NonZeroUsize;
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

/// The receiving end of votes, which notes who sends any. A view that a quorum does not leave
/// is voted on once, so that nothing is reported of it any more; its votes are sent again.
pub(crate) struct Listening<R> {
    core: Arc<Core>,
    receiver: R,
}

impl<R> Listening<R> {
    pub(crate) fn new(core: Arc<Core>, receiver: R) -> Self {
        Self { core, receiver }
    }
}

impl<R: fmt::Debug> fmt::Debug for Listening<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listening").field(&self.receiver).finish()
    }
}

impl<R: Receiver<PublicKey = Key>> Receiver for Listening<R> {
    type Error = R::Error;
    type PublicKey = Key;

    async fn recv(&mut self) -> Result<Message<Key>, R::Error> {
        let (from, message) = self.receiver.recv().await?;
        self.core.heard(&our_key(&from));
        Ok((from, message))
    }

    fn capacity(&self) -> NonZeroUsize {
        self.receiver.capacity()
    }
}
