//! Who contributed to this answer, by which evidence, and in what exact parts.
//!
//! A [`Method`] turns [`Evidence`] (a canonical document that anyone can check against
//! the corpus it names) into claims; [`shares`](shares::shares) turns claims into
//! weights that sum exactly to a datanet's weight in a call. Every method here gives
//! evidence of *use*: none says that a record caused an answer.
//!
//! Rules of [`Sharing`], which a datanet's members vote, say how records with the same words
//! share, how much goes to all by a draw, and how much one contributor gets at most.
//!
//! A [`SpanProof`] shows to whoever has the root of a datanet and the words of a span that
//! they stand in the record that is paid for them.
//!
//! This crate holds no corpus and no account: a contributor is its index in the datanet's
//! contributor table. Finding passages and spans is the work of `corpus`, paying is the
//! work of `ledger`.
//!
//! **Invariant**: evidence, total weight, mix, rules, number of contributors, call and datanet
//! determine the shares to the last unit, whatever the order of the inputs.

mod cap;
pub mod corpus_model;
pub mod evidence;
pub mod floor;
pub mod logarithm;
pub mod method;
pub mod proof;
pub mod record;
pub mod retrieval;
pub mod shares;
pub mod sharing;
pub mod span;
pub mod verify;

pub use corpus_model::{CorpusModelEvidence, CorpusModelParameters, Step, Tally};
pub use evidence::{Evidence, EvidenceError};
pub use floor::FloorEvidence;
pub use method::{Attributor, Claim, Method};
pub use proof::{Proven, SpanProof};
pub use record::RecordLeaf;
pub use retrieval::{Passage, RetrievalEvidence, RetrievalParameters};
pub use shares::{Divided, Division, MethodShares, SharesError, shares};
pub use sharing::{Duplicates, Sharing, SharingError};
pub use span::{Occurrence, Span, SpanEvidence, SpanParameters};
pub use verify::{VerifyError, verify};
