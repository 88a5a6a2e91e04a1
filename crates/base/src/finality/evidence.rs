//! Evidence that a validator cheated: two of its votes that no honest validator both casts.
//!
//! In simplex consensus (Chan and Pass, "Simplex Consensus", TCC 2023) a validator speaks
//! for one proposal in a view, and finalizes it only if it has not given the view up. Two
//! votes that break this are proof against their key, whoever shows them: no committee and
//! no state is needed to check it. It does not know what the proof costs anybody.
//!
//! **Invariant**: a pair of votes has one encoding, and a pair that an honest validator may
//! cast has none.

use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};
use crate::domain::NetworkId;
use crate::finality::Statement;
use crate::keys::{BadSignature, PublicKey, SecretKey, Signature, Signed, verify_batch};
use crate::record;

record! {
    /// A statement with a signature over [its message](Statement::message).
    pub struct Ballot {
        /// What is said.
        pub statement: Statement,
        /// The signature of who says it.
        pub signature: Signature,
    }
}

/// Two votes of one key in one epoch and view that contradict one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    key: PublicKey,
    epoch: u64,
    view: u64,
    first: Ballot,
    second: Ballot,
}

/// Why two votes are no evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// An honest validator may cast both.
    #[error("the two votes do not contradict one another")]
    NoConflict,
    /// Anybody can sign for the key.
    #[error("the key of the two votes names nobody")]
    Key,
    /// A vote is not the key's.
    #[error("a vote is not signed by the key")]
    Signature,
}

impl From<BadSignature> for EvidenceError {
    fn from(_: BadSignature) -> Self {
        Self::Signature
    }
}

impl Ballot {
    /// A vote in a round, which is epoch and view: how tests vote.
    #[must_use]
    pub fn cast(
        key: &SecretKey,
        network: NetworkId,
        round: (u64, u64),
        statement: Statement,
    ) -> Self {
        Self { statement, signature: key.sign_raw(&statement.message(network, round)) }
    }
}

impl Evidence {
    /// The evidence that two votes in a round, which is epoch and view, are against a key, in
    /// either order. Their signatures are not looked at.
    ///
    /// # Errors
    /// [`EvidenceError::NoConflict`].
    pub fn new(
        key: PublicKey,
        (epoch, view): (u64, u64),
        one: Ballot,
        other: Ballot,
    ) -> Result<Self, EvidenceError> {
        let in_order = one.statement <= other.statement;
        let (first, second) = if in_order { (one, other) } else { (other, one) };
        let evidence = Self { key, epoch, view, first, second };
        if evidence.is_conflict() { Ok(evidence) } else { Err(EvidenceError::NoConflict) }
    }

    /// Whose votes they are.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// The epoch and view in which they were cast.
    #[must_use]
    pub fn round(&self) -> (u64, u64) {
        (self.epoch, self.view)
    }

    /// The two votes, in order.
    #[must_use]
    pub fn votes(&self) -> [&Ballot; 2] {
        [&self.first, &self.second]
    }

    /// Whether the statements stand in order and contradict one another. A notarization and a
    /// finalization of another proposal do not: the validator may have heard that others
    /// notarized that one.
    fn is_conflict(&self) -> bool {
        use Statement::{Finalize, Notarize, Nullify};
        let (first, second) = (self.first.statement, self.second.statement);
        let kinds = matches!(
            (first, second),
            (Notarize(_), Notarize(_)) | (Nullify | Finalize(_), Finalize(_))
        );
        kinds && first < second
    }

    /// The two signatures, to be checked.
    #[must_use]
    pub fn signed(&self, network: NetworkId) -> [Signed; 2] {
        self.votes().map(|Ballot { statement, signature }| {
            Signed::raw(&self.key, &statement.message(network, self.round()), signature)
        })
    }

    /// Checks that both votes are the key's, on this network.
    pub fn verify(&self, network: NetworkId) -> Result<(), EvidenceError> {
        if !self.key.is_sound() {
            return Err(EvidenceError::Key);
        }
        Ok(verify_batch(&self.signed(network))?)
    }
}

impl Encode for Evidence {
    fn encode(&self, writer: &mut Writer) {
        self.key.encode(writer);
        self.round().encode(writer);
        self.first.encode(writer);
        self.second.encode(writer);
    }
}

