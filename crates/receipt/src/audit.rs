//! Which calls are drawn for an audit of whom they paid.
//!
//! A call is drawn by the digest of the first block after the one in which it settled, which
//! nobody knows who signs a batch. Whoever proposes that block can choose among digests: the draw
//! holds against gateways and nodes, not against a validator that is one of them and proposes in
//! that very place.

use crate::export::ReceiptId;
use ambar_base::{Digest, Domain};

/// Of how many calls one is drawn, and so how many times what was shared a node can lose by one
/// that does not reproduce: whoever cheats loses, on average, what it gave away.
pub const AUDIT_ONE_IN: u64 = 50;

/// Whether a call is drawn, by the digest of the block after the one in which it settled.
#[must_use]
pub fn is_drawn(after: &Digest, receipt: ReceiptId) -> bool {
    let ReceiptId { channel, n } = receipt;
    let parts = [&after.0[..], &channel.to_be_bytes(), &n.to_be_bytes()].concat();
    let Digest(drawn) = Domain::Audit.digest(&parts);
    let [a, b, c, d, e, f, g, h, ..] = drawn;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) < u64::MAX / AUDIT_ONE_IN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_fifty_is_drawn_and_every_block_draws_others() {
        let drawn = |seed: &[u8]| -> Vec<u64> {
            let after = Digest::of(seed);
            (0..50_000).filter(|n| is_drawn(&after, ReceiptId { channel: 3, n: *n })).collect()
        };
        let (one, two) = (drawn(b"one"), drawn(b"two"));
        // Three standard deviations of a binomial distribution around 1,000.
        assert!((906..=1_094).contains(&one.len()), "{}", one.len());
        let both = one.iter().filter(|n| two.contains(n)).count();
        assert!(both < 50, "{both}");
        let other = ReceiptId { channel: 4, n: one[0] };
        assert!(is_drawn(&Digest::of(b"one"), ReceiptId { channel: 3, n: one[0] }));
        assert!(!is_drawn(&Digest::of(b"one"), other));
    }
}
