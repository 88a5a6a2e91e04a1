//! Ctrl-C at a terminal: nothing is drawn any more, the line is ended, it is said what
//! became of the work, and the process leaves with the code that shells give for it. Commands that have something to finish
//! take interrupts over; where nothing is drawn, the system's own way is left alone.

use crate::progress::Progress;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What shells report for a process that SIGINT ended.
const INTERRUPTED_CODE: i32 = 130;

/// Whether somebody else ends the process when it is interrupted.
static HANDED_OVER: AtomicBool = AtomicBool::new(false);
/// Whether the last line of standard output has no end yet.
static LINE_OPEN: AtomicBool = AtomicBool::new(false);
/// What an interrupted person should know.
static ADVICE: Mutex<&'static str> = Mutex::new("");

/// Listens from now on. Call it within the runtime.
pub fn listen(progress: &Progress) {
    if !progress.draws() {
        return;
    }
    let progress = progress.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if !HANDED_OVER.load(Ordering::Acquire) {
                leave(&progress);
            }
        }
    });
}

/// From now on the caller ends the process when it is interrupted.
pub fn hand_over() {
    HANDED_OVER.store(true, Ordering::Release);
}

/// What to say from now on if the process is interrupted.
pub fn advise(advice: &'static str) {
    *ADVICE.lock().unwrap_or_else(PoisonError::into_inner) = advice;
}

/// Notes what was written to standard output.
pub fn wrote(text: &str) {
    if !text.is_empty() {
        LINE_OPEN.store(!text.ends_with('\n'), Ordering::Release);
    }
}

/// Leaves the terminal clean, and ends the process.
pub fn leave(progress: &Progress) -> ! {
    let cleared = progress.close();
    // The terminal echoed ^C: on a line of its own below what was drawn, which is cleared,
    // or behind whatever stood there.
    if progress.draws() && (LINE_OPEN.load(Ordering::Acquire) || !cleared) {
        eprintln!();
    }
    match *ADVICE.lock().unwrap_or_else(PoisonError::into_inner) {
        "" => eprintln!("interrupted"),
        advice => eprintln!("interrupted; {advice}"),
    }
    process::exit(INTERRUPTED_CODE)
}
