//! The order in which nodes are asked: by what an answer is expected to cost, waiting counted.
//!
//! The score of a node, in nano-credit, less is better:
//!
//! ```text
//! score = price × (calls + 2) / (succeeded + 1) + first_ms × WAIT_PRICE
//! ```
//!
//! `price` is the most that the part can cost there (royalty and node fee). The fraction is the
//! price of one good answer if failures had to be paid for, by Laplace's rule of succession, so
//! that a newcomer is neither perfect nor hopeless. A node whose wait is not known counts with
//! the least that is known of another, so that it is tried. Nodes at rest come last, in the
//! same order: they are asked only if all others failed. Ties go to the gateway's own engine,
//! then to the lower number. Integers throughout: the order can be made again from a receipt.

use super::health::Seen;
use ambar_base::Price;

/// What one millisecond of waiting is worth, nano-credit: a thousandth of a credit a second.
pub const WAIT_PRICE: u64 = 1_000;

/// A node that may serve a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its number.
    pub node: u64,
    /// Whether it is the gateway itself.
    pub own: bool,
    /// Most that the part can cost there, nano-credit.
    pub price: Price,
    /// What was seen of it.
    pub seen: Seen,
}

/// A node's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Its index in what was ranked.
    pub index: usize,
    /// Its score, nano-credit.
    pub score: u128,
}

/// The nodes in the order in which they are asked.
#[must_use]
pub fn rank(offered: &[Offered]) -> Vec<Ranked> {
    let least = offered.iter().filter_map(|node| node.seen.first_ms).min().unwrap_or_default();
    let score = |node: &Offered| {
        let Seen { first_ms, succeeded, calls, .. } = node.seen;
        let good = u128::from(node.price.0) * u128::from(calls + 2) / u128::from(succeeded + 1);
        good + u128::from(first_ms.unwrap_or(least)) * u128::from(WAIT_PRICE)
    };
    let mut ranked: Vec<Ranked> =
        (0..).zip(offered).map(|(index, node)| Ranked { index, score: score(node) }).collect();
    ranked.sort_by_key(|ranked| {
        let node = &offered[ranked.index];
        (node.seen.resting, ranked.score, !node.own, node.node)
    });
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offered(node: u64, price: u64, first_ms: Option<u64>, (good, calls): (u64, u64)) -> Offered {
        let seen = Seen { first_ms, succeeded: good, calls, resting: false };
        Offered { node, own: node == 0, price: Price(price), seen }
    }

    fn check(offered: &[Offered], expect: &[u64]) {
        let order: Vec<u64> = rank(offered).iter().map(|r| offered[r.index].node).collect();
        assert_eq!(order, expect, "{offered:?}");
    }

    #[test]
    fn each_input_moves_the_order() {
        let base = |node| offered(node, 1_000_000, Some(50), (90, 100));
        check(&[base(2), base(1), base(0)], &[0, 1, 2]);
        let cheaper = offered(2, 900_000, Some(50), (90, 100));
        check(&[base(0), base(1), cheaper], &[2, 0, 1]);
        let faster = offered(2, 1_000_000, Some(10), (90, 100));
        check(&[base(0), base(1), faster], &[2, 0, 1]);
        let surer = offered(2, 1_000_000, Some(50), (100, 100));
        check(&[base(0), base(1), surer], &[2, 0, 1]);
        let mut resting = cheaper;
        resting.seen.resting = true;
        check(&[base(0), base(1), resting], &[0, 1, 2]);
    }

    #[test]
    fn a_newcomer_is_tried_and_a_bad_node_is_not() {
        let known = offered(1, 1_000_000, Some(400), (40, 100));
        let new = offered(2, 1_000_000, None, (0, 0));
        check(&[known, new], &[2, 1]);
        let good = offered(1, 1_000_000, Some(40), (100, 100));
        check(&[good, new], &[1, 2]);
    }

    proptest! {
        #[test]
        fn every_node_has_one_place(
            nodes in proptest::collection::vec(
                (0..9u64, any::<u64>(), proptest::option::of(any::<u64>()), 0..101u64, any::<bool>()),
                0..12,
            ),
        ) {
            let offered: Vec<Offered> = nodes
                .into_iter()
                .map(|(node, price, wait, good, resting)| {
                    let mut offered = offered(node, price, wait, (good, 100));
                    offered.seen.resting = resting;
                    offered
                })
                .collect();
            let ranked = rank(&offered);
            let mut places: Vec<usize> = ranked.iter().map(|ranked| ranked.index).collect();
            let first_at_rest = ranked.iter().position(|r| offered[r.index].seen.resting);
            let awake = ranked.iter().rposition(|r| !offered[r.index].seen.resting);
            prop_assert!(first_at_rest.zip(awake).is_none_or(|(rest, awake)| awake < rest));
            places.sort_unstable();
            prop_assert_eq!(places, (0..offered.len()).collect::<Vec<_>>());
        }
    }
}
