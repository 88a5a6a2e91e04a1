//! How a file is cut into sealed chunks: plaintext length, sealed length and ranges of
//! both. Whoever has no key can reckon with it.

use crate::chunks::{CONTENT_BYTES_MAX, GROUP_BYTES, GROUPS_MAX};
use std::ops::Range;

/// Length of every sealed chunk but the last, bytes: a group of the chunk tree. Each group
/// can so be opened as soon as it is verified, and a range read fetches what the tree makes
/// it fetch anyway. Longer chunks would save less than 0.1 % and cost reads of several
/// groups; shorter ones would share groups.
pub const SEALED_CHUNK_BYTES: u64 = GROUP_BYTES as u64;

/// What sealing adds to each chunk, bytes: the tag of Poly1305.
pub const TAG_BYTES: u64 = 16;

/// Plaintext of every chunk but the last, bytes.
pub const PLAIN_CHUNK_BYTES: u64 = SEALED_CHUNK_BYTES - TAG_BYTES;

/// Longest plaintext of one file, bytes: sealed, it is the longest content.
pub const PLAINTEXT_BYTES_MAX: u64 = GROUPS_MAX * PLAIN_CHUNK_BYTES;

/// Why a length or range is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LengthError {
    /// The plaintext is longer than [`PLAINTEXT_BYTES_MAX`].
    #[error("a plaintext of {0} bytes is longer than the {PLAINTEXT_BYTES_MAX} of one file")]
    Plaintext(u64),
    /// Nothing seals to that length.
    #[error("no plaintext seals to {0} bytes")]
    Sealed(u64),
    /// The range does not lie within the plaintext.
    #[error("the range {} to {} does not lie within a plaintext of {plaintext} bytes", .range.start, .range.end)]
    Range {
        /// The range asked for.
        range: Range<u64>,
        /// The plaintext's length.
        plaintext: u64,
    },
}

/// How a file of one length is cut. There is at least one chunk: that of an empty file is
/// a lone tag, without which nobody could tell an empty file from a missing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    plaintext: u64,
    chunks: u64,
}

impl Layout {
    /// The layout of a plaintext's length.
    pub fn of_plaintext(bytes: u64) -> Result<Self, LengthError> {
        if bytes > PLAINTEXT_BYTES_MAX {
            return Err(LengthError::Plaintext(bytes));
        }
        Ok(Self { plaintext: bytes, chunks: bytes.div_ceil(PLAIN_CHUNK_BYTES).max(1) })
    }

    /// The layout of a sealed length. Every chunk but a lone one holds a byte of plaintext.
    pub fn of_sealed(bytes: u64) -> Result<Self, LengthError> {
        let chunks = bytes.div_ceil(SEALED_CHUNK_BYTES);
        let tags = chunks * TAG_BYTES;
        let last = bytes.checked_sub(chunks.saturating_sub(1) * SEALED_CHUNK_BYTES);
        let shortest = if chunks == 1 { TAG_BYTES } else { TAG_BYTES + 1 };
        let fits = bytes <= CONTENT_BYTES_MAX && last.is_some_and(|last| last >= shortest);
        let plaintext = bytes.checked_sub(tags).filter(|_| fits);
        let plaintext = plaintext.ok_or(LengthError::Sealed(bytes))?;
        Ok(Self { plaintext, chunks })
    }

    /// The plaintext's length, bytes.
    #[must_use]
    pub fn plaintext(&self) -> u64 {
        self.plaintext
    }

    /// The sealed length, bytes: at most [`CONTENT_BYTES_MAX`].
    #[must_use]
    pub fn sealed(&self) -> u64 {
        self.plaintext + self.chunks * TAG_BYTES
    }

    /// The number of chunks, which is that of the sealed content's groups.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Where a chunk lies in the sealed content, if there is such a chunk.
    #[must_use]
    pub fn chunk(&self, index: u64) -> Option<Range<u64>> {
        (index < self.chunks).then(|| {
            let start = index * SEALED_CHUNK_BYTES;
            start..self.sealed().min(start + SEALED_CHUNK_BYTES)
        })
    }

    /// The chunks that hold a range of the plaintext. An empty range is held by the chunk at
    /// its place: whoever reads it learns whether there is such a place.
    pub fn cover(&self, range: Range<u64>) -> Result<Cover, LengthError> {
        if range.start > range.end || range.end > self.plaintext {
            return Err(LengthError::Range { range, plaintext: self.plaintext });
        }
        let first = (range.start / PLAIN_CHUNK_BYTES).min(self.chunks - 1);
        let end = range.end.div_ceil(PLAIN_CHUNK_BYTES).max(first + 1);
        let sealed_end = self.sealed().min(end * SEALED_CHUNK_BYTES);
        Ok(Cover { chunks: first..end, sealed: first * SEALED_CHUNK_BYTES..sealed_end, range })
    }
}

/// The sealed chunks that hold a range of the plaintext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// The chunks, at least one.
    pub chunks: Range<u64>,
    /// Where they lie in the sealed content, bytes.
    pub sealed: Range<u64>,
    range: Range<u64>,
}

