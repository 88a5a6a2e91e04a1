//! Settlements of calls that nobody made: what an inventor would like to be paid for.
//!
//! Each is as near to a sound settlement as its kind allows, with the next batch and nonce,
//! so that it is refused for what it is and not for its form.

use crate::calls::{Place, leaf, settlement};
use crate::person::{Person, Seen};
use ambar_base::{Encode, SecretKey};
use ambar_ledger::{Operation, Refusal, SignedTransaction};
use ambar_receipt::Leaf;

/// More tokens than any channel of a trial can pay.
const TOKENS_OVER_CAP: u64 = 4_000_000_000;

/// What is wrong with a forged settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stranger signs for gateway and node, and names its own key as theirs.
    Stranger,
    /// The node's signature over its lines is missing.
    Unsigned,
    /// The signature of the gateway is another.
    Spoiled,
    /// Gateway and node invent a call that costs more than the channel holds.
    OverCap,
    /// Gateway and node settle a call once more that is settled.
    Twice,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Stranger, Self::Unsigned, Self::Spoiled, Self::OverCap, Self::Twice];
}

/// A forged settlement of this kind after `settled`, which is final.
pub fn forge(
    gateway: &Person,
    seen: &Seen,
    (place, settled): (&Place, &Leaf),
    stranger: &SecretKey,
    kind: Kind,
) -> Result<SignedTransaction, Refusal> {
    let counts = if kind == Kind::OverCap { [1, TOKENS_OVER_CAP] } else { [20, 20] };
    let next = leaf(seen, place, settled.n + 1, (seen.0.head(), counts))?;
    let leaf = if kind == Kind::Twice { settled.clone() } else { next };
    let key = if kind == Kind::Stranger { stranger } else { &gateway.key };
    let operation = settlement(seen, place.node, vec![leaf], (gateway.network, key))?;
    let operation = spoil(operation, kind);
    Ok(gateway.transaction(seen, vec![operation])?.sign(key))
}

fn spoil(mut operation: Operation, kind: Kind) -> Operation {
    if let Operation::Settle(settle) = &mut operation {
        match kind {
            Kind::Unsigned => settle.batch.nodes.clear(),
            Kind::Spoiled => settle.batch.signature.0[7] ^= 1,
            _ => {}
        }
    }
    operation
}

/// One of each kind, as bytes.
#[must_use]
pub fn all(
    gateway: &Person,
    seen: &Seen,
    call: (&Place, &Leaf),
    stranger: &SecretKey,
) -> Vec<Vec<u8>> {
    let one = |kind: &Kind| forge(gateway, seen, call, stranger, *kind).ok();
    Kind::ALL.iter().filter_map(one).map(|signed| signed.to_bytes()).collect()
}
