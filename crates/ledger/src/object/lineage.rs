//! What a version is built on, flattened when it is published.

use ambar_base::{Cid, Weight, record};

/// Most versions that a version is built on, directly or not.
pub const ANCESTORS_MAX: usize = 128;

record! {
    /// What a version is built on, directly or through others. A plan says which party is paid;
    /// this says what reaches each version on the way, whose terms ask for it.
    #[derive(Default)]
    pub struct Ancestry {
        /// Ascending by id.
        pub ancestors: Vec<Ancestor>,
    }
}

record! {
    /// A version that another one is built on.
    #[derive(Copy)]
    pub struct Ancestor {
        /// Its id.
        pub id: Cid,
        /// Its version line.
        pub line: u64,
        /// Its terms.
        pub terms: Cid,
        /// The part of the royalty that reaches it over all ways, before it passes on what its
        /// own parents take; each way rounded down.
        pub reaches: Weight,
        /// The part that the terms between ask for it: the largest over all ways.
        pub due: Weight,
    }
}
