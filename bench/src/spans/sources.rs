//! The text that is searched: C files of the kernel, from Debian's package of its sources.

use crate::gateway::install::{self, Cache};
use ambar_corpus::Document;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The package that depends on the sources of this Debian's kernel.
const PACKAGE: &str = "linux-source";
/// What is taken of them.
const SUFFIX: &str = "c";

/// One record as a line of a file: what both programs read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    /// The path within the sources.
    pub path: String,
    /// The text.
    pub text: String,
}

/// Downloads the sources if need be; the archive.
pub fn install(cache: &Cache) -> Result<PathBuf> {
    let directory = cache.place(&format!("{PACKAGE}-debian"));
    let sources = directory.join("usr/src");
    if !sources.exists() {
        let package = named()?;
        eprintln!("downloading {package} into {}", directory.display());
        fs::create_dir_all(&directory)?;
        install::debian(&directory, &package)?;
    }
    let mut files = fs::read_dir(&sources)?.flatten().map(|entry| entry.path());
    let archive = files.find(|path| path.to_string_lossy().ends_with(".tar.xz"));
    archive.context("the package has no archive of sources")
}

/// The package with the sources themselves.
fn named() -> Result<String> {
    let output = Command::new("apt-cache").args(["depends", PACKAGE]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let depends = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    Ok(depends.with_context(|| format!("no package {PACKAGE}"))?.to_owned())
}

/// Takes files, in the order of the archive, until there are `bytes` of text for the index and
/// `more` for what is added to it later.
pub fn take(archive: &Path, bytes: usize, more: usize) -> Result<(Vec<Document>, Vec<Document>)> {
    let (mut first, mut then) = (Vec::new(), Vec::new());
    let (mut taken, mut added) = (0, 0);
    let mut unpacking = Unpacking::of(archive)?;
    for entry in unpacking.entries()?.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if path.extension().is_none_or(|suffix| suffix != SUFFIX) {
            continue;
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text)?;
        let (title, blank) = (path.display().to_string(), text.trim_ascii().is_empty());
        if blank || text.contains(&0) || std::str::from_utf8(&text).is_err() {
            continue;
        }
        let (documents, sum) =
            if taken < bytes { (&mut first, &mut taken) } else { (&mut then, &mut added) };
        *sum += text.len();
        documents.push(Document { title, contributor: documents.len() as u32 % 1_000, text });
        if added >= more {
            break;
        }
    }
    ensure!(taken >= bytes && added >= more, "the sources have only {taken} bytes");
    Ok((first, then))
}

/// xz(1), taking the archive apart; it ends with the value.
struct Unpacking(Child, Option<ChildStdout>);

impl Unpacking {
    fn of(archive: &Path) -> Result<Self> {
        let mut xz = Command::new("xz");
        let mut child = xz.arg("-dc").arg(archive).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take();
        Ok(Self(child, output))
    }

    fn entries(&mut self) -> Result<tar::Archive<BufReader<ChildStdout>>> {
        let Some(output) = self.1.take() else { bail!("the archive is read once") };
        Ok(tar::Archive::new(BufReader::with_capacity(1 << 20, output)))
    }
}

impl Drop for Unpacking {
    fn drop(&mut self) {
        // It may still have something to say.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes records as lines.
pub fn write(documents: &[Document], path: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for Document { title, text, .. } in documents {
        let line = Line { path: title.clone(), text: String::from_utf8(text.clone())? };
        serde_json::to_writer(&mut file, &line)?;
        file.write_all(b"\n")?;
    }
    Ok(file.into_inner()?.sync_all()?)
}

/// Reads records line by line.
pub fn lines(path: &Path) -> Result<impl Iterator<Item = Result<Line>> + use<>> {
    let lines = BufReader::with_capacity(1 << 20, File::open(path)?).lines();
    Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
}
