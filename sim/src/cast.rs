//! Who there is: members of the committee and people, with keys that follow from a seed.

use ambar_base::{AccountId, Digest, NetworkId, Price, SecretKey};
use ambar_ledger::Genesis;
use ambar_ledger::genesis::{Allocation, GenesisValidator};

/// People who pay one another.
pub const PAYERS: usize = 5;
/// What everybody has at first.
const RICHES: Price = Price(1_000 * Price::CREDIT.0);
/// What a member of the committee can lose.
const BOND: Price = Price(50 * Price::CREDIT.0);

/// Everybody of one trial.
#[derive(Clone, Debug)]
pub struct Cast {
    /// Seed of all keys.
    seed: u64,
    /// What the network begins with.
    pub genesis: Genesis,
    /// The ledger.
    pub network: NetworkId,
    /// The committee's keys.
    pub members: Vec<SecretKey>,
}

fn key(seed: u64, who: &str) -> SecretKey {
    SecretKey::from_seed(&Digest::of(format!("{who} of trial {seed}").as_bytes()).0)
}

fn payer_name(number: usize) -> String {
    format!("payer {number}")
}

impl Cast {
    /// A committee of `size`, its epochs of so many blocks, and its people.
    #[must_use]
    pub fn new(seed: u64, size: usize, epoch_blocks: u64) -> Self {
        let members: Vec<_> = (0..size).map(|n| key(seed, &format!("member {n}"))).collect();
        let mut genesis = Genesis::development(key(seed, "council").public(), [7; 32]);
        let people = (0..PAYERS).map(payer_name);
        let people = people.chain(["developer", "operator", "caller"].map(str::to_owned));
        let people = people.map(|name| key(seed, &name).public());
        let owners = members.iter().map(SecretKey::public);
        let allocation = |key| Allocation { key, amount: RICHES };
        genesis.allocations.extend(people.chain(owners).map(allocation));
        let validator = |member: &SecretKey| {
            let key = member.public();
            GenesisValidator { key, owner: key, bond: BOND }
        };
        genesis.validators = members.iter().map(validator).collect();
        genesis.epoch_blocks = epoch_blocks;
        let network = genesis.network();
        Self { seed, genesis, network, members }
    }

    /// The key of a person, or of something that belongs to one.
    #[must_use]
    pub fn key(&self, who: &str) -> SecretKey {
        key(self.seed, who)
    }

    /// The key of somebody who pays.
    #[must_use]
    pub fn payer(&self, number: usize) -> SecretKey {
        self.key(&payer_name(number))
    }

    /// The account that a key opened.
    #[must_use]
    pub fn account(&self, key: &SecretKey) -> AccountId {
        self.genesis.account(key.public())
    }
}
