//! Receipts of leaves that gateway, nodes and ledger signed, whatever they say: the
//! verifier finds an answer, and says yes only if the price is paid to the last unit.

use crate::{Reach, Target, promise};
use ambar_base::{Amount, Encode, amount};
use ambar_receipt::verify::fixture::World;
use ambar_receipt::{Leaf, verify};

pub(super) const TARGET: Target = Target { name: "receipt_leaf", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    World::new().leaves.iter().map(Encode::to_bytes).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Some(leaf) = promise::compact::<Leaf>(input) else { return Reach::Refused };
    let mut world = World::new();
    let price = leaf.price();
    *world.leaf() = leaf;
    if !world.signable() {
        return Reach::Decoded;
    }
    let Ok(document) = world.assembled() else { return Reach::Decoded };
    let file = document.seal(world.gateway_key());
    let report = verify(&file, Some(&world.checkpoint(0)));
    if report.ok {
        let paid = amount::total(report.payments.iter().map(|payment| payment.amount));
        assert_eq!(paid, price.map(Amount::from), "the payments sum to the price");
    }
    Reach::Used
}
