//! Which sequence a job gets, and how much of what it holds is of use.
//!
//! It knows tokens and parties, no model. A sequence keeps what it held when its
//! job is over: that is the whole prompt cache, and its bound.
//!
//! **Invariant**: nothing that a sequence holds is used for another party's job:
//! how soon an answer begins would tell one payer what another has asked.

use llama_cpp_2::token::LlamaToken;

use crate::limits::CACHED_PREFIX_TOKENS_MIN;

/// The party of jobs that are nobody's: they share nothing, not with each other.
pub(super) const NOBODY: u64 = 0;

/// What a sequence holds, and for whom.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The tokens in it, from position 0.
    pub(super) tokens: Vec<LlamaToken>,
    /// Whose they are.
    pub(super) party: u64,
    /// The job that put them there.
    pub(super) job: u64,
    /// When a job last had the sequence; never is 0.
    pub(super) last_used: u64,
}

impl Held {
    /// How many tokens from the beginning serve a job; the last token of a job
    /// is always read again, because what follows is chosen by its outcome.
    fn serves(&self, party: u64, job: u64, tokens: &[LlamaToken]) -> usize {
        let own = self.last_used > 0 && self.job == job;
        if !own && (party == NOBODY || self.party != party) {
            return 0;
        }
        let same = self.tokens.iter().zip(tokens).take_while(|(a, b)| a == b).count();
        same.min(tokens.len().saturating_sub(1))
    }
}

/// The best of the free sequences for a job, and how many tokens of it to keep.
///
/// One that serves well is taken: enough tokens, and more than half of what it
/// holds, so that a long conversation is not given up for a short beginning.
/// Else the one that was not used for the longest time; an empty one first.
pub(super) fn choose<'a>(
    free: impl Iterator<Item = (usize, &'a Held)>,
    party: u64,
    job: u64,
    tokens: &[LlamaToken],
) -> Option<(usize, usize)> {
    let served = free.map(|(at, held)| (at, held, held.serves(party, job, tokens)));
    let key = |(_, held, kept): &(usize, &Held, usize)| {
        let well = *kept >= CACHED_PREFIX_TOKENS_MIN && kept * 2 > held.tokens.len();
        (if well { *kept } else { 0 }, std::cmp::Reverse(held.last_used))
    };
    // Of equals the first: low sequences are computed together the cheapest.
    let best = served.reduce(|best, other| if key(&other) > key(&best) { other } else { best });
    best.map(|(at, _, kept)| (at, kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(ids: &[i32]) -> Vec<LlamaToken> {
        ids.iter().map(|id| LlamaToken(*id)).collect()
    }

    fn held(party: u64, last_used: u64, ids: std::ops::Range<i32>) -> Held {
        let tokens = ids.map(LlamaToken).collect();
        Held { tokens, party, job: last_used, last_used }
    }

    const JOB: u64 = 1_000;

    #[test]
    fn the_sequence_that_serves_best_is_taken() {
        let asked: Vec<LlamaToken> = (0..100).map(LlamaToken).collect();
        let check = |sequences: &[Held], party, expect| {
            let free = sequences.iter().enumerate();
            assert_eq!(choose(free, party, JOB, &asked), expect, "{sequences:?}");
        };
        check(&[], 7, None);
        check(&[Held::default(), Held::default()], 7, Some((0, 0)));
        // The longest beginning, whenever it was used.
        check(&[held(7, 9, 0..40), held(7, 2, 0..50), held(7, 1, 0..20)], 7, Some((1, 50)));
        // All but the last token of a prompt that is held whole.
        check(&[held(7, 1, 0..100)], 7, Some((0, 99)));
        check(&[held(7, 1, 0..150)], 7, Some((0, 99)));
        // Not another party's, and nothing among jobs that are nobody's.
        check(&[held(8, 1, 0..50)], 7, Some((0, 0)));
        check(&[held(0, 1, 0..50)], 0, Some((0, 0)));
        // An empty one before the end of a long conversation is given up for a beginning.
        check(&[held(7, 1, 0..400), Held::default()], 7, Some((1, 0)));
        // Without an empty one it goes to the one unused for the longest time.
        check(&[held(7, 2, 0..400), held(8, 1, 0..50)], 7, Some((1, 0)));
        check(&[held(7, 1, 0..400), held(8, 2, 0..50)], 7, Some((0, 99)));
        // Too short a beginning does not decide, but it is of use where it is.
        check(&[held(8, 1, 0..9), held(7, 2, 0..9)], 7, Some((0, 0)));
        check(&[held(8, 2, 0..9), held(7, 1, 0..9)], 7, Some((1, 9)));
    }

    #[test]
    fn a_job_finds_again_what_it_has_put_there() {
        let asked = tokens(&[1, 2, 3, 4]);
        let own = Held { tokens: tokens(&[1, 2, 3]), party: 0, job: JOB, last_used: 1 };
        assert_eq!(choose([(0, &own)].into_iter(), 0, JOB, &asked), Some((0, 3)));
        assert_eq!(choose([(0, &own)].into_iter(), 0, JOB + 1, &asked), Some((0, 0)));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_the_jobs_own_beginning(
            sequences in proptest::collection::vec(
                (0u64..3, 0u64..9, proptest::collection::vec(0i32..2, 0..40)), 0..5),
            party in 0u64..3,
            asked in proptest::collection::vec(0i32..2, 1..40),
        ) {
            let asked = tokens(&asked);
            let sequences: Vec<Held> = sequences
                .iter()
                .map(|(party, used, ids)| Held {
                    tokens: tokens(ids), party: *party, job: *used, last_used: *used,
                })
                .collect();
            let chosen = choose(sequences.iter().enumerate(), party, JOB, &asked);
            prop_assert_eq!(chosen.is_none(), sequences.is_empty());
            if let Some((at, kept)) = chosen {
                let held = &sequences[at];
                prop_assert!(kept < asked.len());
                prop_assert_eq!(&held.tokens[..kept], &asked[..kept]);
                prop_assert!(kept == 0 || (party != 0 && held.party == party));
            }
        }
    }
}
