//! What is counted under grants whose terms have tiers.

use crate::history::{History, TooManyChanges};
use crate::object::Grant;
use ambar_base::{Height, record};
use ambar_licence::Terms;
use ambar_receipt::fact::Span;

record! {
    /// How many calls have settled under a grant, and which tier of its terms' prices that is.
    pub struct Volume {
        /// Lines of calls that settled and were charged, since the grant was made.
        pub calls: u64,
        /// The tier for calls admitted from a height on, now and before: 0 is the price from the
        /// first call on.
        pub tier: History<u16>,
    }
}

impl Volume {
    /// That of a grant under which nothing has settled.
    #[must_use]
    pub fn of(grant: &Grant) -> Self {
        Self { calls: 0, tier: History::new(grant.height, 0) }
    }

    /// The tier for calls admitted at a height, and from when to when it holds; nothing before
    /// the grant.
    #[must_use]
    pub fn tier_at(&self, height: Height) -> Option<(u16, Span)> {
        self.tier.at(height).map(|(tier, span)| (*tier, span))
    }

    /// Counts calls that settled at `height`: a tier that they reach holds from the next height
    /// on, so that nobody's bill changes between a call's admission and its settlement. Nothing
    /// if there are more than can be counted.
    pub(crate) fn count(
        &mut self,
        calls: u64,
        terms: &Terms,
        (height, oldest): (Height, Height),
    ) -> Option<Result<(), TooManyChanges>> {
        self.calls = self.calls.checked_add(calls)?;
        let reached = terms.tier_after(self.calls);
        if reached == *self.tier.latest() {
            return Some(Ok(()));
        }
        Some(self.tier.set(height.after(1), oldest, reached))
    }
}
