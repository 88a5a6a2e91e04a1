//! The facts of a receipt by subject, and whether they are the leaf's.

use super::report::{Fault, Verdict};
use crate::export::PlacedFact;
use crate::fact::{
    AskFact, ChannelFact, ContributorFact, Fact, FeeFact, GrantFact, HolderFact, NodeFact,
    TariffFact, TierFact, TreasuryFact, VersionFact,
};
use crate::leaf::Leaf;
use crate::subject::{self, Subject};
use ambar_base::{Cid, Height, Weight, codec};
use ambar_capsule::Plan;
use std::collections::BTreeMap;

/// Facts that hold at a leaf's admission height.
#[derive(Debug, Default)]
pub(super) struct Facts {
    held: BTreeMap<Subject, Fact>,
    /// What is wrong with the list, the first of its kind.
    wrong: Option<String>,
}

macro_rules! lookup {
    ($($(#[$meta:meta])* $name:ident($($key:ident: $type:ty),+) -> $variant:ident, $fact:ty;)*) => {$(
        $(#[$meta])*
        pub(super) fn $name(&self, $($key: $type),+) -> Result<&$fact, Fault> {
            let subject = Subject::$variant($($key),+);
            match self.held.get(&subject) {
                Some(Fact::$variant(fact)) => Ok(fact),
                _ => Err(Fault::blocked(format!("no fact about {subject} holds"))),
            }
        }
    )*};
}

impl Facts {
    /// Reads facts and keeps those that hold at `height`, the first about each subject.
    pub(super) fn read(placed: &[PlacedFact], height: Height) -> Self {
        let mut facts = Self::default();
        for (index, placed) in placed.iter().enumerate() {
            match codec::decode::<Fact>(&placed.fact) {
                Err(error) => facts.note(format!("fact {index} does not decode: {error}")),
                Ok(fact) if !fact.holds(height) => {
                    let subject = fact.subject();
                    facts.note(format!("what is said of {subject} is not as of height {height}"));
                }
                Ok(fact) if facts.held.contains_key(&fact.subject()) => {
                    facts.note(format!("two facts are about {}", fact.subject()));
                }
                Ok(fact) => {
                    facts.held.insert(fact.subject(), fact);
                }
            }
        }
        facts
    }

    fn note(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    lookup! {
        version(number: u64) -> Version, VersionFact;
        node(number: u64) -> Node, NodeFact;
        channel(number: u64) -> Channel, ChannelFact;
        tariff(number: u64) -> Tariff, TariffFact;
        ask(node: u64) -> Ask, AskFact;
        tier(grant: u64) -> Tier, TierFact;
        holder(line: u64) -> Holder, HolderFact;
        contributor(datanet: u64, index: u32) -> Contributor, ContributorFact;
        treasury(datanet: u64) -> Treasury, TreasuryFact;
    }

    /// A grant, whatever its terms are.
    pub(super) fn grant(&self, number: u64) -> Result<&GrantFact, Fault> {
        let subject = Subject::Grant(number);
        let grant = self.held.get(&subject).and_then(Fact::grant);
        grant.ok_or_else(|| Fault::blocked(format!("no fact about {subject} holds")))
    }

    /// The published terms of the versions that a grant holds for.
    pub(super) fn granted_of(&self, number: u64) -> Result<Cid, Fault> {
        match self.held.get(&Subject::Grant(number)) {
            Some(Fact::Offered(fact)) => Ok(fact.of),
            _ => self.grant(number).map(|grant| grant.terms),
        }
    }

    /// What the network takes; parts of a whole, because arithmetic relies on it.
    pub(super) fn fee(&self) -> Result<&FeeFact, Fault> {
        let Some(Fact::Fee(fact)) = self.held.get(&Subject::Fee) else {
            return Err(Fault::blocked("no fact about the network fee holds"));
        };
        let parts = fact.rate <= Weight::ONE && fact.burn <= Weight::ONE;
        if parts { Ok(fact) } else { Err(Fault::failed("the network fee is above the whole")) }
    }

    /// Each fact that the leaf needs is here once, as of its admission, and no other.
    pub(super) fn complete(
        &self,
        leaf: &Leaf,
        gateway: u64,
        plan: impl Fn(u64) -> Option<Plan>,
        tiered: impl Fn(u64) -> bool,
    ) -> Verdict {
        if let Some(wrong) = &self.wrong {
            return Err(Fault::failed(wrong));
        }
        let needed = subject::needed(leaf, gateway, plan, tiered);
        if let Some(subject) = needed.iter().find(|subject| !self.held.contains_key(subject)) {
            return Err(Fault::failed(format!("there is no fact about {subject}")));
        }
        let useful = subject::useful(leaf);
        let foreign = |subject: &&Subject| !needed.contains(subject) && !useful.contains(subject);
        if let Some(subject) = self.held.keys().find(foreign) {
            return Err(Fault::failed(format!("the leaf does not refer to {subject}")));
        }
        let (count, height) = (self.held.len(), leaf.admitted);
        Ok(format!("The {count} facts are those that the leaf needs, as of height {height}."))
    }
}
