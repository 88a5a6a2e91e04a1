//! A run from its first moment to its last.

use super::adversary::Forged;
use super::client::{Client, Net, Shared};
use super::draw::Draw;
use super::links::Links;
use super::plan::{DiskFaults, Event, Plan, ViewLoss};
use super::validator::{Common, Open, Validator, member_key};
use super::witness::Witness;
use ambar_base::Height;
use ambar_base::finality::Evidence;
use ambar_chain::types::{ChainBlock, Key};
use ambar_chain::wire::message_bytes_max;
use ambar_consensus::block::genesis_writes;
use ambar_consensus::draft;
use ambar_consensus::engine::Status;
use commonware_p2p::simulated::{self, Network};
use commonware_runtime::deterministic::{
    self, Config, Context, FaultConfig, PartialWriteMode, WriteConfig,
};
use commonware_runtime::{Clock as _, Runner as _, Spawner as _, Supervisor as _};
use commonware_utils::{NZUsize, Probability};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// When runs begin, ms of consensus time.
pub(super) const START_MS: u64 = 1_800_000_000_000;
/// How often it is looked whether a run is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Most members of a committee here, with room for those who only follow.
const MEMBERS_MAX: usize = 64;
/// Epochs whose members are reached.
const PEER_SETS: NonZeroUsize = NZUsize!(4);
/// How much longer than anything honest a message may be: an adversary's block over the limit
/// has to arrive to be refused.
const OVERLONG: u32 = 2;

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What honest members hold that ran at the end.
    pub witnesses: Vec<Witness>,
    /// The highest final block anywhere when everything was healed.
    pub healed_at: Height,
    /// Whether every honest member got far enough in time.
    pub reached: bool,
    /// How many clients did not end in time.
    pub clients_left: usize,
    /// Who blocked whom, by member.
    pub blocked: Vec<(usize, usize)>,
    /// Evidence that honest members have seen since they started, by member.
    pub evidence: Vec<(usize, Evidence)>,
    /// How many contradictions adversaries sent to one and the same member after healing.
    pub contradictions: u64,
    /// Honest members whose ledger waits for a person.
    pub halted: Vec<usize>,
    /// Engines that ended without being stopped.
    pub ends: Vec<EngineEnd>,
    /// How long the run was, of its own time.
    pub lasted: Duration,
    /// A digest of everything that the runtime did.
    pub trace: String,
}

/// The end of an engine that nobody stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineEnd {
    /// Whose.
    pub member: usize,
    /// When, since the start.
    pub at: Duration,
}

/// Lives a plan through. It takes a thread with a stack of 16 MiB.
#[must_use]
pub fn run(plan: Plan, clients: Vec<Client>) -> Ended {
    let whole = plan.healing + plan.grace;
    let config = Config::new()
        .with_seed(plan.seed)
        .with_start_time(UNIX_EPOCH + Duration::from_millis(START_MS))
        // A panic is the end of an engine, as in production; the root's is the run's.
        .with_catch_panics(true)
        .with_timeout(Some(whole + Duration::from_secs(60)));
    deterministic::Runner::new(config).start(|context| async move {
        let mut scene = Scene::set(context, plan).await;
        scene.act(clients).await
    })
}

struct Scene {
    context: Context,
    common: Arc<Common>,
    keys: Vec<Key>,
    links: Links,
    validators: Vec<Validator>,
    shared: Arc<Shared>,
}

