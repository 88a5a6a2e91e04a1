//! The engine on a thread of its own, behind the trait that the house sees.

use crate::alone::Alone;
use crate::app::App;
use crate::around::{Around, Lines, silence};
use crate::epochs::VOTES_KEPT;
use crate::mark::{FileMark, VoteMark};
use crate::peers::{self, Peers};
use crate::types::{ChainBlock, Key, key};
use crate::wire::{self, Seat};
use ambar_base::finality::{Evidence, Handover, OutcomeProof};
use ambar_base::{Digest, Height};
use ambar_consensus::Answer;
use ambar_consensus::History;
use ambar_consensus::Participation;
use ambar_consensus::block::{Block, Writes, genesis_writes};
use ambar_consensus::core::{Core, Submitted};
use ambar_consensus::database::Database;
use ambar_consensus::draft;
use ambar_consensus::engine::{Consensus, Fate, Head, Status};
use ambar_consensus::error::{OpenError, StoreError};
use ambar_consensus::machine::StateMachine;
use ambar_consensus::settings::{Clock, Settings};
use ambar_consensus::state::StateView;
use commonware_runtime::{Handle, Runner as _, Spawner as _, Supervisor as _, tokio as runtime};
use futures::FutureExt;
use futures::future::{BoxFuture, ready, select_all};
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use tokio::sync::watch;

/// Where it is kept in which epochs the key may have voted, unless elsewhere.
const VOTE_MARK: &str = "voted";
/// The engine's directory in the ledger's.
const ENGINE: &str = "engine";
/// Stack of the engine's thread: the future that starts all its parts is large.
const STACK_BYTES: usize = 16 << 20;
/// How long to wait before a failed engine is started again.
const RESTART_AFTER: Duration = Duration::from_millis(500);

/// A ledger and its engine. Dropping it stops it.
pub struct Chain {
    core: Arc<Core>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What every start of the engine needs.
struct Starter {
    core: Arc<Core>,
    mark: Arc<dyn VoteMark>,
    directory: PathBuf,
    genesis: ChainBlock,
    genesis_writes: Arc<Writes>,
}

impl Chain {
    /// Opens the ledger in `dir`, which is created if it does not exist. `genesis` is the
    /// state at height 0.
    ///
    /// # Errors
    /// [`OpenError::HomeInUse`] if a process has it open, [`OpenError::HomeMismatch`] if
    /// its network, genesis or format is another.
    pub fn open(
        dir: &Path,
        settings: Settings,
        machine: Arc<dyn StateMachine>,
        genesis: Vec<(Vec<u8>, Vec<u8>)>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        fs::create_dir_all(dir)?;
        let writes = genesis_writes(genesis);
        let rules = &settings.rules;
        let database = Database::open_in(dir, rules, &writes, settings.cache_bytes)?;
        // The files' own content is durable by now; their names must be too.
        File::open(dir)?.sync_all()?;
        let genesis = ChainBlock::new(draft::genesis(rules, &writes), Vec::new())
            .ok_or(OpenError::HomeMismatch("its committee's keys"))?;
        let core = Core::new(machine, settings, clock, database)?;
        let mark = core.settings.vote_mark.clone().unwrap_or_else(|| dir.join(VOTE_MARK));
        let starter = Starter {
            mark: Arc::new(FileMark(mark)),
            core: Arc::clone(&core),
            directory: dir.join(ENGINE),
            genesis,
            genesis_writes: Arc::new(writes),
        };
        let thread = thread::Builder::new().name("engine".into()).stack_size(STACK_BYTES);
        let thread = thread.spawn(move || starter.run())?;
        let chain = Self { core, thread: Some(thread) };
        chain.core.wait_for_start()?;
        Ok(chain)
    }
}

impl Starter {
    /// Runs the engine until it is told to stop. An engine that fails is started again: what
    /// it had made durable is there, and the disk may have space by then.
    fn run(self) {
        loop {
            let ended = catch_unwind(AssertUnwindSafe(|| self.run_once()));
            if *self.core.stop.borrow() || matches!(self.core.status(), Status::Halted(_)) {
                break;
            }
            if self.core.begin_anew.swap(false, Ordering::SeqCst) {
                self.clear();
                continue;
            }
            if ended.is_err() {
                tracing::error!("the engine failed and is started again");
            }
            self.core.stall(self.why_it_failed());
            thread::sleep(RESTART_AFTER);
        }
        self.wait_for_stop();
        self.core.close();
    }

