//! Everything a batch refers to, read in three rounds and decoded once.

use super::Progress;
use crate::agenda;
use crate::key::Key;
use crate::object::{
    Balance, Datanet, Governance, Grant, Node, Royalty, Serve, Version, Volume, reserved,
};
use crate::refusal::{Gather, Refusal, Stop};
use crate::view::{View, stored_terms};
use ambar_base::{AccountId, Cid, Digest, ErrorCode, Height, Moment};
use ambar_capsule::Party;
use ambar_licence::{Quota, Terms};
use ambar_receipt::{BatchHeader, Leaf, Line, Tariff};
use std::collections::{BTreeMap, BTreeSet};

/// What a batch refers to, by number.
#[derive(Debug)]
pub struct Tables {
    /// The network's rules.
    pub governance: Governance,
    /// Capsule versions.
    pub versions: BTreeMap<u64, Version>,
    /// Grants.
    pub grants: BTreeMap<u64, Grant>,
    /// Nodes.
    pub nodes: BTreeMap<u64, Node>,
    /// Tariffs with their ids.
    pub tariffs: BTreeMap<u64, (Cid, Tariff)>,
    /// The terms of the grants, by id.
    pub terms: BTreeMap<Cid, Terms>,
    /// Royalty lines in the plans.
    pub royalties: BTreeMap<u64, Royalty>,
    /// Datanets in the plans.
    pub datanets: BTreeMap<u64, Datanet>,
    /// The versions of those datanets: lines of the batch or not.
    pub datanet_versions: BTreeMap<u64, Version>,
    /// Who may serve what: (line, node).
    pub serves: BTreeMap<(u64, u64), Serve>,
    /// What has settled under each grant whose terms have tiers.
    pub volumes: BTreeMap<u64, Volume>,
    /// Times of the admission heights.
    pub times: BTreeMap<Height, Moment>,
    /// Ids of the accounts that are paid or pay.
    pub accounts: BTreeMap<u64, AccountId>,
}