impl Decode for Evidence {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let key = PublicKey::decode(reader)?;
        let (epoch, view) = Decode::decode(reader)?;
        let (first, second) = Decode::decode(reader)?;
        let evidence = Self { key, epoch, view, first, second };
        let rule = DecodeError::Rule("evidence is two votes in order that contradict one another");
        if evidence.is_conflict() { Ok(evidence) } else { Err(rule) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::decode;
    use crate::digest::Digest;
    use crate::finality::Proposal;
    use proptest::prelude::*;

    const NETWORK: NetworkId = NetworkId(Digest([3; 32]));
    const ROUND: (u64, u64) = (300, 9);

    fn key() -> SecretKey {
        SecretKey::from_seed(&[5; 32])
    }

    fn proposal(parent_view: u64, block: &str) -> Proposal {
        Proposal { parent_view, block: Digest::of(block.as_bytes()) }
    }

    fn evidence(one: Statement, other: Statement) -> Result<Evidence, EvidenceError> {
        let cast = |statement| Ballot::cast(&key(), NETWORK, ROUND, statement);
        Evidence::new(key().public(), ROUND, cast(one), cast(other))
    }

    #[test]
    fn only_what_an_honest_validator_never_says_is_evidence() {
        use Statement::{Finalize, Notarize, Nullify};
        let (a, b, moved) = (proposal(8, "a"), proposal(8, "b"), proposal(7, "a"));
        let check = |one, other, expect: bool| {
            let both = [evidence(one, other), evidence(other, one)];
            assert_eq!(both[0], both[1], "either order");
            assert_eq!(both[0].is_ok(), expect, "{one:?} {other:?}");
            assert!(both[0].as_ref().is_ok_and(|one| one.verify(NETWORK).is_ok()) == expect);
        };
        check(Notarize(a), Notarize(b), true);
        check(Notarize(a), Notarize(moved), true);
        check(Finalize(a), Finalize(b), true);
        check(Finalize(a), Finalize(moved), true);
        check(Nullify, Finalize(a), true);
        check(Notarize(a), Notarize(a), false);
        check(Finalize(a), Finalize(a), false);
        check(Nullify, Nullify, false);
        check(Notarize(a), Finalize(a), false);
        check(Notarize(a), Finalize(b), false);
        check(Notarize(a), Nullify, false);
    }

    #[test]
    fn votes_of_other_keys_rounds_and_networks_are_no_evidence() {
        let (one, other) = (Statement::Nullify, Statement::Finalize(proposal(8, "a")));
        let good = evidence(one, other).unwrap();
        assert_eq!(good.verify(NETWORK), Ok(()));
        let signature = Err(EvidenceError::Signature);
        assert_eq!(good.verify(NetworkId(Digest::ZERO)), signature);
        let stranger = SecretKey::from_seed(&[6; 32]).public();
        let changes: [fn(&mut Evidence); 4] = [
            |e| e.epoch += 1,
            |e| e.view += 1,
            |e| e.first.signature.0[0] ^= 1,
            |e| e.second.signature = e.first.signature,
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert_eq!(bad.verify(NETWORK), signature);
        }
        assert_eq!(Evidence { key: stranger, ..good.clone() }.verify(NETWORK), signature);
        // The identity signs everything.
        let mut nobody = [0; 32];
        nobody[0] = 1;
        let nobody = Evidence { key: PublicKey(nobody), ..good };
        assert_eq!(nobody.verify(NETWORK), Err(EvidenceError::Key));
    }

    #[test]
    fn evidence_has_one_encoding() {
        let (a, b) = (proposal(8, "a"), proposal(8, "b"));
        let good = evidence(Statement::Notarize(a), Statement::Notarize(b)).unwrap();
        let bytes = good.to_bytes();
        assert_eq!(decode::<Evidence>(&bytes), Ok(good.clone()));
        let Evidence { key, epoch, view, first, second } = good;
        let turned = Evidence { key, epoch, view, first: second, second: first };
        assert!(decode::<Evidence>(&turned.to_bytes()).is_err());
        let once =
            Evidence { first: turned.second.clone(), second: turned.second.clone(), ..turned };
        assert!(decode::<Evidence>(&once.to_bytes()).is_err());
    }

    /// Changing these bytes changes what every vote covers, and what is on the ledger.
    #[test]
    fn conformance() {
        let check = |bytes: &[u8], expect: &str| assert_eq!(Digest::of(bytes).to_string(), expect);
        let (a, b) = (proposal(8, "a"), proposal(8, "b"));
        check(
            &Statement::Notarize(a).message(NETWORK, ROUND),
            "c1cc2fad6d1a19b5acfaa28607dcbe76e595c0c497c2819b518e0f5f12c48e8e",
        );
        check(
            &Statement::Nullify.message(NETWORK, ROUND),
            "8fa10ef30bc90d193e622a2a55724b2dcb4b792795e13f0b6270025f48c63534",
        );
        check(
            &Statement::Finalize(a).message(NETWORK, ROUND),
            "24fe8d1c9d0f985cfab0597d965a726f141608ce56eb27b822802dbba9c5da14",
        );
        let good = evidence(Statement::Finalize(a), Statement::Finalize(b)).unwrap();
        check(&good.to_bytes(), "9258bf3c8957edb8c8c83cda6f24891b99a8cb0c37b4300f48fdeaedea30ac00");
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(at: usize, bit in 0u8..8) {
            let nullify = evidence(Statement::Nullify, Statement::Finalize(proposal(8, "a")));
            let mut bytes = nullify.unwrap().to_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let good = decode::<Evidence>(&bytes).is_ok_and(|one| one.verify(NETWORK).is_ok());
            prop_assert!(!good);
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            if let Ok(evidence) = decode::<Evidence>(&bytes) {
                prop_assert_eq!(evidence.to_bytes(), bytes);
            }
        }
    }
}
