//! One member over its lives: started, crashed, started again on what it had made durable.
//!
//! As in production an engine that fails is started again, on the same memory; a crash takes
//! the memory too.

use super::adversary::{Adversary, Fame, Forged, Hand, TICK};
use super::client::moment;
use super::draw::Draw;
use super::mark::MemoryMark;
use super::plan::{Member, Part, Plan, ViewLoss};
use super::reach::{Blocked, Reach};
use super::tap::{Plain, Stage, TapReceiver, TapSender};
use super::ward::{Alarm, Ward};
use ambar_chain::app::App;
use ambar_chain::mark::VoteMark;
use ambar_chain::network::{CHANNELS, Channels};
use ambar_chain::schemes::Schemes;
use ambar_chain::types::{ChainBlock, Key, key};
use ambar_chain::wire::{self, Running, Seat};
use ambar_consensus::block::Writes;
use ambar_consensus::core::Core;
use ambar_consensus::database::{Beginning, Database};
use ambar_consensus::error::StoreError;
use ambar_consensus::settings::{Clock, Settings};
use ambar_tables::faulty::Disk;
use commonware_cryptography::Digestible as _;
use commonware_p2p::simulated::{self, Oracle, SplitTarget};
use commonware_runtime::deterministic::Context;
use commonware_runtime::{Clock as _, Handle, Quota, Spawner as _, Supervisor as _};
use commonware_utils::NZU32;
use futures::future::{select, select_all};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Messages a second that one member may send another on one channel, as in production.
const RATE: Quota = Quota::per_second(NZU32!(512));
/// How long after a failure an engine is started again, as in production.
const RESTART_AFTER: Duration = Duration::from_millis(500);
/// Memory for the view's page cache, bytes: runs are small and many.
const CACHE_BYTES: usize = 1 << 20;

type Receiver = simulated::Receiver<Key>;
type Ends = (Plain, Receiver);

/// What all members share.
pub(super) struct Common {
    pub(super) plan: Plan,
    pub(super) genesis: ChainBlock,
    pub(super) writes: Arc<Writes>,
    pub(super) oracle: Oracle<Key, Context>,
    pub(super) blocked: Blocked,
    pub(super) forged: Forged,
    pub(super) fame: Fame,
    /// When engines ended that nobody stopped: member and time since the start, ms.
    pub(super) ends: Arc<Mutex<Vec<(usize, u64)>>>,
}

/// A member that runs or has crashed.
pub(super) struct Validator {
    number: usize,
    disk: Disk,
    /// What was on the disk at the start before.
    earlier: Disk,
    mark: Arc<MemoryMark>,
    lives: u64,
    running: Option<(Open, Handle<()>)>,
}

impl Validator {
    pub(super) fn new(number: usize) -> Self {
        let (disk, earlier, mark) = Default::default();
        Self { number, disk, earlier, mark, lives: 0, running: None }
    }

    /// What it shares with submitters and readers while it runs.
    pub(super) fn open(&self) -> Option<&Open> {
        self.running.as_ref().map(|(open, _)| open)
    }

    /// Starts it, if it does not run.
    pub(super) fn start(&mut self, context: &Context, common: &Arc<Common>) {
        if self.running.is_some() {
            return;
        }
        self.lives += 1;
        self.earlier = self.disk.image();
        let core = open(context, common, self.number, &self.disk);
        let open = Open { core: Arc::clone(&core), caught_up: Arc::default() };
        let life = Life {
            number: self.number,
            common: Arc::clone(common),
            core,
            caught_up: Arc::clone(&open.caught_up),
            mark: Arc::clone(&self.mark),
            draw: Draw::new(common.plan.seed).fork(self.number as u64).fork(self.lives),
        };
        let task = context.child("validator").with_attribute("member", self.number);
        let task = task.with_attribute("life", self.lives);
        self.running = Some((open, task.spawn(move |context| life.live(context))));
    }

    /// Ends it in the middle of what it does.
    pub(super) fn crash(&mut self, loss: ViewLoss) {
        let Some((open, task)) = self.running.take() else { return };
        task.abort();
        // Writes what the view has, so that what a crash takes of it is the plan's choice.
        open.core.close();
        self.disk = match loss {
            ViewLoss::Nothing => self.disk.image(),
            ViewLoss::SinceStart => self.earlier.image(),
            ViewLoss::All => Disk::default(),
        };
    }
}