fn sorted<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<K> {
    let mut keys: Vec<K> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn lines(leaves: &[Leaf]) -> impl Iterator<Item = &Line> {
    leaves.iter().flat_map(|leaf| &leaf.lines)
}

impl Tables {
    /// Reads what the leaves refer to, and what settling them changes.
    pub fn read(
        view: &View<'_>,
        header: &BatchHeader,
        leaves: &[Leaf],
    ) -> Result<(Self, Progress), Stop> {
        let nodes = sorted(lines(leaves).map(|line| line.node).chain([header.gateway]));
        let numbers = FirstRound::of(leaves, nodes);
        let mut gather = Gather::default();
        gather.take(view.require(numbers.keys().chain([agenda::due(view)?])))?;
        let repeated = gather.take(repeated_calls(view, leaves))?;
        gather.finish()?;
        let channel = |n: u64| view.named("channel", n, &Key::Channel(n));
        let channels = by_number(numbers.channels.clone(), channel)?;
        let mut progress = Progress::new(channels, repeated.unwrap_or_default());
        let mut tables = Self::first(view, &numbers)?;
        let pairs = tables.second_keys(leaves);
        view.require(pairs.iter().flat_map(|keys| keys.iter().cloned()))?;
        tables.second(view, leaves)?;
        let accounts = tables.account_numbers(&progress);
        let quotas = tables.quota_keys(leaves);
        let balances = accounts.iter().map(|account| Key::Balance(*account));
        let lease = |(grant, period)| Key::Lease((grant, (period, header.gateway)));
        let counted = quotas.iter().flat_map(|key| [Key::Quota(*key), lease(*key)]);
        let volumes = tables.tiered().map(|(number, _)| Key::Volume(number));
        view.require(balances.chain(counted).chain(volumes))?;
        tables.third(view, accounts)?;
        for key in quotas {
            if let Some(held) = view.get(&lease(key))? {
                let count = view.expect(&Key::Quota(key))?;
                progress.quotas.insert(key, (count, held));
            }
        }
        Ok((tables, progress))
    }

    fn first(view: &View<'_>, numbers: &FirstRound) -> Result<Self, Stop> {
        let each = |list: &[u64]| list.to_vec();
        let tariff = |number: u64| -> Result<(Cid, Tariff), Stop> {
            let bytes: Vec<u8> = view.named("tariff", number, &Key::Tariff(number))?;
            let tariff = Tariff::decode(&bytes)
                .map_err(|error| Refusal::new(ErrorCode::LedgerCorrupt, error.to_string()))?;
            Ok((Cid::of(&bytes), tariff))
        };
        let time = |height: Height| -> Result<Moment, Stop> {
            let gone = || {
                let message = format!("height {height} is outside the settlement window");
                Refusal::new(ErrorCode::TransactionExpired, message)
            };
            Ok(view.get(&Key::Time(height))?.ok_or_else(gone)?)
        };
        Ok(Self {
            governance: view.governance()?,
            versions: by_number(each(&numbers.versions), |n| {
                view.named("capsule version", n, &Key::Version(n))
            })?,
            grants: by_number(each(&numbers.grants), |n| view.named("grant", n, &Key::Grant(n)))?,
            nodes: by_number(each(&numbers.nodes), |n| view.named("node", n, &Key::Node(n)))?,
            tariffs: by_number(each(&numbers.tariffs), tariff)?,
            times: by_number(numbers.heights.clone(), time)?,
            terms: BTreeMap::new(),
            royalties: BTreeMap::new(),
            datanets: BTreeMap::new(),
            datanet_versions: BTreeMap::new(),
            serves: BTreeMap::new(),
            volumes: BTreeMap::new(),
            accounts: BTreeMap::new(),
        })
    }

    fn parties(&self) -> impl Iterator<Item = Party> + '_ {
        self.versions.values().flat_map(|version| version.plan.entries().map(|(party, _)| party))
    }

    fn serve_keys(&self, leaves: &[Leaf]) -> Vec<(u64, u64)> {
        let line = |line: &Line| Some((self.versions.get(&line.version)?.line, line.node));
        sorted(lines(leaves).filter_map(line))
    }

    fn second_keys(&self, leaves: &[Leaf]) -> [Vec<Key>; 3] {
        let terms = sorted(self.grants.values().map(|grant| grant.terms));
        let parties = sorted(self.parties());
        let party = |party: &Party| match party {
            Party::Line(number) => vec![Key::Royalty(*number)],
            Party::Datanet(number) => vec![Key::Datanet(*number), Key::Version(*number)],
        };
        let serves = self.serve_keys(leaves);
        [
            terms.into_iter().map(Key::Terms).collect(),
            parties.iter().flat_map(party).collect(),
            serves.into_iter().map(Key::Serve).collect(),
        ]
    }

    fn second(&mut self, view: &View<'_>, leaves: &[Leaf]) -> Result<(), Stop> {
        for id in sorted(self.grants.values().map(|grant| grant.terms)) {
            self.terms.insert(id, stored_terms(view, id)?);
        }
        for party in sorted(self.parties()) {
            match party {
                Party::Line(number) => {
                    self.royalties.insert(number, view.expect(&Key::Royalty(number))?);
                }
                Party::Datanet(number) => {
                    self.datanets.insert(number, view.expect(&Key::Datanet(number))?);
                    let version = view.expect(&Key::Version(number))?;
                    self.datanet_versions.insert(number, version);
                }
            }
        }
        for key in self.serve_keys(leaves) {
            if let Some(serve) = view.get(&Key::Serve(key))? {
                self.serves.insert(key, serve);
            }
        }
        Ok(())
    }

    /// Every account that may be paid or pays: few beside the leaves.
    fn account_numbers(&self, progress: &Progress) -> Vec<u64> {
        let payers = progress.channels.values().map(|channel| channel.payer);
        let licensees = self.grants.values().map(|grant| grant.licensee);
        let owners = self.nodes.values().map(|node| node.owner);
        let heights = || self.times.keys();
        let holders = self.royalties.values().flat_map(|royalty| {
            heights().filter_map(|height| royalty.holder.at(*height).map(|(holder, _)| *holder))
        });
        let datanets = self
            .datanets
            .values()
            .flat_map(|datanet| datanet.contributors.iter().copied().chain([datanet.treasury]));
        let reserved = [reserved::BURN, reserved::NETWORK];
        sorted(payers.chain(licensees).chain(owners).chain(holders).chain(datanets).chain(reserved))
    }

    fn quota_keys(&self, leaves: &[Leaf]) -> Vec<(u64, u64)> {
        let key = |leaf: &Leaf, line: &Line| {
            let grant = self.grants.get(&line.grant)?;
            let quota = self.terms.get(&grant.terms)?.quota.filter(Quota::counts)?;
            Some((line.grant, quota.period_of(leaf.time, grant.accepted)))
        };
        sorted(
            leaves
                .iter()
                .flat_map(|leaf| leaf.lines.iter().filter_map(move |line| key(leaf, line))),
        )
    }

    fn third(&mut self, view: &View<'_>, accounts: Vec<u64>) -> Result<(), Stop> {
        for account in accounts {
            let balance: Balance = view.expect(&Key::Balance(account))?;
            self.accounts.insert(account, balance.account);
        }
        let volume = |(number, grant): (u64, &Grant)| {
            let held = view.get::<Volume>(&Key::Volume(number))?;
            Ok((number, held.unwrap_or_else(|| Volume::of(grant))))
        };
        self.volumes = self.tiered().map(volume).collect::<Result<_, Stop>>()?;
        Ok(())
    }

    /// The terms of a grant.
    pub(super) fn terms_of(&self, grant: u64) -> Option<&Terms> {
        self.grants.get(&grant).and_then(|grant| self.terms.get(&grant.terms))
    }

    /// The grants whose terms have tiers.
    fn tiered(&self) -> impl Iterator<Item = (u64, &Grant)> {
        let tiered =
            |number: u64| self.terms_of(number).is_some_and(|terms| !terms.tiers.is_empty());
        let grants = self.grants.iter().map(|(number, grant)| (*number, grant));
        grants.filter(move |(number, _)| tiered(*number))
    }

    /// A node that the header or a line names.
    pub fn node(&self, number: u64) -> Result<&Node, Refusal> {
        self.nodes.get(&number).ok_or_else(|| Refusal::unknown("node", number))
    }
}

