//! Manifests, as they are published and fetched.

use crate::{Reach, Target, promise, sample};
use ambar_base::Weight;
use ambar_capsule::Manifest;
use ambar_capsule::lineage::Lineage;
use ambar_capsule::manifest::{
    COMPONENTS_MAX, MANIFEST_BYTES_MAX, NAME_BYTES_MAX, PARENTS_MAX, PREVIOUS_MAX,
};
use ambar_receipt::verify::fixture;

pub(super) const TARGET: Target = Target { name: "manifest", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let manifests = [fixture::manifest(), sample::manifest::prompt(), sample::manifest::model()];
    manifests.iter().map(Manifest::encode).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let decoded = promise::document(input, MANIFEST_BYTES_MAX, Manifest::decode, Manifest::encode);
    let Some(manifest) = decoded else { return Reach::Refused };
    assert!(manifest.name.len() <= NAME_BYTES_MAX, "the limit of names");
    let own = manifest.own_share();
    assert!(own.is_some_and(|own| own <= Weight::ONE), "shares exceed the whole");
    let edges = Lineage::edges_of(&manifest);
    assert!(edges.len() <= PREVIOUS_MAX + PARENTS_MAX + COMPONENTS_MAX, "the limit of edges");
    let lineage = Lineage::new([(manifest.id(), edges)].into());
    assert!(lineage.is_ok(), "a manifest cannot name its own hash: {lineage:?}");
    Reach::Used
}
