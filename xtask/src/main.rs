//! Tasks of the workspace, started with `cargo xtask TASK`.
//!
//! For contributors and `./check`: what a shell line cannot say clearly. It
//! knows no other crate's code, only files and what cargo says about them; a
//! task that measures the system starts the programs that do.
//!
//! Invariant: a task is one module and one row of [`TASKS`], so that the help
//! text always lists exactly what exists.

mod attribution_quality;
mod bench;
mod fuzz;
mod program;
mod sim;
mod tidy;

use std::process::ExitCode;

/// One task: a name to type, a line for the help text, and what it does with
/// the arguments after its name.
struct Task {
    name: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> anyhow::Result<ExitCode>,
}

/// Every task, in alphabetical order.
const TASKS: &[Task] = &[
    Task {
        name: "attribution-quality",
        summary: "measure attribution and attacks on it; writes a page of the book",
        run: attribution_quality::run,
    },
    Task {
        name: "bench",
        summary: "measure what the design promises about speed; --help lists what",
        run: bench::run,
    },
    Task {
        name: "fuzz",
        summary: "try every decoder with inputs that nobody wrote; --help lists how",
        run: fuzz::run,
    },
    Task {
        name: "sim",
        summary: "live committees through faults and adversaries by seed; --help lists how",
        run: sim::run,
    },
    Task {
        name: "tidy",
        summary: "prove the crate edges and the habits of the house; --stats prints its measures",
        run: tidy::run,
    },
];

/// The exit code for a command line that names no task.
const EXIT_USAGE: u8 = 2;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", help());
        return Ok(ExitCode::SUCCESS);
    };
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        print!("{}", help());
        return Ok(ExitCode::SUCCESS);
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprint!("error: no task `{name}`\n\n{}", help());
        return Ok(ExitCode::from(EXIT_USAGE));
    };
    (task.run)(rest)
}

fn help() -> String {
    let rows: String =
        TASKS.iter().map(|task| format!("  {:<19} {}\n", task.name, task.summary)).collect();
    format!("usage: cargo xtask TASK [ARGUMENT]...\n\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::{TASKS, help};

    #[test]
    fn tasks_are_sorted_and_in_the_help_text() {
        assert!(TASKS.is_sorted_by(|a, b| a.name < b.name));
        for task in TASKS {
            assert!(help().contains(task.name) && help().contains(task.summary));
        }
    }
}
