//! Ending certificates for those who hold them.

use crate::call::CallError;
use crate::gateway::Gateway;
use crate::opening::presented;
use ambar_base::Height;
use ambar_ledger::Operation;
use ambar_ledger::transaction::RevokeCertificate;

impl Gateway {
    /// Revokes the last block of a certificate, and with it every certificate narrowed from
    /// it, for whoever shows it; the height from which it is refused everywhere. One that is
    /// revoked already stays so.
    pub async fn revoke(&self, certificate: &str) -> Result<Height, CallError> {
        let inner = &self.inner;
        let (_, opened) = presented(&*inner.consensus, &inner.certificates, certificate).await?;
        let revoke = RevokeCertificate { channel: opened.channel, block: opened.last };
        let committed = inner.desk.ask(Operation::RevokeCertificate(revoke)).await?;
        Ok(committed.height.after(1))
    }
}
