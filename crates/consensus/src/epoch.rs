//! Epochs: stretches of heights in which one committee votes.
//!
//! **Invariant**: every height is in exactly one epoch; the last block of an epoch, and no
//! other, names the committee of the next.

use ambar_base::Height;
use std::num::NonZeroU64;

/// Least heights of an epoch: genesis, and a block that may name a committee.
pub const EPOCH_BLOCKS_MIN: u64 = 2;

/// How heights fall into epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs(NonZeroU64);

impl Epochs {
    /// Epochs of `blocks` heights each, at least [`EPOCH_BLOCKS_MIN`].
    pub fn of_length(blocks: u64) -> Self {
        Self(NonZeroU64::new(blocks.max(EPOCH_BLOCKS_MIN)).unwrap_or(NonZeroU64::MIN))
    }

    /// Heights of an epoch.
    pub fn length(self) -> NonZeroU64 {
        self.0
    }

    /// The epoch of a height.
    pub fn containing(self, height: Height) -> u64 {
        height.0 / self.0
    }

    /// The last height of an epoch.
    pub fn last(self, epoch: u64) -> Height {
        Height(epoch.saturating_add(1).saturating_mul(self.0.get()) - 1)
    }

    /// The epoch that ends with `height`, if one does.
    pub fn ending_at(self, height: Height) -> Option<u64> {
        let epoch = self.containing(height);
        (self.last(epoch) == height).then_some(epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_once() {
        let epochs = Epochs::of_length(3);
        let ends: Vec<_> = (0..7).map(|height| epochs.ending_at(Height(height))).collect();
        assert_eq!(ends, [None, None, Some(0), None, None, Some(1), None]);
        assert_eq!(
            [0, 2, 3, 5, 6].map(|height| epochs.containing(Height(height))),
            [0, 0, 1, 1, 2]
        );
        assert_eq!(epochs.last(1), Height(5));
    }
}
