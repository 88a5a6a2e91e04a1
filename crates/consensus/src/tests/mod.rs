//! Tests of the engine on a toy ledger.

mod crash;
mod damage;
mod full_disk;
mod mempool;
mod order;
mod replay;
mod toy;
