//! The models in memory: loaded when a job needs them, shared, and bounded.
//!
//! Weights are known by their file, so that engines which name one file share
//! them; each engine has a context of its own. What is idle is unloaded, the
//! longest unused first, when something else needs the room.
//!
//! It does not know what a job is: whoever holds a [`Lease`] keeps its model.
//!
//! **Invariant**: the bytes of all that is loaded or being loaded never exceed
//! the budget, and nothing with a lease is unloaded. Whoever needs room is served
//! in the order of asking, so that a busy model cannot keep another out for ever.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use tokio::sync::{Notify, OnceCell};

use crate::error::Failure;

use super::lane::Lane;
use super::memory::machine_bytes;
use super::model::Model;
use super::settings::Settings;

/// A budget of memory and the models in it. Clones are the same pool.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    budget_bytes: u64,
    state: Mutex<State>,
    /// Held by whoever waits for room; those who come later wait behind.
    gate: tokio::sync::Mutex<()>,
    /// Told when a member has become idle.
    idle: Notify,
    /// Files that were read into memory so far.
    loads: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    used_bytes: u64,
    /// Grows with each use.
    now: u64,
    weights: BTreeMap<FileId, Weights>,
    members: BTreeMap<u64, Loaded>,
}

/// A file as it was when it was looked at: another length or time is another file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileId {
    path: PathBuf,
    bytes: u64,
    changed: Option<SystemTime>,
}

#[derive(Debug)]
struct Weights {
    model: Arc<OnceCell<Arc<Model>>>,
    /// Members whose contexts stand on them.
    members: usize,
}

/// A member that is loaded or being loaded.
#[derive(Debug)]
struct Loaded {
    file: FileId,
    context_bytes: u64,
    lane: Arc<OnceCell<Arc<Lane>>>,
    leases: usize,
    last_used: u64,
    /// Whether its engine is gone.
    orphan: bool,
}

/// What a pool holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// What it may hold, in bytes.
    pub budget_bytes: u64,
    /// What is loaded or being loaded, in bytes.
    pub used_bytes: u64,
    /// Engines whose model is loaded or being loaded.
    pub engines: usize,
    /// Files among them.
    pub files: usize,
    /// Files that were loaded since the pool was made.
    pub loads: u64,
}

impl Pool {
    /// A pool of its own with this budget, in bytes.
    #[must_use]
    pub fn new(budget_bytes: u64) -> Self {
        Self(Arc::new(Inner {
            budget_bytes,
            state: Mutex::default(),
            gate: tokio::sync::Mutex::default(),
            idle: Notify::new(),
            loads: AtomicU64::new(0),
        }))
    }

    /// The pool of this process for whoever names no other: half of the memory
    /// that the process may use.
    #[must_use]
    pub fn of_process() -> Self {
        static POOL: OnceLock<Pool> = OnceLock::new();
        POOL.get_or_init(|| Self::new(machine_bytes() / 2)).clone()
    }

    /// What it holds now.
    #[must_use]
    pub fn usage(&self) -> PoolUse {
        let state = self.0.lock();
        PoolUse {
            budget_bytes: self.0.budget_bytes,
            used_bytes: state.used_bytes,
            engines: state.members.len(),
            files: state.weights.len(),
            loads: self.0.loads.load(Ordering::Relaxed),
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::of_process()
    }
}

impl PartialEq for Pool {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Pool {}

/// An engine's part in a pool. Dropping it gives its memory back.
#[derive(Debug)]
pub(super) struct Member {
    pool: Pool,
    number: u64,
    path: PathBuf,
    context_bytes: u64,
    settings: Settings,
}

/// A right to a loaded model. While there is one, the model stays.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Pool,
    member: u64,
}

impl Member {
    /// An engine for the file at `path`, whose context takes so many bytes.
    pub(super) fn new(pool: Pool, path: &Path, context_bytes: u64, settings: Settings) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { pool, number, path: path.to_owned(), context_bytes, settings }
    }

    /// The loaded model, and the right to keep it: loads it if need be, after
    /// waiting for what is in the way to become idle.
    ///
    /// # Errors
    /// [`Failure::File`], [`Failure::ModelTooLarge`], [`Failure::ModelRefused`].
    pub(super) async fn lease(&self) -> Result<(Arc<Lane>, Lease), Failure> {
        let (lease, lane, model) = self.reserve().await?;
        let loads = &self.pool.0.loads;
        // Loading goes on if nobody waits for it any more: what it takes is given
        // back only when what it made is gone.
        let load_file = || async {
            let (path, held) = (self.path.clone(), lease.again());
            let (model, _) = blocking(move || Ok((Arc::new(Model::load(&path)?), held))).await?;
            loads.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Failure>(model)
        };
        let load = || async {
            let model = Arc::clone(model.get_or_try_init(load_file).await?);
            let (settings, held) = (self.settings, lease.again());
            let made = blocking(move || Ok((Arc::new(Lane::new(model, settings)?), held)));
            Ok::<_, Failure>(made.await?.0)
        };
        let lane = Arc::clone(lane.get_or_try_init(load).await?);
        Ok((lane, lease))
    }

