//! Writing corpora: from records, from records and an earlier corpus, and merging segments.
//!
//! What an earlier corpus has of the listed records is taken over as it is: its segments get
//! names in the new directory. Only the rest is read, and becomes new segments. What is listed
//! no more is dead as soon as the manifest is there. All that is written before is nobody's
//! until then, so a crash at any time leaves the earlier corpus or the new one, and the next
//! that opens the directory removes the rest.

use crate::corpus::Corpus;
use crate::disk::Disk;
use crate::error::{CorpusError, RecordFault};
use crate::manifest::Live;
use crate::part::Part;
use crate::progress::{Callback, Tell};
use crate::record::{CORPUS_BYTES_MAX, DOCUMENTS_MAX, Document, Listed, Records};
use crate::segment::Segment;
use crate::tiers::{self, Size};
use ambar_base::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Where the documents of a corpus come from, and what tells of it.
struct Writer<'a, 'b> {
    disk: &'a Disk,
    directory: &'a Path,
    segments: Vec<Arc<Segment>>,
    tell: Tell<'b>,
}

impl Corpus {
    /// Builds a corpus in `directory` from documents in order, replacing what is there once all
    /// is written and synced. Takes about six bytes of memory per byte of text, of at most one
    /// segment at a time.
    pub fn build(
        directory: &Path,
        documents: impl IntoIterator<Item = Document>,
        progress: Callback<'_>,
    ) -> Result<Self, CorpusError> {
        let (mut listed, mut texts) = (Vec::new(), Vec::new());
        for Document { title, contributor, text } in documents {
            listed.push(Listed { title, contributor, source: Digest::of(&text) });
            texts.push(text);
        }
        let text = |index: usize| Ok::<_, CorpusError>(std::mem::take(&mut texts[index]));
        Self::update(directory, None, &listed, text, progress)
    }

    /// Makes the corpus of `directory` that of the listed records in order. Those that `base`
    /// has, by title and source, are taken from there; the text of the others is asked for.
    /// `base` may lie in the same directory or in another, and stays readable.
    pub fn update<E: From<CorpusError>>(
        directory: &Path,
        base: Option<&Self>,
        listed: &[Listed],
        text: impl FnMut(usize) -> Result<Vec<u8>, E>,
        progress: Callback<'_>,
    ) -> Result<Self, E> {
        let disk = base.map_or_else(Disk::default, |base| base.disk.clone());
        Self::update_on(&disk, directory, base, listed, text, progress)
    }

    pub(crate) fn update_on<E: From<CorpusError>>(
        disk: &Disk,
        directory: &Path,
        base: Option<&Self>,
        listed: &[Listed],
        text: impl FnMut(usize) -> Result<Vec<u8>, E>,
        progress: Callback<'_>,
    ) -> Result<Self, E> {
        check(listed)?;
        disk.directory(directory)?;
        let (segments, tell) = (Vec::new(), Tell::of(progress));
        let mut writer = Writer { disk, directory, segments, tell };
        let mut places = match base {
            Some(base) => writer.take_over(base, listed)?,
            None => vec![None; listed.len()],
        };
        writer.add(listed, text, &mut places)?;
        let live = places.into_iter().zip(listed).map(|(place, listed)| {
            let (segment, document) = place?;
            Some(Live { segment, document, contributor: listed.contributor })
        });
        let live: Option<Vec<Live>> = live.collect();
        let corpus = live.and_then(|live| Self::of(disk.clone(), directory, writer.segments, live));
        Ok(corpus.expect("every listed record has a place of its own").commit()?)
    }

