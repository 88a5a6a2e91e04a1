//! infini-gram beside Ambar: installed, built and asked by a script of its own.

use crate::gateway::install::{self, Cache, WHOLE};
use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed: exact versions, so that a figure names what was measured.
const PACKAGES: [&str; 2] = ["infini-gram==2.6.0", "numpy==2.2.6"];
/// The directory of it.
const PLACE: &str = "infini-gram-2.6.0";
const SCRIPT: &str = include_str!("peer.py");

/// infini-gram with its Python.
#[derive(Debug)]
pub struct Peer(PathBuf);

/// What a build took.
#[derive(Debug, Deserialize)]
pub struct Built {
    pub cpu_s: f64,
    pub elapsed_s: f64,
    pub peak_mb: f64,
    pub disk_mb: f64,
}

/// What is asked.
#[derive(Clone, Debug, Serialize)]
pub struct Questions {
    pub bytes_min: usize,
    pub rounds: usize,
    pub answers: Vec<Vec<u8>>,
    pub patterns: Vec<Vec<u8>>,
}

/// What it answered, and how fast: a list per round.
#[derive(Debug, Deserialize)]
pub struct Answered {
    pub trace_ms: Vec<Vec<f64>>,
    pub find_us: Vec<Vec<f64>>,
    pub spans: Vec<Vec<(usize, usize, usize)>>,
}

impl Peer {
    /// Installs it if need be.
    pub fn install(cache: &Cache) -> Result<Self> {
        let directory = cache.place(PLACE);
        if !directory.join(WHOLE).exists() {
            eprintln!("installing {} into {}", PACKAGES.join(", "), directory.display());
            fs::create_dir_all(&directory)?;
            install::wheels(&directory, &PACKAGES)?;
            fs::write(directory.join(WHOLE), "")?;
        }
        Ok(Self(directory))
    }

    /// Builds its index of the records in `work`.
    pub fn build(&self, work: &Path) -> Result<Built> {
        self.run("build", work)
    }

    /// Asks it.
    pub fn ask(&self, work: &Path, questions: &Questions) -> Result<Answered> {
        fs::write(work.join("questions.json"), serde_json::to_vec(questions)?)?;
        self.run("ask", work)
    }

    fn run<T: DeserializeOwned>(&self, what: &str, work: &Path) -> Result<T> {
        let script = work.join("peer.py");
        fs::write(&script, SCRIPT)?;
        let mut python = Command::new(self.0.join("bin/python"));
        let output = python.arg(&script).arg(what).arg(work).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "infini-gram failed: {}", install::one_line(&said));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = printed.lines().last().context("infini-gram said nothing")?;
        Ok(serde_json::from_str(last)?)
    }
}
