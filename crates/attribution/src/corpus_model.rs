//! Evidence by the corpus model: where each word of the answer stands in the records, behind the
//! words that stand before it.
//!
//! The model is an ∞-gram over words (Liu et al., "Infini-gram: Scaling Unbounded n-gram Language
//! Models to a Trillion Tokens", 2024): it looks up the longest stretch of last words that the
//! records have often enough, draws one place where they stand, and takes the word behind it. So a
//! word's credit is one token, divided equally over all places from which it could have been drawn.
//! For an answer that this model made that is exact; for any other it says how the records would
//! have gone on. A word that no record has behind that context is credited to nobody.

use crate::evidence::EvidenceError;
use crate::method::{Attributor, Claim, Method};
use ambar_base::Digest;
use serde::{Deserialize, Serialize};

/// Most words of a context.
pub const CONTEXT_WORDS_MAX: u32 = 16;
/// Largest number of times that a context may have to stand in the records.
pub const COUNT_MIN_MAX: u32 = 1_000;
/// Most words of one answer that are looked up.
pub const STEPS_MAX: u32 = 8_192;
/// Most contributors that are listed; the largest tallies are kept.
pub const CONTRIBUTORS_MAX: u32 = 4_096;
/// The credit of one word, in the unit of tallies.
pub const TOKEN: u64 = 1 << 32;

/// How far the model looks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusModelParameters {
    /// Longest context, words.
    pub context_words_max: u32,
    /// A context that stands in the records less often is made shorter.
    pub count_min: u32,
}

impl Default for CorpusModelParameters {
    /// A context that stands in two places at least lets the text leave one record for another.
    fn default() -> Self {
        Self { context_words_max: 4, count_min: 2 }
    }
}

impl CorpusModelParameters {
    /// Refuses values beyond the limits.
    pub fn check(&self) -> Result<(), EvidenceError> {
        let rule = |holds: bool, rule| if holds { Ok(()) } else { Err(EvidenceError::Rule(rule)) };
        rule(
            (1..=CONTEXT_WORDS_MAX).contains(&self.context_words_max),
            "context_words_max is 1 to 16",
        )?;
        rule((1..=COUNT_MIN_MAX).contains(&self.count_min), "count_min is 1 to 1000")
    }
}

/// One word of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u64, u64)", into = "(u32, u64, u64)")]
pub struct Step {
    /// Words of the context.
    pub context_words: u32,
    /// Places where the context stands; without a context, all words of all records.
    pub context_count: u64,
    /// Places of these behind which the word stands.
    pub word_count: u64,
}

impl From<(u32, u64, u64)> for Step {
    fn from((context_words, context_count, word_count): (u32, u64, u64)) -> Self {
        Self { context_words, context_count, word_count }
    }
}

impl From<Step> for (u32, u64, u64) {
    fn from(step: Step) -> Self {
        (step.context_words, step.context_count, step.word_count)
    }
}

/// What is credited to one contributor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u64)", into = "(u32, u64)")]
pub struct Tally {
    /// Index in the datanet's contributor table.
    pub contributor: u32,
    /// Its part of all words, in units of 1/[`TOKEN`] of a word.
    pub credit: u64,
}

impl From<(u32, u64)> for Tally {
    fn from((contributor, credit): (u32, u64)) -> Self {
        Self { contributor, credit }
    }
}

impl From<Tally> for (u32, u64) {
    fn from(tally: Tally) -> Self {
        (tally.contributor, tally.credit)
    }
}

/// What the model over a datanet's records says of one answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusModelEvidence {
    /// Root of the datanet's records, whose contributors are listed.
    pub corpus: Digest,
    /// Root over all the records that the model draws from; that of the datanet, if these are all.
    pub together: Digest,
    /// Bytes of all the records that the model draws from.
    pub corpus_bytes: u64,
    /// Digest of what was asked, salted by whoever asks.
    pub prompt: Digest,
    /// Digest of the answer, salted likewise.
    pub output: Digest,
    /// How far the model looks back.
    pub parameters: CorpusModelParameters,
    /// The words of the answer, in order.
    pub steps: Vec<Step>,
    /// The largest credits of the datanet's contributors, ascending by contributor.
    pub tallies: Vec<Tally>,
    /// Credit of this datanet's contributors that are not listed.
    pub unlisted: u64,
    /// Credit of contributors of other datanets that the model draws from.
    pub elsewhere: u64,
}

