//! Raw counters: what a call used, before any tariff.

use ambar_base::choice;
use ambar_base::codec::{Decode, DecodeError, Encode, Reader, Writer};
use std::collections::BTreeMap;

choice! {
    /// What is counted. Each counter is recomputable from input and output.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    pub enum Counter {
        /// Prompt tokens, by the model's own tokenizer.
        TokensIn = 1,
        /// Produced tokens, by the model's own tokenizer.
        TokensOut = 2,
        /// Bytes of passages put before a model.
        RetrievedBytes = 3,
        /// Tokens embedded, by the model's own tokenizer.
        EmbeddingTokens = 4,
    }
}

impl Counter {
    /// Every counter.
    pub const ALL: [Self; 4] =
        [Self::TokensIn, Self::TokensOut, Self::RetrievedBytes, Self::EmbeddingTokens];

    /// The counter as tariffs write it.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        match self {
            Self::TokensIn => "tokens_in",
            Self::TokensOut => "tokens_out",
            Self::RetrievedBytes => "retrieved_bytes",
            Self::EmbeddingTokens => "embedding_tokens",
        }
    }
}

/// Counters above zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<Counter, u64>);

impl Counters {
    /// These counters without those that are zero.
    #[must_use]
    pub fn new(counts: impl IntoIterator<Item = (Counter, u64)>) -> Self {
        Self(counts.into_iter().filter(|(_, count)| *count > 0).collect())
    }

    /// Counters and counts, ascending by counter.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        self.0.iter().map(|(counter, count)| (*counter, *count))
    }

    /// The count, zero if nothing was counted.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.get(&counter).copied().unwrap_or_default()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Encode for Counters {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
}

impl Decode for Counters {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let counts = BTreeMap::<Counter, u64>::decode(reader)?;
        let positive = counts.values().all(|count| *count > 0);
        if positive { Ok(Self(counts)) } else { Err(DecodeError::Rule("a zero is not counted")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::codec;

    #[test]
    fn zeros_are_not_written() {
        let counters = Counters::new([(Counter::TokensOut, 0), (Counter::TokensIn, 5)]);
        assert_eq!(counters.to_bytes(), [1, 1, 5]);
        assert_eq!(codec::decode(&[1, 1, 5]), Ok(counters));
        assert!(codec::decode::<Counters>(&[1, 1, 0]).is_err());
        assert!(codec::decode::<Counters>(&[2, 2, 5, 1, 5]).is_err());
    }
}
