//! An answer read again as the corpus model would have written it: of each word, where it stands
//! behind its context, and whose records these places are.
//!
//! It needs no generator and no seed: the text says which context each word had. A word stands in
//! all places behind its context equally, so its credit is divided over them to the last unit, in
//! the order of the contributors. Spans that come again are looked up once; as the places of
//! different words behind contexts of one length are different ones, no answer makes it read more
//! than `context_words_max` + 1 times the words of the records.

use crate::corpus::check_length;
use crate::error::CorpusError;
use crate::language::{Before, Language};
use crate::together::Together;
use crate::words::words;
use ambar_attribution::corpus_model::{CONTRIBUTORS_MAX, STEPS_MAX, TOKEN};
use ambar_attribution::span::OUTPUT_BYTES_MAX;
use ambar_attribution::{CorpusModelEvidence, CorpusModelParameters, Step, Tally};
use ambar_base::Digest;
use std::collections::BTreeMap;

/// Corpus and contributor in it.
type Who = (usize, u32);

/// Contexts with the word behind them, and how often each comes.
type Spans = BTreeMap<Vec<u8>, u64>;

impl Together<'_> {
    /// What the model over all these records says of an answer: the evidence of each corpus, in
    /// order. Of question and answer the bytes are told, and what stands for them in the
    /// evidence. Of a question only the last words matter; of a long answer the first
    /// [`STEPS_MAX`] words are looked up.
    pub fn replay(
        &self,
        (prompt, output): (&str, &[u8]),
        digests: (Digest, Digest),
        parameters: &CorpusModelParameters,
    ) -> Result<Vec<CorpusModelEvidence>, CorpusError> {
        check_length("answer", output, OUTPUT_BYTES_MAX as usize)?;
        let language = Language::of(self, *parameters)?;
        let (steps, spans) = read(&language, prompt, output);
        let mut credits = BTreeMap::<Who, u64>::new();
        for (span, times) in &spans {
            for (who, credit) in self.divided(&language, span) {
                *credits.entry(who).or_default() += credit * times;
            }
        }
        let evidence = |(index, corpus)| {
            let base = CorpusModelEvidence {
                corpus,
                together: self.root(),
                corpus_bytes: self.text_bytes(),
                prompt: digests.0,
                output: digests.1,
                parameters: *parameters,
                steps: steps.clone(),
                tallies: Vec::new(),
                unlisted: 0,
                elsewhere: 0,
            };
            tallied(base, index, &credits)
        };
        let roots = self.corpora().iter().map(|corpus| corpus.root());
        Ok(roots.enumerate().map(evidence).collect())
    }

    /// One token over the places of a span, by contributor.
    fn divided(&self, language: &Language<'_>, span: &[u8]) -> Vec<(Who, u64)> {
        let (occurrences, count) = language.occurrences(span);
        let mut places = BTreeMap::<Who, u64>::new();
        for (owner, found) in language.owners.iter().zip(&occurrences) {
            let documents = &self.corpora()[*owner].documents;
            for document in found.documents() {
                let contributor = documents[document as usize].contributor;
                *places.entry((*owner, contributor)).or_default() += 1;
            }
        }
        let until = |places: u64| (u128::from(TOKEN) * u128::from(places) / count as u128) as u64;
        let mut before = 0;
        let credit = |(who, places): (Who, u64)| {
            let credit = until(before + places) - until(before);
            before += places;
            (who, credit)
        };
        places.into_iter().map(credit).collect()
    }
}

/// The steps of an answer, and what is to be credited.
fn read(language: &Language<'_>, prompt: &str, output: &[u8]) -> (Vec<Step>, Spans) {
    let (mut before, mut end) = (Before::of(prompt), 0);
    let (mut steps, mut spans) = (Vec::new(), Spans::new());
    for word in words(output).take(STEPS_MAX as usize) {
        let (gap, text) = (&output[end..word.start], &output[word.start..word.end]);
        end = word.end;
        if !Before::goes_on(gap) {
            before.clear();
        }
        let found = language.find(&before);
        let span =
            if found.words == 0 { text.to_vec() } else { [&found.context, gap, text].concat() };
        let (_, count) = language.occurrences(&span);
        steps.push(Step {
            context_words: found.words as u32,
            context_count: found.count as u64,
            word_count: count as u64,
        });
        if count > 0 {
            *spans.entry(span).or_default() += 1;
        }
        before.push(gap, text);
    }
    (steps, spans)
}

/// The evidence of one corpus.
fn tallied(
    base: CorpusModelEvidence,
    index: usize,
    credits: &BTreeMap<Who, u64>,
) -> CorpusModelEvidence {
    let own = credits.range((index, 0)..=(index, u32::MAX)).filter(|(_, credit)| **credit > 0);
    let mut tallies: Vec<Tally> = own
        .map(|((_, contributor), credit)| Tally { contributor: *contributor, credit: *credit })
        .collect();
    let sum = |tallies: &[Tally]| tallies.iter().map(|tally| tally.credit).sum::<u64>();
    let elsewhere = credits.values().sum::<u64>() - sum(&tallies);
    tallies.sort_by_key(|tally| (std::cmp::Reverse(tally.credit), tally.contributor));
    let left_out = tallies.split_off(tallies.len().min(CONTRIBUTORS_MAX as usize));
    tallies.sort_by_key(|tally| tally.contributor);
    CorpusModelEvidence { tallies, unlisted: sum(&left_out), elsewhere, ..base }
}
