//! The example's speeches, and datanets made of them and of what somebody adds.

use crate::plan::beside;
use crate::presidents;
use ambar_base::Digest;
use ambar_corpus::{Corpus, Document, Listed};
use anyhow::{Context, Result};
use std::cell::Cell;
use tempfile::TempDir;

/// The speeches and where corpora are made.
pub struct Library {
    place: TempDir,
    /// The speeches by year.
    pub speeches: Vec<Document>,
    /// The names of their contributors.
    pub names: Vec<String>,
    base: Corpus,
    made: Cell<usize>,
}

impl Library {
    /// Unpacks and indexes the speeches.
    pub fn open() -> Result<Self> {
        let place = beside()?;
        let made = tempfile::Builder::new().prefix("ambar-bench-").tempdir_in(&place);
        let place = made.with_context(|| place.display().to_string())?;
        presidents::unpack(place.path())?;
        let (speeches, names) = presidents::documents(place.path())?;
        let directory = place.path().join("speeches.corpus");
        let base = Corpus::build(&directory, speeches.iter().cloned(), &mut |_| ())?;
        Ok(Self { place, speeches, names, base, made: Cell::new(0) })
    }

    /// The datanet of the speeches alone.
    pub fn base(&self) -> &Corpus {
        &self.base
    }

    /// Number of the first contributor who has no speech.
    pub fn stranger(&self) -> u32 {
        self.names.len() as u32
    }

    /// A datanet of these records in this order. What of them is a speech is not indexed again.
    pub fn corpus(&self, documents: &[Document]) -> Result<Corpus> {
        let listed: Vec<Listed> = documents.iter().map(listed).collect();
        let text = |at: usize| Ok::<_, anyhow::Error>(documents[at].text.clone());
        Corpus::update(&self.directory(), Some(&self.base), &listed, text, &mut |_| ())
    }

    /// A datanet that takes over nothing.
    pub fn fresh(&self, documents: &[Document]) -> Result<Corpus> {
        Ok(Corpus::build(&self.directory(), documents.iter().cloned(), &mut |_| ())?)
    }

    fn directory(&self) -> std::path::PathBuf {
        self.made.set(self.made.get() + 1);
        self.place.path().join(format!("{}.corpus", self.made.get()))
    }
}

fn listed(document: &Document) -> Listed {
    let Document { title, contributor, text } = document;
    Listed { title: title.clone(), contributor: *contributor, source: Digest::of(text) }
}

/// A record.
pub fn record(title: impl Into<String>, contributor: u32, text: impl Into<String>) -> Document {
    Document { title: title.into(), contributor, text: text.into().into_bytes() }
}

/// A record's text.
pub fn text(document: &Document) -> &str {
    std::str::from_utf8(&document.text).unwrap_or_default()
}
