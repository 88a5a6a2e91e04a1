//! Terms as TOML, as owners write them.

use crate::{Reach, Target, sample};
use ambar_licence::Terms;
use ambar_licence::problem::ERRORS_MAX;
use ambar_licence::terms::TERMS_BYTES_MAX;

pub(super) const TARGET: Target = Target { name: "terms_text", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    sample::terms::all().iter().map(|terms| terms.print().into_bytes()).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let text = String::from_utf8_lossy(input);
    match Terms::parse(&text) {
        Err(errors) => {
            let count = errors.errors().len();
            assert!((1..=ERRORS_MAX).contains(&count), "{count} errors");
            let _ = errors.to_string();
            Reach::Refused
        }
        Ok(terms) => {
            assert!(text.len() <= TERMS_BYTES_MAX, "the limit of a text");
            assert_eq!(Terms::parse(&terms.print()).as_ref(), Ok(&terms), "{}", terms.print());
            let document = terms.to_document();
            assert_eq!(Terms::from_document(&document).as_ref(), Ok(&terms), "its document");
            Reach::Used
        }
    }
}
