//! Values whose past still counts: a leaf refers to what held at its admission height.

use ambar_base::Height;
use ambar_base::codec::{Decode, DecodeError, Encode, Reader, Writer};
use ambar_receipt::fact::Span;

/// Most changes remembered: more within one settlement window are refused.
pub const CHANGES_MAX: usize = 64;

/// A value with the heights at which it changed, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<T>(Vec<(Height, T)>);

/// A value changed more often than is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {CHANGES_MAX} changes within the settlement window")]
pub struct TooManyChanges;

impl<T> History<T> {
    /// A value that holds from `height`.
    #[must_use]
    pub fn new(height: Height, value: T) -> Self {
        Self(vec![(height, value)])
    }

    /// The value now.
    #[must_use]
    pub fn latest(&self) -> &T {
        &self.0.last().expect("a history is never empty").1
    }

    /// The value that held at a height, and from when to when; nothing before the first.
    #[must_use]
    pub fn at(&self, height: Height) -> Option<(&T, Span)> {
        let next = self.0.partition_point(|(from, _)| *from <= height);
        let (from, value) = self.0.get(next.checked_sub(1)?)?;
        let until = self.0.get(next).map(|(from, _)| *from);
        Some((value, Span { from: *from, until }))
    }

    /// Lets `value` hold from `height`, and forgets what ended at or before `oldest`.
    pub fn set(&mut self, height: Height, oldest: Height, value: T) -> Result<(), TooManyChanges> {
        self.0.retain(|(from, _)| *from < height);
        let ended = self.0.partition_point(|(from, _)| *from <= oldest).saturating_sub(1);
        self.0.drain(..ended);
        if self.0.len() >= CHANGES_MAX {
            return Err(TooManyChanges);
        }
        self.0.push((height, value));
        Ok(())
    }
}

impl<T: Encode> Encode for History<T> {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
}

impl<T: Decode> Decode for History<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let changes = Vec::<(Height, T)>::decode(reader)?;
        let ascending = changes.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let good = !changes.is_empty() && changes.len() <= CHANGES_MAX && ascending;
        if good { Ok(Self(changes)) } else { Err(DecodeError::Rule("a history ascends")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(history: &History<u64>, height: u64) -> Option<(u64, u64, Option<u64>)> {
        let (value, span) = history.at(Height(height))?;
        Some((*value, span.from.0, span.until.map(|until| until.0)))
    }

    #[test]
    fn the_past_counts() {
        let mut history = History::new(Height(5), 1u64);
        history.set(Height(9), Height(0), 2).unwrap();
        assert_eq!(at(&history, 4), None);
        assert_eq!(at(&history, 5), Some((1, 5, Some(9))));
        assert_eq!(at(&history, 8), Some((1, 5, Some(9))));
        assert_eq!(at(&history, 9), Some((2, 9, None)));
        history.set(Height(9), Height(0), 3).unwrap();
        assert_eq!(at(&history, 9), Some((3, 9, None)), "a change at the same height replaces");
        history.set(Height(20), Height(12), 4).unwrap();
        assert_eq!(at(&history, 8), None, "what ended before the oldest height is forgotten");
        assert_eq!(at(&history, 12), Some((3, 9, Some(20))));
    }

    #[test]
    fn changes_are_bounded() {
        let mut history = History::new(Height(0), 0u64);
        let fill = |history: &mut History<u64>, count: usize| {
            (1..count as u64).try_for_each(|i| history.set(Height(i), Height(0), i))
        };
        assert_eq!(fill(&mut history, CHANGES_MAX), Ok(()));
        assert_eq!(history.set(Height(999), Height(0), 1), Err(TooManyChanges));
        assert_eq!(history.set(Height(999), Height(998), 1), Ok(()));
    }
}
