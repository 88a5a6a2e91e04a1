//! Progress of long work, on standard error: what is done, how far it is, how long it took.
//!
//! Whoever works writes numbers into a [`Counter`]; one thread of its own draws them, so
//! that work which never pauses does not starve the picture, and a picture never slows the
//! work. Work that is over before anybody could read of it leaves no trace. It knows no
//! command and no node; [`watch`] brings a node's own figures here.
//!
//! **Invariant**: nothing is drawn where standard error is no terminal, and nothing at all
//! is said with `--json`. Standard output is never touched.

pub mod look;
mod phase;
mod screen;
mod state;
pub mod watch;

pub use phase::Phase;
pub use state::Counter;

use screen::Screen;
use state::{Kind, State};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

/// Work that is over sooner is not drawn: nobody could read it.
const DRAWN_AFTER: Duration = Duration::from_millis(300);
/// Work that is over sooner is not told where there is no terminal.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// How one command tells of its work.
#[derive(Clone, Debug)]
pub struct Progress {
    voice: Voice,
    lines: Lines,
}

/// Where it is told.
#[derive(Clone, Debug)]
enum Voice {
    /// Nowhere.
    Silent,
    /// In lines of their own, when work is over.
    Plain,
    /// On a terminal, while work goes on.
    Drawn(Arc<Screen>),
}

/// Which work leaves a line behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    /// What took long enough to be read of.
    Long,
    /// All of it: its results are what is read.
    All,
    /// None: it is a part of other work.
    None,
}

impl Progress {
    /// As a command tells it: silent with `--json`, drawn on a terminal, else plain.
    pub fn new(json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let voice = match (json, terminal && !dumb) {
            (true, _) => Voice::Silent,
            (false, true) => Voice::Drawn(Screen::new()),
            (false, false) => Voice::Plain,
        };
        Self { voice, lines: Lines::Long }
    }

    /// Says nothing.
    #[cfg(test)]
    pub fn silent() -> Self {
        Self { voice: Voice::Silent, lines: Lines::None }
    }

    /// The same, but all work leaves a line, however short it was.
    pub fn telling_all(&self) -> Self {
        Self { lines: Lines::All, ..self.clone() }
    }

    /// The same for the parts of work under way: they are drawn below it and leave nothing.
    pub fn parts(&self) -> Self {
        Self { lines: Lines::None, ..self.clone() }
    }

    /// Work on `total` bytes.
    pub fn bytes(&self, name: &str, total: u64) -> Phase {
        self.begin(name, Kind::Bytes, total)
    }

    /// Work on `total` of what `unit` names in the plural.
    pub fn steps(&self, name: &str, total: u64, unit: &str) -> Phase {
        self.begin(name, Kind::Steps(unit.to_owned()), total)
    }

    /// Work of which nobody knows how far it is.
    pub fn spinner(&self, name: &str) -> Phase {
        self.begin(name, Kind::Spinner(String::new()), 0)
    }

    /// The same, with what there is to say instead.
    pub fn spinner_saying(&self, name: &str, what: &str) -> Phase {
        self.begin(name, Kind::Spinner(what.to_owned()), 0)
    }

    fn begin(&self, name: &str, kind: Kind, total: u64) -> Phase {
        Phase::begin(self, Arc::new(State::new(name, kind, total)))
    }

    /// Says a line that is to be read in any case, above whatever is drawn.
    pub fn say(&self, text: &str) {
        match &self.voice {
            Voice::Drawn(screen) => screen.say(text),
            Voice::Silent | Voice::Plain => eprintln!("{text}"),
        }
    }

    /// Whether anything is ever drawn.
    pub fn draws(&self) -> bool {
        matches!(self.voice, Voice::Drawn(_))
    }

    /// Takes away what is drawn, for good; whether there was anything.
    pub fn close(&self) -> bool {
        match &self.voice {
            Voice::Drawn(screen) => screen.close(),
            Voice::Silent | Voice::Plain => false,
        }
    }
}
