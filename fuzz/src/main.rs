//! `cargo xtask fuzz`: runs targets one after another, on any toolchain.
//!
//! It knows files and arguments; what is tried and how is the library's.

mod arguments;

use ambar_base::Digest;
use ambar_fuzz::run::{Plan, run};
use ambar_fuzz::{TARGETS, Target};
use arguments::{Arguments, HELP};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Inputs that broke a promise once, by target; they are tried first.
const REGRESSIONS: &str = "regressions";
/// Where inputs go that break one now.
const FAILURES: &str = "failures";

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(refusal) => {
            eprint!("error: {refusal}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match work(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether every promise held.
fn work(arguments: &Arguments) -> io::Result<bool> {
    let chosen = || TARGETS.iter().filter(|target| arguments.names(target.name));
    if let Some(directory) = &arguments.seeds_to {
        return chosen().try_for_each(|target| write_seeds(target, directory)).map(|()| true);
    }
    if let Some(file) = &arguments.input {
        let input = fs::read(file)?;
        chosen().for_each(|target| println!("{}: {:?}", target.name, (target.attempt)(&input)));
        return Ok(true);
    }
    println!("seed {}", arguments.seed);
    println!("{:<18} {:>10} {:>10} {:>10} {:>9}", "target", "tries", "decoded", "used", "slowest");
    let mut held = true;
    for target in chosen() {
        held &= try_target(target, arguments)?;
    }
    Ok(held)
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn try_target(target: &Target, arguments: &Arguments) -> io::Result<bool> {
    let given = files(&home().join(REGRESSIONS).join(target.name))?;
    let (time, seed) = (Duration::from_secs(arguments.seconds), arguments.seed);
    let plan = Plan { time, tries_max: u64::MAX, seed };
    let last = home().join(FAILURES).join(format!("{}-last", target.name));
    let summary = run(target, &given, plan, |input| {
        if arguments.trace {
            keep(&last, input).expect("--trace needs a directory that can be written");
        }
    });
    println!(
        "{:<18} {:>10} {:>10} {:>10} {:>6} ms",
        target.name,
        summary.tries,
        summary.decoded,
        summary.used,
        summary.slowest.as_millis()
    );
    let Some(input) = summary.broken else { return Ok(true) };
    let name = format!("{}-{}", target.name, &Digest::of(&input).to_string()[..16]);
    let file = home().join(FAILURES).join(name);
    keep(&file, &input)?;
    println!("BROKEN {} with seed {seed}, try {}", target.name, summary.tries);
    println!("  again: cargo xtask fuzz {} --input {}", target.name, file.display());
    Ok(false)
}

fn keep(file: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
    fs::write(file, bytes)
}

/// What the files of a directory hold, in the order of their names.
fn files(directory: &Path) -> io::Result<Vec<Vec<u8>>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    paths.sort();
    paths.iter().map(fs::read).collect()
}

fn write_seeds(target: &Target, directory: &Path) -> io::Result<()> {
    for seed in (target.seeds)() {
        let name = &Digest::of(&seed).to_string()[..16];
        keep(&directory.join(target.name).join(name), &seed)?;
    }
    Ok(())
}
