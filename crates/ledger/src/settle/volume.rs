//! Tiers: what a line is priced at, and what its call counts for.

use super::{Progress, Tables};
use crate::key::Key;
use crate::object::Volume;
use crate::refusal::{Refusal, Stop};
use crate::view::View;
use ambar_base::{ErrorCode, Height};
use ambar_licence::{PriceRule, Terms};
use ambar_receipt::fact::{Span, TierFact};

/// The price of a call under a grant, as of its admission; with the tier that it is of, if the
/// terms have tiers.
pub(super) fn price_at<'a>(
    tables: &Tables,
    number: u64,
    terms: &'a Terms,
    height: Height,
) -> Result<(&'a PriceRule, Option<TierFact>), Refusal> {
    if terms.tiers.is_empty() {
        return Ok((&terms.price, None));
    }
    let tier: Option<(u16, Span)> =
        tables.volumes.get(&number).and_then(|volume| volume.tier_at(height));
    let price = tier.and_then(|(tier, span)| Some((terms.price_of(tier)?, tier, span)));
    let missing = || {
        let message = format!("grant {number} has no tier at height {height}");
        Refusal::new(ErrorCode::LedgerCorrupt, message)
    };
    let (price, tier, span) = price.ok_or_else(missing)?;
    Ok((price, Some(TierFact { grant: number, tier, span })))
}

/// Writes what the calls of a batch have brought their grants to.
pub(super) fn write(view: &mut View<'_>, tables: &Tables, progress: &Progress) -> Result<(), Stop> {
    let heights = (view.block.height, view.oldest()?);
    for (number, calls) in &progress.calls {
        let (Some(volume), Some(terms)) = (tables.volumes.get(number), tables.terms_of(*number))
        else {
            continue;
        };
        let mut volume: Volume = volume.clone();
        let counted = volume.count(*calls, terms, heights).ok_or_else(Refusal::overflow)?;
        counted.map_err(|error| Refusal::new(ErrorCode::LimitExceeded, error.to_string()))?;
        view.put(&Key::Volume(*number), &volume);
    }
    Ok(())
}
