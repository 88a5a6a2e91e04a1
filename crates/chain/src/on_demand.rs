//! Proposing when there is something to propose, or when the heartbeat is due; voting for
//! blocks whose time the clock allows.
//!
//! The wait stands before the application, not in it: while an application builds a block,
//! its parent cannot become final. The clock is asked before the vote and never after: what a
//! quorum has voted for is certified by what the block says alone, so that all who are honest
//! certify it or nobody does, however their clocks differ. A leader whose block only some of
//! them certify would end the chain.

use crate::app::Marshal;
use crate::types::{ChainBlock, Context, Sha, our_digest};
use ambar_base::finality::BlockHeader;
use ambar_consensus::core::Core;
use commonware_consensus::marshal::core::DigestFallback;
use commonware_consensus::types::Round;
use commonware_consensus::{Automaton, CertifiableAutomaton};
use commonware_runtime::{Clock, Spawner, Supervisor};
use commonware_utils::channel::oneshot;
use futures::future::{Either, select};
use std::pin::pin;
use std::sync::Arc;

/// How far a block's time may be ahead of a validator's clock, ms.
pub const AHEAD_MS_MAX: u64 = 2_000;

/// An automaton that takes its time, and looks at that of others.
pub(crate) struct OnDemand<E, A> {
    runtime: Arc<E>,
    core: Arc<Core>,
    marshal: Marshal,
    inner: A,
}

impl<E, A: Clone> Clone for OnDemand<E, A> {
    fn clone(&self) -> Self {
        let (runtime, core) = (Arc::clone(&self.runtime), Arc::clone(&self.core));
        let (marshal, inner) = (self.marshal.clone(), self.inner.clone());
        Self { runtime, core, marshal, inner }
    }
}

impl<E, A> OnDemand<E, A> {
    /// In front of `inner`.
    pub(crate) fn new(runtime: E, core: Arc<Core>, marshal: Marshal, inner: A) -> Self {
        Self { runtime: Arc::new(runtime), core, marshal, inner }
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

/// Answers consensus, unless there is nothing to say or it has left the view meanwhile.
async fn answer<T>(mut sender: oneshot::Sender<T>, work: impl Future<Output = Option<T>>) {
    let answered = match select(pin!(work), pin!(sender.closed())).await {
        Either::Left((answered, _)) => answered,
        Either::Right(_) => None,
    };
    if let Some(answered) = answered {
        // Whoever left meanwhile does not want to know.
        let _ = sender.send(answered);
    }
}

/// Whether this validator's clock allows a vote for the block.
fn is_timely(core: &Core, block: &ChainBlock) -> bool {
    let BlockHeader { height, time, .. } = *block.header();
    let timely = time <= (core.clock)().after(AHEAD_MS_MAX);
    if !timely {
        tracing::warn!(%height, "no vote for a block whose time is too far ahead");
    }
    timely
}

impl<E, A> Automaton for OnDemand<E, A>
where
    E: Spawner + Clock + Supervisor,
    A: Automaton<Context = Context, Digest = Sha>,
{
    type Context = Context;
    type Digest = Sha;

    async fn propose(&mut self, context: Context) -> oneshot::Receiver<Sha> {
        let (sender, receiver) = oneshot::channel();
        let (core, mut inner) = (Arc::clone(&self.core), self.inner.clone());
        self.runtime.child("proposal").spawn(move |runtime| async move {
            let proposed = async {
                demand(&runtime, &core, &context).await;
                inner.propose(context).await.await.ok()
            };
            answer(sender, proposed).await;
        });
        receiver
    }

    async fn verify(&mut self, context: Context, payload: Sha) -> oneshot::Receiver<bool> {
        let (sender, receiver) = oneshot::channel();
        let block = self.marshal.subscribe_by_digest(payload, DigestFallback::Wait);
        let sound = self.inner.verify(context, payload).await;
        let core = Arc::clone(&self.core);
        self.runtime.child("verification").spawn(move |_| async move {
            let verified = async {
                // Whose context is sound is here.
                let sound = sound.await.ok()?;
                Some(sound && is_timely(&core, block.await.ok()?.inner()))
            };
            answer(sender, verified).await;
        });
        receiver
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
