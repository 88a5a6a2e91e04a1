//! The one binary of Ambar: the command line, an embedded node, and the demo.
//!
//! Transactions and certificates are made here, with keys that never leave this process; a
//! node is talked to through its HTTP API only, even the embedded one.
//!
//! **Invariant**: with `--json`, standard output holds one JSON document or nothing.

mod ask;
mod cli;
mod clock;
mod commands;
mod connect;
mod context;
mod demo;
mod draft;
mod draw;
mod embedded;
mod failure;
mod fetched;
mod files;
mod interrupt;
mod kept;
mod logging;
mod memory;
mod openai;
mod paint;
mod progress;
mod publish;
mod quality;
mod sealed;
mod sessions;
mod sharing;
mod signer;
mod table;
mod trust;
mod words;

use ambar_gateway::promptly;
use clap::Parser;
use cli::Cli;
use context::Context;
use failure::Failure;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::runtime::Builder;

/// The name of the threads that answer, by which a node's CPU time is told from other work.
const CALLS: &str = "calls";

fn main() -> ExitCode {
    memory::set();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let Some(threads) = cli.node_threads() else { return run(Builder::new_multi_thread(), &cli) };
    if threads > NonZeroUsize::MIN {
        return run(several(threads), &cli);
    }
    let json = cli.global.json;
    // Tasks that never change threads cost a call less CPU time.
    let thread = std::thread::Builder::new().name(CALLS.to_owned());
    let work = move || {
        promptly::ask(promptly::CALLS);
        run(Builder::new_current_thread(), &cli)
    };
    let done = thread.spawn(work).map(JoinHandle::join);
    match done {
        Ok(Ok(code)) => code,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => context::fail(&Failure::internal(error), json),
    }
}

/// So many threads that answer calls.
fn several(threads: NonZeroUsize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    let started = AtomicUsize::new(0);
    builder.worker_threads(threads.get()).on_thread_start(move || {
        // Those that answer calls start first. Later ones wait for disks, or compute.
        if started.fetch_add(1, Ordering::Relaxed) < threads.get() {
            promptly::ask(promptly::CALLS);
        }
    });
    builder
}

/// Runs the command on threads of its own.
fn run(mut builder: Builder, cli: &Cli) -> ExitCode {
    let context = Context::new(&cli.global);
    let outcome = match builder.thread_name(CALLS).enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            interrupt::listen(context.progress());
            cli.run(&context).await
        }),
        Err(error) => Err(Failure::internal(error)),
    };
    context.conclude(outcome)
}

/// Help and version are answers; everything else is a failure like any other.
fn refuse(error: &clap::Error) -> ExitCode {
    let words = || std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let Some(failure) = failure::of_command_line(error, words()) else {
        // A closed pipe leaves nobody to tell.
        let _ = error.print();
        return ExitCode::SUCCESS;
    };
    let json = words().any(|word| word == "--json");
    context::fail(&failure, json)
}
