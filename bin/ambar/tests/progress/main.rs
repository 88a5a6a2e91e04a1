//! What is told of long work: drawn on a terminal, plain elsewhere, silent with `--json`.
//! The node is a slow one of the test's own, which goes on when the test has seen enough:
//! nothing here waits for a clock.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "each test file uses its own part")]
mod common;
mod slow_node;
mod terminal;

use common::Person;
use serde_json::Value;
use slow_node::SlowNode;
use std::io::Read;
use std::process::{Child, Stdio};
use std::thread;
use terminal::Terminal;

/// What the bar says as long as the node does.
const HALF_WAY: &str = "40 of 100 blocks";
/// Looks at the node after which work has lasted more than a second.
const LOOKS_OF_A_SECOND: usize = 8;

struct Scene {
    _home: tempfile::TempDir,
    person: Person,
    node: SlowNode,
}

impl Scene {
    fn new() -> Self {
        let (home, node) = (tempfile::tempdir().unwrap(), SlowNode::start());
        let person = Person::new(home.path(), &node.url);
        Self { _home: home, person, node }
    }

    /// Begins an audit whose standard error is a terminal.
    fn audit_on(&self, terminal: &mut Terminal, more: &[&str]) -> Child {
        let mut command = self.person.command(&[&["audit"], more].concat());
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(terminal.side());
        command.spawn().unwrap()
    }
}

/// What Ctrl-C does.
#[expect(unsafe_code, reason = "the standard library only kills")]
fn interrupt(child: &Child) {
    // SAFETY: a signal to a child that was not waited for, so that the number is its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
}

/// The exit code and what stood on standard output.
fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    (child.wait().unwrap().code(), out)
}

#[test]
fn a_terminal_shows_a_bar_and_then_a_line() {
    let (scene, mut terminal) = (Scene::new(), Terminal::open());
    let child = scene.audit_on(&mut terminal, &[]);
    let bar = terminal.line_with(HALF_WAY);
    assert!(bar.contains("executing the blocks") && bar.contains('━'), "{bar}");
    assert!(bar.chars().count() <= terminal::COLUMNS, "{bar}");
    scene.node.go_on();
    let (code, out) = ended(child);
    assert_eq!(code, Some(0));
    assert!(out.contains("agree") && !out.contains('\u{1b}'), "{out}");
    let screen = terminal.read_to_end();
    assert_eq!(screen.len(), 1, "{screen:?}");
    let line = &screen[0];
    assert!(
        line.starts_with("✓ ") && line.ends_with("executing the blocks    100 blocks"),
        "{line}"
    );
}

#[test]
fn an_interrupt_leaves_a_clean_terminal() {
    let (scene, mut terminal) = (Scene::new(), Terminal::open());
    let child = scene.audit_on(&mut terminal, &[]);
    terminal.read_until(HALF_WAY);
    interrupt(&child);
    let (code, out) = ended(child);
    assert_eq!((code, out.as_str()), (Some(130), ""));
    let screen = terminal.read_to_end();
    assert_eq!(screen.last().map(String::as_str), Some("interrupted"), "{screen:?}");
    assert!(screen.iter().all(|line| !line.contains('━')), "{screen:?}");
    assert!(terminal.ended_its_line() && terminal.shows_its_cursor(), "{terminal:?}");
}

#[test]
fn a_failure_says_what_failed() {
    let (scene, mut terminal) = (Scene::new(), Terminal::open());
    let child = scene.audit_on(&mut terminal, &[]);
    terminal.read_until(HALF_WAY);
    scene.node.break_off();
    let (code, _) = ended(child);
    assert_ne!(code, Some(0));
    let screen = terminal.read_to_end();
    assert!(screen[0].starts_with("✗ "), "{screen:?}");
    assert!(screen[0].contains("executing the blocks    failed  40 of 100 blocks"), "{screen:?}");
    assert!(screen[1].starts_with("error["), "{screen:?}");
}

#[test]
fn with_json_there_is_one_document_and_no_picture() {
    let (scene, mut terminal) = (Scene::new(), Terminal::open());
    let child = scene.audit_on(&mut terminal, &["--json"]);
    scene.node.wait_for_looks(LOOKS_OF_A_SECOND);
    scene.node.go_on();
    let (code, out) = ended(child);
    assert_eq!(code, Some(0));
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["ok"], true);
    assert!(terminal.read_to_end().is_empty(), "{terminal:?}");
}

#[test]
fn without_a_terminal_a_line_tells_of_long_work() {
    let scene = Scene::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            scene.node.wait_for_looks(LOOKS_OF_A_SECOND);
            scene.node.go_on();
        });
        let ran = scene.person.run(&["audit"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.err.trim_end().ends_with(" s  executing the blocks    100 blocks"), "{ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
        assert!(!ran.err.contains(['\u{1b}', '\r']), "{ran:?}");
    });
}

#[test]
fn without_a_terminal_short_work_is_not_told() {
    let scene = Scene::new();
    scene.node.go_on();
    let ran = scene.person.run(&["audit"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}