    /// Finds room for the model, unless it has it. What is unloaded for that is
    /// gone before the room is given away.
    async fn reserve(&self) -> Result<Reserved, Failure> {
        let inner = &self.pool.0;
        let _first = inner.gate.lock().await;
        if let Some(reserved) = self.try_lease(&mut inner.lock()) {
            return Ok(reserved);
        }
        let path = self.path.clone();
        let file = blocking(move || FileId::of(&path)).await?;
        loop {
            let step = inner.lock().make_room(&file, self.context_bytes, inner.budget_bytes)?;
            match step {
                Room::Enough => break,
                Room::After(unloaded) => {
                    blocking(move || {
                        drop(unloaded);
                        Ok(())
                    })
                    .await?;
                }
                Room::Later => inner.idle.notified().await,
            }
        }
        let mut state = inner.lock();
        state.add(self.number, file, self.context_bytes);
        self.try_lease(&mut state).ok_or(Failure::WorkerGone)
    }

    fn try_lease(&self, state: &mut State) -> Option<Reserved> {
        state.now += 1;
        let now = state.now;
        let loaded = state.members.get_mut(&self.number)?;
        loaded.leases += 1;
        loaded.last_used = now;
        let model = Arc::clone(&state.weights.get(&loaded.file)?.model);
        let lease = Lease { pool: self.pool.clone(), member: self.number };
        Some((lease, Arc::clone(&loaded.lane), model))
    }
}

type Reserved = (Lease, Arc<OnceCell<Arc<Lane>>>, Arc<OnceCell<Arc<Model>>>);

impl Lease {
    /// The same right once more.
    pub(super) fn again(&self) -> Self {
        if let Some(loaded) = self.pool.0.lock().members.get_mut(&self.member) {
            loaded.leases += 1;
        }
        Self { pool: self.pool.clone(), member: self.member }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.pool.0.lock();
        let unloaded = match state.members.get_mut(&self.number) {
            Some(loaded) if loaded.leases > 0 => {
                loaded.orphan = true;
                None
            }
            _ => state.remove(self.number),
        };
        drop(state);
        drop(unloaded);
        self.pool.0.idle.notify_one();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.pool.0.lock();
        let mut unloaded = None;
        if let Some(loaded) = state.members.get_mut(&self.member) {
            loaded.leases -= 1;
            // What was never loaded, or must be loaded anew, takes no room.
            let useless = loaded.lane.get().is_none_or(|lane| lane.is_broken());
            if loaded.leases == 0 && (loaded.orphan || useless) {
                unloaded = state.remove(self.member);
            }
        }
        drop(state);
        // Memory is freed without the lock.
        drop(unloaded);
        self.pool.0.idle.notify_one();
    }
}

/// Whether something may be loaded.
enum Room {
    /// Now.
    Enough,
    /// When this is gone.
    After(Unloaded),
    /// When something has become idle.
    Later,
}

/// What was unloaded; its memory is free when this is dropped.
type Unloaded = (Arc<OnceCell<Arc<Lane>>>, Option<Weights>);

impl Inner {
    /// Nothing can panic under the lock, so that a poisoned one is consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One step towards room for a context on this file's weights.
    fn make_room(&mut self, file: &FileId, context: u64, budget: u64) -> Result<Room, Failure> {
        let needed_bytes = file.bytes.saturating_add(context);
        if needed_bytes > budget {
            let (path, budget_bytes) = (file.path.clone(), budget);
            return Err(Failure::ModelTooLarge { path, needed_bytes, budget_bytes });
        }
        let weights = if self.weights.contains_key(file) { 0 } else { file.bytes };
        if self.used_bytes.saturating_add(weights).saturating_add(context) <= budget {
            return Ok(Room::Enough);
        }
        let idle = self.members.iter().filter(|(_, loaded)| loaded.leases == 0);
        let longest = idle.min_by_key(|(_, loaded)| loaded.last_used).map(|(number, _)| *number);
        let unloaded = longest.and_then(|number| self.remove(number));
        Ok(unloaded.map_or(Room::Later, Room::After))
    }

    fn add(&mut self, number: u64, file: FileId, context_bytes: u64) {
        let weights = self.weights.entry(file.clone()).or_insert_with(|| {
            self.used_bytes += file.bytes;
            Weights { model: Arc::default(), members: 0 }
        });
        weights.members += 1;
        self.used_bytes += context_bytes;
        let (lane, leases, last_used, orphan) = (Arc::default(), 0, 0, false);
        let loaded = Loaded { file, context_bytes, lane, leases, last_used, orphan };
        self.members.insert(number, loaded);
    }

    fn remove(&mut self, number: u64) -> Option<Unloaded> {
        let Loaded { file, context_bytes, lane, .. } = self.members.remove(&number)?;
        self.used_bytes -= context_bytes;
        let weights = self.weights.get_mut(&file)?;
        weights.members -= 1;
        if weights.members > 0 {
            return Some((lane, None));
        }
        self.used_bytes -= file.bytes;
        Some((lane, self.weights.remove(&file)))
    }
}

impl FileId {
    fn of(path: &Path) -> Result<Self, Failure> {
        let failed = |source| Failure::File { path: path.to_owned(), source };
        let canonical = path.canonicalize().map_err(failed)?;
        let metadata = canonical.metadata().map_err(failed)?;
        Ok(Self { path: canonical, bytes: metadata.len(), changed: metadata.modified().ok() })
    }
}

/// Does what blocks off the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::WorkerGone)?
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
