//! Calls: questions made from records by a seed, what is retrieved for them, and an answer that
//! quotes what was retrieved.
//!
//! The answer of [`quote`] stands in for a model where many worlds are compared: it copies the
//! sentences that share most words with the question, as the example's prompt asks its model to.
//! Where it matters what a model does, the model is asked.

use super::library::text;
use ambar_attribution::{Evidence, RetrievalEvidence, RetrievalParameters, SpanParameters};
use ambar_base::Digest;
use ambar_corpus::{Corpus, Document};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

use crate::trace::Random;

/// Words of a record from which a question takes three.
const WINDOW_WORDS: usize = 60;
/// In how many records a word of a question stands: rare enough to tell, common enough that
/// several records answer.
const HOLDERS: std::ops::RangeInclusive<u32> = 4..=60;
/// Letters of a word of a question.
const LETTERS_MIN: usize = 5;
/// Passages that an answer quotes, and most words of each quotation.
const QUOTED: usize = 2;
const QUOTED_WORDS_MAX: usize = 25;

/// What questions look like.
pub const TEMPLATES: [&str; 6] = [
    "What was said about {a}, {b} and {c}?",
    "What should be done about {a}, {b} and {c}?",
    "Why does the speaker speak of {a}, {b} and {c}?",
    "How do {a}, {b} and {c} go together?",
    "Who is concerned by {a}, {b} and {c}?",
    "Which law deals with {a}, {b} and {c}?",
];

/// In how many records each word stands.
pub struct Vocabulary(BTreeMap<String, u32>);

impl Vocabulary {
    /// Of these records.
    pub fn of(documents: &[Document]) -> Self {
        let mut holders = BTreeMap::new();
        for document in documents {
            let words: BTreeSet<String> = words(text(document)).collect();
            words.into_iter().for_each(|word| *holders.entry(word).or_default() += 1);
        }
        Self(holders)
    }

    /// Whether a word may stand in a question.
    pub fn tells(&self, word: &str) -> bool {
        let holders = self.0.get(word).copied().unwrap_or(0);
        word.len() >= LETTERS_MIN && HOLDERS.contains(&holders)
    }

    /// The words that may, alphabetical.
    pub fn telling(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|word| self.tells(word))
    }

    /// A question about a place in one of these records.
    pub fn question(&self, documents: &[Document], random: &mut Random) -> String {
        loop {
            let text = text(&documents[random.below(documents.len())]);
            let all: Vec<&str> = text.split_whitespace().collect();
            let start = random.below(all.len());
            let window = &all[start..all.len().min(start + WINDOW_WORDS)];
            let mut found: Vec<String> = Vec::new();
            for word in window.iter().flat_map(|word| words(word)) {
                if self.tells(&word) && !found.contains(&word) {
                    found.push(word);
                }
            }
            if found.len() < 3 {
                continue;
            }
            let template = TEMPLATES[random.below(TEMPLATES.len())];
            let mut take = || found.remove(random.below(found.len()));
            let (a, b, c) = (take(), take(), take());
            return template.replace("{a}", &a).replace("{b}", &b).replace("{c}", &c);
        }
    }

    /// So many questions about these records.
    pub fn questions(&self, documents: &[Document], seed: u64, count: usize) -> Vec<String> {
        let mut random = Random(seed);
        (0..count).map(|_| self.question(documents, &mut random)).collect()
    }
}

/// Words of letters, in lower case.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let apart = text.split(|letter: char| !letter.is_ascii_alphabetic());
    apart.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase)
}

/// What is retrieved for a question.
pub struct Found {
    /// As the receipt has it.
    pub evidence: RetrievalEvidence,
    /// The passages, best first.
    pub passages: Vec<String>,
}

/// What is retrieved for a question within these limits.
pub fn retrieve(
    corpus: &Corpus,
    question: &str,
    parameters: &RetrievalParameters,
) -> Result<Found> {
    let (evidence, texts) = corpus.retrieve(question.as_bytes(), Digest::ZERO, parameters)?;
    Ok(Found { evidence, passages: texts.into_iter().map(str::to_owned).collect() })
}

/// The evidence of both methods for a question and its answer.
pub fn evidence(
    corpus: &Corpus,
    retrieved: &RetrievalEvidence,
    answer: &str,
    parameters: &SpanParameters,
) -> Result<[Evidence; 2]> {
    let spans = corpus.trace(answer.as_bytes(), Digest::ZERO, parameters)?;
    Ok([Evidence::Retrieval(retrieved.clone()), Evidence::VerbatimSpan(spans)])
}

/// An answer of sentences of the best passages, those that share most words with the question.
pub fn quote(question: &str, passages: &[String]) -> String {
    let asked: BTreeSet<String> =
        words(question).filter(|word| word.len() >= LETTERS_MIN).collect();
    let best = |passage: &String| {
        let shared = |sentence: &&str| {
            words(sentence).filter(|word| asked.contains(word)).collect::<BTreeSet<_>>().len()
        };
        let sentences = passage.split_inclusive(['.', '?', '!', ';']);
        // The first of equals.
        let best = sentences.rev().max_by_key(shared).unwrap_or_default();
        let end = best
            .split_whitespace()
            .take(QUOTED_WORDS_MAX)
            .last()
            .map_or(0, |word| word.as_ptr() as usize - best.as_ptr() as usize + word.len());
        best[..end].trim_start().to_owned()
    };
    passages.iter().take(QUOTED).map(best).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::library::record;
    use super::*;

    #[test]
    fn answers_quote_the_sentences_asked_for() {
        let passages = [
            "Nothing here. The harbour and the treaty were closed.".to_owned(),
            "A treaty; and more words".to_owned(),
            "never quoted treaty".to_owned(),
        ];
        let answer = quote("What of the harbour and the treaty?", &passages);
        assert_eq!(answer, "The harbour and the treaty were closed. A treaty;");
        assert_eq!(quote("anything", &[]), "");
    }

    #[test]
    fn questions_are_made_of_telling_words() {
        let alone = ["amber", "birch", "cedar", "ebony", "furze"];
        let one = |(at, word): (usize, &&str)| {
            record(at.to_string(), 0, format!("harbour treaty colony {word}"))
        };
        let documents: Vec<_> = alone.iter().enumerate().map(one).collect();
        let vocabulary = Vocabulary::of(&documents);
        assert_eq!(vocabulary.telling().collect::<Vec<_>>(), ["colony", "harbour", "treaty"]);
        let questions = vocabulary.questions(&documents, 1, 3);
        assert_eq!(questions, vocabulary.questions(&documents, 1, 3));
        for question in questions {
            assert!(["harbour", "treaty", "colony"].iter().all(|word| question.contains(word)));
        }
    }
}
