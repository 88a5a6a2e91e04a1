//! Which of several nodes serves a part of a call: measured, not promised.
//!
//! It knows nodes, prices and what earlier calls took. It does not know how a node is reached
//! or what it is asked.

mod dispatch;
pub mod health;
pub mod hedge;
mod outlet;
mod produce;
pub mod rank;

pub(crate) use dispatch::Dispatch;
pub use health::{Health, Seen};
pub(crate) use hedge::Hedging;
pub(crate) use outlet::Outlet;
pub use rank::{Offered, Ranked, rank};
