//! Validators of one committee in this process, on loopback.

use super::load::Load;
use super::run::Run;
use crate::ledger::batches::Market;
use crate::plan::Plan;
use crate::world::key;
use ambar_base::{Checkpoint, Committee, Height, Moment, SecretKey};
use ambar_chain::Chain;
use ambar_consensus::{Clock, Consensus, Patience, PeerSettings, Rules, Settings, SubmitError};
use ambar_ledger::transaction::TRANSACTION_BYTES_MAX;
use ambar_machine::LedgerMachine;
use anyhow::{Result, anyhow};
use futures::executor::block_on;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The longest time between blocks when nothing happens: a new ledger soon has passed the
/// height at which the calls were admitted.
const HEARTBEAT: Duration = Duration::from_millis(20);

/// Blocks that peers can fetch: fewer than by default, so that older ones are forgotten within
/// this bench.
pub const BLOCKS_KEPT: usize = 512;

/// A running committee.
pub struct Network {
    chains: Vec<Chain>,
    directories: Vec<TempDir>,
}

/// What a validator has on the disk, bytes.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    /// The engine's authenticated state.
    pub state: u64,
    /// Blocks that peers can fetch.
    pub blocks: u64,
    /// The view: blocks, outcomes and state for readers.
    pub view: u64,
}

fn addresses(count: usize) -> Result<Vec<std::net::SocketAddr>> {
    let bind = |_| TcpListener::bind(("127.0.0.1", 0));
    let listeners = (0..count).map(bind).collect::<Result<Vec<_>, _>>()?;
    Ok(listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?)
}

/// The machine's clock, moved to `start`.
pub fn clock(start: Moment) -> Clock {
    let began = Instant::now();
    Arc::new(move || start.after(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)))
}

impl Network {
    /// Starts validators over the market's state and waits until its calls are admissible.
    pub fn start(plan: &Plan, market: &Market, validators: usize) -> Result<Self> {
        let world = &market.world;
        let keys: Vec<SecretKey> =
            (0..validators).map(|i| key(&format!("validator {i}"))).collect();
        let committee = Committee::new(0, keys.iter().map(SecretKey::public).collect())?;
        let rules = Rules {
            epoch_blocks: u64::MAX,
            ..Rules::new(Checkpoint { network: world.network, committee })
        };
        let addresses = addresses(validators)?;
        let clock = clock(world.ledger.time());
        let directories: Vec<_> = keys.iter().map(|_| plan.directory()).collect::<Result<_>>()?;
        let open = |index: usize| -> Result<Chain> {
            let others = (0..validators).filter(|other| *other != index);
            let known = others.map(|other| (keys[other].public(), addresses[other])).collect();
            let (listen, advertise) = (addresses[index], addresses[index]);
            let settings = Settings::new(rules.clone(), keys[index].clone());
            let mut pool = settings.pool;
            pool.transaction_bytes_max = TRANSACTION_BYTES_MAX;
            let settings = Settings {
                pool,
                blocks_kept: BLOCKS_KEPT,
                patience: Patience::with_heartbeat(HEARTBEAT),
                peers: (validators > 1).then_some(PeerSettings { listen, advertise, known }),
                ..settings
            };
            let entries = world.ledger.entries();
            let state = entries.map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
            let machine = Arc::new(LedgerMachine::new(world.network));
            Ok(Chain::open(directories[index].path(), settings, machine, state, clock.clone())?)
        };
        let chains = thread::scope(|scope| {
            let open = &open;
            let opening: Vec<_> =
                (0..validators).map(|index| scope.spawn(move || open(index))).collect();
            let opened = opening
                .into_iter()
                .map(|thread| thread.join().map_err(|_| anyhow!("a validator panicked"))?);
            opened.collect::<Result<Vec<_>>>()
        })?;
        let network = Self { chains, directories };
        network.reach(world.ledger.height().after(1));
        Ok(network)
    }

