//! Raw counters: what a call used, before any tariff.

use ambar_base::choice;
use ambar_base::codec::{Decode, DecodeError, Encode, Reader, Writer};

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

/// Counters; one that is zero is not written. An array, because every validator reads one
/// per line of every call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters([u64; Counter::ALL.len()]);

impl Counters {
    /// These counters; of one that stands twice the last counts.
    #[must_use]
    pub fn new(counts: impl IntoIterator<Item = (Counter, u64)>) -> Self {
        let mut counters = Self::default();
        counts.into_iter().for_each(|(counter, count)| counters.0[counter as usize] = count);
        counters
    }

    /// Counters above zero and their counts, ascending by counter.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// The count, zero if nothing was counted.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// Whether no count is above the other's.
    #[must_use]
    pub fn within(&self, most: &Self) -> bool {
        self.iter().all(|(counter, count)| count <= most.get(counter))
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl Encode for Counters {
    /// A map of the counters above zero.
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.iter().count() as u128);
        for pair in self.iter() {
            pair.encode(writer);
        }
    }
}

impl Decode for Counters {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut counters, mut last) = (Self::default(), None);
        for _ in 0..reader.length()? {
            let (counter, count) = <(Counter, u64)>::decode(reader)?;
            if count == 0 {
                return Err(DecodeError::Rule("a zero is not counted"));
            }
            if last >= Some(counter) {
                return Err(DecodeError::Rule("counters ascend strictly"));
            }
            counters.0[counter as usize] = count;
            last = Some(counter);
        }
        Ok(counters)
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
        assert!(codec::decode::<Counters>(&[2, 1, 5, 1, 5]).is_err());
    }

    /// [`Counters`] is indexed by what `ALL` lists.
    #[test]
    fn all_lists_each_counter_at_its_own_place() {
        let places: Vec<_> = Counter::ALL.iter().map(|counter| *counter as usize).collect();
        assert_eq!(places, [0, 1, 2, 3]);
        let every = Counters::new(Counter::ALL.map(|counter| (counter, 7)));
        assert_eq!(codec::decode(&every.to_bytes()), Ok(every));
    }
}
