//! Thousands of calls while everything is killed, cut and changed: whatever happens, each call is
//! charged at most once, and each charge is for something that was delivered.

use crate::books::Books;
use crate::chance::{Chance, drawn, number};
use crate::client::{Attempt, Ending, How, attempt};
use crate::mock::Mock;
use crate::proxy::{Proxy, wished};
use crate::script::{ACTS, Fault, MANNERS, Manner, PLACES, Script};
use crate::support::http::Request;
use crate::support::market::{Market, chat, nano, until};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// How many calls are made, unless the environment says otherwise.
const CALLS: u64 = 10_000;
/// How often the gateway is killed, and the upstream.
const GATEWAY_KILLS: u64 = 20;
const UPSTREAM_KILLS: u64 = 30;
/// Clients at the same time.
const CLIENTS: u64 = 16;
/// The last clients have too little money: this many by their certificates, and by their channel.
const POOR: u64 = 2;
/// Of all calls, one in so many is made by each poor client.
const POOR_SHARE: u64 = 40;
/// What a poor client may spend, credits: a few calls.
const POOR_BUDGET: &str = "0.05";
/// Longest pause before a kill, milliseconds.
const KILL_WAIT_MS_MAX: u64 = 20;
/// Between two tries of a client.
const RETRY_PAUSE: Duration = Duration::from_millis(5);
/// How long a client tries.
const PATIENCE: Duration = Duration::from_secs(60);
const CALLS_VARIABLE: &str = "AMBAR_FAULT_CALLS";
const SEED_VARIABLE: &str = "AMBAR_FAULT_SEED";

/// What a client sends with a request, so that it can be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Nothing: it is sent once.
    Never,
    /// An idempotency key.
    Key,
    /// What the official clients send.
    Counted,
}

/// What one call is.
#[derive(Clone, Debug)]
pub struct Plan {
    pub script: Script,
    pub stream: bool,
    pub again: Again,
    /// Whether a stream is asked for its usage.
    pub usage: bool,
    pub max_tokens: u32,
    /// After how many pieces the client leaves, the first time.
    pub leave: Option<u32>,
    /// How long it waits, the first time.
    pub timeout_ms: Option<u64>,
}

/// A call, and what its client was told.
#[derive(Clone, Debug)]
pub struct Call {
    pub client: usize,
    pub plan: Plan,
    pub attempts: Vec<Attempt>,
}

/// What clients share.
struct World<'a> {
    seed: u64,
    calls: u64,
    model: &'a str,
    proxy: &'a Proxy,
    url: RwLock<String>,
    next: AtomicU64,
    done: AtomicU64,
    made: Mutex<Vec<Call>>,
}

impl Plan {
    /// What call number `id` is.
    fn drawn(seed: u64, id: u64) -> Self {
        let mut chance = Chance::of(seed, id);
        let stream = chance.percent(60);
        let again = match chance.below(10) {
            0..6 => Again::Key,
            6 => Again::Counted,
            _ => Again::Never,
        };
        let manner = if chance.percent(75) { Manner::Well } else { storm_manner(&mut chance) };
        let tokens = 1 + chance.below(8) as u32;
        let slow = chance.percent(12);
        let pace_ms = if slow { 1 + chance.below(4) } else { 0 };
        let fault = chance.percent(6).then(|| drawn_fault(&mut chance));
        let script = Script { id, tokens, pace_ms, manner, fault };
        Self {
            script,
            stream,
            again,
            usage: chance.percent(70),
            max_tokens: tokens + chance.below(4) as u32,
            leave: chance.percent(5).then(|| 1 + chance.below(3) as u32),
            timeout_ms: (slow && chance.percent(40)).then(|| 1 + chance.below(20)),
        }
    }

