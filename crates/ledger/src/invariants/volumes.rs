//! The tier of a grant is what its settled calls have reached.

use super::Violation;
use crate::object::Volume;
use ambar_base::Cid;
use ambar_licence::Terms;
use std::collections::BTreeMap;

/// What is counted under grants of a state whose terms have tiers.
#[derive(Default)]
pub(super) struct Volumes {
    pub(super) terms: BTreeMap<Cid, Terms>,
    pub(super) grants: BTreeMap<u64, Cid>,
    pub(super) volumes: BTreeMap<u64, Volume>,
}

impl Volumes {
    pub(super) fn check(&self) -> Result<(), Violation> {
        for (grant, volume) in &self.volumes {
            let terms = self.grants.get(grant).and_then(|terms| self.terms.get(terms));
            let reached = terms.map(|terms| terms.tier_after(volume.calls));
            if volume.calls == 0 || reached != Some(*volume.tier.latest()) {
                return Err(Violation::Tier(*grant));
            }
        }
        Ok(())
    }
}
