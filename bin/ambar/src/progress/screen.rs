//! What is drawn on a terminal, by one thread that runs while there is something to draw.

use super::state::{Kind, State};
use super::{DRAWN_AFTER, look};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Between two pictures.
const PICTURE_EVERY: Duration = Duration::from_millis(100);
/// A line whose length is known, and one whose length is not.
const BAR: &str = "{spinner:.cyan} {head}  {wide_bar:.cyan/dim}  {figures}";
const SPINNER: &str = "{spinner:.cyan} {head}  {figures}";
/// Done, the edge, to do.
const BAR_CHARS: &str = "━╸─";
const SPINNER_CHARS: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ";

/// The drawn part of standard error.
#[derive(Debug)]
pub(super) struct Screen {
    multi: MultiProgress,
    rows: Mutex<Rows>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Row>,
    /// Whether the drawing thread runs.
    drawing: bool,
    /// Whether nothing is drawn any more.
    closed: bool,
}

#[derive(Debug)]
struct Row {
    state: Arc<State>,
    bar: Option<ProgressBar>,
}

impl Screen {
    pub fn new() -> Arc<Self> {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Arc::new(Self { multi, rows: Mutex::default(), changed: Condvar::new() })
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // Rows are whole after each change: a panic elsewhere leaves nothing half done.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws a piece of work, once it has lasted.
    pub fn begin(self: &Arc<Self>, state: Arc<State>) {
        let mut rows = self.rows();
        rows.rows.push(Row { state, bar: None });
        if !rows.drawing && !rows.closed {
            let screen = Arc::clone(self);
            let thread = thread::Builder::new().name("progress".into());
            // Without a thread there is no picture, and the work goes on.
            rows.drawing = thread.spawn(move || screen.draw()).is_ok();
        }
    }

    fn draw(&self) {
        let mut rows = self.rows();
        while !rows.rows.is_empty() && !rows.closed {
            for row in &mut rows.rows {
                row.draw(&self.multi);
            }
            let waited = self.changed.wait_timeout(rows, PICTURE_EVERY);
            rows = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        rows.drawing = false;
    }

    /// Takes a piece of work away. Its line stays if it was drawn, or if it must.
    pub fn end(&self, state: &Arc<State>, line: Option<String>, must: bool) {
        let mut rows = self.rows();
        let Some(at) = rows.rows.iter().position(|row| Arc::ptr_eq(&row.state, state)) else {
            return;
        };
        let bar = rows.rows.remove(at).bar;
        if let Some(bar) = &bar {
            bar.finish_and_clear();
            self.multi.remove(bar);
        }
        if let Some(line) = line.filter(|_| (must || bar.is_some()) && !rows.closed) {
            self.multi.suspend(|| eprintln!("{line}"));
        }
        self.changed.notify_all();
    }

    /// Says something above what is drawn.
    pub fn say(&self, text: &str) {
        let _rows = self.rows();
        self.multi.suspend(|| eprintln!("{text}"));
    }

    /// Takes everything away for good; whether anything was drawn.
    pub fn close(&self) -> bool {
        let mut rows = self.rows();
        rows.closed = true;
        let drawn = rows.rows.iter().filter_map(|row| row.bar.as_ref()).count();
        if drawn > 0 {
            // A picture that cannot be taken away is left to the terminal.
            let _ = self.multi.clear();
        }
        self.changed.notify_all();
        drawn > 0
    }
}

impl Row {
    fn draw(&mut self, multi: &MultiProgress) {
        let state = &self.state;
        if state.elapsed() < DRAWN_AFTER {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| multi.add(bar(state)));
        // Both in one picture: a bar says what its figures say.
        bar.update(|shown| {
            shown.set_len(state.total());
            shown.set_pos(state.done());
        });
        bar.tick();
    }
}

fn bar(state: &Arc<State>) -> ProgressBar {
    let template = if matches!(state.kind, Kind::Spinner(_)) { SPINNER } else { BAR };
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    let (named, counted) = (Arc::clone(state), Arc::clone(state));
    // A writer into memory, which does not fail.
    let head = move |_: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{}", look::head(named.elapsed(), &named.name));
    };
    let figures = move |_: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{}", counted.figures());
    };
    let style = style.with_key("head", head).with_key("figures", figures);
    let style = style.progress_chars(BAR_CHARS).tick_chars(SPINNER_CHARS);
    ProgressBar::new(state.total()).with_style(style)
}
