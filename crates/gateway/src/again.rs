//! Calls without a key at the gateway: each gets an identity of its own, and one that is sent
//! again is answered by what its earlier attempt brought forth.

use crate::answers::Sealer;
use crate::archive::ArchiveError;
use crate::call::{Accepted, CallError, CallRequest, ReceiptId};
use crate::certificate::Opened;
use crate::gateway::Inner;
use crate::pending::{Entry, UnderWay};
use crate::repeats::{self, REPEAT_MS_MAX, REPEATS_MAX, unkeyed};
use crate::replay::replay;
use ambar_base::{Digest, ErrorCode, Moment};

impl Inner {
    /// Calls of an earlier process that are final: their clients may not have heard of it.
    pub(crate) fn remember_final(&self) -> Result<(), ArchiveError> {
        let since = Moment((self.clock)().0.saturating_sub(REPEAT_MS_MAX));
        let lately = self.archive.lately(since, REPEATS_MAX)?;
        lately.iter().for_each(|metered| self.repeats.remember(metered));
        Ok(())
    }

    /// The answer to an earlier attempt of a request that is sent again without a key.
    pub(crate) async fn again(
        &self,
        opened: &Opened,
        request: &CallRequest,
    ) -> Result<Option<Accepted>, CallError> {
        let retries = request.retries.unwrap_or_default();
        let asked = (opened.channel, opened.holder, request.fingerprint);
        while let Some(n) = self.repeats.claim(&asked, retries, (self.clock)()) {
            let call = unkeyed(opened.channel, &opened.holder, n);
            while let Entry::Taken(mut done) = self.pending.enter(call) {
                while done.changed().await.is_ok() {}
            }
            // Without a receipt it delivered nothing and was not charged: an older one may have.
            if let Some(metered) = self.earlier(&call)? {
                let opener = repeats::opener(opened, request);
                return replay(&metered, request, (&self.answers, &opener)).map(Some);
            }
        }
        Ok(None)
    }

    /// A call without a key has one that no client can write. Its answer is kept if its client
    /// may send the request again.
    pub(crate) fn unkeyed(
        &self,
        opened: &Opened,
        request: &CallRequest,
        id: ReceiptId,
    ) -> Result<(Digest, UnderWay, Option<Sealer>), CallError> {
        let call = unkeyed(opened.channel, &opened.holder, id.n);
        let Entry::Fresh(under_way) = self.pending.enter(call) else {
            return Err(CallError::new(ErrorCode::Internal, "a sequence number was given twice"));
        };
        let Some(retries) = request.retries else { return Ok((call, under_way, None)) };
        let now = (self.clock)();
        let sealer = self.answers.sealer(now, repeats::opener(opened, request));
        let sealer = sealer.map_err(|error| CallError::of(&error))?;
        let asked = (opened.channel, opened.holder, request.fingerprint);
        self.repeats.begin(asked, id.n, now, retries);
        Ok((call, under_way, Some(sealer)))
    }
}
