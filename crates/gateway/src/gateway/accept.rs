//! Taking a call: is it known already, may it run, and what is set aside for it.

use super::Inner;
use crate::admission::Admitted;
use crate::answers::{Opener, Sealer};
use crate::bound::max_tokens;
use crate::call::{Accepted, CALL_EVENTS_MAX, CallError, CallRequest, ReceiptId};
use crate::certificate::Opened;
use crate::enter::Entered;
use crate::pending::{Entry, UnderWay};
use crate::record::{Metered, Record, Reserved};
use crate::replay::replay;
use crate::reservation::Reservation;
use crate::route::Route;
use crate::run::Running;
use crate::telemetry::CallSpan;
use crate::view::LedgerView;
use ambar_base::{Digest, Encode, ErrorCode, Moment};
use ambar_receipt::leaf::{IDEMPOTENCY_KEY_BYTES_MAX, call_id};
use futures::FutureExt;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A call that its client can ask for again.
struct Keyed {
    call: Digest,
    under_way: UnderWay,
    sealer: Sealer,
}

impl Inner {
    pub(super) fn takes_calls(&self) -> Result<(), CallError> {
        if self.closing.is_cancelled() {
            return Err(CallError::new(ErrorCode::ShuttingDown, "this node is shutting down"));
        }
        if self.pending.is_full() {
            let message = "too many receipts wait to be final";
            return Err(CallError::new(ErrorCode::Overloaded, message));
        }
        Ok(())
    }

    pub(super) async fn accept(
        self: &Arc<Self>,
        request: CallRequest,
        told: &mut Option<CallSpan>,
    ) -> Result<Accepted, CallError> {
        self.takes_calls()?;
        let (view, opened) = self.opened(&request.certificate).await?;
        let Some(key) = &request.idempotency_key else {
            if let Some(accepted) = self.again(&opened, &request).await? {
                return Ok(accepted);
            }
            return self.start(view, &opened, request, None, told).await;
        };
        if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
            let message = format!("an idempotency key has 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
            return Err(CallError::new(ErrorCode::RequestInvalid, message).at("Idempotency-Key"));
        }
        let call = call_id(opened.channel, &opened.holder, key);
        let under_way = loop {
            match self.pending.enter(call) {
                Entry::Fresh(under_way) => break under_way,
                // The answer is on its way: it comes from the receipt then.
                Entry::Taken(mut done) => while done.changed().await.is_ok() {},
            }
        };
        let opener = Opener { holder: opened.holder, key: key.clone().into() };
        match self.earlier(&call)? {
            Some(metered) => replay(&metered, &request, (&self.answers, &opener)),
            None => {
                let sealer = self.answers.sealer((self.clock)(), opener);
                let sealer = sealer.map_err(|error| CallError::of(&error))?;
                let keyed = Keyed { call, under_way, sealer };
                self.start(self.view()?, &opened, request, Some(keyed), told).await
            }
        }
    }

    /// The receipt of a call that was made before.
    pub(crate) fn earlier(&self, call: &Digest) -> Result<Option<Arc<Metered>>, CallError> {
        if let Some(metered) = self.pending.of_call(call) {
            return Ok(Some(metered));
        }
        let found = self.archive.of_call(call).and_then(|id| match id {
            Some(id) => self.archive.receipt(id),
            None => Ok(None),
        });
        let found = found.map_err(|error| CallError::of(&error))?;
        Ok(found.map(|archived| archived.metered))
    }

    async fn start(
        self: &Arc<Self>,
        view: LedgerView,
        opened: &Opened,
        request: CallRequest,
        keyed: Option<Keyed>,
        told: &mut Option<CallSpan>,
    ) -> Result<Accepted, CallError> {
        let max_tokens = max_tokens(&request.job)?;
        let entered = self.enter(view, opened, &request, max_tokens).await?;
        let Entered { view, route, work, bound, now, place, admitted } = entered;
        let Admitted { hold, purpose, territory, decision, voucher } = *admitted;
        let receipt = hold.receipt;
        self.reserve(receipt, &route, now)?;
        let (call, under_way, sealer) = match keyed {
            Some(Keyed { call, under_way, sealer }) => (call, under_way, Some(sealer)),
            None => self.unkeyed(opened, &request, receipt)?,
        };
        let (client, events) = mpsc::channel(CALL_EVENTS_MAX);
        let capsule = route.parts[0].id.clone();
        let ground = (
            opened.blocks.iter().map(|block| block.id).collect(),
            route.parts.iter().map(|part| part.grant_number).collect(),
        );
        let recall = self.recalls.enter(receipt, ground, self.cancel.child_token());
        let admitted = (route.head.height, now);
        let reservation = Reservation::new(self, hold, under_way, admitted, recall);
        let running = Box::new(Running {
            view,
            route,
            work,
            bound,
            reservation,
            purpose,
            territory,
            decision,
            voucher,
            salt: request.salt,
            holder: opened.holder,
            call,
            sealer,
            fingerprint: request.fingerprint,
            job: request.job,
            max_tokens,
            patience: request.patience,
            urgency: request.urgency,
            told: told.take().map(|mut told| {
                told.admitted(receipt.to_string());
                told
            }),
        });
        self.figures.accepted();
        // Boxed, because a task's future is moved whole when it is made and when it ends.
        self.tasks.spawn(running.run(Arc::clone(self), place, client).boxed());
        Ok(Accepted { receipt, capsule, admitted_ms: now.0, replayed: false, events })
    }

    /// Notes in the journal that a sequence number is taken. Not synced: a process that is
    /// killed leaves it behind, and a power failure takes nothing that was acknowledged.
    fn reserve(&self, id: ReceiptId, route: &Route, time: Moment) -> Result<(), CallError> {
        let ReceiptId { channel, n } = id;
        let reserved = Reserved { channel, n, admitted: route.head.height, time };
        // Noted before it is written, so that nobody trims the journal behind it.
        self.pending.reserve(id, self.journal.end());
        let written = self.journal.append(&Record::Reserved(reserved).to_bytes());
        written.map(drop).map_err(|error| {
            self.pending.remove(&[id]);
            CallError::of(&error)
        })
    }
}
