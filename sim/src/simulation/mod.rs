//! Validators of one committee on a runtime, a network and disks that are simulated from a
//! seed, so that every run can be had again, bit by bit.
//!
//! What runs is the engine of [`Chain`](ambar_chain::Chain), part by part the same; only time,
//! messages and storage are made. A [`Plan`] says who takes part, what befalls them and when
//! it is over; [`run`](run()) lives it through and hands back what each honest validator
//! holds. Judging that is the caller's: this module knows no ledger and no invariant.
//!
//! **Invariant**: a plan and its clients determine the run. Nothing here asks a clock, a
//! disk or a generator of the machine.

mod adversary;
mod client;
mod draw;
mod links;
mod mark;
mod plan;
mod reach;
mod run;
mod tap;
mod validator;
mod ward;
mod witness;

pub use adversary::Adversary;
pub use client::{Client, Net};
pub use draw::Draw;
pub use plan::{DiskFaults, Event, Link, Member, Part, Plan, ViewLoss};
pub use run::{Ended, EngineEnd, run};
pub use witness::Witness;
