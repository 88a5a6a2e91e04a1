//! How good attribution is, and what attacks on it gain: `cargo xtask attribution-quality` writes
//! `docs/book/attribution-quality.md`.
//!
//! Everything is made from seeds and judged by the code that pays; only what has to be judged
//! from outside (what a search should find, where a text comes from) is written a second time.
//!
//! **Invariant**: the same sources, model file and machine give the same page, byte for byte. It
//! holds no time.

mod ablation;
mod arguments;
mod attacks;
mod calls;
mod equality;
mod language;
mod library;
mod model;
mod money;
mod naive;
mod page;
mod planted;
mod statistics;

use crate::machine::version;
use crate::plan::{self, EXIT_USAGE};
use crate::presidents;
use ambar_base::Digest;
use anyhow::{Context, Result};
use arguments::{Arguments, USAGE};
use library::Library;
use model::Model;
use money::{Rule, Till};
use page::Page;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Makes this program write the page.
pub const ARGUMENT: &str = "--attribution-quality";
/// How often progress is told: once in so many steps of a section.
const TOLD: usize = 10;

/// What all sections work with.
pub struct Lab {
    arguments: Arguments,
    library: Library,
    till: Till,
    model: PathBuf,
}

impl Lab {
    fn open(arguments: Arguments) -> Result<Self> {
        let model = plan::model().context("AMBAR_MODEL_GGUF names no model file")?;
        Ok(Self { arguments, library: Library::open()?, till: Till::default(), model })
    }

    /// Says what is done and what is left of it.
    fn tell(&self, what: &str, done: usize, all: usize) {
        if done.is_multiple_of(all.div_ceil(TOLD).max(1)) {
            eprintln!("{what}: {} of {all} left", all.saturating_sub(done));
        }
    }
}

/// Writes the page, or says how to ask for it.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    if arguments.iter().any(|argument| ["--help", "-h"].contains(&argument.as_str())) {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let asked = match Arguments::parse(arguments) {
        Ok(asked) => asked,
        Err(error) => {
            eprint!("error: {error}\n\n{USAGE}");
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let out = asked.out.clone();
    let page = written(&Lab::open(asked)?)?;
    fs::write(&out, page).with_context(|| out.display().to_string())?;
    eprintln!("written: {}", out.display());
    Ok(ExitCode::SUCCESS)
}

/// The whole page.
fn written(lab: &Lab) -> Result<String> {
    let mut page = Page::default();
    let mut sections = Page::default();
    equality::run(lab, &mut sections)?;
    planted::run(lab, &mut sections)?;
    let model = Model::open(&lab.model)?;
    ablation::run(lab, &model, &mut sections)?;
    language::run(lab, &mut sections)?;
    attacks::run(lab, &model, &mut sections)?;
    head(lab, &mut page)?;
    page.laid_out(&sections.finish());
    conservation(lab, &mut page);
    Ok(page.finish())
}

const INTRODUCTION: &str = "\
What the shares of a receipt say of an answer, and what somebody gains who works at getting them
instead of earning them. The methods are explained in [Attribution](attribution.md), the checks of
records in [Quality](quality.md). Every figure here was printed by one run of

    cargo xtask attribution-quality

which writes this page. Everything is drawn by the seeds that are named; with the same model file,
machine and versions the page comes out the same, byte for byte. On another machine a model's
arithmetic rounds differently, so that answers and likelihoods may differ a little.";

fn head(lab: &Lab, page: &mut Page) -> Result<()> {
    page.text("# How good attribution is");
    page.text(INTRODUCTION);
    let sha = |path: &PathBuf| {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        Ok::<_, anyhow::Error>(format!("SHA-256 {}", Digest::of(&bytes)))
    };
    let crates = ["ambar", "llama-cpp-2", "libsais"];
    let crates: Vec<String> =
        crates.iter().filter_map(|name| Some(format!("{name} {}", version(name)?))).collect();
    let mix = Rule::default().mix.into_iter();
    let methods: Vec<String> =
        mix.map(|(method, _)| format!("{} {}", method.name(), method.version())).collect();
    let name = lab.model.file_name().unwrap_or_default().to_string_lossy();
    let speeches = lab.library.speeches.len();
    let contributors = lab.library.names.len();
    let rows = [
        ("crates", crates.join(", ")),
        ("methods and their versions", methods.join(", ")),
        ("checks of records", format!("version {}", ambar_quality::VERSION)),
        ("model", format!("`{name}`, {}", sha(&lab.model)?)),
        ("speeches", format!("{speeches} of {contributors} contributors")),
        ("their archive", sha(&presidents::file("presidents.tar.zst"))?),
        ("run", lab.arguments.pick("full", "quick: too small to conclude from").to_owned()),
    ];
    let rows: Vec<_> = rows.into_iter().map(|(what, value)| vec![what.to_owned(), value]).collect();
    page.table(&["made with", ""], &rows);
    Ok(())
}

/// The last line: every call that was divided on this page was divided to the last unit.
fn conservation(lab: &Lab, page: &mut Page) {
    let (divided, unclaimed) = lab.till.counted();
    page.section("Conservation");
    page.text(&format!(
        "The shares of {divided} of {divided} calls on this page sum to the datanet's weight to \
         the last unit. In {unclaimed} more nothing was found, and the treasury would have been \
         paid."
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything is run on a few cases; what has to be exact is exact there, too.
    #[test]
    fn a_quick_run_writes_every_section() {
        let quick = Arguments { quick: true, out: PathBuf::new() };
        let page = written(&Lab::open(quick).unwrap()).unwrap();
        for section in [
            "# How good attribution is",
            "## Brute force",
            "## Planted sentences",
            "## Context ablation",
            "## Exact attribution of a corpus model",
            "## Attacks",
            "### Duplicate flood",
            "### Paraphrase",
            "### Sybil split",
            "### Boilerplate header",
            "### Keyword stuffing",
            "### Injected instructions",
            "### The model's own outputs as data",
            "### A queued submission copied",
            "### Self-calls",
            "## Conservation",
        ] {
            assert!(page.lines().any(|line| line == section), "{section}:\n{page}");
        }
        let row = |start: &str| {
            let line = page.lines().find(|line| line.starts_with(start)).unwrap();
            line.split(" | ").map(|cell| cell.trim_matches(['|', ' ']).to_owned()).collect()
        };
        let random: Vec<String> = row("| random texts |");
        assert_eq!((random[1].as_str(), random[3].as_str()), ("80", "80 of 80"));
        assert_eq!(row("| the speeches |")[3..], ["1 of 1"]);
        // Whoever sees a queued record and copies its bytes has nothing of it.
        let queued: Vec<String> = row("| the same bytes |");
        assert_eq!((queued[2].as_str(), queued[4].as_str(), queued[5].as_str()), ("2", "0", "0.0"));
        // Calls to oneself lose money, whichever roles one has.
        for case in ["| contributor |", "| and operator of the node |"] {
            let lost: f64 = row(case)[2].parse().unwrap();
            assert!(lost > 0.0, "{case} {lost}");
        }
        let counted = page.lines().find(|line| line.starts_with("The shares of ")).unwrap();
        let numbers: Vec<&str> = counted.split(' ').skip(3).step_by(2).take(2).collect();
        assert!(numbers[0].parse::<u64>().unwrap() > 100, "{counted}");
        assert_eq!(numbers[0], numbers[1], "{counted}");
    }
}
