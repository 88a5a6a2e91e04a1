//! Terms as documents: what is accepted prints as TOML that says the same.

use crate::{Reach, Target, promise, sample};
use ambar_base::Moment;
use ambar_licence::Terms;
use ambar_licence::terms::TERMS_BYTES_MAX;

pub(super) const TARGET: Target = Target { name: "terms_document", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    sample::terms::all().iter().map(Terms::to_document).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let decoded =
        promise::document(input, TERMS_BYTES_MAX, Terms::from_document, Terms::to_document);
    let Some(terms) = decoded else { return Reach::Refused };
    assert_eq!(Terms::parse(&terms.print()).as_ref(), Ok(&terms), "{}", terms.print());
    let _ = (terms.explain(), terms.expires(Moment(u64::MAX)), terms.minimum_price_per_call());
    Reach::Used
}
