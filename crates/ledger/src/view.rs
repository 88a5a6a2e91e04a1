//! The state as one transaction sees it: what was read, under what it has written.

use crate::key::Key;
use crate::object::{Governance, Numbers, Parameters};
use crate::refusal::{Need, Refusal, Stop};
use ambar_base::codec;
use ambar_base::{Amount, Cid, Decode, Digest, Encode, ErrorCode, Height, Moment, NetworkId};
use ambar_licence::Terms;
use std::collections::BTreeMap;

/// What was read of the state.
pub trait Reads {
    /// The value of a key: nothing if it was not asked for, `Some(None)` if it is absent.
    fn read(&self, key: &[u8]) -> Option<Option<&[u8]>>;

    /// Whether a batch settled a call within the settlement window, so that an entry at
    /// [`Key::Calls`] lists it: nothing if it was not asked for.
    fn settled(&self, call: &Digest) -> Option<bool>;
}

/// The block that a transaction is executed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// The ledger.
    pub network: NetworkId,
    /// The block's height.
    pub height: Height,
    /// The block's time.
    pub time: Moment,
}

/// Net writes: a value, or nothing where a key is removed.
pub type Writes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// The state as one transaction sees it.
pub struct View<'a> {
    /// The block.
    pub block: BlockContext,
    /// The acting department, which draws what it lacks from its organisation.
    pub(crate) drawing: Option<Drawing>,
    reads: &'a dyn Reads,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

/// The department that acts, and what it has drawn so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawing {
    /// Its account's number.
    pub department: u64,
    /// The sum.
    pub drawn: Amount,
}

impl<'a> View<'a> {
    /// What was read, with nothing written.
    #[must_use]
    pub fn new(block: BlockContext, reads: &'a dyn Reads) -> Self {
        Self { block, drawing: None, reads, writes: BTreeMap::new() }
    }

    /// Stops unless every key was read: asks for all that were not, at once.
    pub fn require(&self, keys: impl IntoIterator<Item = Key>) -> Result<(), Stop> {
        let unread = |key: &Vec<u8>| self.value(key).is_none();
        let keys = keys.into_iter().map(|key| key.bytes()).filter(unread).collect();
        Need { keys, ..Need::default() }.finish()
    }

    /// Whether each call settled before; asks for all that are not known, at once.
    pub fn settled(&self, calls: &[Digest]) -> Result<Vec<bool>, Stop> {
        let unknown = |call: &&Digest| self.reads.settled(call).is_none();
        let missing = calls.iter().filter(unknown).copied().collect();
        Need { calls: missing, ..Need::default() }.finish()?;
        Ok(calls.iter().filter_map(|call| self.reads.settled(call)).collect())
    }

    /// What was written or read at a key: nothing if it was neither.
    fn value(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let written = self.writes.get(key).map(Option::as_deref);
        written.or_else(|| self.reads.read(key))
    }

    /// The object at a key, if there is one.
    pub fn get<T: Decode>(&self, key: &Key) -> Result<Option<T>, Stop> {
        let bytes = key.bytes();
        let Some(value) = self.value(&bytes) else {
            return Err(Stop::Missing(Need { keys: vec![bytes], ..Need::default() }));
        };
        value.map(codec::decode).transpose().map_err(|error| {
            let message = format!("the state at {key:?} is damaged: {error}");
            Refusal::new(ErrorCode::LedgerCorrupt, message).into()
        })
    }

    /// The object at a key that must be there.
    pub fn expect<T: Decode>(&self, key: &Key) -> Result<T, Stop> {
        let missing = || {
            let message = format!("the state lacks {key:?}");
            Stop::from(Refusal::new(ErrorCode::LedgerCorrupt, message))
        };
        self.get(key)?.ok_or_else(missing)
    }

    /// The object that a transaction names.
    pub fn named<T: Decode>(
        &self,
        what: &str,
        which: impl std::fmt::Display,
        key: &Key,
    ) -> Result<T, Stop> {
        self.get(key)?.ok_or_else(|| Refusal::unknown(what, which).into())
    }

    /// Writes an object.
    pub fn put<T: Encode>(&mut self, key: &Key, value: &T) {
        self.writes.insert(key.bytes(), Some(value.to_bytes()));
    }

    /// Removes an object.
    pub fn remove(&mut self, key: &Key) {
        self.writes.insert(key.bytes(), None);
    }

    /// What was written.
    #[must_use]
    pub fn into_writes(self) -> Writes {
        self.writes.into_iter().collect()
    }

    /// The network's rules and who may change them.
    pub fn governance(&self) -> Result<Governance, Stop> {
        self.expect(&Key::Parameters)
    }

    /// The parameters that hold now.
    pub fn parameters(&self) -> Result<Parameters, Stop> {
        let governance = self.governance()?;
        let now = governance.parameters.at(self.block.height);
        let missing = || Refusal::new(ErrorCode::LedgerCorrupt, "no parameters hold now");
        Ok(now.ok_or_else(missing)?.0.clone())
    }

    /// The lowest height that a leaf may still refer to.
    pub fn oldest(&self) -> Result<Height, Stop> {
        let window = self.parameters()?.settlement_window;
        Ok(Height(self.block.height.0.saturating_sub(window)))
    }

    /// Takes the next number of one kind.
    pub fn number(&mut self, pick: impl Fn(&mut Numbers) -> &mut u64) -> Result<u64, Stop> {
        let mut numbers: Numbers = self.expect(&Key::Numbers)?;
        let next = pick(&mut numbers);
        let number = *next;
        *next = number.checked_add(1).ok_or_else(Refusal::overflow)?;
        self.put(&Key::Numbers, &numbers);
        Ok(number)
    }
}

/// Terms that the ledger keeps, by id.
pub fn stored_terms(view: &View<'_>, id: Cid) -> Result<Terms, Stop> {
    let bytes: Vec<u8> = view.expect(&Key::Terms(id))?;
    let damaged = |error| {
        let message = format!("the terms {id} are damaged: {error}");
        Refusal::new(ErrorCode::LedgerCorrupt, message)
    };
    Ok(Terms::from_document(&bytes).map_err(|error| damaged(error.to_string()))?)
}