impl Scene {
    async fn set(context: Context, plan: Plan) -> Self {
        let keys: Vec<Key> = plan.members.iter().map(member_key).collect();
        let config = simulated::Config {
            max_size: OVERLONG * message_bytes_max(&plan.settings.rules.block),
            max_peers_per_set: NZUsize!(MEMBERS_MAX),
            disconnect_on_block: true,
            tracked_peer_sets: PEER_SETS,
        };
        let (network, oracle) =
            Network::new_with_peers(context.child("network"), config, keys.clone()).await;
        network.start();
        let links = Links::new(oracle.clone(), keys.clone(), plan.link).await;
        let forged = Forged::default();
        let (genesis, writes) = genesis(&plan);
        let shared = Shared {
            context: context.child("clients"),
            open: Mutex::new(vec![None; keys.len()]),
            healed: AtomicBool::new(false),
            reached: AtomicBool::new(false),
            forged: forged.clone(),
        };
        let (blocked, ends, fame) = Default::default();
        let common = Common { plan, genesis, writes, oracle, blocked, forged, fame, ends };
        let validators = (0..keys.len()).map(Validator::new).collect();
        let (common, shared) = (Arc::new(common), Arc::new(shared));
        Self { context, common, keys, links, validators, shared }
    }

    async fn act(&mut self, clients: Vec<Client>) -> Ended {
        let plan = self.common.plan.clone();
        (0..self.keys.len()).for_each(|member| self.start(member));
        let left = self.let_in(clients, &Draw::new(plan.seed));
        for (at, event) in &plan.events {
            self.sleep_until(*at).await;
            self.befall(event).await;
        }
        self.sleep_until(plan.healing).await;
        self.heal(&plan).await;
        let healed_at = self.highest();
        let goal = healed_at.after(plan.blocks_after);
        let mut reached = false;
        while self.since_start() < plan.healing + plan.grace {
            reached = self.lowest_honest() >= goal;
            self.shared.reached.store(reached, Ordering::SeqCst);
            if reached && left.load(Ordering::SeqCst) == 0 {
                break;
            }
            self.context.sleep(LOOK_EVERY).await;
        }
        self.end(healed_at, reached, left.load(Ordering::SeqCst))
    }

    fn start(&mut self, member: usize) {
        self.validators[member].start(&self.context, &self.common);
        self.shared.set_open(member, self.validators[member].open().cloned());
    }

    /// Starts the clients; yields how many have not ended.
    fn let_in(&self, clients: Vec<Client>, draw: &Draw) -> Arc<AtomicUsize> {
        let left = Arc::new(AtomicUsize::new(clients.len()));
        for (client, number) in clients.into_iter().zip(1_000_u64..) {
            let draw = Arc::new(Mutex::new(draw.fork(number)));
            let net = Net { shared: Arc::clone(&self.shared), draw };
            let left = Arc::clone(&left);
            self.context.child("client").with_attribute("number", number).spawn(
                move |_| async move {
                    client(net).await;
                    left.fetch_sub(1, Ordering::SeqCst);
                },
            );
        }
        left
    }

    async fn sleep_until(&self, at: Duration) {
        let at = UNIX_EPOCH + Duration::from_millis(START_MS) + at;
        self.context.sleep_until(at).await;
    }

    fn since_start(&self) -> Duration {
        let start = UNIX_EPOCH + Duration::from_millis(START_MS);
        self.context.current().duration_since(start).unwrap_or_default()
    }

    async fn befall(&mut self, event: &Event) {
        match event {
            Event::Links(link) => self.links.set(*link).await,
            Event::Split(group) => self.links.split(group).await,
            Event::Join => self.links.split(&[]).await,
            Event::Crash(member, loss) => self.crash(*member, *loss),
            Event::Restart(member) => self.start(*member),
            Event::Disks(faults) => self.set_disks(faults),
        }
    }

    fn crash(&mut self, member: usize, loss: ViewLoss) {
        self.shared.set_open(member, None);
        self.validators[member].crash(loss);
    }

    fn set_disks(&self, faults: &DiskFaults) {
        let rate = |permille: u64| Probability::new(permille.min(1_000), 1_000);
        let write = |failure_rate| WriteConfig {
            failure_rate,
            retention_rate: Probability::new(1, 2).expect("a half"),
            mode: PartialWriteMode::Prefix,
        };
        *self.context.storage_fault_config().write() = FaultConfig {
            write_rate: rate(faults.write_permille).map(write),
            sync_rate: rate(faults.sync_permille),
            read_rate: rate(faults.read_permille),
            ..FaultConfig::default()
        };
    }

