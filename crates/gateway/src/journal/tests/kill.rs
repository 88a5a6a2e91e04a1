//! A real process, killed at random moments.

use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

/// The variable through which the test tells its child the journal's directory.
const DIRECTORY: &str = "AMBAR_TEST_JOURNAL";

/// How often a child is killed.
const KILLS: usize = 10;

/// Longest that a child lives after its first acknowledgement, microseconds.
const LIFE_MICROS_MAX: u64 = 30_000;

/// Commits records and prints the number of each one that was acknowledged, until it is killed.
/// Every other record is appended only: its number is printed after the append.
fn child(directory: &Path) -> ! {
    let opened = Journal::open(directory, &small());
    let (journal, recovered) = opened.expect("the journal opens");
    let mut out = std::io::stdout().lock();
    for number in recovered.records.len().. {
        if number % 2 == 0 {
            commit(&journal, &[record(number, number % 700)]).expect("commits");
        } else {
            journal.append(&record(number, number % 700)).expect("appends");
        }
        writeln!(out, "\nacknowledged {number}").expect("the parent reads");
        out.flush().expect("the parent reads");
    }
    unreachable!("it is killed before it has counted to the end")
}

/// Runs a child, kills it, and returns the last number that it acknowledged.
fn kill_one(directory: &Path) -> usize {
    let mut child = Command::new(std::env::current_exe().expect("the test has a path"))
        .args([name(), "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut first = String::new();
    while !first.starts_with("acknowledged") {
        first.clear();
        assert!(lines.read_line(&mut first).expect("the child prints") > 0, "it ended by itself");
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("randomness is there");
    let micros = u64::from_le_bytes(random) % LIFE_MICROS_MAX;
    std::thread::sleep(Duration::from_micros(micros));
    child.kill().expect("the child is killed");
    child.wait().expect("the child ends");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("what it printed is text");
    let whole = first + &rest[..rest.rfind('\n').map_or(0, |end| end + 1)];
    let mut numbers = whole.lines().filter_map(|line| line.strip_prefix("acknowledged "));
    numbers.next_back().and_then(|number| number.parse().ok()).expect("it acknowledged one")
}

/// This test's name, as the test binary calls it: without the crate's.
fn name() -> &'static str {
    const NAME: &str = concat!(module_path!(), "::a_killed_process_keeps_what_it_acknowledged");
    NAME.split_once("::").map_or(NAME, |(_, name)| name)
}

#[test]
fn a_killed_process_keeps_what_it_acknowledged() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        child(Path::new(&directory));
    }
    let directory = tempfile::tempdir().expect("a directory is created");
    let mut before = 0;
    for _ in 0..KILLS {
        let last = kill_one(directory.path());
        assert!(last >= before, "the child went on from {before}, not {last}");
        let recovered = payloads(&open(directory.path()).1);
        let expect: Vec<_> =
            (0..recovered.len()).map(|number| record(number, number % 700)).collect();
        assert!(recovered == expect, "the records are the numbers in order");
        // The one under way may have been written before it was acknowledged.
        assert!((last + 1..=last + 2).contains(&recovered.len()), "{last} {}", recovered.len());
        before = recovered.len();
    }
}
