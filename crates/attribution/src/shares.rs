//! From claims to weights: a datanet's weight in a call, divided to the last unit.
//!
//! The floor of the datanet's rules of [`Sharing`] is set aside first. The rest is divided among
//! the methods by the datanet's mix, then within a method among contributors by their claims,
//! both by largest remainder ([`apportion`]). What a contributor gets beyond the cap by all
//! methods together goes to the others whom evidence names; what none of them may have goes, as
//! the floor does, to whoever is drawn ([`FloorEvidence`]).
//!
//! A method that found nothing leaves its part to those that found something, and so does one
//! whose part is less than a unit; if none found anything, the result is empty and the caller
//! pays the datanet's treasury.

use crate::cap::{Amounts, level};
use crate::evidence::Evidence;
use crate::floor::FloorEvidence;
use crate::method::{Attributor, Claim, Method};
use crate::sharing::{Duplicates, Sharing, SharingError};
use ambar_base::weight::{ApportionError, apportion};
use ambar_base::{Cid, Coded, Digest, Domain, ErrorCode, Weight, record};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Most contributors paid by one method for one call; the largest claims are kept.
pub const SHARE_CONTRIBUTORS_MAX: usize = 64;

record! {
    /// What one method gives to contributors of a datanet.
    pub struct MethodShares {
        /// The method.
        pub method: Method,
        /// Contributor and weight, ascending by contributor, weights above zero.
        pub weights: Vec<(u32, Weight)>,
        /// Root of the evidence.
        pub evidence_root: Digest,
    }
}

/// What is divided, and how.
#[derive(Clone, Copy, Debug)]
pub struct Division<'a> {
    /// The datanet's weight in the plan of a call.
    pub total: Weight,
    /// How much each method counts: only proportions matter.
    pub mix: &'a [(Method, Weight)],
    /// The datanet's rules of sharing.
    pub sharing: Sharing,
    /// How many contributors the datanet's table has. It counts only where the rules may have
    /// somebody drawn.
    pub contributors: u32,
    /// The id of the call. With `datanet` it orders equal remainders and decides draws.
    pub call: Digest,
    /// The capsule whose records were used.
    pub datanet: Cid,
}

/// What a division gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Divided {
    /// The shares by method, ascending. They sum to the total exactly, or there are none.
    pub shares: Vec<MethodShares>,
    /// The evidence of the draw, if somebody was drawn.
    pub drawn: Option<Evidence>,
}

/// Why a mix or evidence cannot be turned into shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharesError {
    /// A method stands twice in the mix.
    #[error("method {} stands twice in the mix", .0.name())]
    MixRepeats(Method),
    /// Two pieces of evidence of one method.
    #[error("method {} has more than one piece of evidence", .0.name())]
    EvidenceRepeats(Method),
    /// Evidence of a method that the datanet does not use.
    #[error("method {} is not in the datanet's mix", .0.name())]
    NotInMix(Method),
    /// Claims beyond what the arithmetic is exact for.
    #[error("the claims of method {} exceed the limit", .0.name())]
    ClaimsTooLarge(Method),
    /// The floor is no method of a mix.
    #[error("the floor is a rule of sharing and has no part in the mix")]
    FloorInMix,
    /// Rules beyond the limits.
    #[error(transparent)]
    Sharing(#[from] SharingError),
    /// Evidence names somebody whom the datanet's table does not have.
    #[error("contributor {0} is not one of the datanet's")]
    Contributor(u32),
}

impl Coded for SharesError {
    fn code(&self) -> ErrorCode {
        ErrorCode::DocumentInvalid
    }
}

/// Divides a datanet's weight among its contributors. Evidence of a draw is passed over: who is
/// drawn follows from the rest. The shares sum to the total exactly, or there are none because
/// nothing was found or the total is zero.
pub fn shares(division: &Division<'_>, evidence: &[Evidence]) -> Result<Divided, SharesError> {
    division.sharing.check()?;
    let mix = distinct_mix(division.mix)?;
    let mut found = found(&mix, division.sharing.duplicates, evidence)?;
    loop {
        let levelled = division.by_evidence(&mix, &found)?;
        let named: BTreeSet<Method> = levelled.shares.iter().map(|share| share.method).collect();
        if named.len() == found.len() {
            return division.with_draws(levelled);
        }
        // Whoever has no more than the shares does not know what gave none.
        found.retain(|method, _| named.contains(method));
    }
}

