//! A toy ledger: balances, transfers, and acts that try an engine's limits.

use ambar_base::codec::decode;
use ambar_base::{
    Checkpoint, Committee, Digest, Encode, ErrorCode, Height, Moment, NetworkId, PublicKey,
    SecretKey, choice, record,
};
use ambar_chain::Chain;
use ambar_consensus::machine::{
    Admission, Applied, BlockContext, Execution, Item, Lists, Need, ReadSet, Refusal, StateMachine,
    Step, seats_outcome,
};
use ambar_consensus::replay::Origin;
use ambar_consensus::settings::{Clock, Patience, Rules, Settings, system_clock};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
        /// Names the next committee.
        Seats(Vec<PublicKey>) = 5,
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

/// The machine. Its blocks cannot begin from a height on.
pub struct Toy {
    pub last_height: Option<u64>,
    /// The committee until a transaction names another.
    pub seats: Vec<PublicKey>,
}

impl Default for Toy {
    fn default() -> Self {
        Self { last_height: None, seats: vec![key().public()] }
    }
}

/// Where it is written who votes next.
const SEATS: &[u8] = b"seats";

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

/// Entries that list transactions that were applied.
const DONE: Lists = Lists { prefix: b"done", ids: |value| decode(value).ok() };

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
        let admit = |transaction: &&[u8]| {
            let parsed = parse(transaction)?;
            let (id, expiry) = (parsed.id(), parsed.expiry);
            Ok(Admission { id, expiry, fee_per_byte: parsed.fee })
        };
        transactions.iter().map(admit).collect()
    }

    fn open<'a>(
        &self,
        block: &BlockContext,
        item: Item<'a>,
    ) -> Result<Box<dyn Execution + Send + 'a>, Refusal> {
        match item {
            Item::Begin if self.last_height.is_some_and(|last| block.height.0 > last) => {
                Err(Refusal::new(ErrorCode::Internal, "no more blocks"))
            }
            Item::Begin => Ok(Box::new(Beginning)),
            Item::End { .. } => Ok(Box::new(Ending(self.seats.clone()))),
            Item::Transaction(bytes) => Ok(Box::new(parse(bytes)?)),
        }
    }

    fn lists(&self) -> Option<Lists> {
        Some(DONE)
    }
}

/// Counts blocks.
struct Beginning;

impl Execution for Beginning {
    fn step(&self, read: &ReadSet) -> Result<Step, Refusal> {
        if !read.asked(BLOCK_COUNT) {
            return Ok(Step::Need(vec![BLOCK_COUNT.to_vec()].into()));
        }
        let count = (balance(read.get(BLOCK_COUNT)?) + 1).to_be_bytes().to_vec();
        let writes = vec![(BLOCK_COUNT.to_vec(), Some(count.clone()))];
        Ok(Step::Done(Applied { writes, outcome: count }))
    }
}

/// Names the next committee.
struct Ending(Vec<PublicKey>);

impl Execution for Ending {
    fn step(&self, read: &ReadSet) -> Result<Step, Refusal> {
        if !read.asked(SEATS) {
            return Ok(Step::Need(vec![SEATS.to_vec()].into()));
        }
        let named = read.get(SEATS)?.map(<[u8]>::to_vec);
        let outcome = named.unwrap_or_else(|| seats_outcome(&self.0));
        Ok(Step::Done(Applied { writes: vec![], outcome }))
    }
}

impl Execution for Transaction {
    fn step(&self, read: &ReadSet) -> Result<Step, Refusal> {
        let id = self.id();
        if read.is_empty() {
            return Ok(Step::Need(Need { keys: Vec::new(), ids: vec![id] }));
        }
        if read.listed(&id)? {
            return Err(Refusal::new(ErrorCode::NonceStale, "applied before"));
        }
        let mut step = self.act.step(read)?;
        if let Step::Done(applied) = &mut step {
            let done = [DONE.prefix, id.0.as_slice()].concat();
            applied.writes.push((done, Some(vec![id].to_bytes())));
        }
        Ok(step)
    }
}

impl Act {
    fn step(&self, read: &ReadSet) -> Result<Step, Refusal> {
        // One id was asked for to see whether the transaction was applied before.
        let rounds_read = read.len() as u64 - 1;
        let applied = match self {
            Self::Transfer(Transfer { from, to, .. }) if !read.asked(&account(*from)) => {
                return Ok(Step::Need(vec![account(*from), account(*to)].into()));
            }
            Self::Transfer(transfer) => transfer.apply(read)?,
            Self::Rounds(rounds) if rounds_read + 1 < *rounds => {
                return Ok(Step::Need(vec![round_key(rounds_read)].into()));
            }
            Self::Rounds(rounds) => {
                Applied { writes: vec![], outcome: rounds.to_be_bytes().to_vec() }
            }
            Self::Fill(Fill { start, count }) => {
                let entry =
                    |i: u64| (format!("fill {i:020}").into_bytes(), Some(vec![i as u8; 64]));
                let writes = (*start..*start + *count).map(entry).collect();
                Applied { writes, outcome: vec![] }
            }
            Self::Seats(seats) => {
                let writes = vec![(SEATS.to_vec(), Some(seats_outcome(seats)))];
                Applied { writes, outcome: vec![] }
            }
            Self::Panic => panic!("the toy was told to panic"),
            Self::Peek => read.get(b"never").map(|_| Applied::default())?,
        };
        Ok(Step::Done(applied))
    }
}

pub const ACCOUNTS: u16 = 8;
pub const RICHES: u64 = 1_000_000;

pub fn genesis() -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..ACCOUNTS).map(|number| (account(number), RICHES.to_be_bytes().to_vec())).collect()
}

pub fn key() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

pub fn checkpoint() -> Checkpoint {
    let committee = Committee::new(0, vec![key().public()]).unwrap();
    Checkpoint { network: NetworkId(Digest::of(b"toy")), committee }
}

/// Settings whose heartbeat never comes while a test runs.
pub fn settings() -> Settings {
    let patience = Patience::with_heartbeat(Duration::from_secs(3600));
    Settings { patience, ..Settings::new(Rules::new(checkpoint()), key()) }
}

pub fn origin(machine: &Toy) -> Origin<'_> {
    Origin { rules: settings().rules, machine, genesis: genesis() }
}

/// A chain that is gone when it is dropped.
pub struct Passing {
    chain: Chain,
    _directory: tempfile::TempDir,
}

impl Deref for Passing {
    type Target = Chain;

    fn deref(&self) -> &Chain {
        &self.chain
    }
}

pub fn passing(settings: Settings) -> Passing {
    passing_with(settings, Toy::default(), system_clock())
}

pub fn passing_with(settings: Settings, machine: Toy, clock: Clock) -> Passing {
    let directory = tempfile::tempdir().unwrap();
    let machine = Arc::new(machine);
    let chain = Chain::open(directory.path(), settings, machine, genesis(), clock).unwrap();
    Passing { chain, _directory: directory }
}

/// A clock that shows what it is set to, ms.
pub fn hand_clock() -> (Arc<AtomicU64>, Clock) {
    let time = Arc::new(AtomicU64::new(0));
    let shown = Arc::clone(&time);
    (time, Arc::new(move || Moment(shown.load(Ordering::SeqCst))))
}
