//! What the design promises about speed and size, measured on this machine: started by
//! `cargo xtask bench [NAME]... [--quick]`, explained in `docs/book/bench.md`.
//!
//! It stands outside: a node is the real `ambar` beside this program, asked over HTTP;
//! only the ledger, the corpus, certificates, the journal and the engine are called as
//! libraries, where the promise is about the library.
//!
//! **Invariant**: nothing here asserts on time. The exit code says whether something broke.

mod attribution;
mod bare;
mod call_path;
mod certificate;
mod cold_start;
mod commit;
mod engine;
mod gateway;
mod histogram;
mod http;
mod journal;
mod ledger;
mod load;
mod machine;
mod model;
mod node;
mod pace;
mod plan;
mod presidents;
mod quality;
mod sealing;
mod server;
mod settling;
mod spans;
mod table;
mod trace;
mod usage;
mod verify;
// The network that the ledger's own tests use: what is measured is what is tested.
#[path = "../../crates/ledger/tests/world/mod.rs"]
mod world;

use ambar_gateway::promptly;
use anyhow::Result;
use plan::{Plan, USAGE};
use std::process::ExitCode;
use std::time::Instant;
use table::Table;

/// One bench: its name, a line for the help text, whether it runs unasked, and what measures.
struct Bench {
    name: &'static str,
    summary: &'static str,
    unasked: bool,
    run: fn(&Plan) -> Result<Table>,
}

/// Every bench, in the order in which they run.
const BENCHES: [Bench; 17] = [
    Bench {
        name: "call-path",
        summary: "HTTP calls of a null engine, through a node and without one",
        unasked: true,
        run: call_path::run,
    },
    Bench {
        name: "ledger-apply",
        summary: "calls settled per second, every bill recomputed",
        unasked: true,
        run: ledger::run,
    },
    Bench {
        name: "trace",
        summary: "span traces, retrieval and building over the presidents",
        unasked: true,
        run: trace::run,
    },
    Bench {
        name: "quality",
        summary: "records checked: speed, near-duplicates found, false alarms",
        unasked: true,
        run: quality::run,
    },
    Bench {
        name: "cold-start",
        summary: "from the start of a node until it answers, and its memory",
        unasked: true,
        run: cold_start::run,
    },
    Bench {
        name: "engine",
        summary: "tokens per second through the call path and in the bare library",
        unasked: true,
        run: engine::run,
    },
    Bench {
        name: "verify",
        summary: "a receipt verified offline",
        unasked: true,
        run: verify::run,
    },
    Bench {
        name: "certificate",
        summary: "certificates minted, narrowed and opened",
        unasked: true,
        run: certificate::run,
    },
    Bench {
        name: "sealing",
        summary: "files sealed and opened, and keys released",
        unasked: true,
        run: sealing::run,
    },
    Bench {
        name: "journal",
        summary: "the call journal on this disk",
        unasked: true,
        run: journal::run,
    },
    Bench {
        name: "settling",
        summary: "receipt batches through the blocks of one and of four validators",
        unasked: true,
        run: settling::run,
    },
    Bench {
        name: "commit",
        summary: "the engine of a committee of one on this disk",
        unasked: true,
        run: commit::run,
    },
    Bench {
        name: "gateway",
        summary: "Ambar beside other gateways, each alone on one core",
        unasked: false,
        run: gateway::run,
    },
    Bench {
        name: "trace-spans",
        summary: "spans of 210 MB of kernel sources, beside infini-gram",
        unasked: false,
        run: spans::run,
    },
    Bench {
        name: "overload",
        summary: "ten times the load that the gateway sustains",
        unasked: false,
        run: gateway::overload,
    },
    Bench {
        name: "idle-streams",
        summary: "memory of 2,000 open streams that stay silent",
        unasked: false,
        run: gateway::idle_streams,
    },
    Bench {
        name: "profile-call-path",
        summary: "where the CPU time of a call goes, by perf",
        unasked: false,
        run: gateway::profile,
    },
];

fn main() -> Result<ExitCode> {
    // Load generators and mocks are not what is measured: nothing is to make them late.
    promptly::ask(promptly::SYNCS);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((attribution::ARGUMENT, rest)) = split(&arguments) {
        return attribution::run(rest);
    }
    if let Some(served) = serve(&arguments) {
        return served.map(|()| ExitCode::SUCCESS);
    }
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{}", help());
        return Ok(ExitCode::SUCCESS);
    }
    let known = BENCHES.map(|bench| bench.name);
    let plan = match Plan::parse(&arguments, &known) {
        Ok(plan) => plan,
        Err(error) => {
            eprint!("error: {error}\n\n{}", help());
            return Ok(ExitCode::from(plan::EXIT_USAGE));
        }
    };
    if plan.wants("trace-spans", false)
        && let Err(error) = spans::install()
    {
        eprintln!("not installed: {error:#}");
    }
    if BENCHES.iter().any(|bench| !bench.unasked && plan.wants(bench.name, false)) {
        gateway::isolate(&plan, &arguments)?;
    }
    Ok(measure(&plan))
}

/// The first argument and the others.
fn split(arguments: &[String]) -> Option<(&str, &[String])> {
    arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
}

/// Becomes one of the servers that benches start, if the arguments say so.
fn serve(arguments: &[String]) -> Option<Result<()>> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [bare::ARGUMENT] => Some(bare::serve()),
        [spans::ARGUMENT, work] => Some(spans::serve(work)),
        [gateway::mock::ARGUMENT] => Some(gateway::mock::serve()),
        [gateway::pass::ARGUMENT, upstream] => Some(gateway::pass::serve(upstream)),
        _ => None,
    }
}

/// Runs what was asked for; a bench that breaks does not end the others.
fn measure(plan: &Plan) -> ExitCode {
    println!("{}", machine::describe());
    let (mut targets, mut missed, mut broken) = (0, 0, Vec::new());
    for bench in BENCHES.iter().filter(|bench| plan.wants(bench.name, bench.unasked)) {
        let started = Instant::now();
        match (bench.run)(plan) {
            Ok(table) => {
                let (seconds, load) = (started.elapsed().as_secs(), machine::load());
                println!("== {}: {} ({seconds} s, load {load})", bench.name, bench.summary);
                println!("{table}");
                let (here, missed_here) = table.targets();
                (targets, missed) = (targets + here, missed + missed_here);
            }
            Err(error) => {
                println!("== {}: broken\n{error:#}\n", bench.name);
                broken.push(bench.name);
            }
        }
    }
    println!("{} of {targets} targets met", targets - missed);
    if broken.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: broken: {}", broken.join(", "));
    ExitCode::FAILURE
}

fn help() -> String {
    let row = |bench: &Bench| format!("  {:<17} {}\n", bench.name, bench.summary);
    let rows = |unasked| {
        let benches = BENCHES.iter().filter(move |bench| bench.unasked == unasked);
        benches.map(row).collect::<String>()
    };
    format!("{USAGE}\n\n{}\nonly when they are named:\n{}", rows(true), rows(false))
}
