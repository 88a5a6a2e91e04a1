//! Which segments are to become one, by their sizes alone, so that the same history makes the
//! same files everywhere.
//!
//! Segments of a tier are up to four times as large as those of the tier below; when a tier has
//! four, they become one (size-tiered compaction, as in Cassandra). So a document is written
//! about once per tier, and few small segments are to be searched. A
//! segment more than half of which is dead is written without its dead.

use crate::record::SEGMENT_BYTES_MAX;

/// Segments of one tier that become one.
const FANOUT: usize = 4;
/// Up to so many bytes a segment is of the lowest tier.
const LOWEST_BYTES: u64 = 64 << 10;

/// Text of a segment, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub live: u64,
    pub dead: u64,
}

impl Size {
    fn tier(self) -> u32 {
        (self.live / LOWEST_BYTES).checked_ilog2().map_or(0, |log| log / FANOUT.ilog2() + 1)
    }
}

/// The segments that are to become one next, ascending; none if all is well.
pub fn due(sizes: &[Size]) -> Option<Vec<usize>> {
    let thin = |size: &Size| size.dead > size.live;
    if let Some(index) = sizes.iter().position(thin) {
        return Some(vec![index]);
    }
    let highest = sizes.iter().map(|size| size.tier()).max()?;
    (0..=highest).find_map(|tier| fitting(sizes, tier))
}

/// The first segments of a tier that fit one segment, if they are enough.
fn fitting(sizes: &[Size], tier: u32) -> Option<Vec<usize>> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for (index, size) in sizes.iter().enumerate().filter(|(_, size)| size.tier() == tier) {
        if taken.len() < FANOUT && bytes + size.live < SEGMENT_BYTES_MAX as u64 {
            taken.push(index);
            bytes += size.live;
        }
    }
    (taken.len() == FANOUT).then_some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;

    #[test]
    fn four_of_a_tier_become_one() {
        let check = |live: &[u64], expect: Option<&[usize]>| {
            let sizes: Vec<Size> = live.iter().map(|live| Size { live: *live, dead: 0 }).collect();
            assert_eq!(due(&sizes).as_deref(), expect, "{live:?}");
        };
        check(&[], None);
        check(&[1, 2, 3], None);
        check(&[1, 2, 3, 64 * KIB - 1], Some(&[0, 1, 2, 3]));
        check(&[1, 2, 3, 64 * KIB], None);
        check(&[900 * KIB, 1, 2, 70 * KIB, 3, 80 * KIB, 90 * KIB, 4, 5], Some(&[1, 2, 4, 7]));
        check(&[70 * KIB, 70 * KIB, 255 * KIB, 64 * KIB], Some(&[0, 1, 2, 3]));
        check(&[70 * KIB, 70 * KIB, 256 * KIB, 64 * KIB], None);
        // What does not fit one segment stays as it is.
        let large = SEGMENT_BYTES_MAX as u64 / 3;
        check(&[large, large, large, large, large], None);
    }

    #[test]
    fn a_segment_of_the_dead_is_written_anew() {
        let sizes = [Size { live: 9, dead: 9 }, Size { live: 9, dead: 10 }];
        assert_eq!(due(&sizes), Some(vec![1]));
        assert_eq!(due(&sizes[..1]), None);
    }

    #[test]
    fn merging_ends_and_leaves_few() {
        let (mut sizes, mut written) = (Vec::new(), 0);
        for _ in 0..5_000 {
            sizes.push(Size { live: 10 * KIB, dead: 0 });
            while let Some(group) = due(&sizes) {
                let live = group.iter().map(|index| sizes[*index].live).sum();
                written += live;
                for index in group.iter().rev() {
                    sizes.remove(*index);
                }
                sizes.push(Size { live, dead: 0 });
            }
        }
        assert!(sizes.len() <= 3 * 8, "{sizes:?}");
        assert_eq!(sizes.iter().map(|size| size.live).sum::<u64>(), 50_000 * KIB);
        assert!(written <= 8 * 50_000 * KIB, "{written}");
    }
}
