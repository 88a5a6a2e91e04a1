//! What of an engine's counts is charged, where somebody else than this node counted.
//!
//! | the engine says | this node's tokenizer says | charged |
//! |---|---|---|
//! | a number | nothing, or about the same | the engine's number |
//! | a number | much less | this node's |
//! | nothing | a number | this node's |
//! | nothing | nothing | prompt 0, answer the pieces that came: each is a token at least |
//!
//! Never more than was held. Zero is a number: an engine that says 0 is believed.
//!
//! **Invariant**: no caller pays for a token that can be shown not to have been; whatever is
//! charged otherwise than the engine said is in the receipt's details.

use ambar_compute::Usage;
use ambar_receipt::CountCheck;

/// How many tokens an engine's count may be above this node's before it is disagreement.
pub const COUNT_TOLERANCE_TOKENS: u64 = 16;
/// The same for long texts, as one part of so many: 20 is 5 %.
pub const COUNT_TOLERANCE_PART: u64 = 20;

/// Prompt and answer tokens to charge, not yet within what was held.
pub(crate) struct Counted {
    pub tokens_in: u64,
    pub tokens_out: u64,
}

/// Whether a reported number is too far above the counted one to be believed.
fn disagree(reported: u64, counted: u64, more: u64) -> bool {
    let tolerance = COUNT_TOLERANCE_TOKENS.max(counted / COUNT_TOLERANCE_PART);
    reported > counted.saturating_add(tolerance).saturating_add(more)
}

fn one(reported: Option<u64>, counted: Option<u64>, more: u64, least: u64) -> u64 {
    match (reported, counted) {
        (Some(reported), Some(counted)) if disagree(reported, counted, more) => counted,
        (Some(reported), _) => reported,
        (None, Some(counted)) => counted,
        (None, None) => least,
    }
}

/// What is charged of an engine's usage.
pub(crate) fn counted(usage: &Usage) -> Counted {
    Counted {
        tokens_in: one(usage.tokens_in, usage.counted_in, usage.template_in, 0),
        tokens_out: one(usage.tokens_out, usage.counted_out, 0, usage.pieces_out),
    }
}

/// What was said and counted, for the receipt: where the two disagree, where the engine said
/// nothing, and where it said more than `held` for prompt and answer.
pub(crate) fn check(usage: &Usage, held: (u64, u64)) -> Option<CountCheck> {
    let odd = |reported: Option<u64>, counted: Option<u64>, more, held| match reported {
        None => true,
        Some(reported) => {
            reported > held || counted.is_some_and(|counted| disagree(reported, counted, more))
        }
    };
    let told = odd(usage.tokens_in, usage.counted_in, usage.template_in, held.0)
        || odd(usage.tokens_out, usage.counted_out, 0, held.1);
    told.then_some(CountCheck {
        reported_in: usage.tokens_in,
        counted_in: usage.counted_in,
        reported_out: usage.tokens_out,
        counted_out: usage.counted_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(told: [Option<u64>; 2], counted: [Option<u64>; 2]) -> Usage {
        Usage {
            counted_in: counted[0],
            counted_out: counted[1],
            template_in: 100,
            pieces_out: 7,
            ..Usage::told(told[0], told[1], 50)
        }
    }

    #[test]
    fn the_engine_is_believed_within_reason() {
        let check = |told, own, expect: (u64, u64)| {
            let Counted { tokens_in, tokens_out } = counted(&usage(told, own));
            assert_eq!((tokens_in, tokens_out), expect, "{told:?} {own:?}");
        };
        let none = [None, None];
        check([Some(10), Some(20)], none, (10, 20));
        check([Some(0), Some(0)], none, (0, 0));
        check(none, none, (0, 7));
        check(none, [Some(9), Some(8)], (9, 8));
        // A template may add to the prompt, nothing adds to the answer.
        check([Some(126), Some(26)], [Some(10), Some(10)], (126, 26));
        check([Some(127), Some(27)], [Some(10), Some(10)], (10, 10));
        check([Some(1_150), Some(1_050)], [Some(1_000), Some(1_000)], (1_150, 1_050));
        check([Some(1_151), Some(1_051)], [Some(1_000), Some(1_000)], (1_000, 1_000));
        // Less than was counted costs less.
        check([Some(1), Some(2)], [Some(10), Some(10)], (1, 2));
    }

    #[test]
    fn the_receipt_has_what_is_odd() {
        let odd = |told, own| check(&usage(told, own), (100, 100)).is_some();
        assert!(!odd([Some(10), Some(20)], [None, None]));
        assert!(!odd([Some(10), Some(20)], [Some(9), Some(21)]));
        assert!(odd([Some(10), Some(50)], [Some(9), Some(20)]));
        assert!(odd([Some(101), Some(1)], [None, None]));
        assert!(odd([Some(1), Some(101)], [None, None]));
        assert!(odd([Some(1), None], [Some(1), Some(1)]));
    }
}
