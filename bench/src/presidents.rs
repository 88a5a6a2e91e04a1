//! The example datanet: the speeches of `examples/presidents`, unpacked.

use crate::plan::repository;
use ambar_corpus::Document;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The example's directory in the repository.
pub const EXAMPLE: &str = "examples/presidents";

/// A file of the example.
#[must_use]
pub fn file(name: &str) -> PathBuf {
    repository(EXAMPLE).join(name)
}

/// Unpacks the records into a directory.
pub fn unpack(directory: &Path) -> Result<()> {
    let archive = file("presidents.tar.zst");
    let packed = File::open(&archive).with_context(|| archive.display().to_string())?;
    tar::Archive::new(zstd::stream::read::Decoder::new(packed)?).unpack(directory)?;
    Ok(())
}

/// The unpacked records by name, and the names of their contributors by index.
pub fn documents(directory: &Path) -> Result<(Vec<Document>, Vec<String>)> {
    let entries = fs::read_dir(directory.join("speeches"))?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    let (mut documents, mut names) = (Vec::new(), Vec::<String>::new());
    for path in paths {
        let stem =
            path.file_stem().and_then(|stem| stem.to_str()).context("a name is not UTF-8")?;
        let name = stem.split_once('_').map_or(stem, |(_, name)| name).replace('_', " ");
        let known = names.iter().position(|other| *other == name).unwrap_or(names.len());
        if known == names.len() {
            names.push(name);
        }
        let contributor = u32::try_from(known)?;
        documents.push(Document { title: stem.into(), contributor, text: fs::read(&path)? });
    }
    Ok((documents, names))
}
