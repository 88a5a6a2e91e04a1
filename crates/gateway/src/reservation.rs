//! What is set aside for one admitted call, and how it ends: as a charge, or as nothing.
//!
//! **Invariant**: a reservation that is neither charged nor voided in words is voided when it
//! is dropped, so that every sequence number settles, whatever became of the call.

use crate::books::{Claim, Hold};
use crate::call::ReceiptId;
use crate::gateway::Inner;
use crate::journal::Coming;
use crate::pending::UnderWay;
use crate::recall::Recallable;
use crate::record::Metered;
use crate::run::keep;
use crate::supply::Answers;
use ambar_base::{Height, Moment, Price};
use std::sync::Arc;
use tokio::sync::mpsc;

/// An admitted call's money, sequence number and place among the calls under way.
pub(crate) struct Reservation {
    gateway: Arc<Inner>,
    /// What is left of it, until it ends.
    open: Option<Open>,
    /// The receipt that the call will have.
    pub receipt: ReceiptId,
    /// The block it was admitted on, and when.
    pub admitted: (Height, Moment),
    /// Ends the call if what it rests on is revoked.
    pub recall: Recallable,
}

struct Open {
    hold: Hold,
    /// Lets a sync of the journal wait for this call's receipt.
    coming: Coming,
    /// Wakes those who wait for this call's answer when it is dropped.
    under_way: UnderWay,
}

impl Answers for Reservation {}

impl Reservation {
    /// Takes over what admission has set aside.
    pub(crate) fn new(
        gateway: &Arc<Inner>,
        hold: Hold,
        under_way: UnderWay,
        admitted: (Height, Moment),
        recall: Recallable,
    ) -> Self {
        let receipt = hold.receipt;
        let open = Some(Open { hold, coming: gateway.journal.coming(), under_way });
        Self { gateway: Arc::clone(gateway), open, receipt, admitted, recall }
    }

    /// What the call counts against.
    pub(crate) fn claim(&self) -> Claim {
        self.open.as_ref().map(|open| open.hold.claim().clone()).unwrap_or_default()
    }

    /// Turns what is held into a charge. Whoever waits for the answer is woken when what this
    /// returns is dropped.
    pub(crate) fn charge(mut self, metered: &Metered, price: Price) -> Option<UnderWay> {
        let Open { hold, coming, under_way } = self.open.take()?;
        hold.charge(&metered.claim(), price);
        // Its receipt is written next.
        drop(coming);
        Some(under_way)
    }

    /// Gives everything back and fills the sequence number with a void leaf.
    pub(crate) async fn void(mut self) {
        if let Some(void) = self.give_back() {
            write(Arc::clone(&self.gateway), void).await;
        }
    }

    fn give_back(&mut self) -> Option<Metered> {
        let Open { hold, coming: _, under_way } = self.open.take()?;
        drop(hold);
        drop(under_way);
        let (ReceiptId { channel, n }, (height, time)) = (self.receipt, self.admitted);
        Some(Metered::void(channel, n, height, time))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(void) = self.give_back() else { return };
        tracing::error!(receipt = %self.receipt, "a call ended without an end; it is voided");
        // Without a runtime the process ends: recovery voids what the journal has reserved.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let gateway = Arc::clone(&self.gateway);
            let tasks = gateway.tasks.clone();
            tasks.spawn_on(write(gateway, void), &runtime);
        }
    }
}

async fn write(gateway: Arc<Inner>, void: Metered) {
    let (nobody, _) = mpsc::channel(1);
    keep(&gateway, Arc::new(void), &nobody).await;
}
