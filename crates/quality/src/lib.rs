//! Whether a record is good enough for a datanet: what stands in it, what a datanet's rules
//! say of that, and an index of what was accepted before.
//!
//! A record is bytes. It knows no file, no contributor and no ledger, and decides nobody's
//! share. Everything that decides is integers, and every table is in this crate or in a library
//! of one exact version.
//!
//! **Invariant**: bytes, [`Rules`] and the two indexes determine findings and verdict on every
//! machine, whatever the order in which the indexes were filled. Who knows [`VERSION`] and
//! [`Rules::digest`] can repeat a verdict.

mod addresses;
mod assess;
mod confusable;
mod encoding;
mod filler;
mod finding;
mod fold;
mod language;
mod licences;
mod numbers;
mod parse;
mod personal;
mod phrases;
mod place;
mod problem;
mod rules;
mod seen;
mod shingles;

pub use assess::{Assessed, assess};
pub use finding::{Check, Encoding, FillerKind, Finding, Part, PersonalKind, Verdict};
pub use language::Language;
pub use place::Places;
pub use problem::{Problem, RulesError, RulesErrors};
pub use rules::{Action, Rules};
pub use seen::{Match, RECORDS_MAX, Seen, SeenError};
pub use shingles::{Print, SHINGLE_WORDS, SIGNATURE_ROWS, SKETCH_MAX};

/// The version of the checks. Raised whenever the same bytes could get another finding.
pub const VERSION: u16 = 1;
