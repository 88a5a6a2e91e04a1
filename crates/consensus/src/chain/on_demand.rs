//! Proposing when there is something to propose, or when the heartbeat is due.
//!
//! The wait stands before the application, not in it: while an application builds a block,
//! its parent cannot become final.

use super::types::{Context, Sha, our_digest};
use crate::core::Core;
use commonware_consensus::types::Round;
use commonware_consensus::{Automaton, CertifiableAutomaton};
use commonware_runtime::{Clock, Spawner, Supervisor};
use commonware_utils::channel::oneshot;
use futures::future::{Either, select};
use std::pin::pin;
use std::sync::Arc;

/// An automaton that takes its time.
pub(crate) struct OnDemand<E, A> {
    runtime: Arc<E>,
    core: Arc<Core>,
    inner: A,
}

impl<E, A: Clone> Clone for OnDemand<E, A> {
    fn clone(&self) -> Self {
        let (runtime, core) = (Arc::clone(&self.runtime), Arc::clone(&self.core));
        Self { runtime, core, inner: self.inner.clone() }
    }
}

impl<E, A> OnDemand<E, A> {
    /// In front of `inner`.
    pub(crate) fn new(runtime: E, core: Arc<Core>, inner: A) -> Self {
        Self { runtime: Arc::new(runtime), core, inner }
    }
}

/// Waits until a child of the block that `context` names would hold something, or until an
/// idle chain must show that it lives.
async fn demand<E: Clock>(runtime: &E, core: &Core, context: &Context) {
    let parent = our_digest(&context.parent.1);
    let due = runtime.current() + core.settings.patience.heartbeat;
    let beat = runtime.sleep_until(due);
    let mut beat = pin!(beat);
    loop {
        let mut fresh = pin!(core.fresh.notified());
        // Registered before looking, so that what comes in between is not missed.
        fresh.as_mut().enable();
        if core.has_candidates(&parent) {
            return;
        }
        if let Either::Right(_) = select(fresh, beat.as_mut()).await {
            return;
        }
    }
}

impl<E, A> Automaton for OnDemand<E, A>
where
    E: Spawner + Clock + Supervisor,
    A: Automaton<Context = Context, Digest = Sha>,
{
    type Context = Context;
    type Digest = Sha;

    async fn propose(&mut self, context: Context) -> oneshot::Receiver<Sha> {
        let (mut sender, receiver) = oneshot::channel();
        let (core, mut inner) = (Arc::clone(&self.core), self.inner.clone());
        self.runtime.child("proposal").spawn(move |runtime| async move {
            let proposed = async {
                demand(&runtime, &core, &context).await;
                inner.propose(context).await.await.ok()
            };
            let proposed = match select(pin!(proposed), pin!(sender.closed())).await {
                Either::Left((proposed, _)) => proposed,
                // Consensus has left the view.
                Either::Right(_) => return,
            };
            if let Some(digest) = proposed {
                // Whoever left meanwhile does not want to know.
                let _ = sender.send(digest);
            }
        });
        receiver
    }

    async fn verify(&mut self, context: Context, payload: Sha) -> oneshot::Receiver<bool> {
        self.inner.verify(context, payload).await
    }
}

impl<E, A> CertifiableAutomaton for OnDemand<E, A>
where
    E: Spawner + Clock + Supervisor,
    A: CertifiableAutomaton<Context = Context, Digest = Sha>,
{
    async fn certify(&mut self, round: Round, payload: Sha) -> oneshot::Receiver<bool> {
        self.inner.certify(round, payload).await
    }
}
