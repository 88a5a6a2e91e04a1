//! Receipts whose document was changed and then sealed by the real gateway: the verifier
//! says yes to the leaf that was settled, and to no other.

use crate::{Reach, Target, promise, sample};
use ambar_base::{Amount, amount};
use ambar_receipt::export::RECEIPT_BYTES_MAX;
use ambar_receipt::{ReceiptDocument, verify};

pub(super) const TARGET: Target = Target { name: "receipt_document", seeds, attempt };

fn documents() -> Vec<ReceiptDocument> {
    let whole = sample::world().document();
    let mut bare = whole.clone();
    bare.details = None;
    bare.preimages.evidence.clear();
    bare.preimages.manifests.clear();
    vec![whole, bare]
}

fn seeds() -> Vec<Vec<u8>> {
    documents().iter().map(ReceiptDocument::encode).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let decoded = promise::document(
        input,
        RECEIPT_BYTES_MAX,
        ReceiptDocument::decode,
        ReceiptDocument::encode,
    );
    let Some(document) = decoded else { return Reach::Refused };
    let world = sample::world();
    let file = document.seal(world.gateway_key());
    let report = verify(&file, Some(&world.checkpoint(0)));
    if !report.ok {
        return Reach::Decoded;
    }
    assert!(document.leaf == world.document().leaf, "another leaf was settled");
    let owed = world.leaves[world.index].price().map(Amount::from);
    let paid = amount::total(report.payments.iter().map(|payment| payment.amount));
    assert_eq!(paid, owed, "the payments sum to the price");
    Reach::Used
}
