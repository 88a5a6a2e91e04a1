//! Which of a row of things live: how many do before one, and which is the n-th that does.

/// Things per block: one word of bits.
const BLOCK: usize = u64::BITS as usize;

/// A row of bits with the number of ones before each block of them (Jacobson, "Space-efficient
/// Static Trees and Graphs", 1989).
#[derive(Debug)]
pub struct Alive {
    bits: Vec<u64>,
    before: Vec<u32>,
}

impl Alive {
    /// Of a row of less than 2³² things.
    pub fn of(lives: impl Iterator<Item = bool>) -> Self {
        let (mut bits, mut before, mut live) = (vec![0u64], vec![0u32], 0);
        for (index, lives) in lives.enumerate() {
            bits[index / BLOCK] |= u64::from(lives) << (index % BLOCK);
            live += u32::from(lives);
            if index % BLOCK == BLOCK - 1 {
                bits.push(0);
                before.push(live);
            }
        }
        Self { bits, before }
    }

    /// How many live before `index`, which is at most the length of the row.
    pub fn rank(&self, index: usize) -> usize {
        let (block, bit) = (index / BLOCK, index % BLOCK);
        let below = self.bits[block] & ((1 << bit) - 1);
        self.before[block] as usize + below.count_ones() as usize
    }

    /// The index of the n-th that lives, from zero; there are more than `n`.
    pub fn select(&self, n: usize) -> usize {
        let block = self.before.partition_point(|before| *before as usize <= n) - 1;
        let mut bits = self.bits[block];
        for _ in self.before[block] as usize..n {
            // The lowest one is not it.
            bits &= bits - 1;
        }
        block * BLOCK + bits.trailing_zeros() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranks_and_selects(lives in proptest::collection::vec(any::<bool>(), 0..300)) {
            let alive = Alive::of(lives.iter().copied());
            let mut live = 0;
            for (index, lives) in lives.iter().enumerate() {
                prop_assert_eq!(alive.rank(index), live);
                if *lives {
                    prop_assert_eq!(alive.select(live), index);
                    live += 1;
                }
            }
            prop_assert_eq!(alive.rank(lives.len()), live);
        }
    }
}
