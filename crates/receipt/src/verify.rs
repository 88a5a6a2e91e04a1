//! The offline verifier: from the file and a trusted checkpoint alone it recomputes work,
//! prices and split, and follows the call into its batch, its block and the votes that made
//! that block final.
//!
//! It believes nothing in the file. What the votes of the checkpoint's committee reach, and
//! of those to which it handed over, is attested: the block, the settlement in it, the
//! facts under it, the keys in those facts. The
//! counters of a call are claims that gateway and node signed; whether input and output
//! give them is for those who hold input and output.
//!
//! **Invariant**: it never panics, and it says yes only if every check that the file's
//! parts call for was made and held.

mod amounts;
mod case;
mod decision;
mod documents;
mod facts;
mod inclusion;
mod report;
mod shares;
mod split;

pub use report::{Check, Payment, Report, Unchecked};

use crate::batch::SignedBatch;
use crate::export::{OpenError, ReceiptDocument, Sealed, open};
use crate::leaf::Leaf;
use ambar_base::codec::{self, Decode};
use ambar_base::{Checkpoint, NetworkId};
use case::{Case, Settled};
use report::{Checks, Fault, Verdict};

/// Verifies an exported receipt.
///
/// With `trusted` the receipt must be of its network and final under its committee, or
/// under one to which the file shows that it handed over. Without it the report can only
/// say that the file agrees with itself: anyone could have made it.
#[must_use]
pub fn verify(file: &[u8], trusted: Option<&Checkpoint>) -> Report {
    let mut checks = Checks::default();
    let Some(sealed) = opened(file, &mut checks) else {
        return checks.report(None, trusted.is_some());
    };
    let document = &sealed.document;
    checks.add("seal", seal(&sealed));
    let leaf = checks.value("leaf", decoded::<Leaf>(&document.leaf).and_then(case::well_formed));
    let batch = checks.value("batch", decoded::<SignedBatch>(&document.batch));
    let settled = match &document.settlement {
        None => None,
        Some(settlement) => checks.value("settlement", Settled::read(settlement)),
    };
    let expected = trusted.map(|trusted| trusted.network);
    checks.add("network", network(document, settled.as_ref(), expected));
    let finality = inclusion::finality(document, settled.as_ref(), leaf.as_ref(), trusted);
    checks.add("finality", finality);
    if let (Some(leaf), Some(batch)) = (&leaf, batch) {
        Case::new(&sealed, leaf, batch, settled).check(&mut checks);
    }
    checks.report(leaf.as_ref(), trusted.is_some())
}

fn opened(file: &[u8], checks: &mut Checks) -> Option<Sealed> {
    match open(file) {
        Ok(sealed) => {
            checks.add("envelope", Ok("The file is a COSE_Sign1 structure.".into()));
            let detail = "The document is in canonical form.";
            checks.add("document", Ok(detail.into()));
            Some(sealed)
        }
        Err(error @ (OpenError::Document(_) | OpenError::Format(_))) => {
            checks.add("document", Err(Fault::failed(error)));
            None
        }
        Err(error) => {
            checks.add("envelope", Err(Fault::failed(error)));
            None
        }
    }
}

fn decoded<T: Decode>(bytes: &[u8]) -> Result<T, Fault> {
    codec::decode(bytes).map_err(Fault::failed)
}

fn seal(sealed: &Sealed) -> Verdict {
    sealed.verify(&sealed.key).map_err(Fault::failed)?;
    Ok(format!("The file is sealed by {}.", sealed.key.did()))
}

fn network(
    document: &ReceiptDocument,
    settled: Option<&Settled>,
    expected: Option<NetworkId>,
) -> Verdict {
    let named = document.network();
    if let Some(expected) = expected.filter(|expected| *expected != named) {
        return Err(Fault::failed(format!("the receipt is of network {named}, not {expected}")));
    }
    let block = settled.map(|settled| settled.proof.block.header.network);
    if let Some(block) = block.filter(|block| *block != named) {
        return Err(Fault::failed(format!("the block is of network {block}, not {named}")));
    }
    Ok(format!("The network is {named}."))
}

#[cfg(any(test, feature = "fixture"))]
mod chain_fixture;

#[cfg(test)]
mod finality_tests;

#[cfg(any(test, feature = "fixture"))]
#[doc(hidden)]
pub mod fixture;

#[cfg(test)]
mod lies_tests;

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
