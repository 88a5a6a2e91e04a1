//! Genesis: the document that a network begins with. Its hash is the network's id.

use crate::history::History;
use crate::key::Key;
use crate::object::{Account, Balance, Governance, Numbers, Parameters, reserved};
use crate::roster::{Roster, Status, Validator};
use crate::view::Writes;
use ambar_base::{
    AccountId, Amount, Checkpoint, Committee, Domain, Encode, Height, KeySet, NetworkId, Price,
    PublicKey, Weight, record,
};
use ambar_receipt::Tariff;
use std::collections::BTreeSet;

/// Most accounts that genesis allocates to.
pub const ALLOCATIONS_MAX: usize = 4096;
/// Shortest epoch, heights: genesis, and a block that names the next committee.
pub const EPOCH_BLOCKS_MIN: u64 = 2;
/// Longest epoch, blocks: eleven days of a block each second.
pub const EPOCH_BLOCKS_MAX: u64 = 1_000_000;
/// An epoch of a development network, blocks.
pub const EPOCH_BLOCKS_DEFAULT: u64 = 8_192;
/// The bond of a validator of a development network.
const VALIDATOR_BOND: Price = Price(50 * Price::CREDIT.0);

record! {
    /// What a network begins with.
    pub struct Genesis {
        /// What people call it.
        pub name: String,
        /// Whether credits can be had for nothing, from the faucet.
        pub development: bool,
        /// Whose votes make the blocks of epoch 0 final, the most preferred first: each key
        /// and each owner once.
        pub validators: Vec<GenesisValidator>,
        /// Heights of an epoch: the committee changes at the end of each.
        pub epoch_blocks: u64,
        /// The keys that change parameters until voting exists. They also hold the
        /// allocation of the first of them that has one.
        pub council: KeySet,
        /// Who has how much.
        pub allocations: Vec<Allocation>,
        /// The rules.
        pub parameters: Parameters,
        /// The tariff of MU, number 0.
        pub tariff: Vec<u8>,
        /// A random number, so that two networks of one shape differ.
        pub salt: [u8; 32],
    }
}

record! {
    /// What somebody has at first.
    pub struct Allocation {
        /// The key of an account that genesis opens.
        pub key: PublicKey,
        /// What it holds, a validator's bond included.
        pub amount: Price,
    }
}

record! {
    /// A validator of the first committee.
    pub struct GenesisValidator {
        /// The key that it votes with.
        pub key: PublicKey,
        /// The first key of the account that it belongs to, which an allocation opens.
        pub owner: PublicKey,
        /// What it can lose, taken out of that allocation.
        pub bond: Price,
    }
}

impl Genesis {
    /// A network of one validator for one machine: its key is council and faucet, calls
    /// settle without a challenge window, and credits are free.
    #[must_use]
    pub fn development(key: PublicKey, salt: [u8; 32]) -> Self {
        Self {
            name: "development".into(),
            development: true,
            validators: vec![GenesisValidator { key, owner: key, bond: VALIDATOR_BOND }],
            epoch_blocks: EPOCH_BLOCKS_DEFAULT,
            council: KeySet::single(key),
            allocations: vec![Allocation { key, amount: Price(1_000_000_000 * Price::CREDIT.0) }],
            parameters: Parameters {
                network_fee: Weight(20_000_000),
                burn: Weight(500_000_000),
                fee_base: Price(1_000),
                fee_per_byte: Price(10),
                deposit: Price(1_000_000),
                settlement_window: 3_600,
                challenge_window: 0,
                tariff: 0,
                node_bond: Price(10 * Price::CREDIT.0),
                validator_bond: VALIDATOR_BOND,
                committee_min: 1,
                committee_max: 100,
                churn: 33,
            },
            tariff: Tariff::standard().encode(),
            salt,
        }
    }