    /// Makes one segment of those that are to become one, or writes one without its dead;
    /// nothing if all is well. Evidence is the same before and after.
    pub fn merge(&self, progress: Callback<'_>) -> Result<Option<Self>, CorpusError> {
        let size = |part: &Part| Size { live: part.live_bytes(), dead: part.dead_bytes() };
        let sizes: Vec<Size> = self.parts.iter().map(size).collect();
        let Some(group) = tiers::due(&sizes) else { return Ok(None) };
        let (mut records, mut moved) = (Records::default(), BTreeMap::new());
        for (number, live) in (0u32..).zip(&self.documents) {
            if group.contains(&(live.segment as usize)) {
                let segment = &self.parts[live.segment as usize].segment;
                moved.insert(number, records.entries.len() as u32);
                let entry = segment.entries()[live.document as usize].clone();
                records.take(entry, segment.text(live.document));
            }
        }
        let mut tell = Tell::of(progress);
        let merged = Segment::build(&self.disk, &self.directory, records, &mut tell)?;
        let stays = |(index, part): (usize, &Part)| {
            (!group.contains(&index)).then(|| (index as u32, Arc::clone(&part.segment)))
        };
        let (kept, mut segments): (Vec<u32>, Vec<Arc<Segment>>) =
            self.parts.iter().enumerate().filter_map(stays).unzip();
        let last = segments.len() as u32;
        segments.push(Arc::new(merged));
        let live = (0u32..).zip(&self.documents).map(|(number, live)| match moved.get(&number) {
            Some(document) => Live { segment: last, document: *document, ..*live },
            None => {
                let segment = kept.partition_point(|index| *index < live.segment) as u32;
                Live { segment, ..*live }
            }
        });
        let corpus = Self::of(self.disk.clone(), &self.directory, segments, live.collect());
        corpus.expect("every document has a place of its own").commit().map(Some)
    }
}

/// Index of the segment and of the document in it.
type At = Option<(u32, u32)>;

impl Writer<'_, '_> {
    /// Takes over the segments of `base` that have listed records; where these are.
    fn take_over(&mut self, base: &Corpus, listed: &[Listed]) -> Result<Vec<At>, CorpusError> {
        let mut there = BTreeMap::new();
        for (segment, part) in (0u32..).zip(&base.parts) {
            for (_, document, entry) in part.live() {
                there.insert((entry.title.as_str(), entry.source), (segment, document));
            }
        }
        let found = |listed: &Listed| there.get(&(listed.title.as_str(), listed.source)).copied();
        let mut places: Vec<At> = listed.iter().map(found).collect();
        let used: BTreeSet<u32> = places.iter().flatten().map(|(segment, _)| *segment).collect();
        for segment in &used {
            let segment = &base.parts[*segment as usize].segment;
            segment.put_into(self.disk, self.directory)?;
            self.segments.push(Arc::clone(segment));
        }
        for (segment, _) in places.iter_mut().flatten() {
            *segment = used.range(..*segment).count() as u32;
        }
        Ok(places)
    }

    /// Writes the records that have no place yet.
    fn add<E: From<CorpusError>>(
        &mut self,
        listed: &[Listed],
        mut text: impl FnMut(usize) -> Result<Vec<u8>, E>,
        places: &mut [At],
    ) -> Result<(), E> {
        let (mut records, mut all) = (Records::default(), 0u64);
        let missing: Vec<usize> = (0..listed.len()).filter(|at| places[*at].is_none()).collect();
        for index in missing {
            let text = text(index)?;
            all += text.len() as u64;
            if all > CORPUS_BYTES_MAX {
                return Err(too_large("the number of bytes", CORPUS_BYTES_MAX).into());
            }
            if !records.has_room(text.len()) {
                self.flush(std::mem::take(&mut records))?;
            }
            let place = (self.segments.len() as u32, records.entries.len() as u32);
            records.push(&listed[index], &text)?;
            places[index] = Some(place);
            self.tell.read(text.len());
        }
        if !records.entries.is_empty() {
            self.flush(records)?;
        }
        Ok(())
    }

    fn flush(&mut self, records: Records) -> Result<(), CorpusError> {
        let segment = Segment::build(self.disk, self.directory, records, &mut self.tell)?;
        self.segments.push(Arc::new(segment));
        Ok(())
    }
}

fn too_large(what: &'static str, max: u64) -> CorpusError {
    CorpusError::TooLarge { what, max }
}

fn check(listed: &[Listed]) -> Result<(), CorpusError> {
    if listed.is_empty() {
        return Err(CorpusError::Empty);
    }
    if listed.len() > DOCUMENTS_MAX {
        return Err(too_large("the number of documents", DOCUMENTS_MAX as u64));
    }
    let mut titles = BTreeSet::new();
    listed.iter().try_for_each(|listed| {
        let fresh = titles.insert(listed.title.as_str());
        let repeats = if fresh { Ok(()) } else { Err(RecordFault::TitleRepeats) };
        let refused = |fault| CorpusError::Record { title: listed.title.clone(), fault };
        listed.check().and(repeats).map_err(refused)
    })
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