impl CorpusModelEvidence {
    /// Refuses evidence that no replay gives.
    pub fn check(&self) -> Result<(), EvidenceError> {
        self.parameters.check()?;
        let rule = |holds: bool, rule| if holds { Ok(()) } else { Err(EvidenceError::Rule(rule)) };
        rule(self.steps.len() <= STEPS_MAX as usize, "at most 8192 words")?;
        self.steps.iter().try_for_each(|step| self.check_step(step))?;
        let without = self.steps.iter().filter(|step| step.context_words == 0);
        let mut all = without.map(|step| step.context_count);
        let first = all.next();
        rule(all.all(|count| Some(count) == first), "the records have one number of words")?;
        let fits = self.steps.windows(2).all(|pair| follows(&pair[0], &pair[1]));
        rule(fits, "a context is that of the word before, with that word")?;
        self.check_tallies()
    }

    fn check_step(&self, step: &Step) -> Result<(), EvidenceError> {
        let (rule, CorpusModelParameters { context_words_max, count_min }) =
            (EvidenceError::Rule, self.parameters);
        if step.context_words > context_words_max {
            return Err(rule("a context has at most context_words_max words"));
        }
        if step.context_words > 0 && step.context_count < u64::from(count_min) {
            return Err(rule("a context stands there at least count_min times"));
        }
        if step.word_count > step.context_count || step.context_count > self.corpus_bytes {
            return Err(rule("a word stands behind its context, which is in the records"));
        }
        Ok(())
    }

    fn check_tallies(&self) -> Result<(), EvidenceError> {
        let rule = |holds: bool, rule| if holds { Ok(()) } else { Err(EvidenceError::Rule(rule)) };
        let listed = self.tallies.len();
        rule(listed <= CONTRIBUTORS_MAX as usize, "at most 4096 contributors")?;
        let ascend = self.tallies.is_sorted_by(|a, b| a.contributor < b.contributor);
        rule(ascend, "contributors ascend strictly")?;
        rule(self.tallies.iter().all(|tally| tally.credit > 0), "a listed contributor has credit")?;
        let full = listed == CONTRIBUTORS_MAX as usize;
        rule(full || self.unlisted == 0, "contributors are left out only past the limit")?;
        let alone = self.together == self.corpus;
        rule(!alone || self.elsewhere == 0, "all credit is of the records there are")?;
        let credits = self.tallies.iter().map(|tally| tally.credit);
        let sum: u128 = credits.chain([self.unlisted, self.elsewhere]).map(u128::from).sum();
        rule(sum == u128::from(TOKEN) * u128::from(self.words_found()), "credits sum to the words")
    }

    /// Words of the answer that some record has behind their context.
    #[must_use]
    pub fn words_found(&self) -> u64 {
        self.steps.iter().filter(|step| step.word_count > 0).count() as u64
    }
}

/// Whether a step can come after another: its context is that of the other or the end of it, and
/// then the other's word. The less of it there is, the more often it stands in the records.
fn follows(before: &Step, step: &Step) -> bool {
    let (had, has) = (before.context_words, step.context_words);
    match has {
        0 => true,
        _ if has > had + 1 => false,
        _ if has == had + 1 => step.context_count == before.word_count,
        _ => step.context_count >= before.word_count,
    }
}

impl Attributor for CorpusModelEvidence {
    fn method(&self) -> Method {
        Method::CorpusModel
    }

    /// The tallies.
    fn claims(&self) -> Vec<Claim> {
        let claim =
            |tally: &Tally| Claim { contributor: tally.contributor, raw: u128::from(tally.credit) };
        self.tallies.iter().map(claim).collect()
    }
}

#[cfg(test)]
#[path = "corpus_model_tests.rs"]
pub(crate) mod tests;
