//! One piece of work, from its beginning to its line.

use super::state::{Counter, State};
use super::{Lines, Progress, TOLD_AFTER, Voice, look};
use std::sync::Arc;

/// Work under way. Dropped without an end, it has failed: why is said by whoever fails.
#[derive(Debug)]
pub struct Phase {
    state: Arc<State>,
    progress: Progress,
    over: bool,
}

impl Phase {
    pub(super) fn begin(progress: &Progress, state: Arc<State>) -> Self {
        if let Voice::Drawn(screen) = &progress.voice {
            screen.begin(Arc::clone(&state));
        }
        Self { state, progress: progress.clone(), over: false }
    }

    /// Where the work notes how far it is.
    pub fn counter(&self) -> Counter {
        Counter(Arc::clone(&self.state))
    }

    /// So much more is done.
    pub fn advance(&self, by: u64) {
        self.counter().advance(by);
    }

    /// Something to read while the work goes on, where it is told at all.
    pub fn note(&self, text: &str) {
        if !matches!(self.progress.voice, Voice::Silent) {
            self.progress.say(text);
        }
    }

    /// The work is done; what came of it.
    pub fn finish(mut self, result: &str) {
        self.end(Some((look::Mark::Done, result)));
    }

    /// The work is over, and nothing is to be said of it.
    pub fn clear(mut self) {
        self.end(None);
    }

    fn end(&mut self, told: Option<(look::Mark, &str)>) {
        self.over = true;
        let told = told.filter(|_| self.progress.lines != Lines::None);
        let line = |(mark, result), colours| {
            look::line(mark, self.state.elapsed(), &self.state.name, result, colours)
        };
        let all = self.progress.lines == Lines::All;
        match &self.progress.voice {
            Voice::Silent => {}
            Voice::Drawn(screen) => {
                screen.end(&self.state, told.map(|told| line(told, true)), all);
            }
            Voice::Plain => {
                let long = all || self.state.elapsed() >= TOLD_AFTER;
                if let Some(told) = told.filter(|_| long) {
                    eprintln!("{}", line(told, false));
                }
            }
        }
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if !self.over {
            let so_far = self.state.so_far();
            self.end(Some((look::Mark::Failed, &so_far)));
        }
    }
}
