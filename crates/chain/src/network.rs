//! The channels between validators.

/// Both ends of every channel of one validator.
pub struct Channels<S, R> {
    /// Votes of a view.
    pub votes: (S, R),
    /// Quorums of votes.
    pub certificates: (S, R),
    /// Quorums of votes that somebody missed.
    pub resolver: (S, R),
    /// Final blocks that somebody missed.
    pub backfill: (S, R),
    /// Blocks that were proposed.
    pub blocks: (S, R),
    /// Transactions that wait.
    pub transactions: (S, R),
    /// The state, for who begins anew.
    pub state: (S, R),
}

/// How many channels there are: they are numbered from 0 in the order of the fields.
pub const CHANNELS: u64 = 7;

impl<S, R> Channels<S, R> {
    /// Opens each channel by its number.
    pub fn open(mut open: impl FnMut(u64) -> (S, R)) -> Self {
        Self {
            votes: open(0),
            certificates: open(1),
            resolver: open(2),
            backfill: open(3),
            blocks: open(4),
            transactions: open(5),
            state: open(CHANNELS - 1),
        }
    }
}
