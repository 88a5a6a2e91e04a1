//! Facts: what the ledger attests about the numbers in a batch of leaves.
//!
//! When a batch settles, the ledger collects every fact that its leaves referred to, as of
//! their admission heights, and puts the root over them into the block's outcome. A
//! receipt carries its leaf's facts with their paths, so it recomputes offline.

use ambar_base::tree;
use ambar_base::{
    AccountId, Cid, Digest, Encode, Height, Price, PublicKey, Weight, choice, record,
};

record! {
    /// A capsule version.
    pub struct VersionFact {
        /// Its number.
        pub number: u64,
        /// Its id.
        pub id: Cid,
        /// The terms that price it.
        pub terms: Cid,
        /// The digest of its plan.
        pub plan: Digest,
    }
}

record! {
    /// A grant.
    pub struct GrantFact {
        /// Its number.
        pub number: u64,
        /// Who accepted the terms.
        pub licensee: AccountId,
        /// The terms.
        pub terms: Cid,
    }
}

record! {
    /// A grant of terms that were offered beside the published ones.
    pub struct OfferedFact {
        /// The grant.
        pub grant: GrantFact,
        /// The published terms of the versions that it holds for.
        pub of: Cid,
    }
}

record! {
    /// Which tier of its terms' prices a grant had reached.
    pub struct TierFact {
        /// The grant.
        pub grant: u64,
        /// The tier: 0 is the price from the first call on.
        pub tier: u16,
        /// When this holds.
        pub span: Span,
    }
}

record! {
    /// A node.
    pub struct NodeFact {
        /// Its number.
        pub number: u64,
        /// The key it signs with.
        pub key: PublicKey,
        /// The account that its fees go to.
        pub account: AccountId,
    }
}

record! {
    /// A channel.
    pub struct ChannelFact {
        /// Its number.
        pub number: u64,
        /// Who pays.
        pub payer: AccountId,
        /// The gateway it is opened to, by node number.
        pub gateway: u64,
    }
}

record! {
    /// A tariff.
    pub struct TariffFact {
        /// Its number.
        pub number: u64,
        /// Its id.
        pub id: Cid,
    }
}

record! {
    /// The heights from and before which a changing value holds.
    #[derive(Copy)]
    pub struct Span {
        /// The first height.
        pub from: Height,
        /// The first height at which it no longer holds, if it has changed since.
        pub until: Option<Height>,
    }
}

record! {
    /// What a node asks.
    pub struct AskFact {
        /// The node.
        pub node: u64,
        /// Nano-credit per MU.
        pub per_mu: Price,
        /// When this holds.
        pub span: Span,
    }
}

record! {
    /// Who holds a royalty line.
    pub struct HolderFact {
        /// The royalty line.
        pub line: u64,
        /// The holder.
        pub account: AccountId,
        /// When this holds.
        pub span: Span,
    }
}

record! {
    /// The account behind a contributor's index.
    pub struct ContributorFact {
        /// The datanet, by version number.
        pub datanet: u64,
        /// The index in its table.
        pub index: u32,
        /// The account.
        pub account: AccountId,
    }
}

record! {
    /// A datanet's treasury.
    pub struct TreasuryFact {
        /// The datanet, by version number.
        pub datanet: u64,
        /// The account.
        pub account: AccountId,
    }
}

record! {
    /// What the network takes.
    pub struct FeeFact {
        /// Its part of the lines' sum.
        pub rate: Weight,
        /// The part of the fee that is burned.
        pub burn: Weight,
        /// When this holds.
        pub span: Span,
    }
}

choice! {
    /// Something that the ledger attests.
    pub enum Fact {
        /// What a version number stands for.
        Version(VersionFact) = 1,
        /// What a grant number stands for.
        Grant(GrantFact) = 2,
        /// What a node number stands for.
        Node(NodeFact) = 3,
        /// What a channel number stands for.
        Channel(ChannelFact) = 4,
        /// What a tariff number stands for.
        Tariff(TariffFact) = 5,
        /// What a node asked.
        Ask(AskFact) = 6,
        /// Who held a royalty line.
        Holder(HolderFact) = 7,
        /// Who a contributor is.
        Contributor(ContributorFact) = 8,
        /// Who a datanet's treasury is.
        Treasury(TreasuryFact) = 9,
        /// What the network took.
        Fee(FeeFact) = 10,
        /// What a grant number stands for, if its terms were offered beside the published ones.
        Offered(OfferedFact) = 90,
        /// Which tier a grant had reached, if its terms have tiers.
        Tier(TierFact) = 91,
    }
}

impl Span {
    /// Whether the value held at `height`.
    #[must_use]
    pub fn holds(&self, height: Height) -> bool {
        self.from <= height && self.until.is_none_or(|until| height < until)
    }
}

impl Fact {
    /// The grant that the fact is about, whatever its terms are.
    #[must_use]
    pub fn grant(&self) -> Option<&GrantFact> {
        match self {
            Self::Grant(grant) | Self::Offered(OfferedFact { grant, .. }) => Some(grant),
            _ => None,
        }
    }
}

/// The facts of a batch in the order of their tree: by encoding, each once.
#[must_use]
pub fn in_order(facts: impl IntoIterator<Item = Fact>) -> Vec<Vec<u8>> {
    let mut encoded: Vec<_> = facts.into_iter().map(|fact| fact.to_bytes()).collect();
    encoded.sort_unstable();
    encoded.dedup();
    encoded
}

/// The tree over facts in order. A fact's network is bound by the block that attests it.
#[must_use]
pub fn tree_of(in_order: &[Vec<u8>]) -> tree::Tree {
    tree::Tree::new(in_order.iter().map(|fact| tree::leaf_hash(fact)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::codec;

    #[test]
    fn spans() {
        let check = |from, until: Option<u64>, at, expect| {
            let span = Span { from: Height(from), until: until.map(Height) };
            assert_eq!(span.holds(Height(at)), expect);
        };
        check(3, None, 3, true);
        check(3, None, 2, false);
        check(3, Some(5), 4, true);
        check(3, Some(5), 5, false);
    }

    #[test]
    fn order_ignores_repetition() {
        let fact = |number| Fact::Tariff(TariffFact { number, id: Cid::of(b"t") });
        assert_eq!(in_order([fact(2), fact(1), fact(2)]), in_order([fact(1), fact(2)]));
        let bytes = fact(1).to_bytes();
        assert_eq!(codec::decode(&bytes), Ok(fact(1)));
    }
}
