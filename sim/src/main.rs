//! `cargo xtask sim`: tries seeds of each adversary and says what was broken.
//!
//! It knows arguments, threads and lines; what a trial is and how it is judged is the
//! library's. The first seed of each adversary, or every one, is tried twice and must give the
//! same.

mod arguments;

use ambar_sim::simulation::Adversary;
use ambar_sim::trial::{Trial, try_seed};
use arguments::{Arguments, HELP};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

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
    prepare(&arguments);
    println!(
        "{:<12} {:>6} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8}",
        "adversary", "seeds", "blocks", "final", "unseated", "recovery", "wall", "failures"
    );
    let failed = arguments.adversaries.iter().map(|(name, adversary)| {
        let failed = try_seeds(&arguments, name, *adversary);
        usize::from(failed > 0)
    });
    if failed.sum::<usize>() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Engines that fail on purpose would fill the terminal with their panics; `--log` shows them.
fn prepare(arguments: &Arguments) {
    let Some(filter) = &arguments.log else {
        std::panic::set_hook(Box::new(|_| {}));
        return;
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter);
    subscriber.with_writer(std::io::stderr).without_time().with_ansi(false).init();
}

/// Says how many failed.
fn try_seeds(arguments: &Arguments, name: &str, adversary: Option<Adversary>) -> usize {
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let trials = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= arguments.seeds {
                        return;
                    }
                    let twice = arguments.twice || number == 0;
                    let trial = twice_if(twice, arguments.first + number, adversary);
                    trials.lock().unwrap_or_else(PoisonError::into_inner).push(trial);
                }
            });
        }
    });
    let mut trials = trials.into_inner().unwrap_or_else(PoisonError::into_inner);
    trials.sort_by_key(|trial| trial.seed);
    report(name, &trials, started.elapsed())
}

/// Tries a seed, and if it is asked once more: the same seed gives the same.
fn twice_if(twice: bool, seed: u64, adversary: Option<Adversary>) -> Trial {
    let mut trial = try_seed(seed, adversary);
    if twice && try_seed(seed, adversary).trace != trial.trace {
        trial.broken.push("the same seed gave something else the second time".into());
    }
    trial
}

fn report(name: &str, trials: &[Trial], wall: Duration) -> usize {
    let failed: Vec<_> = trials.iter().filter(|trial| !trial.broken.is_empty()).collect();
    let recovery = trials.iter().map(|trial| trial.recovered).max().unwrap_or_default();
    println!(
        "{:<12} {:>6} {:>8} {:>8} {:>8} {:>7.1} s {:>7.1} s {:>8}",
        name,
        trials.len(),
        trials.iter().map(|trial| trial.blocks).sum::<usize>(),
        trials.iter().map(|trial| trial.transactions).sum::<usize>(),
        trials.iter().map(|trial| trial.unseated).sum::<usize>(),
        recovery.as_secs_f64(),
        wall.as_secs_f64(),
        failed.len()
    );
    for trial in &failed {
        let seed = trial.seed;
        println!("BROKEN {name} with seed {seed}");
        trial.broken.iter().for_each(|broken| println!("  {broken}"));
        println!("  again: cargo xtask sim --adversary {name} --first {seed} --seeds 1");
    }
    failed.len()
}
