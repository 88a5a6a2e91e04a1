//! A toy ledger: balances, transfers, and acts that try an engine's limits.

use crate::draft::committee_of_one;
use crate::machine::{
    Admission, Applied, BlockContext, Execution, Item, ReadSet, Refusal, StateMachine, Step,
};
use crate::orderer::LocalOrderer;
use crate::replay::Origin;
use crate::settings::{Clock, Settings, system_clock};
use ambar_base::codec::decode;
use ambar_base::{Digest, Encode, ErrorCode, Height, Moment, NetworkId, SecretKey, choice, record};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

record! {
    pub struct Transfer { pub from: u16, pub to: u16, pub amount: u64 }
}

record! {
    pub struct Fill { pub start: u64, pub count: u64 }
}

choice! {
    pub enum Act {
        Transfer(Transfer) = 0,
        /// Asks for one key a round.
        Rounds(u64) = 1,
        /// Writes many keys.
        Fill(Fill) = 2,
        Panic = 3,
        /// Looks at a key for which it never asked.
        Peek = 4,
    }
}

record! {
    pub struct Transaction { pub nonce: u64, pub expiry: Height, pub fee: u64, pub act: Act }
}

impl Transaction {
    pub fn new(nonce: u64, act: Act) -> Self {
        Self { nonce, expiry: Height(u64::MAX), fee: 0, act }
    }

    pub fn id(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }
}

pub fn transfer(nonce: u64, from: u16, to: u16, amount: u64) -> Transaction {
    Transaction::new(nonce, Act::Transfer(Transfer { from, to, amount }))
}

pub fn fill(nonce: u64, count: u64) -> Transaction {
    Transaction::new(nonce, Act::Fill(Fill { start: nonce * 1_000_000, count }))
}

/// The machine. Its blocks cannot begin from a height on, and it opens nothing that it did
/// not admit: an engine that forgets to ask fails every test.
#[derive(Default)]
pub struct Toy {
    pub last_height: Option<u64>,
    admitted: Mutex<HashSet<Digest>>,
}

impl Toy {
    pub fn until(last_height: u64) -> Self {
        Self { last_height: Some(last_height), ..Self::default() }
    }

    fn admit_one(&self, bytes: &[u8]) -> Result<Admission, Refusal> {
        let parsed = parse(bytes)?;
        self.admitted.lock().unwrap().insert(parsed.id());
        Ok(Admission { id: parsed.id(), expiry: parsed.expiry, fee_per_byte: parsed.fee })
    }
}

pub fn account(number: u16) -> Vec<u8> {
    [b"a", number.to_be_bytes().as_slice()].concat()
}

fn balance(value: Option<&[u8]>) -> u64 {
    value.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()))
}

const BLOCK_COUNT: &[u8] = b"blocks";

fn round_key(round: u64) -> Vec<u8> {
    format!("round {round}").into_bytes()
}

fn parse(bytes: &[u8]) -> Result<Transaction, Refusal> {
    decode(bytes).map_err(|error| Refusal::new(ErrorCode::TransactionInvalid, error.to_string()))
}

impl Transfer {
    fn apply(&self, read: &ReadSet) -> Result<Applied, Refusal> {
        let from = balance(read.get(&account(self.from))?);
        let left = from.checked_sub(self.amount);
        let left = left.ok_or_else(|| Refusal::new(ErrorCode::BalanceTooLow, "too poor"))?;
        let to = if self.from == self.to { left } else { balance(read.get(&account(self.to))?) };
        let put = |number, value: u64| (account(number), Some(value.to_be_bytes().to_vec()));
        let writes = vec![put(self.from, left), put(self.to, to + self.amount)];
        Ok(Applied { writes, outcome: left.to_be_bytes().to_vec() })
    }
}

impl StateMachine for Toy {
    fn admit(&self, transactions: &[&[u8]]) -> Vec<Result<Admission, Refusal>> {
        transactions.iter().map(|bytes| self.admit_one(bytes)).collect()
    }

    fn open<'a>(
        &self,
        block: &BlockContext,
        item: Item<'a>,
    ) -> Result<Box<dyn Execution + 'a>, Refusal> {
        let Item::Transaction(bytes) = item else {
            if self.last_height.is_some_and(|last| block.height.0 > last) {
                return Err(Refusal::new(ErrorCode::Internal, "no more blocks"));
            }
            return Ok(Box::new(Beginning));
        };
        let transaction = parse(bytes)?;
        let admitted = self.admitted.lock().unwrap().contains(&transaction.id());
        assert!(admitted, "a transaction is admitted before it is opened");
        Ok(Box::new(transaction.act))
    }
}

/// Counts blocks.
struct Beginning;

impl Execution for Beginning {
    fn step(&self, read: &ReadSet) -> Result<Step, Refusal> {
        if !read.asked(BLOCK_COUNT) {
            return Ok(Step::Need(vec![BLOCK_COUNT.to_vec()]));
        }
        let count = (balance(read.get(BLOCK_COUNT)?) + 1).to_be_bytes().to_vec();
        let writes = vec![(BLOCK_COUNT.to_vec(), Some(count.clone()))];
        Ok(Step::Done(Applied { writes, outcome: count }))
    }
}

impl Execution for Act {
    fn step(&self, read: &ReadSet) -> Result<Step, Refusal> {
        let applied = match self {
            Act::Transfer(Transfer { from, to, .. }) if !read.asked(&account(*from)) => {
                return Ok(Step::Need(vec![account(*from), account(*to)]));
            }
            Act::Transfer(transfer) => transfer.apply(read)?,
            Act::Rounds(rounds) if (read.len() as u64) < *rounds => {
                return Ok(Step::Need(vec![round_key(read.len() as u64)]));
            }
            Act::Rounds(rounds) => {
                Applied { writes: vec![], outcome: rounds.to_be_bytes().to_vec() }
            }
            Act::Fill(Fill { start, count }) => {
                let entry =
                    |i: u64| (format!("fill {i:020}").into_bytes(), Some(vec![i as u8; 64]));
                let writes = (*start..*start + *count).map(entry).collect();
                Applied { writes, outcome: vec![] }
            }
            Act::Panic => panic!("the toy was told to panic"),
            Act::Peek => read.get(b"never").map(|_| Applied::default())?,
        };
        Ok(Step::Done(applied))
    }
}

pub const ACCOUNTS: u16 = 8;
pub const RICHES: u64 = 1_000_000;

pub fn genesis() -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..ACCOUNTS).map(|number| (account(number), RICHES.to_be_bytes().to_vec())).collect()
}

/// Settings whose heartbeat never comes while a test runs.
pub fn settings() -> Settings {
    let network = NetworkId(Digest::of(b"toy"));
    let settings = Settings::new(network, SecretKey::from_seed(&[3; 32]));
    Settings { heartbeat: Duration::from_secs(3600), ..settings }
}

pub fn origin(machine: &Toy) -> Origin<'_> {
    let Settings { network, key, .. } = settings();
    Origin { network, committee: committee_of_one(&key), machine, genesis: genesis() }
}

pub fn in_memory(settings: Settings) -> LocalOrderer {
    let machine = Arc::new(Toy::default());
    LocalOrderer::in_memory(settings, machine, genesis(), system_clock()).unwrap()
}

/// A clock that shows what it is set to, ms.
pub fn hand_clock() -> (Arc<AtomicU64>, Clock) {
    let time = Arc::new(AtomicU64::new(0));
    let shown = Arc::clone(&time);
    (time, Arc::new(move || Moment(shown.load(Ordering::SeqCst))))
}