    /// Removes what the engine has, but for its votes.
    fn clear(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let kept = VOTES_KEPT.iter().any(|kept| name.to_string_lossy().starts_with(kept));
            if !kept && let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(%error, "a part of the engine's store stays");
            }
        }
    }

    fn wait_for_stop(&self) {
        let mut stop = self.core.stop.subscribe();
        // The sender lives in the core, which is in hand.
        let _ = futures::executor::block_on(stop.wait_for(|stop| *stop));
    }

    /// The engine says only that it failed; the disk says whether it is full.
    fn why_it_failed(&self) -> StoreError {
        let probe = self.directory.join("probe");
        let written = fs::write(&probe, vec![0; 1 << 20]).and_then(|()| fs::remove_file(&probe));
        match written {
            Err(error) => StoreError::from(error),
            Ok(()) => StoreError::Io("the engine failed; see the log".into()),
        }
    }

    fn run_once(&self) {
        let config = runtime::Config::new()
            .with_storage_directory(&self.directory)
            .with_worker_threads(2)
            .with_catch_panics(false);
        runtime::Runner::new(config).start(|context| self.validate(context));
    }

    fn seat(&self, me: Key, network: Around) -> Seat<Around> {
        let Settings { rules, patience, .. } = &self.core.settings;
        let (limits, patience, mark) = (rules.block, *patience, Arc::clone(&self.mark));
        let genesis = commonware_cryptography::Digestible::digest(&self.genesis);
        Seat { me, network, genesis, prefix: String::new(), limits, patience, mark }
    }

    /// Who is on the network, and what runs it.
    fn around(&self, context: &runtime::Context, me: Key) -> (Around, Lines, Option<Handle<()>>) {
        let settings = &self.core.settings;
        let Some(peers) = &settings.peers else {
            return (Around::Nobody(Alone::new(me)), silence(), None);
        };
        let seats = self.core.newest_committee().seats().len();
        let network = peers::start(context, settings, peers, seats);
        let Peers { oracle, channels, task } =
            network.unwrap_or_else(|error| panic!("a peer's key: {error}"));
        (Around::Peers(oracle), channels, Some(task))
    }

    async fn validate(&self, context: runtime::Context) {
        let settings = &self.core.settings;
        let me = key(&settings.key.public()).unwrap_or_else(|error| panic!("our key: {error}"));
        let app = App {
            core: Arc::clone(&self.core),
            genesis: self.genesis.clone(),
            genesis_writes: Arc::clone(&self.genesis_writes),
            marshal: Arc::default(),
            turn: Arc::default(),
        };
        let validator = context.child("validator");
        let (network, lines, task) = self.around(&context, me.clone());
        let mut running = wire::start(validator, self.seat(me, network), app, lines).await;
        running.extend(task);
        self.core.run();
        let mut stop = self.core.stop.subscribe();
        let stopped = stop.wait_for(|stop| *stop);
        let parts = select_all(running.drain(..));
        futures::pin_mut!(stopped);
        futures::future::select(stopped, parts).await;
        // Whatever is left unfinished is finished at the next start.
        let _ = context.stop(0, Some(Duration::from_secs(5))).await;
    }
}

impl Consensus for Chain {
    fn submit(&self, transaction: Vec<u8>) -> BoxFuture<'static, Answer> {
        match self.core.enqueue(transaction) {
            Err(error) => ready(Err(error)).boxed(),
            Ok(Submitted::Final(committed)) => ready(Ok(committed)).boxed(),
            Ok(Submitted::Waiting(answer)) => answer
                .map(|answer| answer.unwrap_or(Err(ambar_consensus::SubmitError::ShuttingDown)))
                .boxed(),
        }
    }

    fn head(&self) -> Head {
        self.core.head()
    }

    fn watch(&self) -> watch::Receiver<Head> {
        self.core.watch()
    }

    fn read(&self) -> Result<StateView, StoreError> {
        let snapshot = self.core.snapshot()?;
        Ok(StateView::new(snapshot.head(), snapshot))
    }

    fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        self.core.snapshot()?.block(height)
    }

    fn oldest(&self) -> Result<Height, StoreError> {
        Ok(self.core.snapshot()?.oldest())
    }

    fn bodies_kept(&self) -> Option<u64> {
        self.core.settings.bodies_kept
    }

    fn history(&self) -> Result<History, StoreError> {
        Ok(History::new(self.core.snapshot()?))
    }

    fn proof(&self, height: Height, index: u64) -> Result<Option<OutcomeProof>, StoreError> {
        Ok(self.block(height)?.and_then(|block| block.proof(index)))
    }

    fn fate(&self, id: &Digest) -> Result<Fate, StoreError> {
        // Waiting is asked first: what leaves the pool is final or refused by then.
        if self.core.waits(id) {
            return Ok(Fate::Waiting);
        }
        if let Some((height, index)) = self.core.snapshot()?.place(id)? {
            return Ok(Fate::Final { height, index });
        }
        Ok(self.core.refusal(id).map_or(Fate::Unknown, Fate::Refused))
    }

    fn status(&self) -> Status {
        self.core.status()
    }

    fn participation(&self) -> Participation {
        self.core.participation()
    }

    fn conflicts(&self) -> watch::Receiver<Vec<Evidence>> {
        self.core.conflicts.subscribe()
    }

    fn handovers(&self, since: u64, until: u64) -> Result<Vec<Handover>, StoreError> {
        Core::handovers(&*self.core.snapshot()?, since, until)
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        self.core.stop.send_replace(true);
        let mut closed = self.core.closed.subscribe();
        async move {
            // The sender lives in the core, which the engine's thread holds.
            let _ = closed.wait_for(|closed| *closed).await;
        }
        .boxed()
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.core.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}
