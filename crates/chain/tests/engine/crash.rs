//! A real process is killed while it submits; what it heard was final is final.

use super::toy::{Toy, Transaction, genesis, origin, settings, transfer};
use ambar_base::{Encode, Height};
use ambar_chain::Chain;
use ambar_consensus::engine::{Consensus, Fate};
use ambar_consensus::replay::audit;
use ambar_consensus::settings::{Patience, Settings, system_clock};
use futures::executor::block_on;
use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const DIR_VARIABLE: &str = "AMBAR_CRASH_DIR";
const ROUND_VARIABLE: &str = "AMBAR_CRASH_ROUND";
const NAME: &str = "crash::what_was_acknowledged_survives_a_kill";
const ROUNDS: u64 = 8;
/// Transactions under way at once in the child.
const WINDOW: u64 = 5;

/// A view in which the child had proposed before it was killed passes by its timeout alone,
/// which follows from the heartbeat.
fn open(dir: &Path) -> Chain {
    let patience = Patience::with_heartbeat(Duration::from_millis(50));
    let settings = Settings { patience, ..settings() };
    Chain::open(dir, settings, Arc::new(Toy::default()), genesis(), system_clock()).unwrap()
}

fn transaction(nonce: u64) -> Transaction {
    transfer(nonce, (nonce % 8) as u16, (nonce / 8 % 8) as u16, 1)
}

/// Submits for ever and prints each acknowledgement.
fn child(dir: &Path, round: u64) {
    let engine = open(dir);
    for batch in 0u64.. {
        let nonces = (0..WINDOW).map(|i| round << 32 | (batch * WINDOW + i));
        let waits: Vec<_> =
            nonces.map(|nonce| (nonce, engine.submit(transaction(nonce).to_bytes()))).collect();
        for (nonce, wait) in waits {
            let committed = block_on(wait).unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "ack {nonce} {} {}", committed.height, committed.index).unwrap();
            out.flush().unwrap();
        }
    }
}

/// Runs a child, kills it at a random moment and yields what it said was final.
fn run_and_kill(dir: &Path, round: u64) -> Vec<(u64, u64, u64)> {
    let random = RandomState::new().hash_one(round);
    let mut child = Command::new(env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(DIR_VARIABLE, dir)
        .env(ROUND_VARIABLE, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut heard = Vec::new();
    while (heard.len() as u64) < 1 + random % 60 {
        let line = lines.next().expect("the child lives until it is killed").unwrap();
        heard.extend(parse(&line));
    }
    thread::sleep(Duration::from_micros(random >> 32 & 0x1fff));
    child.kill().unwrap();
    heard.extend(lines.map_while(Result::ok).filter_map(|line| parse(&line)));
    child.wait().unwrap();
    heard
}

/// `None` for the test harness's lines and for a line that the kill cut short.
fn parse(line: &str) -> Option<(u64, u64, u64)> {
    let mut words = line.split_once("ack ")?.1.split(' ').map_while(|word| word.parse().ok());
    Some((words.next()?, words.next()?, words.next()?))
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if let (Ok(dir), Ok(round)) = (env::var(DIR_VARIABLE), env::var(ROUND_VARIABLE)) {
        return child(Path::new(&dir), round.parse().unwrap());
    }
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for round in 1..=ROUNDS {
        all.extend(run_and_kill(dir.path(), round));
        let engine = open(dir.path());
        for (nonce, height, index) in &all {
            let fate = Fate::Final { height: Height(*height), index: *index };
            assert_eq!(engine.fate(&transaction(*nonce).id()), Ok(fate), "nonce {nonce}");
        }
        let replayed = audit(&origin(&Toy::default()), &engine).unwrap();
        assert!(replayed.transactions >= all.len() as u64);
    }
}
