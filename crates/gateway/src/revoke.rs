//! Ending certificates for those who hold them.

use crate::call::CallError;
use crate::gateway::Gateway;
use crate::opening::presented;
use crate::view::LedgerView;
use ambar_base::{Digest, Height};
use ambar_ledger::object::Revocations;
use ambar_ledger::query::State as _;
use ambar_ledger::transaction::RevokeCertificate;
use ambar_ledger::{Key, Operation};

impl Gateway {
    /// Revokes the last block of a certificate, and with it every certificate narrowed from
    /// it, for whoever shows it; the height from which it is refused everywhere. One that is
    /// revoked already stays so.
    pub async fn revoke(&self, certificate: &str) -> Result<Height, CallError> {
        let inner = &self.inner;
        let (_, opened) = presented(&*inner.consensus, &inner.certificates, certificate).await?;
        let revoke = RevokeCertificate { channel: opened.channel, block: opened.last };
        let committed = inner.desk.ask(Operation::RevokeCertificate(revoke)).await?;
        // One that was revoked before keeps its height.
        let view = LedgerView::latest(&*inner.consensus).map_err(|error| CallError::of(&error))?;
        let revocations: Option<Revocations> = view
            .object(&Key::Revocations(opened.channel))
            .map_err(|error| CallError::new(error.code, error.message))?;
        let from = revocations.and_then(|list| list.since(&Digest::of(&opened.last.0)));
        Ok(from.unwrap_or(committed.height.after(1)))
    }
}
