//! A quota of a hundred calls, asked for at four nodes at once by a hundred and fifty calls,
//! while nodes are killed: never more than a hundred are made, and the hundred are made once
//! the nodes are back.

use super::cluster::{Cluster, status};
use super::common::{Person, text};
use super::funded;
use super::support::http::Request;
use super::support::market::{chat, question, until};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const NODES: usize = 4;
const QUOTA: usize = 100;
const CALLS: usize = 150;
/// Rounds, each with a grant of its own and a node that is killed.
const ROUNDS: usize = 20;
/// How a node says how many calls are not final.
const UNSETTLED: &str = "ambar_receipts_unsettled ";
const TERMS: &str = "terms = 1\ngrants = [\"call\"]\n[quota]\ncalls = 100\nper = \"term\"\n\
    [price]\nper_call = \"0.001\"\n";

/// Four nodes that serve one model.
struct Field {
    cluster: Cluster,
    app: Person,
    model: String,
    gateways: Vec<String>,
}

impl Field {
    fn open() -> Self {
        let cluster = Cluster::start(NODES);
        let owner = Person::new(&cluster.home(0), cluster.url(0));
        owner.json(&["key", "new", "owner"]);
        owner.json(&["account", "fund", "100", "--as", "owner"]);
        let (card, terms) = (cluster.write("card.md", "M"), cluster.write("t.toml", TERMS));
        let publish = ["publish", &card, "--kind", "model", "--name", "M", "--terms", &terms];
        let how = ["--engine", "null:tokens=2", "--as", "owner"];
        let model = text(&owner.json(&[&publish[..], &how].concat()), "id");
        cluster.agree();
        let did = |node: usize| text(&status(cluster.url(node)).unwrap()["node"], "did");
        let gateways: Vec<_> = (0..NODES).map(did).collect();
        for (node, gateway) in gateways.iter().enumerate().skip(1) {
            owner.json(&["capsule", "allow", &model, gateway, "--as", "owner"]);
            cluster.agree();
            let operator = Person::new(&cluster.home(node), cluster.url(node));
            operator.json(&["capsule", "serve", &model, "--engine", "null:tokens=2"]);
        }
        let app = funded(&cluster, "app", 0);
        Self { cluster, app, model, gateways }
    }

    /// A new grant in place of the former one, and a certificate at each node.
    fn license(&mut self) -> Vec<String> {
        self.cluster.url(0).clone_into(&mut self.app.node);
        self.app.json(&["license", &self.model, "--no-channel", "--yes"]);
        let channel = |gateway: &String| {
            let opened = self.app.json(&["channel", "open", "--gateway", gateway, "--fund", "1"]);
            let mint = ["cert", "mint", "--channel", &text(&opened, "channel")];
            text(&self.app.json(&mint), "cert")
        };
        self.gateways.iter().map(channel).collect()
    }
}

/// Where calls go: a node and a certificate for it.
#[derive(Clone)]
struct Door {
    url: String,
    certificate: String,
    model: String,
}

impl Door {
    /// One call; whether it was made. Nothing if that is not known yet: the same key asks again.
    fn call(&self, key: &str) -> Option<bool> {
        let request = chat(&question(&self.model, 2)).bearer(&self.certificate);
        let answer = request.header("Idempotency-Key", key).send(&self.url).ok()?;
        match answer.status {
            200 => Some(true),
            _ if answer.code() == "quota_exceeded" => Some(false),
            429 | 500 | 503 => None,
            _ => panic!("{answer:?}"),
        }
    }

    /// The same until it is known.
    fn insist(&self, key: &str) -> bool {
        until("the call is answered", || self.call(key))
    }
}

/// Calls that were made, and those of which it is not known, by door.
#[derive(Default)]
struct Storm {
    made: usize,
    open: Vec<(usize, String)>,
}

