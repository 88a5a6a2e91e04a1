//! Who contributed to this answer, by which evidence, and in what exact parts.
//!
//! A [`Method`] turns [`Evidence`] (a canonical document that anyone can check against
//! the corpus it names) into claims; [`shares`](shares::shares) turns claims into
//! weights that sum exactly to a datanet's weight in a call. Every method here gives
//! evidence of *use*: none says that a record caused an answer.
//!
//! A [`SpanProof`] shows to whoever has the root of a datanet and the words of a span that
//! they stand in the record that is paid for them.
//!
//! This crate holds no corpus and no account: a contributor is its index in the datanet's
//! contributor table. Finding passages and spans is the work of `corpus`, paying is the
//! work of `ledger`.
//!
//! **Invariant**: evidence, total weight, mix, call and datanet determine the shares to
//! the last unit, whatever the order of the inputs.

pub mod corpus_model;
pub mod evidence;
pub mod logarithm;
pub mod method;
pub mod proof;
pub mod record;
pub mod retrieval;
pub mod shares;
pub mod span;
pub mod verify;

pub use corpus_model::{CorpusModelEvidence, CorpusModelParameters, Step, Tally};
pub use evidence::{Evidence, EvidenceError};
pub use method::{Attributor, Claim, Method};
pub use proof::{Proven, SpanProof};
pub use record::RecordLeaf;
pub use retrieval::{Passage, RetrievalEvidence, RetrievalParameters};
pub use shares::{MethodShares, SharesError, shares};
pub use span::{Occurrence, Span, SpanEvidence, SpanParameters};
pub use verify::{VerifyError, verify};
