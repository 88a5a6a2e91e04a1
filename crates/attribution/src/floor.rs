//! The floor for all: who is drawn among all contributors of a datanet, whether their records
//! were used or not.
//!
//! The draw is a hash of the call's id, the datanet and the number of contributors, so that
//! everybody can repeat it and over many calls everybody gets the same. It is as hard to choose
//! as the call's id is: whoever picks idempotency keys picks it for the calls that they pay.
//!
//! **Invariant**: evidence that was accepted names whom its own numbers give.

use crate::evidence::EvidenceError;
use crate::method::{Attributor, Claim, Method};
use crate::shares::SHARE_CONTRIBUTORS_MAX;
use ambar_base::{Cid, Digest, Domain};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most contributors that can have the cap: those whom any method names.
pub const FULL_MAX: usize = SHARE_CONTRIBUTORS_MAX * Method::ALL.len();

/// Who was drawn in a call, and from whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FloorEvidence {
    /// The call.
    pub call: Digest,
    /// The datanet.
    pub datanet: Cid,
    /// How many contributors its table has.
    pub contributors: u32,
    /// Who was drawn among all of them for the floor, if there is one.
    pub floor: Option<u32>,
    /// Who was drawn for what nobody named by evidence might have under the cap.
    pub beyond: Option<u32>,
    /// Those who have as much as the cap allows, ascending, if something was left: they are not
    /// drawn for it as long as there is anybody else.
    pub full: Vec<u32>,
}

/// What is drawn for.
#[derive(Clone, Copy)]
enum Prize {
    Floor = 1,
    Beyond = 2,
}

impl FloorEvidence {
    /// The draws of a call. `floor`: whether there is a floor; `full`: who has the cap, if
    /// something is left beyond it. Nothing if there is nobody to draw from.
    pub(crate) fn draw(
        call: Digest,
        datanet: Cid,
        contributors: u32,
        floor: bool,
        full: &BTreeSet<u32>,
    ) -> Option<Self> {
        if contributors == 0 {
            return None;
        }
        let drawn = |prize, of| drawn(&call, &datanet, prize, of);
        let full: Vec<u32> = full.iter().copied().collect();
        let beyond = (!full.is_empty()).then(|| {
            let known = u32::try_from(full.len()).unwrap_or(u32::MAX);
            match contributors.saturating_sub(known) {
                0 => drawn(Prize::Beyond, contributors),
                // The numbers of the others, without gaps, back to their own.
                others => full
                    .iter()
                    .fold(drawn(Prize::Beyond, others), |at, one| at + u32::from(*one <= at)),
            }
        });
        let floor = floor.then(|| drawn(Prize::Floor, contributors));
        Some(Self { call, datanet, contributors, floor, beyond, full })
    }

    /// Refuses evidence whose numbers draw somebody else.
    pub fn check(&self) -> Result<(), EvidenceError> {
        let rule = EvidenceError::Rule;
        let known = self.full.last().is_none_or(|last| *last < self.contributors);
        if !known || !self.full.is_sorted_by(|one, next| one < next) || self.full.len() > FULL_MAX {
            return Err(rule("those who have the cap ascend and are contributors"));
        }
        if self.floor.is_none() && self.beyond.is_none() {
            return Err(rule("somebody is drawn"));
        }
        let full = self.full.iter().copied().collect();
        let again =
            Self::draw(self.call, self.datanet, self.contributors, self.floor.is_some(), &full);
        if again.as_ref() == Some(self) { Ok(()) } else { Err(rule("the draw names another")) }
    }
}

/// A number below `of`: the first 16 bytes of a hash, of which the remainder is taken. Some
/// numbers are likelier than others by less than 2⁻⁹⁶.
fn drawn(call: &Digest, datanet: &Cid, prize: Prize, of: u32) -> u32 {
    let payload = [&call.0[..], &datanet.0.0, &[prize as u8], &of.to_be_bytes()].concat();
    let hash = Domain::Draw.digest(&payload);
    let number = hash.0[..16].iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
    u32::try_from(number % u128::from(of)).expect("a remainder is below its divisor")
}

impl Attributor for FloorEvidence {
    fn method(&self) -> Method {
        Method::CommonFloor
    }

    /// That somebody was drawn says nothing of how much it is about.
    fn claims(&self) -> Vec<Claim> {
        let drawn: BTreeSet<u32> = self.floor.into_iter().chain(self.beyond).collect();
        drawn.into_iter().map(|contributor| Claim { contributor, raw: 1 }).collect()
    }
}

#[cfg(test)]
#[path = "floor_tests.rs"]
pub(crate) mod tests;
