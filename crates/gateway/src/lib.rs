//! The call path: admission → reserve → run → meter → receipt → settle, at most one
//! charge whatever crashes or retries.
//!
//! It wires the pure rooms (licence, receipt, ledger) to engines, corpora, journal and
//! consensus. Only its `dialect` knows a foreign API; only its `certificate` knows Biscuit.
//!
//! **Invariants**: no engine leaves its [`supply::Supply`] without a reservation; a receipt is durable before
//! its caller hears that the call is done; every sequence number of a channel settles
//! exactly once, as a charged call or as a void leaf.

pub mod admission;
mod again;
pub mod answers;
pub mod archive;
pub mod attribute;
pub mod authorisation;
pub mod books;
mod bound;
pub mod call;
pub mod catalogue;
pub mod certificate;
pub mod compose;
pub mod counted;
mod desk;
pub mod dialect;
mod drawn;
mod enter;
pub mod entrance;
pub mod errand;
pub mod figures;
pub mod flow;
pub mod gateway;
mod glance;
pub mod journal;
pub mod leases;
mod lessee;
mod local;
pub mod meter;
mod opening;
pub mod peers;
pub mod pending;
pub mod promptly;
mod recall;
pub mod record;
pub mod recovery;
pub mod refusals;
pub mod repeats;
mod replay;
mod reservation;
mod revoke;
pub mod route;
pub mod routing;
pub mod run;
pub mod serving;
pub mod settle;
pub mod settled;
pub mod supply;
pub mod telemetry;
pub mod transcript;
pub mod view;
pub mod vouchers;
pub mod window;

pub use call::{
    Accepted, CallError, CallEvent, CallRequest, Callable, Extras, GenerateOptions, Job, Piece,
    ReceiptId, Summary,
};
pub use errand::Errands;
pub use gateway::{Gateway, GatewayError, GatewaySettings, StoredReceipt};
pub use peers::{Peer, PeerBody, PeerFailure, Peers};
pub use serving::{Offer, Serving};
pub use supply::{QueueLimits, Supply};