    fn body(&self, model: &str) -> serde_json::Value {
        let message = json!({"role": "user", "content": self.script.question()});
        let mut body = json!({
            "model": model, "messages": [message], "max_tokens": self.max_tokens,
            "stream": self.stream,
        });
        if self.usage && self.stream {
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }

    /// The idempotency key, if it has one.
    pub fn key(&self) -> Option<String> {
        (self.again == Again::Key).then(|| format!("call-{}", self.script.id))
    }

    /// The request, as it is sent for the `sent`th time.
    pub fn request(&self, model: &str, certificate: &str, sent: usize) -> Request {
        let mut request = chat(&self.body(model)).bearer(certificate);
        if let Some(key) = self.key() {
            request = request.header("Idempotency-Key", &key);
        }
        if self.again == Again::Counted {
            request = request.header("x-stainless-retry-count", &sent.to_string());
        }
        match self.timeout_ms.filter(|_| sent == 0) {
            Some(ms) => request.header("Ambar-Timeout", &format!("0.{ms:03}")),
            None => request,
        }
    }
}

/// What an upstream may do in the storm: it does not pause, which takes a minute.
fn storm_manner(chance: &mut Chance) -> Manner {
    match chance.pick(&MANNERS) {
        Manner::Pause => Manner::Well,
        // One is enough for many: it writes much.
        Manner::Endless if !chance.percent(20) => Manner::Split,
        manner => manner,
    }
}

fn drawn_fault(chance: &mut Chance) -> Fault {
    Fault { place: chance.pick(&PLACES), act: chance.pick(&ACTS) }
}

impl World<'_> {
    /// Makes call after call until there is none left.
    fn work(&self, client: usize, certificate: &str) {
        let poor = client as u64 >= CLIENTS - 2 * POOR;
        let mut left = if poor { self.calls / POOR_SHARE } else { self.calls };
        while left > 0 {
            left -= 1;
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            if id >= self.calls {
                return;
            }
            let plan = Plan::drawn(self.seed, id + 1);
            let attempts = self.insist(&plan, certificate);
            self.made.lock().unwrap().push(Call { client, plan, attempts });
            self.done.fetch_add(1, Ordering::Release);
        }
    }

    /// Makes a call until there is an answer, or a refusal for good.
    fn insist(&self, plan: &Plan, certificate: &str) -> Vec<Attempt> {
        let mut chance = Chance::of(self.seed ^ 0x5eed, plan.script.id);
        let (mut attempts, begun) = (Vec::new(), Instant::now());
        loop {
            let sent = attempts.len();
            let request = plan.request(self.model, certificate, sent);
            let fault = chance.percent(10).then(|| drawn_fault(&mut chance));
            let leave = plan.leave.filter(|_| sent == 0);
            let how = How { stream: plan.stream, leave, fault };
            let direct = self.url.read().unwrap().clone();
            let url = if fault.is_some() { self.proxy.url() } else { &direct };
            let one = attempt(&request, url, how);
            let over = is_over(plan, &one);
            // Nobody was there: that is no attempt.
            if !matches!(&one.ending, Ending::Broken(why) if why.contains("refused")) {
                attempts.push(one);
            }
            if over || begun.elapsed() > PATIENCE {
                return attempts;
            }
            thread::sleep(RETRY_PAUSE);
        }
    }

    fn wait_for(&self, calls: u64) {
        until("clients go on", || (self.done.load(Ordering::Acquire) >= calls).then_some(()));
    }
}

/// Whether a client has what it can get.
pub fn is_over(plan: &Plan, attempt: &Attempt) -> bool {
    let again = plan.again != Again::Never;
    match &attempt.ending {
        Ending::Whole | Ending::Failed(_) => true,
        Ending::Refused(status, _) => {
            let charged = attempt.heard.charged.is_some();
            charged || (*status < 500 && *status != 429) || (!again && !attempt.heard.again)
        }
        // Nobody was there: whoever sends once has not sent yet.
        Ending::Broken(why) if why.contains("refused") => false,
        Ending::Broken(_) | Ending::Left => !again,
    }
}

