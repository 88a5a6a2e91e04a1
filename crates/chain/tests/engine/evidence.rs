//! What the engine signs is what the house checks without it, byte for byte: for all three
//! votes, and so for evidence against who casts two of them that contradict one another.

use ambar_base::finality::{Ballot, Evidence, Proposal, Statement, vote_namespace};
use ambar_base::{Digest, NetworkId, SecretKey, Signature};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types;
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::certificate::Attestation;
use commonware_cryptography::ed25519::PrivateKey;
use commonware_cryptography::{Signer as _, sha256};
use commonware_utils::ordered::Set;

const NETWORK: NetworkId = NetworkId(Digest([3; 32]));
/// Of one byte and of two.
const ROUND: (u64, u64) = (9, 300);

fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

/// A committee of one as the engine has it.
fn scheme() -> Scheme {
    let private =
        PrivateKey::decode(bytes::Bytes::copy_from_slice(key().seed().as_slice())).unwrap();
    let seats = Set::from_iter_dedup([private.public_key()]);
    Scheme::signer(&vote_namespace(NETWORK), seats, private).unwrap()
}

fn round() -> Round {
    Round::new(Epoch::new(ROUND.0), View::new(ROUND.1))
}

fn proposal(block: Digest) -> types::Proposal<sha256::Digest> {
    types::Proposal::new(round(), View::new(299), sha256::Digest::from(block.0))
}

fn ballot(statement: Statement, attestation: &Attestation<Scheme>) -> Ballot {
    let signature = attestation.signature.get().unwrap().encode();
    Ballot { statement, signature: Signature(signature.as_ref().try_into().unwrap()) }
}

/// The engine's vote for a statement.
fn cast(statement: Statement) -> Ballot {
    let scheme = scheme();
    let attestation = match statement {
        Statement::Notarize(ours) => {
            types::Notarize::sign(&scheme, proposal(ours.block)).unwrap().attestation
        }
        Statement::Nullify => {
            types::Nullify::sign::<sha256::Digest>(&scheme, round()).unwrap().attestation
        }
        Statement::Finalize(ours) => {
            types::Finalize::sign(&scheme, proposal(ours.block)).unwrap().attestation
        }
    };
    ballot(statement, &attestation)
}

#[test]
fn the_engines_votes_are_evidence() {
    let proposal = |block: &[u8]| Proposal { parent_view: 299, block: Digest::of(block) };
    let (one, other) = (proposal(b"one"), proposal(b"other"));
    let check = |first: Statement, second: Statement| {
        for statement in [first, second] {
            let message = statement.message(NETWORK, ROUND);
            let signature = cast(statement).signature;
            assert_eq!(key().public().verify_raw(&message, &signature), Ok(()), "{statement:?}");
            // Both sign as RFC 8032 says: the engine would accept what we cast.
            assert_eq!(Ballot::cast(&key(), NETWORK, ROUND, statement), cast(statement));
        }
        let evidence = Evidence::new(key().public(), ROUND, cast(first), cast(second)).unwrap();
        assert_eq!(evidence.verify(NETWORK), Ok(()));
        assert!(evidence.verify(NetworkId(Digest::ZERO)).is_err());
    };
    check(Statement::Notarize(one), Statement::Notarize(other));
    check(Statement::Finalize(one), Statement::Finalize(other));
    check(Statement::Nullify, Statement::Finalize(one));
}
