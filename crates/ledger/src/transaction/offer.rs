//! What is asked of offered terms.

use ambar_base::{AccountId, Cid, Moment, record};

record! {
    /// See [`Operation::OfferTerms`](super::Operation::OfferTerms).
    pub struct OfferTerms {
        /// Any version of the line.
        pub version: Cid,
        /// Which terms.
        pub terms: Cid,
        /// The terms document, unless the ledger has it.
        pub document: Option<Vec<u8>>,
        /// Who may accept them; nothing: anybody. Everybody sees the offer.
        pub to: Option<AccountId>,
        /// Nobody accepts them from then on.
        pub expires: Moment,
        /// Most acceptances, above zero; nothing: without limit.
        pub limit: Option<u64>,
        /// Whether an account accepts such an offer for the line once, ever: a trial.
        pub once: bool,
    }
}