/// Kills the gateway again and again while calls are made; when it did.
fn kill_gateway(world: &World<'_>, market: &mut Market, seed: u64) -> Vec<(Instant, Instant)> {
    let mut chance = Chance::of(seed, 0x9a7e);
    let (mut kills, mut starting) = (Vec::new(), Duration::ZERO);
    for kill in 1..=GATEWAY_KILLS {
        world.wait_for(world.calls * kill / (GATEWAY_KILLS + 1));
        // The moment of the fault: nothing waits for it.
        thread::sleep(Duration::from_millis(chance.below(KILL_WAIT_MS_MAX)));
        let before = Instant::now();
        market.kill();
        kills.push((before, Instant::now()));
        let begun = Instant::now();
        market.start();
        starting += begun.elapsed();
        market.url().clone_into(&mut world.url.write().unwrap());
        world.proxy.point(market.url());
    }
    println!("{GATEWAY_KILLS} starts of the gateway took {starting:?}");
    kills
}

fn kill_upstream(world: &World<'_>, mock: &Mock, seed: u64) {
    let mut chance = Chance::of(seed, 0x4b1d);
    for kill in 1..=UPSTREAM_KILLS {
        world.wait_for(world.calls * kill / (UPSTREAM_KILLS + 1));
        mock.kill();
        thread::sleep(Duration::from_millis(chance.below(KILL_WAIT_MS_MAX)));
        mock.start_again();
    }
}

/// A proxy before the upstream that breaks what scripts name, the first time.
pub fn breaking(mock: &Mock) -> Proxy {
    let broken = Arc::new(Mutex::new(BTreeSet::new()));
    Proxy::before(mock.url(), move |request| {
        let script = Script::find(request)?;
        let fault = script.fault?;
        broken.lock().unwrap().insert(script.id).then_some(fault)
    })
}

#[test]
fn thousands_of_calls_are_each_charged_at_most_once() {
    let calls = number(CALLS_VARIABLE, || CALLS);
    let seed = number(SEED_VARIABLE, drawn);
    let (mock, begun) = (Mock::start(), Instant::now());
    let upstream = breaking(&mock);
    let mut market = Market::open();
    let model = market.model("model", &format!("upstream:{}#big", upstream.url()));
    let rich = market.license(&model, "80");
    let poor = market.license(&model, POOR_BUDGET);
    let certificates: Vec<(String, u64, String)> = (0..CLIENTS)
        .map(|client| {
            let by_channel = client >= CLIENTS - POOR;
            let channel = if by_channel { &poor } else { &rich };
            let by_budget = client >= CLIENTS - 2 * POOR && !by_channel;
            let budget = if by_budget { POOR_BUDGET } else { "80" };
            (market.mint(channel, &["--budget", budget]), nano(budget), channel.clone())
        })
        .collect();
    let proxy = Proxy::before(market.url(), wished);
    let world = World {
        seed,
        calls,
        model: &model,
        proxy: &proxy,
        url: RwLock::new(market.url().to_owned()),
        next: AtomicU64::new(0),
        done: AtomicU64::new(0),
        made: Mutex::default(),
    };
    println!("ready after {:?}", begun.elapsed());
    let kills = thread::scope(|scope| {
        for (client, (certificate, ..)) in certificates.iter().enumerate() {
            let world = &world;
            scope.spawn(move || world.work(client, certificate));
        }
        scope.spawn(|| kill_upstream(&world, &mock, seed));
        kill_gateway(&world, &mut market, seed)
    });
    println!("called after {:?}", begun.elapsed());
    let made = std::mem::take(&mut *world.made.lock().unwrap());
    assert_eq!(made.len() as u64, calls);
    let channels = [(rich, 80_000_000_000), (poor, nano(POOR_BUDGET))];
    Books { seed, market, mock: &mock, model: &model, certificates, channels, kills, made }.agree();
    println!("over after {:?}", begun.elapsed());
}