    /// The network's id.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        NetworkId(Domain::Genesis.digest(&self.to_bytes()))
    }

    /// The committee of epoch 0, if the validators are one: at least one, at most
    /// [`SEATS_MAX`](ambar_base::finality::SEATS_MAX), none twice, each a point.
    #[must_use]
    pub fn committee(&self) -> Option<Committee> {
        Committee::new(0, self.validators.iter().map(|validator| validator.key).collect()).ok()
    }

    /// What whoever trusts this genesis starts from, if the validators are a committee.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        Some(Checkpoint { network: self.network(), committee: self.committee()? })
    }

    /// The account that an allocation opens.
    #[must_use]
    pub fn account(&self, key: PublicKey) -> AccountId {
        ambar_base::Inception::single(key).id(self.network())
    }

    fn is_sound(&self) -> bool {
        let keys = self.allocations.iter().map(|allocation| allocation.key);
        self.council.check().is_ok()
            && self.parameters.is_sound()
            && self.allocations.len() <= ALLOCATIONS_MAX
            && keys.clone().all(|key| key.is_sound())
            && keys.collect::<BTreeSet<_>>().len() == self.allocations.len()
            && self.has_sound_committee()
    }

    fn has_sound_committee(&self) -> bool {
        let Parameters { committee_min, committee_max, .. } = self.parameters;
        let seats = usize::from(committee_min)..=usize::from(committee_max);
        let owners: BTreeSet<_> = self.validators.iter().map(|one| one.owner).collect();
        self.committee().is_some()
            && seats.contains(&self.validators.len())
            && owners.len() == self.validators.len()
            && (EPOCH_BLOCKS_MIN..=EPOCH_BLOCKS_MAX).contains(&self.epoch_blocks)
    }

    /// The state at height 0; nothing if allocations overflow or exceed their limit, if
    /// parameters, council, validators, their bonds or a key are not sound, or if no key of
    /// the council has an allocation.
    #[must_use]
    pub fn writes(&self) -> Option<Writes> {
        if !self.is_sound() {
            return None;
        }
        let mut state = State::default();
        for (number, name) in reserved::NAMES.iter().enumerate() {
            state.reserved(number as u64, name);
        }
        self.open_accounts(&mut state)?;
        self.seat_validators(&mut state)?;
        let governance = Governance {
            parameters: History::new(Height(0), self.parameters.clone()),
            council: self.council_number()?,
            development: self.development,
        };
        state.put(&Key::Parameters, &governance);
        state.put(&Key::Tariff(0), &self.tariff);
        let validators = self.validators.len() as u64;
        let numbers =
            Numbers { accounts: state.accounts, tariffs: 1, validators, ..Numbers::default() };
        state.put(&Key::Numbers, &numbers);
        state.writes.sort();
        Some(state.writes)
    }

    /// The number of the account that an allocation opens.
    fn number(&self, key: PublicKey) -> Option<u64> {
        let index = self.allocations.iter().position(|allocation| allocation.key == key)?;
        Some((reserved::NAMES.len() + index) as u64)
    }

    fn council_number(&self) -> Option<u64> {
        self.council.keys.iter().find_map(|key| self.number(*key))
    }

    fn open_accounts(&self, state: &mut State) -> Option<()> {
        let mut issued = Amount::ZERO;
        let council = self.council_number()?;
        for Allocation { key, amount } in &self.allocations {
            let single = || KeySet::single(*key);
            let keys = if state.accounts == council { self.council.clone() } else { single() };
            let amount = Amount::from(*amount);
            let validator = self.validators.iter().find(|validator| validator.owner == *key);
            let bond = validator.map_or(Amount::ZERO, |validator| Amount::from(validator.bond));
            state.keyed(self.account(*key), *key, keys, amount.checked_sub(bond)?);
            issued = issued.checked_add(amount)?;
        }
        state.put(&Key::Issued, &issued);
        Some(())
    }

    fn seat_validators(&self, state: &mut State) -> Option<()> {
        for (number, GenesisValidator { key, owner, bond }) in (0u64..).zip(&self.validators) {
            let (owner, bond) = (self.number(*owner)?, Amount::from(*bond));
            let validator = Validator { key: *key, owner, bond, status: Status::Seated };
            state.put(&Key::Validator(number), &validator);
            state.put(&Key::ValidatorNumber(*key), &number);
            state.put(&Key::ValidatorOf(owner), &number);
        }
        let ranking: Vec<u64> = (0..self.validators.len() as u64).collect();
        let mut seats = ranking.clone();
        seats.sort_by_key(|number| self.validators[*number as usize].key);
        state.put(&Key::Roster, &Roster { epoch: 0, seats, ranking });
        Some(())
    }
}

#[derive(Default)]
struct State {
    accounts: u64,
    writes: Writes,
}

impl State {
    fn put<T: Encode>(&mut self, key: &Key, value: &T) {
        self.writes.push((key.bytes(), Some(value.to_bytes())));
    }

    fn account(&mut self, account: &Account, available: Amount) {
        let number = self.accounts;
        let balance = Balance { available, ..Balance::empty(account.id) };
        self.put(&Key::AccountNumber(account.id), &number);
        self.put(&Key::Balance(number), &balance);
        self.put(&Key::Account(number), account);
        self.accounts += 1;
    }

    fn reserved(&mut self, number: u64, name: &str) {
        debug_assert_eq!(number, self.accounts, "reserved accounts come first");
        let id = AccountId::reserved(name);
        let name = Some(name.to_owned());
        let account = Account { id, keys: None, recovery: None, nonce: 0, name };
        self.account(&account, Amount::ZERO);
    }

    fn keyed(&mut self, id: AccountId, first: PublicKey, keys: KeySet, amount: Amount) {
        self.put(&Key::FirstKey(first), &self.accounts.clone());
        let account = Account { id, keys: Some(keys), recovery: None, nonce: 0, name: None };
        self.account(&account, amount);
    }
}
