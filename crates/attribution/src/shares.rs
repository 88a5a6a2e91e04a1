//! From claims to weights: a datanet's weight in a call, divided to the last unit.
//!
//! The weight is divided first among the methods by the datanet's mix, then within a
//! method among contributors by their claims, both by largest remainder
//! ([`apportion`]). A method that found nothing leaves its part to those that found
//! something; if none did, the result is empty and the caller pays the datanet's
//! treasury.

use crate::evidence::Evidence;
use crate::method::{Attributor, Claim, Method};
use ambar_base::weight::{ApportionError, apportion};
use ambar_base::{Cid, Coded, Digest, Domain, ErrorCode, Weight, record};
use std::cmp::Reverse;
use std::collections::BTreeMap;

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
}

impl Coded for SharesError {
    fn code(&self) -> ErrorCode {
        ErrorCode::DocumentInvalid
    }
}

/// Divides `total`, a datanet's weight in the plan of a call, among its contributors.
///
/// `mix` says how much each method counts (only proportions matter), `call` is the id of
/// the call and `datanet` the capsule whose records were used; both order equal
/// remainders. Methods ascend in the result. Weights sum to `total` exactly, or the
/// result is empty because nothing was found or `total` is zero.
pub fn shares(
    total: Weight,
    mix: &[(Method, Weight)],
    evidence: &[Evidence],
    call: Digest,
    datanet: Cid,
) -> Result<Vec<MethodShares>, SharesError> {
    let mix = distinct_mix(mix)?;
    let order = Order { call, datanet };
    let found = found(&mix, evidence)?;
    let parts: Vec<(Digest, u128)> =
        found.keys().map(|method| (order.method(*method), u128::from(mix[method].0))).collect();
    let parts = match apportion(total, &parts) {
        Ok(parts) => parts,
        Err(ApportionError::NothingClaimed) => return Ok(Vec::new()),
        Err(ApportionError::TooMany) => unreachable!("there are fewer methods than the limit"),
    };
    let with_part = found.into_iter().zip(parts).filter(|(_, part)| *part > Weight::ZERO);
    with_part.map(|((_, evidence), part)| divide(part, evidence, &order)).collect()
}

fn distinct_mix(mix: &[(Method, Weight)]) -> Result<BTreeMap<Method, Weight>, SharesError> {
    let mut distinct = BTreeMap::new();
    for (method, weight) in mix {
        if distinct.insert(*method, *weight).is_some() {
            return Err(SharesError::MixRepeats(*method));
        }
    }
    Ok(distinct)
}

/// The evidence that speaks for somebody, of methods that count for something.
fn found<'a>(
    mix: &BTreeMap<Method, Weight>,
    evidence: &'a [Evidence],
) -> Result<BTreeMap<Method, &'a Evidence>, SharesError> {
    let mut found = BTreeMap::new();
    for piece in evidence {
        let method = piece.method();
        if !mix.contains_key(&method) {
            return Err(SharesError::NotInMix(method));
        }
        if found.insert(method, piece).is_some() {
            return Err(SharesError::EvidenceRepeats(method));
        }
    }
    found.retain(|method, piece| mix[method] > Weight::ZERO && !piece.claims().is_empty());
    Ok(found)
}

fn divide(part: Weight, evidence: &Evidence, order: &Order) -> Result<MethodShares, SharesError> {
    let method = evidence.method();
    let claims = largest(evidence.claims(), order);
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
struct Order {
    call: Digest,
    datanet: Cid,
}

impl Order {
    /// Of contributors: call ‖ datanet ‖ index in four bytes, big-endian.
    fn contributor(&self, contributor: u32) -> Digest {
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