/// What evidence decides, under the cap.
#[derive(Default)]
struct Levelled {
    shares: Vec<MethodShares>,
    /// What nobody who is named may have.
    left: Weight,
    /// Who has the cap, if something is left.
    full: BTreeSet<u32>,
}

impl Division<'_> {
    fn order(&self) -> Order {
        Order { call: self.call, datanet: self.datanet }
    }

    fn by_evidence(
        &self,
        mix: &BTreeMap<Method, Weight>,
        found: &BTreeMap<Method, &Evidence>,
    ) -> Result<Levelled, SharesError> {
        let order = self.order();
        let claims: Vec<(Digest, u128)> =
            found.keys().map(|method| (order.method(*method), u128::from(mix[method].0))).collect();
        let whole = Weight(self.total.0 - self.sharing.floor_of(self.total).0);
        let parts = match apportion(whole, &claims) {
            Ok(parts) => parts,
            Err(ApportionError::NothingClaimed) => return Ok(Levelled::default()),
            Err(ApportionError::TooMany) => unreachable!("there are fewer methods than the limit"),
        };
        let with_part = found.values().zip(parts).filter(|(_, part)| *part > Weight::ZERO);
        let rule = self.sharing.duplicates;
        let shares = with_part.map(|(evidence, part)| divide(part, evidence, rule, &order));
        Ok(self.levelled(shares.collect::<Result<_, _>>()?))
    }

    fn levelled(&self, mut shares: Vec<MethodShares>) -> Levelled {
        let cap = self.sharing.cap_of(self.total);
        let mut before = Amounts::new();
        for (who, weight) in shares.iter().flat_map(|share| &share.weights) {
            before.entry(*who).or_default().0 += weight.0;
        }
        if before.values().all(|amount| *amount <= cap) {
            return Levelled { shares, ..Levelled::default() };
        }
        let order = self.order();
        let (after, left) = level(before.clone(), cap, &order);
        let changed = after.iter().filter(|(who, amount)| before[who] != **amount);
        changed.for_each(|(who, amount)| resize(&mut shares, *who, *amount, &order));
        for share in &mut shares {
            share.weights.retain(|(_, weight)| *weight > Weight::ZERO);
        }
        shares.retain(|share| !share.weights.is_empty());
        let full = if left > Weight::ZERO { after.into_keys().collect() } else { BTreeSet::new() };
        Levelled { shares, left, full }
    }

    /// Adds what goes to whoever is drawn.
    fn with_draws(&self, levelled: Levelled) -> Result<Divided, SharesError> {
        let Levelled { mut shares, left, full } = levelled;
        let mut named = shares.iter().flat_map(|share| &share.weights).map(|(who, _)| *who);
        let stranger = named.find(|who| self.sharing.draws() && *who >= self.contributors);
        if let Some(stranger) = stranger {
            return Err(SharesError::Contributor(stranger));
        }
        let floor = self.sharing.floor_of(self.total);
        if shares.is_empty() || (floor == Weight::ZERO && left == Weight::ZERO) {
            return Ok(Divided { shares, drawn: None });
        }
        let (call, datanet, of) = (self.call, self.datanet, self.contributors);
        let drawn = FloorEvidence::draw(call, datanet, of, floor > Weight::ZERO, &full)
            .expect("whoever is named is one of the contributors");
        let mut weights = Amounts::new();
        for (who, amount) in [(drawn.floor, floor), (drawn.beyond, left)] {
            if let Some(who) = who {
                weights.entry(who).or_default().0 += amount.0;
            }
        }
        let drawn = Evidence::CommonFloor(drawn);
        shares.push(MethodShares {
            method: Method::CommonFloor,
            weights: weights.into_iter().collect(),
            evidence_root: drawn.root(),
        });
        shares.sort_by_key(|share| share.method);
        Ok(Divided { shares, drawn: Some(drawn) })
    }
}

