//! A datanet's rules of sharing, between its manifest and the attribution.

use ambar_attribution::{Sharing, SharingError};
use ambar_capsule::manifest::{DatanetDeclaration, SharingDeclaration};

/// The rules that a manifest says, and among how many contributors somebody is drawn; nobody is
/// by the usual rules.
pub fn sharing(declared: &DatanetDeclaration) -> Result<(Sharing, u32), SharingError> {
    let Some(said) = declared.sharing else { return Ok((Sharing::USUAL, 0)) };
    Ok((Sharing::of(said.duplicates, said.floor, said.cap)?, said.contributors))
}

/// What a manifest with so many contributors says of these rules: nothing, if they are the usual
/// ones.
#[must_use]
pub fn declared(rules: Sharing, contributors: u32) -> Option<SharingDeclaration> {
    let Sharing { duplicates, floor, cap } = rules;
    let duplicates = duplicates.number();
    let said = SharingDeclaration { cap, contributors, duplicates, floor };
    (!said.is_usual()).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::fixture::manifest;
    use ambar_attribution::Duplicates;
    use ambar_base::Weight;

    #[test]
    fn rules_survive_a_manifest() {
        for duplicates in Duplicates::ALL {
            for (floor, cap) in [(0, 1_000_000_000), (1, 1_000_000_000), (0, 1)] {
                let rules =
                    Sharing { duplicates: *duplicates, floor: Weight(floor), cap: Weight(cap) };
                let mut manifest = manifest();
                let datanet = manifest.datanet.as_mut().unwrap();
                datanet.sharing = declared(rules, 7);
                let contributors = if rules == Sharing::USUAL { 0 } else { 7 };
                assert_eq!(sharing(datanet), Ok((rules, contributors)));
                assert_eq!(manifest.check(), Ok(()));
            }
        }
    }

    #[test]
    fn a_rule_that_is_not_known_is_named() {
        let mut datanet = manifest().datanet.unwrap();
        datanet.sharing.as_mut().unwrap().duplicates = 9;
        assert_eq!(sharing(&datanet), Err(SharingError::Duplicates(9)));
    }
}
