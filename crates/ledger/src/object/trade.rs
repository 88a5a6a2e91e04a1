//! What waits for somebody: a royalty line for its buyer, an account for its new keys.

use ambar_base::{Digest, Height, KeySet, Moment, Price, record};

/// Consensus time from the beginning of a recovery until it can be finished, milliseconds: a
/// day. Its owner, or a program that watches for them, should see within this time that somebody
/// else began it; whoever lost their keys can wait as long.
pub const RECOVERY_DELAY_MS: u64 = Moment::DAY_MS;
/// The fewest blocks in between, an hour of those that an idle network makes: time that passes
/// while a network stands still is no time in which anybody could object.
pub const RECOVERY_DELAY_BLOCKS: u64 = 3_600;

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
        /// From when on it can be finished, in consensus time.
        pub from: Moment,
        /// The first block in which it can be.
        pub from_height: Height,
    }
}