/// Has a contributor get `amount` by all methods together, in the proportions of before.
fn resize(shares: &mut [MethodShares], who: u32, amount: Weight, order: &Order) {
    let mut own = Vec::with_capacity(shares.len());
    for share in shares {
        let at = share.weights.binary_search_by_key(&who, |(other, _)| *other);
        if let Ok(at) = at {
            own.push((order.method(share.method), &mut share.weights[at].1));
        }
    }
    let claims: Vec<_> = own.iter().map(|(tie, weight)| (*tie, u128::from(weight.0))).collect();
    let parts = apportion(amount, &claims).expect("one weight above zero for each method");
    own.into_iter().zip(parts).for_each(|((_, weight), part)| *weight = part);
}

fn distinct_mix(mix: &[(Method, Weight)]) -> Result<BTreeMap<Method, Weight>, SharesError> {
    let mut distinct = BTreeMap::new();
    for (method, weight) in mix {
        if *method == Method::CommonFloor {
            return Err(SharesError::FloorInMix);
        }
        if distinct.insert(*method, *weight).is_some() {
            return Err(SharesError::MixRepeats(*method));
        }
    }
    Ok(distinct)
}

/// The evidence that speaks for somebody, of methods that count for something.
fn found<'a>(
    mix: &BTreeMap<Method, Weight>,
    rule: Duplicates,
    evidence: &'a [Evidence],
) -> Result<BTreeMap<Method, &'a Evidence>, SharesError> {
    let mut found = BTreeMap::new();
    for piece in evidence {
        let method = piece.method();
        if method == Method::CommonFloor {
            continue;
        }
        if !mix.contains_key(&method) {
            return Err(SharesError::NotInMix(method));
        }
        if found.insert(method, piece).is_some() {
            return Err(SharesError::EvidenceRepeats(method));
        }
    }
    found.retain(|method, piece| mix[method] > Weight::ZERO && !piece.claims_by(rule).is_empty());
    Ok(found)
}

fn divide(
    part: Weight,
    evidence: &Evidence,
    rule: Duplicates,
    order: &Order,
) -> Result<MethodShares, SharesError> {
    let method = evidence.method();
    let claims = largest(evidence.claims_by(rule), order);
    let tied: Vec<_> = claims.iter().map(|c| (order.contributor(c.contributor), c.raw)).collect();
    let weights = apportion(part, &tied).map_err(|_| SharesError::ClaimsTooLarge(method))?;
    let paired = claims.iter().map(|claim| claim.contributor).zip(weights);
    let weights = paired.filter(|(_, weight)| *weight > Weight::ZERO).collect();
    Ok(MethodShares { method, weights, evidence_root: evidence.root() })
}

/// The largest claims, ascending by contributor.
fn largest(mut claims: Vec<Claim>, order: &Order) -> Vec<Claim> {
    if claims.len() > SHARE_CONTRIBUTORS_MAX {
        claims.sort_by_cached_key(|c| (Reverse(c.raw), order.contributor(c.contributor)));
        claims.truncate(SHARE_CONTRIBUTORS_MAX);
    }
    claims.sort_unstable_by_key(|claim| claim.contributor);
    claims
}

/// The order of equal remainders: nobody can choose it, and it differs by call.
pub(crate) struct Order {
    pub(crate) call: Digest,
    pub(crate) datanet: Cid,
}

impl Order {
    /// Of contributors: call ‖ datanet ‖ index in four bytes, big-endian.
    pub(crate) fn contributor(&self, contributor: u32) -> Digest {
        self.digest(&contributor.to_be_bytes())
    }

    /// Of methods: call ‖ datanet ‖ number in one byte.
    fn method(&self, method: Method) -> Digest {
        self.digest(&[method.number()])
    }

    fn digest(&self, last: &[u8]) -> Digest {
        Domain::Remainder.digest(&[&self.call.0[..], &self.datanet.0.0, last].concat())
    }
}

#[cfg(test)]
#[path = "shares_tests.rs"]
mod tests;