/// A member's core, which nobody sees before its view is up to its engine, as in production.
#[derive(Clone)]
pub(super) struct Open {
    core: Arc<Core>,
    caught_up: Arc<AtomicBool>,
}

impl Open {
    /// The core, once it may be seen.
    pub(super) fn core(&self) -> Option<&Arc<Core>> {
        self.caught_up.load(Ordering::SeqCst).then_some(&self.core)
    }
}

fn open(context: &Context, common: &Common, number: usize, disk: &Disk) -> Arc<Core> {
    let Plan { settings, machine, members, .. } = &common.plan;
    let Member { key, ahead_ms, .. } = members[number].clone();
    let settings = Settings { key, ..settings.clone() };
    let committee = &settings.rules.genesis.committee;
    let header = common.genesis.header();
    let genesis = Beginning { header, writes: &common.writes, committee };
    let database = Database::open_on(Box::new(disk.clone()), CACHE_BYTES, genesis);
    let database = database.unwrap_or_else(|error| panic!("a view does not open: {error}"));
    let runtime = context.child("clock");
    let clock: Clock = Arc::new(move || moment(&runtime).after(ahead_ms));
    let core = Core::new(Arc::clone(machine), settings, clock, database);
    core.unwrap_or_else(|error| panic!("a view cannot be read: {error}"))
}

/// A member from start to crash.
struct Life {
    number: usize,
    common: Arc<Common>,
    core: Arc<Core>,
    caught_up: Arc<AtomicBool>,
    mark: Arc<MemoryMark>,
    draw: Draw,
}

impl Life {
    async fn live(self, context: Context) {
        let life = Arc::new(self);
        for start in 0_u64.. {
            let engine = context.child("run").with_attribute("start", start);
            let this = Arc::clone(&life);
            // Both an engine that ends and one that panics are started again.
            let _ = engine.spawn(move |context| async move { this.run(context).await }).await;
            life.note_end(&context);
            life.core.stall(StoreError::Io("the engine failed".into()));
            context.sleep(RESTART_AFTER).await;
        }
    }

    fn note_end(&self, context: &Context) {
        let since = moment(context).0.saturating_sub(super::run::START_MS);
        let mut ends = self.common.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.push((self.number, since));
    }

    /// Runs the engine until a part of it ends or panics.
    async fn run(&self, context: Context) {
        let alarm = Alarm::default();
        select(pin!(self.run_parts(&context, &alarm)), pin!(alarm.heard())).await;
    }

    async fn run_parts(&self, context: &Context, alarm: &Alarm) {
        let me = member_key(&self.common.plan.members[self.number]);
        let mut ends = Vec::new();
        for channel in 0..CHANNELS {
            let registered = self.common.oracle.control(me.clone()).register(channel, RATE).await;
            ends.push(registered.unwrap_or_else(|error| panic!("a channel: {error}")));
        }
        let mut running = match self.common.plan.members[self.number].part {
            Part::Adversary(Adversary::Proposer) => self.twins(context, alarm, (me, ends)).await,
            part => self.one(context, alarm, (me, ends, part)).await,
        };
        self.core.run();
        self.caught_up.store(true, Ordering::SeqCst);
        select_all(running.drain(..)).await.0.ok();
    }

    /// One engine, behind an adversary if the member is one.
    async fn one(
        &self,
        context: &Context,
        alarm: &Alarm,
        (me, ends, part): (Key, Vec<Ends>, Part),
    ) -> Running {
        let (senders, receivers): (Vec<Plain>, Vec<Receiver>) = ends.into_iter().unzip();
        let stage = match part {
            Part::Honest => None,
            Part::Adversary(adversary) => {
                let mut hand = self.hand(me.clone());
                let actor = adversary.actor(&mut hand);
                Some(Arc::new(Stage::new(actor, hand, senders.clone())))
            }
        };
        let channels = channels(senders, receivers, stage.as_ref());
        let (seat, app) = (self.seat(me, ""), self.app(Arc::clone(&self.core)));
        let engine = Ward::new(context.child("engine"), alarm.clone());
        let mut running = wire::start(engine, seat, app, channels).await;
        if let Some(stage) = stage {
            running.push(tick(context, stage));
        }
        running
    }

