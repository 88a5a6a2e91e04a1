//! What may say how much a passage mattered: shares, and what shares have to be better than.

use super::super::Lab;
use super::super::calls::{Found, evidence, words};
use super::super::money::Rule;
use crate::trace::Random;
use ambar_attribution::Method;
use ambar_corpus::Corpus;
use anyhow::Result;
use std::collections::BTreeSet;

/// Their names, in the order of [`Measured::all`].
pub const MEASURES: [&str; 7] = [
    "default mix, half and half",
    "`retrieval` alone",
    "`verbatim-span` alone",
    "the score of the search",
    "words shared with the answer",
    "random weights",
    "equal weights",
];

/// An answer and what it was made from.
pub struct Measured<'a> {
    pub lab: &'a Lab,
    pub corpus: &'a Corpus,
    pub found: &'a Found,
    pub answer: &'a str,
    /// Of the call.
    pub number: u64,
}

impl Measured<'_> {
    /// For each measure what it gives each passage.
    pub fn all(&self, random: &mut Random) -> Result<[Vec<f64>; 7]> {
        let passages = &self.found.evidence.passages;
        let score = passages.iter().map(|passage| passage.score as f64).collect();
        let drawn = passages.iter().map(|_| random.below(1 << 20) as f64).collect();
        Ok([
            self.shares(&Rule::default())?,
            self.shares(&Rule::only(Method::Retrieval))?,
            self.shares(&Rule::only(Method::VerbatimSpan))?,
            score,
            self.shared_words(),
            drawn,
            vec![1.0; passages.len()],
        ])
    }

    fn shares(&self, rule: &Rule) -> Result<Vec<f64>> {
        let evidence = evidence(self.corpus, &self.found.evidence, self.answer, &rule.spans)?;
        let paid = self.lab.till.divide(&evidence, self.number, rule)?.by_contributor();
        let share = |who: u32| paid.get(&who).copied().unwrap_or(0.0);
        Ok(self.found.evidence.passages.iter().map(|passage| share(passage.contributor)).collect())
    }

    /// How many of the answer's different words a passage has.
    fn shared_words(&self) -> Vec<f64> {
        let answer: BTreeSet<String> = words(self.answer).collect();
        let shared = |passage: &String| {
            let own: BTreeSet<String> = words(passage).collect();
            own.intersection(&answer).count() as f64
        };
        self.found.passages.iter().map(shared).collect()
    }
}
