//! Committees and the certificates by which they make blocks final.
//!
//! A certificate is a finalization of simplex consensus (Chan and Pass, "Simplex
//! Consensus", TCC 2023) under attributable Ed25519 votes. What a vote covers is what the
//! engine signs, byte for byte; this module checks it without the engine.
//!
//! **Invariant**: with at most a third of the seats faulty, no two certificates of one
//! committee verify for two blocks of one height.

use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};
use crate::digest::Digest;
use crate::domain::{Domain, NetworkId};
use crate::finality::{FinalityError, vote_message};
use crate::keys::{PublicKey, SecretKey, Signature, Signed, verify_batch};
use crate::record;

/// Most seats of a committee.
pub const SEATS_MAX: usize = 100;

/// The validators whose votes count in one epoch: their keys, strictly ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee {
    epoch: u64,
    seats: Vec<PublicKey>,
}

record! {
    /// A committee's votes for one block. Rounds may differ from the block's own: the last
    /// block of an epoch is voted on again until it is final.
    pub struct Certificate {
        /// The epoch in which it was voted.
        pub epoch: u64,
        /// The view in which it was voted.
        pub view: u64,
        /// The view of the parent on which the vote builds.
        pub parent_view: u64,
        /// Who voted and how: seats strictly ascending.
        pub votes: Vec<Vote>,
    }
}

record! {
    /// One validator's vote.
    pub struct Vote {
        /// The seat: an index into the committee.
        pub seat: u16,
        /// The signature over [`vote_message`].
        pub signature: Signature,
    }
}

impl Committee {
    /// The committee of an epoch. Seats are ordered by key.
    ///
    /// # Errors
    /// No seat, more than [`SEATS_MAX`], a key twice, or a key that is not sound.
    pub fn new(epoch: u64, mut seats: Vec<PublicKey>) -> Result<Self, FinalityError> {
        seats.sort_unstable();
        let sound = !seats.is_empty()
            && seats.len() <= SEATS_MAX
            && seats.is_sorted_by(|left, right| left < right)
            && seats.iter().all(PublicKey::is_sound);
        if sound { Ok(Self { epoch, seats }) } else { Err(FinalityError::Committee) }
    }

    /// The epoch in which it votes.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Its keys, ascending.
    #[must_use]
    pub fn seats(&self) -> &[PublicKey] {
        &self.seats
    }

    /// The votes that make a block final: all but a third, as n − ⌊(n − 1) / 3⌋.
    #[must_use]
    pub fn quorum(&self) -> usize {
        let seats = self.seats.len();
        seats - (seats - 1) / 3
    }

    /// The digest by which the last block of the epoch before names it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Domain::Committee.digest(&self.to_bytes())
    }

    /// Whether `certificate` makes the block with this header digest final.
    pub fn check(
        &self,
        network: NetworkId,
        block: &Digest,
        certificate: &Certificate,
    ) -> Result<(), FinalityError> {
        let mut votes = Vec::new();
        self.gather(network, block, certificate, &mut votes)?;
        Ok(verify_batch(&votes)?)
    }

    /// Everything that [`Self::check`] looks at but the votes' signatures, which are added to
    /// `gathered`: a proof through many epochs checks them all at once.
    pub(super) fn gather(
        &self,
        network: NetworkId,
        block: &Digest,
        certificate: &Certificate,
        gathered: &mut Vec<Signed>,
    ) -> Result<(), FinalityError> {
        if certificate.epoch != self.epoch {
            return Err(FinalityError::Epoch { voted: certificate.epoch, known: self.epoch });
        }
        let votes = &certificate.votes;
        let ascending = votes.is_sorted_by(|left, right| left.seat < right.seat);
        if !ascending || votes.len() < self.quorum() {
            return Err(FinalityError::Quorum { votes: votes.len(), needed: self.quorum() });
        }
        let message = vote_message(network, certificate, block);
        for vote in votes {
            let key = self.seats.get(usize::from(vote.seat)).ok_or(FinalityError::Signature)?;
            gathered.push(Signed::raw(key, &message, &vote.signature));
        }
        Ok(())
    }

    /// The certificate that these keys make together: how tests and a committee of one
    /// vote. Keys without a seat are passed over.
    #[must_use]
    pub fn certify(
        &self,
        network: NetworkId,
        block: &Digest,
        (view, parent_view): (u64, u64),
        keys: &[SecretKey],
    ) -> Certificate {
        let votes = Vec::new();
        let mut certificate = Certificate { epoch: self.epoch, view, parent_view, votes };
        let message = vote_message(network, &certificate, block);
        for (seat, member) in (0u16..).zip(&self.seats) {
            if let Some(key) = keys.iter().find(|key| key.public() == *member) {
                certificate.votes.push(Vote { seat, signature: key.sign_raw(&message) });
            }
        }
        certificate
    }
}