    async fn heal(&mut self, plan: &Plan) {
        self.set_disks(&DiskFaults::default());
        self.links.split(&[]).await;
        self.links.set(plan.healed_link).await;
        (0..self.keys.len()).for_each(|member| self.start(member));
        self.common.fame.count_from_now();
        self.shared.healed.store(true, Ordering::SeqCst);
    }

    fn honest(&self) -> impl Iterator<Item = &Validator> {
        let members = self.common.plan.members.iter();
        let pairs = members.zip(&self.validators);
        pairs.filter(|(member, _)| member.is_honest()).map(|(_, validator)| validator)
    }

    fn heights(&self) -> impl Iterator<Item = Height> {
        let height = |validator: &Validator| {
            validator.open().and_then(Open::core).map(|core| core.head().height)
        };
        self.honest().map(move |validator| height(validator).unwrap_or(Height(0)))
    }

    fn highest(&self) -> Height {
        self.heights().max().unwrap_or(Height(0))
    }

    fn lowest_honest(&self) -> Height {
        self.heights().min().unwrap_or(Height(0))
    }

    fn end(&self, healed_at: Height, reached: bool, clients_left: usize) -> Ended {
        let member = |key: &Key| self.keys.iter().position(|other| other == key);
        let blocked = self.common.blocked.pairs();
        let blocked = blocked.iter().filter_map(|(from, to)| Some((member(from)?, member(to)?)));
        let ends = self.common.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = ends
            .iter()
            .map(|(member, at)| EngineEnd { member: *member, at: Duration::from_millis(*at) });
        Ended {
            witnesses: self.witnesses(),
            healed_at,
            reached,
            clients_left,
            blocked: blocked.collect(),
            evidence: self.evidence(),
            contradictions: self.common.fame.contradictions(),
            halted: self.halted(),
            ends: ends.collect(),
            lasted: self.since_start(),
            trace: self.context.auditor().state(),
        }
    }

    fn evidence(&self) -> Vec<(usize, Evidence)> {
        let honest = |number: &usize| self.common.plan.members[*number].is_honest();
        let seen = |number: usize| {
            let core = self.validators[number].open().and_then(Open::core);
            let found = core.map(|core| core.conflicts.borrow().clone()).unwrap_or_default();
            found.into_iter().map(move |evidence| (number, evidence))
        };
        (0..self.validators.len()).filter(honest).flat_map(seen).collect()
    }

    fn halted(&self) -> Vec<usize> {
        let members = self.common.plan.members.iter().zip(&self.validators).enumerate();
        let halted = members.filter(|(_, (member, validator))| {
            let core = validator.open().and_then(Open::core);
            member.is_honest()
                && core.is_some_and(|core| matches!(core.status(), Status::Halted(_)))
        });
        halted.map(|(number, _)| number).collect()
    }

    fn witnesses(&self) -> Vec<Witness> {
        let members = self.common.plan.members.iter().zip(&self.validators).enumerate();
        let honest = members.filter(|(_, (member, _))| member.is_honest());
        let witness = |(number, (_, validator)): (usize, (_, &Validator))| {
            let witness = Witness::of(number, validator.open().and_then(Open::core)?);
            Some(witness.unwrap_or_else(|error| panic!("member {number}'s view: {error}")))
        };
        honest.filter_map(witness).collect()
    }
}

fn genesis(plan: &Plan) -> (ChainBlock, Arc<ambar_consensus::block::Writes>) {
    let writes = genesis_writes(plan.genesis.clone());
    let header = draft::genesis(&plan.settings.rules, &writes);
    let block = ChainBlock::new(header, Vec::new()).expect("a committee's first seat is a key");
    (block, Arc::new(writes))
}
