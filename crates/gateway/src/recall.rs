//! Calls under way whose certificate or grant is revoked meanwhile: they end, and are charged
//! for what was delivered.
//!
//! It is looked at each final block, so a revocation ends a call at the block that makes it
//! final, or at the next if the call was admitted on the state before.

use crate::call::{CallError, ReceiptId};
use crate::opening::revoked;
use crate::view::LedgerView;
use ambar_base::{Digest, ErrorCode};
use ambar_consensus::Consensus;
use ambar_ledger::Key;
use ambar_ledger::object::Grant;
use ambar_ledger::query::State as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio_util::sync::CancellationToken;

/// What a call under way rests on.
#[derive(Clone)]
struct Ground {
    blocks: Vec<Digest>,
    grants: Vec<u64>,
    cancel: CancellationToken,
    why: Arc<OnceLock<CallError>>,
}

/// The calls under way.
#[derive(Clone, Default)]
pub(crate) struct Recalls(Arc<Mutex<BTreeMap<ReceiptId, Ground>>>);

/// A call under way, until this is dropped.
pub(crate) struct Recallable {
    recalls: Recalls,
    receipt: ReceiptId,
    /// Stops the call's engine.
    pub(crate) cancel: CancellationToken,
    why: Arc<OnceLock<CallError>>,
}

impl Recallable {
    /// Ends the call, for this reason unless it has one.
    pub(crate) fn end(&self, why: CallError) {
        // The first reason stays.
        let _ = self.why.set(why);
        self.cancel.cancel();
    }

    /// Why the call was ended, if it was.
    pub(crate) fn why(&self) -> Option<&CallError> {
        self.why.get()
    }
}

impl Drop for Recallable {
    fn drop(&mut self) {
        self.recalls.lock().remove(&self.receipt);
    }
}

impl Recalls {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ReceiptId, Ground>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins that rests on these blocks of its certificate and these grants.
    pub(crate) fn enter(
        &self,
        receipt: ReceiptId,
        (blocks, grants): (Vec<Digest>, Vec<u64>),
        cancel: CancellationToken,
    ) -> Recallable {
        let why = Arc::default();
        let ground = Ground { blocks, grants, cancel: cancel.clone(), why: Arc::clone(&why) };
        self.lock().insert(receipt, ground);
        Recallable { recalls: self.clone(), receipt, cancel, why }
    }

    /// Ends what rests on nothing any more, block for block, until it is stopped.
    pub(crate) async fn watch(self, consensus: Arc<dyn Consensus>, stop: CancellationToken) {
        let mut head = consensus.watch();
        while let Some(Ok(())) = stop.run_until_cancelled(head.changed()).await {
            if let Err(error) = self.look(&*consensus) {
                tracing::warn!(error = error.message, "calls under way cannot be looked at");
            }
        }
    }

    fn look(&self, consensus: &dyn Consensus) -> Result<(), CallError> {
        let under_way = self.lock().clone();
        if under_way.is_empty() {
            return Ok(());
        }
        let view = LedgerView::latest(consensus).map_err(|error| CallError::of(&error))?;
        for (receipt, ground) in under_way {
            if let Some(why) = ground.gone(&view, receipt.channel)? {
                let code = why.code;
                // The first reason stays.
                if ground.why.set(why).is_ok() {
                    tracing::info!(%receipt, %code, "a call under way ends");
                }
                ground.cancel.cancel();
            }
        }
        Ok(())
    }
}

impl Ground {
    /// Why a call may not go on, if it may not.
    fn gone(&self, view: &LedgerView, channel: u64) -> Result<Option<CallError>, CallError> {
        let ended = |code, message: &str| Ok(Some(CallError::new(code, message)));
        if revoked(view, channel, self.blocks.iter())?.is_some() {
            let message = "the certificate was revoked while the call ran";
            return ended(ErrorCode::CertificateRevoked, message);
        }
        for number in &self.grants {
            let grant: Option<Grant> = view
                .object(&Key::Grant(*number))
                .map_err(|error| CallError::new(error.code, error.message))?;
            if grant.is_none_or(|grant| grant.revoked.is_some()) {
                let message = "a grant was revoked while the call ran";
                return ended(ErrorCode::GrantRevoked, message);
            }
        }
        Ok(None)
    }
}