/// Calls that settled before, or stand in the batch twice.
fn repeated_calls(view: &View<'_>, leaves: &[Leaf]) -> Result<BTreeSet<Digest>, Stop> {
    let mut calls: Vec<Digest> =
        leaves.iter().map(|leaf| leaf.call).filter(|call| *call != Digest::ZERO).collect();
    calls.sort_unstable();
    let before = view.settled(&calls)?;
    let settled = calls.iter().zip(before).filter(|(_, settled)| *settled).map(|(call, _)| *call);
    let twice = calls.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    Ok(settled.chain(twice).collect())
}

struct FirstRound {
    channels: Vec<u64>,
    versions: Vec<u64>,
    grants: Vec<u64>,
    nodes: Vec<u64>,
    tariffs: Vec<u64>,
    heights: Vec<Height>,
}

impl FirstRound {
    fn of(leaves: &[Leaf], nodes: Vec<u64>) -> Self {
        Self {
            channels: sorted(leaves.iter().map(|leaf| leaf.channel)),
            versions: sorted(lines(leaves).map(|line| line.version)),
            grants: sorted(lines(leaves).map(|line| line.grant)),
            nodes,
            tariffs: sorted(lines(leaves).map(|line| line.tariff)),
            heights: sorted(leaves.iter().map(|leaf| leaf.admitted)),
        }
    }

    fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        fn each(list: &[u64], key: fn(u64) -> Key) -> impl Iterator<Item = Key> + '_ {
            list.iter().map(move |number| key(*number))
        }
        each(&self.channels, Key::Channel)
            .chain(each(&self.versions, Key::Version))
            .chain(each(&self.grants, Key::Grant))
            .chain(each(&self.nodes, Key::Node))
            .chain(each(&self.tariffs, Key::Tariff))
            .chain(self.heights.iter().map(|height| Key::Time(*height)))
    }
}

fn by_number<K: Ord + Copy, T>(
    numbers: Vec<K>,
    read: impl Fn(K) -> Result<T, Stop>,
) -> Result<BTreeMap<K, T>, Stop> {
    numbers.into_iter().map(|number| Ok((number, read(number)?))).collect()
}