impl Cover {
    /// The part of an opened chunk that lies in the range.
    #[must_use]
    pub fn part<'a>(&self, chunk: u64, plaintext: &'a [u8]) -> &'a [u8] {
        let Some(offset) = chunk.checked_mul(PLAIN_CHUNK_BYTES) else { return &[] };
        let length = plaintext.len() as u64;
        let within = |at: u64| at.saturating_sub(offset).min(length) as usize;
        &plaintext[within(self.range.start)..within(self.range.end)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEALED: u64 = SEALED_CHUNK_BYTES;
    const PLAIN: u64 = PLAIN_CHUNK_BYTES;

    #[test]
    fn lengths_of_both_sides() {
        let check = |plaintext: u64, sealed: u64, chunks: u64| {
            let layout = Layout::of_plaintext(plaintext).unwrap();
            let lengths = (layout.plaintext(), layout.sealed(), layout.chunks());
            assert_eq!(lengths, (plaintext, sealed, chunks));
            assert_eq!(Layout::of_sealed(sealed), Ok(layout));
        };
        check(0, 16, 1);
        check(1, 17, 1);
        check(PLAIN - 1, SEALED - 1, 1);
        check(PLAIN, SEALED, 1);
        check(PLAIN + 1, SEALED + 17, 2);
        check(2 * PLAIN, 2 * SEALED, 2);
        check(2 * PLAIN + 1, 2 * SEALED + 17, 3);
        check(PLAINTEXT_BYTES_MAX, CONTENT_BYTES_MAX, GROUPS_MAX);
        check(PLAINTEXT_BYTES_MAX - PLAIN, CONTENT_BYTES_MAX - SEALED, GROUPS_MAX - 1);
    }

    #[test]
    fn lengths_that_nothing_has() {
        let refused = |sealed: u64| {
            assert_eq!(Layout::of_sealed(sealed), Err(LengthError::Sealed(sealed)));
        };
        (0..16).for_each(refused);
        (1..17).for_each(|rest| refused(SEALED + rest));
        (1..17).for_each(|rest| refused(CONTENT_BYTES_MAX - SEALED + rest));
        refused(CONTENT_BYTES_MAX + 1);
        refused(CONTENT_BYTES_MAX + SEALED);
        refused(u64::MAX);
        for plaintext in [PLAINTEXT_BYTES_MAX + 1, u64::MAX] {
            let error = Err(LengthError::Plaintext(plaintext));
            assert_eq!(Layout::of_plaintext(plaintext), error);
        }
    }

    #[test]
    fn what_covers_a_range() {
        let layout = Layout::of_plaintext(2 * PLAIN + 10).unwrap();
        let check = |range: Range<u64>, chunks: Range<u64>, sealed: Range<u64>| {
            let cover = layout.cover(range.clone()).unwrap();
            assert_eq!((cover.chunks, cover.sealed), (chunks, sealed), "{range:?}");
        };
        check(0..1, 0..1, 0..SEALED);
        check(0..PLAIN, 0..1, 0..SEALED);
        check(PLAIN - 1..PLAIN + 1, 0..2, 0..2 * SEALED);
        check(PLAIN..2 * PLAIN, 1..2, SEALED..2 * SEALED);
        check(2 * PLAIN + 9..2 * PLAIN + 10, 2..3, 2 * SEALED..2 * SEALED + 26);
        check(0..2 * PLAIN + 10, 0..3, 0..2 * SEALED + 26);
        check(5..5, 0..1, 0..SEALED);
        check(PLAIN..PLAIN, 1..2, SEALED..2 * SEALED);
        check(2 * PLAIN + 10..2 * PLAIN + 10, 2..3, 2 * SEALED..2 * SEALED + 26);
        #[expect(clippy::reversed_empty_ranges, reason = "what is to be refused")]
        for range in [0..2 * PLAIN + 11, 2..1, u64::MAX..u64::MAX] {
            let plaintext = layout.plaintext();
            let error = LengthError::Range { range: range.clone(), plaintext };
            assert_eq!(layout.cover(range), Err(error));
        }
        let full = Layout::of_plaintext(PLAIN).unwrap();
        assert_eq!(full.cover(PLAIN..PLAIN).unwrap().chunks, 0..1);
        let empty = Layout::of_plaintext(0).unwrap();
        assert_eq!(empty.cover(0..0).unwrap().sealed, 0..16);
    }

    proptest! {
        #[test]
        fn both_ways_agree(plaintext in 0..=PLAINTEXT_BYTES_MAX, sealed: u64) {
            let layout = Layout::of_plaintext(plaintext).unwrap();
            prop_assert_eq!(Layout::of_sealed(layout.sealed()), Ok(layout));
            let last = layout.chunk(layout.chunks() - 1).unwrap();
            prop_assert_eq!(last.end, layout.sealed());
            prop_assert_eq!(layout.chunk(layout.chunks()), None);
            for sealed in [sealed, sealed % (CONTENT_BYTES_MAX + 1)] {
                if let Ok(layout) = Layout::of_sealed(sealed) {
                    prop_assert_eq!(layout.sealed(), sealed);
                    prop_assert_eq!(Layout::of_plaintext(layout.plaintext()), Ok(layout));
                }
            }
        }
    }
}
