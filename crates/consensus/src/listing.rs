//! Finding the entries of the state that list an id.
//!
//! A machine may keep ids by the list, as a ledger keeps the calls of a settled batch, and
//! ask whether any list has one of them. This index leads from an id to lists worth reading.
//! It stands beside the state and follows from it: nothing of it is hashed, stored or sent.
//!
//! **Invariant**: every entry that lists an id is among [`Listing::places`] of the id. Others
//! may be too, so what decides is the entry itself, read from the state in question.

use crate::block::Writes;
use crate::error::StoreError;
use crate::limits::SCAN_ENTRIES_MAX;
use crate::state::State;
use ambar_base::Digest;
use hashbrown::HashTable;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Which entries list ids.
#[derive(Clone, Copy, Debug)]
pub struct Lists {
    /// With what their keys begin, and no others do.
    pub prefix: &'static [u8],
    /// The ids in a value; nothing if it is no list.
    pub ids: fn(&[u8]) -> Option<Vec<Digest>>,
}

impl Lists {
    /// Whether an entry lists an id.
    pub fn has(&self, value: Option<&[u8]>, id: &Digest) -> bool {
        value.and_then(|value| (self.ids)(value)).is_some_and(|ids| ids.contains(id))
    }

    /// A list that is written, with the marks of its ids; one that is removed has none.
    fn written(&self, marks: &RandomState, key: &[u8], value: Option<&[u8]>) -> Option<List> {
        let ids = key.starts_with(self.prefix).then(|| value.and_then(self.ids))?;
        let marks = ids.unwrap_or_default().iter().map(|id| mark(marks, id)).collect();
        Some(List { key: key.to_vec(), marks })
    }
}

/// What is kept of an id: enough to find it, by a secret of the process, so that nobody
/// can choose ids that are found together.
fn mark(marks: &RandomState, id: &Digest) -> u32 {
    // The upper half is as good as any.
    (marks.hash_one(id) >> 32) as u32
}

/// A list and the marks of its ids.
#[derive(Clone, Debug)]
struct List {
    key: Vec<u8>,
    marks: Vec<u32>,
}

/// An id in a list: eight bytes, as there is one for each call of a settlement window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    mark: u32,
    list: u32,
}

/// Parts of the index: one that grows is moved, which nobody should wait long for.
const PARTS: usize = 64;

/// The index of one state.
#[derive(Clone, Debug)]
pub struct Listing {
    lists: Option<Lists>,
    marks: RandomState,
    parts: Vec<HashTable<Place>>,
    known: Vec<Option<List>>,
    free: Vec<u32>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl Listing {
    /// The index of a state without entries.
    pub fn new(lists: Option<Lists>) -> Self {
        Self::marked(lists, RandomState::new())
    }

    fn marked(lists: Option<Lists>, marks: RandomState) -> Self {
        let parts = (0..PARTS).map(|_| HashTable::new()).collect();
        let (known, free, numbers) = (Vec::new(), Vec::new(), HashMap::new());
        Self { lists, marks, parts, known, free, numbers }
    }

    /// The index of a stored state.
    pub fn of(lists: Option<Lists>, state: &dyn State) -> Result<Self, StoreError> {
        let mut listing = Self::new(lists);
        let Some(Lists { prefix, .. }) = lists else { return Ok(listing) };
        let mut after: Option<Vec<u8>> = None;
        loop {
            let entries = state.scan(prefix, after.as_deref(), SCAN_ENTRIES_MAX)?;
            let Some((last, _)) = entries.last() else { return Ok(listing) };
            after = Some(last.clone());
            entries.iter().for_each(|(key, value)| listing.write(key, Some(value)));
        }
    }

    /// Which entries it is about.
    pub fn lists(&self) -> Option<Lists> {
        self.lists
    }

    /// Follows the writes of a block.
    pub fn follow(&mut self, writes: &Writes) {
        writes.iter().for_each(|(key, value)| self.write(key, value.as_deref()));
    }

    /// Follows a write.
    pub fn write(&mut self, key: &[u8], value: Option<&[u8]>) {
        let Some(lists) = self.lists else { return };
        if let Some(list) = lists.written(&self.marks, key, value) {
            self.put(list);
        }
    }

    /// Follows the lists that a layer wrote.
    pub fn absorb(&mut self, layer: &Layer) {
        layer.written.iter().cloned().for_each(|list| self.put(list));
    }

    /// A layer without writes over a state with this index.
    pub fn layer(&self) -> Layer {
        let index = Self::marked(self.lists, self.marks.clone());
        Layer { written: Vec::new(), index }
    }

    /// Keys of entries that may list an id.
    pub fn places(&self, id: &Digest) -> impl Iterator<Item = &[u8]> {
        let mark = mark(&self.marks, id);
        let found = self.part(mark).iter_hash(spread(mark)).filter(move |place| place.mark == mark);
        found
            .filter_map(|place| self.known.get(place.list as usize)?.as_ref())
            .map(|list| list.key.as_slice())
    }

    fn part(&self, mark: u32) -> &HashTable<Place> {
        &self.parts[mark as usize % PARTS]
    }

    fn put(&mut self, list: List) {
        if let Some(number) = self.numbers.remove(&list.key) {
            self.forget(number);
        }
        if list.marks.is_empty() {
            return;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.known.push(None);
            // Far fewer lists fit into memory than there are numbers.
            (self.known.len() - 1) as u32
        });
        for mark in list.marks.iter().copied() {
            let part = &mut self.parts[mark as usize % PARTS];
            let place = Place { mark, list: number };
            part.insert_unique(spread(mark), place, |place| spread(place.mark));
        }
        self.numbers.insert(list.key.clone(), number);
        self.known[number as usize] = Some(list);
    }

