//! Tests of the engine on a toy ledger.

mod committee;
mod crash;
mod damage;
mod epochs;
mod evidence;
mod joining;
mod mempool;
mod order;
mod replay;
mod rest;
mod retention;
mod toy;

pub(crate) use toy::{checkpoint, key};
