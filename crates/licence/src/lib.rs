//! Licences: the terms language that owners write, the facts that certificates narrow
//! it by, and the one pure function that decides whether a call may run.
//!
//! This crate knows no Biscuit, no HTTP, no ledger and no clock: the caller brings the
//! facts and the time. It keeps no counters either; they come in with the situation.
//!
//! **Invariant**: a narrowing only takes away. Whatever chain of narrowings a
//! certificate carries, [`decide`] allows nothing that its owner's terms and a shorter
//! chain would refuse (the one exception is spelt out at [`decision`]).

pub mod calendar;
pub mod call;
mod check;
pub mod decision;
pub mod denial;
pub mod diff;
mod encoding;
mod explain;
pub mod inherit;
pub mod narrowing;
pub mod odrl;
mod parse;
mod print;
pub mod problem;
pub mod purpose;
pub mod quota;
pub mod rate;
mod reader;
pub mod revocation;
pub mod terms;
pub mod territory;
pub mod tier;

pub use call::{Answer, CallFacts, DecisionRecord, Denied, PartDenied, PartFacts, ReplayError};
pub use decision::{
    ChannelView, Decision, GrantView, LEDGER_AGE_MS_MAX, Request, Reservation, Situation, Spent,
    decide,
};
pub use denial::Denial;
pub use diff::{Change, Effect};
pub use inherit::{Excess, Wider};
pub use narrowing::{CertificateBlock, Narrowing, NarrowingError};
pub use odrl::OdrlExport;
pub use problem::{Position, Problem, TermsError, TermsErrors};
pub use purpose::{Purpose, PurposeError};
pub use quota::{Period, Quota};
pub use rate::{Rate, RateError, RateUnit};
pub use revocation::Revocation;
pub use terms::{Delegation, Derivatives, LegalText, PriceRule, Purposes, Right, Term, Terms};
pub use territory::{Territories, Territory, TerritoryError};
pub use tier::{PriceTier, TIERS_MAX};
