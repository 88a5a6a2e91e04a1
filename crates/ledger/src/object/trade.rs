//! What waits for somebody: a royalty line for its buyer, an account for its new keys.

use ambar_base::{Digest, Height, KeySet, Moment, Price, record};

/// Heights from the beginning of a recovery until it can be finished: a day where a block
/// takes a second. Its owner, or a program that watches for them, should see within this time
/// that somebody else began it; whoever lost their keys can wait as long.
pub const RECOVERY_DELAY_HEIGHTS: u64 = 86_400;

record! {
    /// A royalty line that its holder offers. Whoever holds the line made the offer: it goes
    /// with every change of the holder.
    pub struct RoyaltyOffer {
        /// What it costs.
        pub price: Price,
        /// The account that may buy it, by number; nothing: anybody.
        pub to: Option<u64>,
        /// Nobody buys it from then on.
        pub expires: Moment,
    }
}

record! {
    /// A recovery that has begun.
    pub struct Recovery {
        /// The keys that the account gets.
        pub keys: KeySet,
        /// The digest of the key set that may recover it the next time.
        pub next: Option<Digest>,
        /// From which height it can be finished.
        pub from: Height,
    }
}