impl Storm {
    /// Calls through one door, as long as there are any left.
    fn through(doors: &[Door], at: usize, asked: &AtomicUsize) -> Self {
        let mut storm = Self::default();
        loop {
            let n = asked.fetch_add(1, Ordering::Relaxed);
            if n >= CALLS {
                return storm;
            }
            let key = format!("storm-{n}");
            match doors[at].call(&key) {
                Some(made) => storm.made += usize::from(made),
                None => storm.open.push((at, key)),
            }
        }
    }

    fn and(mut self, other: Self) -> Self {
        self.made += other.made;
        self.open.extend(other.open);
        self
    }
}

impl Field {
    fn doors(&self, certificates: &[String]) -> Vec<Door> {
        let door = |(at, certificate): (usize, &String)| Door {
            url: self.cluster.url(at).to_owned(),
            certificate: certificate.clone(),
            model: self.model.clone(),
        };
        certificates.iter().enumerate().map(door).collect()
    }

    /// A hundred and fifty calls over all doors at once; a node is killed among them.
    fn storm(&mut self, certificates: &[String], victim: usize) -> Storm {
        let (doors, asked) = (self.doors(certificates), AtomicUsize::new(0));
        let storm = thread::scope(|scope| {
            let hand = |at| {
                scope.spawn({
                    let (doors, asked) = (&doors, &asked);
                    move || Storm::through(doors, at, asked)
                })
            };
            let hands: Vec<_> = (0..NODES).map(hand).collect();
            until("a third is asked", || (asked.load(Ordering::Relaxed) > CALLS / 3).then_some(()));
            self.cluster.kill(victim);
            let storms = hands.into_iter().map(|hand| hand.join().unwrap());
            storms.fold(Storm::default(), Storm::and)
        });
        self.cluster.start_again(&[victim]);
        self.cluster.wait_until_sound();
        storm
    }
}

/// Waits until no node has a call that is not final: one that was started again counts a call
/// twice until it hears that it has settled.
fn settle(doors: &[Door]) {
    for door in doors {
        until("every call is final", || {
            let metrics = Request::get("/metrics").send(&door.url).ok()?.text;
            let unsettled = metrics.lines().find_map(|line| line.strip_prefix(UNSETTLED))?;
            (unsettled.trim() == "0").then_some(())
        });
    }
}

/// Calls through every door until all of them refuse in one turn; how many were made.
fn use_up(doors: &[Door]) -> usize {
    let (mut made, mut turns, mut at_rest) = (0, 0, false);
    loop {
        let keys = (0..NODES).map(|at| format!("rest-{turns}-{at}"));
        let turn = doors.iter().zip(keys).filter(|(door, key)| door.insist(key)).count();
        if turn == 0 && at_rest {
            return made;
        }
        at_rest = turn == 0;
        if at_rest {
            settle(doors);
        }
        (made, turns) = (made + turn, turns + 1);
    }
}

#[test]
fn four_nodes_make_a_hundred_calls_of_a_hundred() {
    let mut field = Field::open();
    for round in 0..ROUNDS {
        let certificates = field.license();
        field.cluster.agree();
        let storm = field.storm(&certificates, round % NODES);
        let doors = field.doors(&certificates);
        let late = storm.open.iter().filter(|(at, key)| doors[*at].insist(key)).count();
        let made = storm.made + late;
        assert!(made <= QUOTA, "round {round}: {made} calls of {QUOTA}");
        let rest = use_up(&doors);
        assert_eq!(made + rest, QUOTA, "round {round}: {made} in the storm");
    }
    let charged = (ROUNDS * QUOTA) as u64;
    for url in field.cluster.urls() {
        let person = Person::new(&field.cluster.path("auditor"), &url);
        let audit = until("every call is settled", || {
            let audit = person.json(&["audit"]);
            (audit["calls"].as_u64() >= Some(charged)).then_some(audit)
        });
        assert_eq!((&audit["ok"], &audit["calls"]), (&true.into(), &charged.into()), "{audit}");
    }
}
