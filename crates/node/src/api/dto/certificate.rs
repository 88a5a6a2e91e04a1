//! Certificates that end before their time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks to end a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeCertificate {
    /// The certificate; its last block is revoked.
    pub certificate: String,
}

/// A certificate has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateRevoked {
    /// No call is admitted from this height on.
    pub from: u64,
}
