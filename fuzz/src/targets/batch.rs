//! Signed batches, as gateways submit them.

use crate::{Reach, Target, promise, sample};
use ambar_base::Encode;
use ambar_receipt::SignedBatch;
use ambar_receipt::verify::fixture::World;

pub(super) const TARGET: Target = Target { name: "batch", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let mut short = World::new();
    short.leaves.truncate(1);
    vec![sample::world().batch().to_bytes(), short.batch().to_bytes()]
}

fn attempt(input: &[u8]) -> Reach {
    let Some(batch) = promise::compact::<SignedBatch>(input) else { return Reach::Refused };
    let world = sample::world();
    let key = world.gateway_key().public();
    if batch.header.verify(world.network, &key, &batch.signature).is_err() {
        return Reach::Decoded;
    }
    let header = batch.header.to_bytes();
    let signed = seeds().iter().any(|seed| seed.starts_with(&header));
    assert!(signed, "the gateway signed what it has not signed");
    Reach::Used
}