impl Encode for Committee {
    fn encode(&self, writer: &mut Writer) {
        self.epoch.encode(writer);
        self.seats.encode(writer);
    }
}

impl Decode for Committee {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let epoch = u64::decode(reader)?;
        let seats = Vec::<PublicKey>::decode(reader)?;
        let ascending = seats.is_sorted_by(|left, right| left < right);
        let committee = Self::new(epoch, seats).ok().filter(|_| ascending);
        committee.ok_or(DecodeError::Rule("a committee has seats, ascending, of sound keys"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::decode;

    const NETWORK: NetworkId = NetworkId(Digest([3; 32]));

    fn keys(count: u8) -> Vec<SecretKey> {
        (1..=count).map(|n| SecretKey::from_seed(&[n; 32])).collect()
    }

    fn committee(keys: &[SecretKey]) -> Committee {
        Committee::new(7, keys.iter().map(SecretKey::public).collect()).unwrap()
    }

    #[test]
    fn quorums_are_those_of_3f_plus_1() {
        let quorum = |count| committee(&keys(count)).quorum();
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 10].map(quorum), [1, 2, 3, 3, 4, 5, 5, 7]);
    }

    #[test]
    fn a_quorum_of_distinct_seats_is_needed() {
        let (keys, block) = (keys(4), Digest::of(b"block"));
        let committee = committee(&keys);
        let certify = |keys: &[SecretKey]| committee.certify(NETWORK, &block, (9, 8), keys);
        let check = |certificate: &Certificate| committee.check(NETWORK, &block, certificate);
        assert_eq!(check(&certify(&keys[..3])), Ok(()));
        assert_eq!(check(&certify(&keys)), Ok(()));
        let few = FinalityError::Quorum { votes: 2, needed: 3 };
        assert_eq!(check(&certify(&keys[..2])), Err(few));
        let mut twice = certify(&keys[..3]);
        twice.votes[1] = twice.votes[0].clone();
        assert!(check(&twice).is_err());
        let mut elsewhere = certify(&keys);
        elsewhere.votes[3].seat = 4;
        assert_eq!(check(&elsewhere), Err(FinalityError::Signature));
    }

    #[test]
    fn votes_count_for_their_block_round_and_network_only() {
        let (keys, block) = (keys(1), Digest::of(b"block"));
        let committee = committee(&keys);
        let certificate = committee.certify(NETWORK, &block, (9, 8), &keys);
        let signature = Err(FinalityError::Signature);
        assert_eq!(committee.check(NETWORK, &Digest::of(b"other"), &certificate), signature);
        assert_eq!(committee.check(NetworkId(Digest::ZERO), &block, &certificate), signature);
        let moved = Certificate { view: 10, ..certificate.clone() };
        assert_eq!(committee.check(NETWORK, &block, &moved), signature);
        let later = Certificate { epoch: 8, ..certificate };
        let epoch = FinalityError::Epoch { voted: 8, known: 7 };
        assert_eq!(committee.check(NETWORK, &block, &later), Err(epoch));
    }

    #[test]
    fn committees_have_one_encoding() {
        let committee = committee(&keys(3));
        let bytes = committee.to_bytes();
        assert_eq!(decode::<Committee>(&bytes), Ok(committee.clone()));
        let mut swapped = bytes.clone();
        swapped.copy_within(2..34, 34);
        assert!(decode::<Committee>(&swapped).is_err());
        assert!(Committee::new(0, Vec::new()).is_err());
        assert!(Committee::new(0, vec![committee.seats()[0]; 2]).is_err());
    }
}
