//! A thread beside those that answer calls: what no caller waits for, and what may hold a thread
//! for milliseconds, runs on it: settling with its archive, and the index.
//!
//! **Invariant**: it takes nothing from a port: behind it is only who waits for the ledger anyway,
//! as a call that needs a lease.

use crate::error::NodeError;
use tokio::runtime::{Builder, Handle, Runtime};

/// The thread's name, by which its CPU time is told from that of calls.
const THREAD: &str = "settling";

/// A quarter of the share of a thread that answers calls (sched(7)).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 6;

/// The thread; what is unfinished when the value goes is dropped.
pub(crate) struct Background {
    handle: Handle,
    /// Taken when the value goes.
    runtime: Option<Runtime>,
}

impl Background {
    /// Starts it.
    pub(crate) fn start() -> Result<Self, NodeError> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name(THREAD).enable_all().on_thread_start(yield_to_calls);
        let runtime = builder.build().map_err(NodeError::Thread)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where to put what runs on it.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// Calls come first where threads share a core. What waits for this thread is bounded, and calls
/// are refused before it falls too far behind.
fn yield_to_calls() {
    // For Linux a thread has a niceness of its own; without it work is only later.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

impl Drop for Background {
    fn drop(&mut self) {
        // Waiting is not allowed where other futures run.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}