    /// Two engines with one key, each speaking to one half of the others and hearing all:
    /// both are honest, and together they propose two blocks in each view that they lead.
    async fn twins(
        &self,
        context: &Context,
        alarm: &Alarm,
        (me, ends): (Key, Vec<Ends>),
    ) -> Running {
        let mut hand = self.hand(me.clone());
        let peers = hand.peers.clone();
        let peers = hand.draw.shuffled(peers);
        // One of them may hear both.
        let both = hand.draw.index(2);
        let (left, right) = (&peers[..peers.len() / 2 + both], &peers[peers.len() / 2..]);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (sender, receiver) in ends {
            let both = context.child("twin_ears");
            let (one, other) = receiver.split_with(both, |_| SplitTarget::Both);
            first.push((sender.clone(), one));
            second.push((sender, other));
        }
        let other = open(context, &self.common, self.number, &Disk::default());
        let mut running = Running::new();
        let twins = [(first, left, Arc::clone(&self.core), ""), (second, right, other, "twin-")];
        for (ends, half, core, name) in twins {
            let (senders, receivers): (Vec<Plain>, Vec<Receiver>) = ends.into_iter().unzip();
            let hand = self.hand(me.clone());
            let actor = super::adversary::half(half.to_vec());
            let stage = Arc::new(Stage::new(actor, hand, senders.clone()));
            let channels = channels(senders, receivers, Some(&stage));
            let (seat, app) = (self.seat(me.clone(), name), self.app(core));
            let engine = context.child("engine").with_attribute("twin", name.len());
            let engine = Ward::new(engine, alarm.clone());
            running.extend(wire::start(engine, seat, app, channels).await);
        }
        running
    }

    fn hand(&self, me: Key) -> Hand {
        let limits = self.core.settings.rules.block;
        let others = self.common.plan.members.iter().map(member_key);
        let others = others.filter(|key| *key != me).collect();
        let schemes = Schemes::new(Arc::clone(&self.core));
        Hand::new(me, (schemes, others), limits, self.draw.clone())
            .with(self.common.forged.clone(), self.common.fame.clone())
    }

    fn seat(&self, me: Key, name: &str) -> Seat<Reach> {
        let Settings { rules, patience, .. } = &self.core.settings;
        let honest = self.common.plan.members[self.number].is_honest();
        let network = Reach {
            control: self.common.oracle.control(me.clone()),
            peers: self.common.oracle.manager(),
            me: me.clone(),
            noted: self.common.blocked.clone(),
            blocking: self.common.plan.blocking && honest,
        };
        let (limits, patience) = (rules.block, *patience);
        let mark: Arc<dyn VoteMark> = if name.is_empty() {
            Arc::clone(&self.mark) as Arc<dyn VoteMark>
        } else {
            Arc::new(MemoryMark::default())
        };
        let prefix = format!("v{}-{name}", self.number);
        let genesis = self.common.genesis.digest();
        Seat { me, network, genesis, mark, prefix, limits, patience }
    }

    fn app(&self, core: Arc<Core>) -> App {
        App {
            core,
            genesis: self.common.genesis.clone(),
            genesis_writes: Arc::clone(&self.common.writes),
            marshal: Arc::default(),
            turn: Arc::default(),
        }
    }
}

/// A member's key as the engine has it.
pub(super) fn member_key(member: &Member) -> Key {
    key(&member.key.public()).unwrap_or_else(|error| panic!("a member's key: {error}"))
}

fn channels(
    senders: Vec<Plain>,
    receivers: Vec<Receiver>,
    stage: Option<&Arc<Stage>>,
) -> Channels<TapSender, TapReceiver> {
    let mut ends = senders.into_iter().zip(receivers).enumerate();
    Channels::open(|_| {
        let (channel, (sender, receiver)) = ends.next().expect("as many ends as channels");
        (
            TapSender { channel, plain: sender, stage: stage.cloned() },
            TapReceiver { channel, plain: receiver, stage: stage.cloned() },
        )
    })
}

fn tick(context: &Context, stage: Arc<Stage>) -> Handle<()> {
    context.child("tick").spawn(move |context| async move {
        loop {
            context.sleep(TICK).await;
            stage.tick();
        }
    })
}