    fn reach(&self, height: Height) {
        for chain in &self.chains {
            // The sender lives in the chain.
            let _ = block_on(chain.watch().wait_for(|head| head.height >= height));
        }
    }

    /// The time until each of these is final when nothing else happens, ms.
    pub fn idle(&self, transactions: impl Iterator<Item = Vec<u8>>) -> Result<Vec<f64>> {
        let timed = |transaction| {
            let started = Instant::now();
            block_on(self.chains[0].submit(transaction))?;
            let elapsed = started.elapsed();
            // The next one meets an idle network again.
            sleep(Duration::from_millis(7));
            Ok(elapsed.as_secs_f64() * 1e3)
        };
        transactions.map(timed).collect::<Result<_, SubmitError>>().map_err(Into::into)
    }

    /// Lets every gateway settle its batches, one after another, through a validator of its
    /// own.
    pub fn settle(&self, load: &Load) -> Result<Run> {
        let started = Instant::now();
        let loops = load.batches.iter().zip(&load.openings).enumerate();
        let settled = thread::scope(|scope| {
            let gateways = loops.map(|(index, (batches, openings))| {
                let chain = &self.chains[index % self.chains.len()];
                scope.spawn(move || gateway(chain, batches, openings, started))
            });
            let gateways: Vec<_> = gateways.collect();
            let joined = gateways
                .into_iter()
                .map(|thread| thread.join().map_err(|_| anyhow!("a gateway panicked"))?);
            joined.collect::<Result<Vec<_>>>()
        })?;
        Ok(Run::new(settled.into_iter().flatten().collect(), load))
    }

    /// A block of now, in which calls are admitted.
    pub fn admission(&self) -> (Height, Moment) {
        let head = self.chains[0].head();
        (head.height, head.time)
    }

    /// Lets so many heights pass, and whatever waits for them.
    pub fn pass(&self, heights: u64) {
        let height = self.chains[0].head().height.after(heights);
        self.reach(height);
    }

    /// Bytes of keys and values of the state.
    pub fn state_bytes(&self) -> Result<u64> {
        let view = self.chains[0].read()?;
        let (mut bytes, mut after) = (0, None::<Vec<u8>>);
        loop {
            let entries = view.scan(b"", after.as_deref(), 1_024)?;
            let Some((last, _)) = entries.last() else { return Ok(bytes) };
            after = Some(last.clone());
            bytes +=
                entries.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
        }
    }

    /// What the first validator has on the disk.
    pub fn disk(&self) -> Result<Disk> {
        let root = self.directories[0].path();
        let engine = root.join("engine");
        let mut disk = Disk { state: 0, blocks: 0, view: size(&root.join("view.redb"))? };
        for entry in fs::read_dir(engine)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let bytes = size(&entry.path())?;
            if name.starts_with("state-") {
                disk.state += bytes;
            } else {
                disk.blocks += bytes;
            }
        }
        Ok(disk)
    }

    /// Stops everything.
    pub fn stop(self) {
        for chain in &self.chains {
            block_on(chain.shutdown());
        }
    }
}

/// Bytes of a file or of everything in a directory.
fn size(path: &Path) -> Result<u64> {
    let metadata = fs::metadata(path)?;
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
}

/// When each batch was submitted and when it was final, since `started`.
fn gateway(
    chain: &Chain,
    batches: &[Vec<u8>],
    openings: &[Vec<u8>],
    started: Instant,
) -> Result<Vec<(Duration, Duration)>> {
    let settle = |(batch, opening): (&Vec<u8>, &Vec<u8>)| {
        let submitted = started.elapsed();
        let opening = chain.submit(opening.clone());
        block_on(chain.submit(batch.clone()))?;
        let settled = started.elapsed();
        block_on(opening)?;
        Ok((submitted, settled))
    };
    batches.iter().zip(openings).map(settle).collect()
}
