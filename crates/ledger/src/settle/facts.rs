//! Collecting what the leaves of a batch referred to, so that the block attests it.

use super::check::Payout;
use super::{Progress, Tables};
use crate::object::{Parameters, Version};
use ambar_base::{AccountId, Height, Price};
use ambar_receipt::fact::{
    self, AskFact, ChannelFact, ContributorFact, FeeFact, GrantFact, HolderFact, NodeFact,
    OfferedFact, Span, TariffFact, TierFact, TreasuryFact, VersionFact,
};
use ambar_receipt::{BatchHeader, Fact, Line, Payee};
use std::collections::{BTreeMap, BTreeSet};

/// What leaves referred to, by number; facts are written out once per batch.
#[derive(Debug, Default)]
pub(super) struct Collector {
    channels: BTreeSet<u64>,
    versions: BTreeSet<u64>,
    grants: BTreeSet<u64>,
    nodes: BTreeSet<u64>,
    tariffs: BTreeSet<u64>,
    asks: BTreeMap<(u64, Height), AskFact>,
    fees: BTreeMap<Height, FeeFact>,
    holders: BTreeMap<(u64, Height), HolderFact>,
    contributors: BTreeMap<(u64, u32), u64>,
    treasuries: BTreeMap<u64, u64>,
    tiers: BTreeMap<(u64, Height), TierFact>,
}

impl Collector {
    pub(super) fn channel(&mut self, number: u64) {
        self.channels.insert(number);
    }

    pub(super) fn line(&mut self, line: &Line) {
        self.versions.insert(line.version);
        self.grants.insert(line.grant);
        self.nodes.insert(line.node);
        self.tariffs.insert(line.tariff);
    }

    pub(super) fn ask(&mut self, node: u64, per_mu: Price, span: Span) {
        self.asks.entry((node, span.from)).or_insert(AskFact { node, per_mu, span });
    }

    pub(super) fn tier(&mut self, tier: Option<TierFact>) {
        self.tiers.extend(tier.map(|tier| ((tier.grant, tier.span.from), tier)));
    }

    pub(super) fn fee(&mut self, parameters: &Parameters, span: Span) {
        let (rate, burn) = (parameters.network_fee, parameters.burn);
        self.fees.entry(span.from).or_insert(FeeFact { rate, burn, span });
    }

    pub(super) fn payout(&mut self, height: Height, payout: &Payout, tables: &Tables) {
        match payout.payee {
            Payee::Royalty(line) => self.holder(line, height, tables),
            Payee::Contributor(datanet, index) => {
                self.contributors.insert((datanet, index), payout.account);
            }
            Payee::Treasury(datanet) => {
                self.treasuries.insert(datanet, payout.account);
            }
            Payee::Node(_) | Payee::Network | Payee::Burn => {}
        }
    }

    fn holder(&mut self, line: u64, height: Height, tables: &Tables) {
        let royalty = tables.royalties.get(&line);
        let Some((holder, span)) = royalty.and_then(|royalty| royalty.holder.at(height)) else {
            return;
        };
        let fact = || HolderFact { line, account: id(tables, *holder), span };
        self.holders.entry((line, span.from)).or_insert_with(fact);
    }

    /// The facts in the order of their tree.
    pub(super) fn in_order(
        mut self,
        header: &BatchHeader,
        tables: &Tables,
        progress: &Progress,
    ) -> Vec<Vec<u8>> {
        self.nodes.insert(header.gateway);
        let channel = |number: &u64| channel_fact(*number, tables, progress);
        let channels: Vec<_> = self.channels.iter().map(channel).collect();
        fact::in_order(channels.into_iter().chain(self.facts(tables)))
    }

    fn facts(self, tables: &Tables) -> Vec<Fact> {
        let mut facts = Vec::new();
        let versions = self.versions.iter().filter_map(|n| Some((*n, tables.versions.get(n)?)));
        facts.extend(versions.map(|(number, version)| version_fact(number, version)));
        // A datanet's manifest says how methods are mixed: whoever checks shares needs it.
        let paid: BTreeSet<u64> = self.contributors.keys().map(|(datanet, _)| *datanet).collect();
        let datanets = paid.iter().filter_map(|n| Some((*n, tables.datanet_versions.get(n)?)));
        facts.extend(datanets.map(|(number, version)| version_fact(number, version)));
        facts.extend(self.grants.iter().map(|number| grant_fact(*number, tables)));
        facts.extend(self.nodes.iter().map(|number| node_fact(*number, tables)));
        let tariff = |number: &u64| TariffFact { number: *number, id: tables.tariffs[number].0 };
        facts.extend(self.tariffs.iter().map(|number| Fact::Tariff(tariff(number))));
        facts.extend(self.asks.into_values().map(Fact::Ask));
        facts.extend(self.tiers.into_values().map(Fact::Tier));
        facts.extend(self.fees.into_values().map(Fact::Fee));
        facts.extend(self.holders.into_values().map(Fact::Holder));
        facts.extend(self.contributors.into_iter().map(|((datanet, index), account)| {
            let account = id(tables, account);
            Fact::Contributor(ContributorFact { datanet, index, account })
        }));
        facts.extend(self.treasuries.into_iter().map(|(datanet, account)| {
            Fact::Treasury(TreasuryFact { datanet, account: id(tables, account) })
        }));
        facts
    }
}

fn id(tables: &Tables, account: u64) -> AccountId {
    tables.accounts[&account]
}

fn channel_fact(number: u64, tables: &Tables, progress: &Progress) -> Fact {
    let channel = &progress.channels[&number];
    Fact::Channel(ChannelFact {
        number,
        payer: id(tables, channel.payer),
        gateway: channel.gateway,
    })
}

fn version_fact(number: u64, version: &Version) -> Fact {
    Fact::Version(VersionFact {
        number,
        id: version.id,
        terms: version.terms,
        plan: version.plan.digest(),
    })
}

fn grant_fact(number: u64, tables: &Tables) -> Fact {
    let grant = &tables.grants[&number];
    let (licensee, of) = (id(tables, grant.licensee), grant.of);
    let fact = GrantFact { number, licensee, terms: grant.terms };
    if of == grant.terms {
        Fact::Grant(fact)
    } else {
        Fact::Offered(OfferedFact { grant: fact, of })
    }
}

fn node_fact(number: u64, tables: &Tables) -> Fact {
    let node = &tables.nodes[&number];
    Fact::Node(NodeFact { number, key: node.key, account: id(tables, node.owner) })
}
