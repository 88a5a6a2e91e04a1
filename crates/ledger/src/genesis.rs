//! Genesis: the document that a network begins with. Its hash is the network's id.

use crate::history::History;
use crate::key::Key;
use crate::object::{Account, Balance, Governance, Numbers, Parameters, reserved};
use crate::view::Writes;
use ambar_base::{
    AccountId, Amount, Checkpoint, Committee, Domain, Encode, Height, KeySet, NetworkId, Price,
    PublicKey, Weight, record,
};
use ambar_receipt::Tariff;

/// Most accounts that genesis allocates to.
pub const ALLOCATIONS_MAX: usize = 4096;

record! {
    /// What a network begins with.
    pub struct Genesis {
        /// What people call it.
        pub name: String,
        /// Whether credits can be had for nothing, from the faucet.
        pub development: bool,
        /// The keys whose votes make the blocks of epoch 0 final, each once.
        pub validators: Vec<PublicKey>,
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
        /// What it holds.
        pub amount: Price,
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
            validators: vec![key],
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
        Committee::new(0, self.validators.clone()).ok()
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
        self.council.check().is_ok()
            && self.parameters.is_sound()
            && self.committee().is_some()
            && self.allocations.len() <= ALLOCATIONS_MAX
            && self.allocations.iter().all(|allocation| allocation.key.is_sound())
    }

    /// The state at height 0; nothing if allocations overflow or exceed their limit, if
    /// parameters, council, validators or a key are not sound, or if no key of the council has an
    /// allocation.
    #[must_use]
    pub fn writes(&self) -> Option<Writes> {
        if !self.is_sound() {
            return None;
        }
        let mut state = State::default();
        for (number, name) in reserved::NAMES.iter().enumerate() {
            state.reserved(number as u64, name);
        }
        let mut issued = Amount::ZERO;
        let council = self.council.keys.iter().find_map(|key| {
            self.allocations.iter().position(|allocation| allocation.key == *key)
        })?;
        for (index, allocation) in self.allocations.iter().enumerate() {
            let amount = Amount::from(allocation.amount);
            let single = || KeySet::single(allocation.key);
            let keys = if index == council { self.council.clone() } else { single() };
            state.keyed(self.account(allocation.key), allocation.key, keys, amount);
            issued = issued.checked_add(amount)?;
        }
        let governance = Governance {
            parameters: History::new(Height(0), self.parameters.clone()),
            council: reserved::NAMES.len() as u64 + council as u64,
            development: self.development,
        };
        state.put(&Key::Parameters, &governance);
        state.put(&Key::Issued, &issued);
        state.put(&Key::Tariff(0), &self.tariff);
        let numbers = Numbers { accounts: state.accounts, tariffs: 1, ..Numbers::default() };
        state.put(&Key::Numbers, &numbers);
        state.writes.sort();
        Some(state.writes)
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
