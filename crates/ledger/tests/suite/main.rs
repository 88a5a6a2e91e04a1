//! The ledger's integration tests, in one program: it is linked once.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod admission;
mod certificates;
mod committees;
mod conformance;
mod conformance_departments;
mod conformance_dispute;
mod conformance_keys;
mod conformance_leases;
mod conformance_offers;
mod conformance_pools;
mod conformance_trade;
mod conformance_vouchers;
mod departments;
mod disputes;
mod endpoints;
mod governance;
mod graphs;
mod leases;
mod licensing;
mod lineage;
mod misattribution;
mod offers;
mod pools;
mod pools_in_any_order;
mod publishing;
mod receipts;
mod recovery;
mod revocation;
mod settlement;
mod tiers;
mod trade;
mod transactions;
mod validators;
mod vouchers;
#[path = "../world/mod.rs"]
mod world;
