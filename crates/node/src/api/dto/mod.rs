//! What the node's own API says, as JSON: the server writes these types and the client
//! reads them.
//!
//! They know no ledger type: ids, numbers of objects and money are texts, so that no
//! reader's number type can lose a digit. Prices have 9 decimals, balances and payouts
//! 18; times are RFC 3339.
//!
//! **Invariant**: fields are added, never renamed or removed.

mod account;
mod block;
mod capsule;
mod certificate;
mod datanet;
mod department;
mod dispute;
mod key;
mod offer;
mod pool;
mod receipt;
mod royalty;
mod status;
mod transaction;
mod validator;

pub use account::{Account, Channel, FaucetAnswer, FaucetRequest, Grant, Statement, StatementRow};
pub use block::{AuditReport, Blob, Block, BlockRow, BlockTransaction};
pub use capsule::{
    Capsule, CapsuleRow, Change, Changes, Component, Content, Extension, LineageEdge, LineageGraph,
    LineageVersion, Parent, PlanEntry, SearchAnswer, SearchHit, TermsText, TermsView, TierView,
};
pub use certificate::{CertificateRevoked, RevokeCertificate};
pub use datanet::{
    Contributor, Datanet, ServingAnswer, ServingRequest, Sharing, TraceAnswer, TraceDatanet,
    TraceRequest, TraceShare, TraceSpan,
};
pub use department::{Department, DepartmentRow, Member, StatementAccount};
pub use dispute::{Dispute, Disputes};
pub use key::{KeepKey, KeyKept, KeyOffer, KeyReleased, KeySignature, ReleaseKey};
pub use offer::Offer;
pub use pool::{Pool, PoolRecord, PoolRules, Pools, Proposal, Proposals, Submission, Submissions};
pub use receipt::{PartRouting, Payment, Receipt, ReceiptLine, ReceiptRow, RoutingCandidate};
pub use royalty::{Recovering, Royalty, RoyaltyOffer};
pub use status::{
    Checkpoint, DiskPart, ErrorBody, ErrorView, Finality, NodeView, Progress, Seat, Status,
};
pub use transaction::{OperationView, Submitted};
pub use validator::{Validator, Validators};