    fn forget(&mut self, number: u32) {
        let Some(list) = self.known[number as usize].take() else { return };
        for mark in list.marks {
            let part = &mut self.parts[mark as usize % PARTS];
            let place = Place { mark, list: number };
            if let Ok(found) = part.find_entry(spread(mark), |other| *other == place) {
                found.remove();
            }
        }
        self.free.push(number);
    }
}

/// A hash of a mark whose upper and lower bits both vary (Fibonacci hashing: Knuth, The Art
/// of Computer Programming 3, 6.4).
fn spread(mark: u32) -> u64 {
    let product = u64::from(mark).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 32)
}

/// What a block that is not final changes of an index.
#[derive(Clone, Debug)]
pub struct Layer {
    written: Vec<List>,
    index: Listing,
}

impl Layer {
    /// Follows a write.
    pub fn write(&mut self, key: &[u8], value: Option<&[u8]>) {
        let Some(lists) = self.index.lists else { return };
        if let Some(list) = lists.written(&self.index.marks, key, value) {
            self.index.put(list.clone());
            self.written.push(list);
        }
    }

    /// See [`Listing::places`].
    pub fn places(&self, id: &Digest) -> impl Iterator<Item = &[u8]> {
        self.index.places(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::Encode;
    use ambar_base::codec::decode;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const LISTS: Lists = Lists { prefix: b"list ", ids: |value| decode(value).ok() };

    fn id(number: u8) -> Digest {
        Digest::of(&[number])
    }

    fn key(number: u8) -> Vec<u8> {
        [LISTS.prefix, &[number]].concat()
    }

    /// What is written: a list of ids, or a removal.
    fn value(ids: Option<&[u8]>) -> Option<Vec<u8>> {
        ids.map(|ids| ids.iter().copied().map(id).collect::<Vec<_>>().to_bytes())
    }

    fn places<'a>(found: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let mut found: Vec<_> = found.map(<[u8]>::to_vec).collect();
        found.sort();
        found
    }

    fn listed(state: &BTreeMap<u8, Vec<u8>>, number: u8) -> Vec<Vec<u8>> {
        let with = state.iter().filter(|(_, ids)| ids.contains(&number));
        with.map(|(at, _)| key(*at)).collect()
    }

    proptest! {
        #[test]
        fn an_index_follows_its_state(
            blocks in proptest::collection::vec(
                proptest::collection::vec(
                    (0..6u8, proptest::option::of(proptest::collection::btree_set(0..9u8, 0..4))),
                    0..5,
                ),
                0..8,
            )
        ) {
            let mut state = BTreeMap::new();
            let (mut direct, mut layered) = (Listing::new(Some(LISTS)), Listing::new(Some(LISTS)));
            for block in blocks {
                let mut layer = layered.layer();
                for (at, ids) in block {
                    let ids: Option<Vec<u8>> = ids.map(|ids| ids.into_iter().collect());
                    let bytes = value(ids.as_deref());
                    direct.write(&key(at), bytes.as_deref());
                    layer.write(&key(at), bytes.as_deref());
                    match ids {
                        Some(ids) => state.insert(at, ids),
                        None => state.remove(&at),
                    };
                }
                layered.absorb(&layer);
                for number in 0..9 {
                    let expect = listed(&state, number);
                    prop_assert_eq!(&places(direct.places(&id(number))), &expect);
                    prop_assert_eq!(&places(layered.places(&id(number))), &expect);
                }
            }
            let held: usize = direct.parts.iter().map(HashTable::len).sum();
            prop_assert_eq!(held, state.values().map(Vec::len).sum::<usize>());
        }
    }

    #[test]
    fn what_is_no_list_lists_nothing() {
        let mut listing = Listing::new(Some(LISTS));
        listing.write(&key(1), Some(b"junk"));
        listing.write(b"elsewhere", value(Some(&[1])).as_deref());
        assert_eq!(listing.places(&id(1)).count(), 0);
        let mut without = Listing::new(None);
        without.write(&key(1), value(Some(&[1])).as_deref());
        assert_eq!(without.places(&id(1)).count(), 0);
    }
}
