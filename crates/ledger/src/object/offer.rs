//! Terms that an owner offers beside the published ones.

use ambar_base::{Cid, Moment, record};

record! {
    /// Terms that may be accepted for the versions of a line. An offer holds while whoever made
    /// it owns the line.
    pub struct Offer {
        /// The version line.
        pub line: u64,
        /// Which terms.
        pub terms: Cid,
        /// The account that made it, by number.
        pub owner: u64,
        /// The account that may accept it, by number; nothing: anybody.
        pub to: Option<u64>,
        /// Nobody accepts it from then on.
        pub expires: Moment,
        /// Acceptances left, above zero; nothing: without limit.
        pub left: Option<u64>,
        /// Whether it is for accounts that have accepted none like it for the line.
        pub once: bool,
    }
}
