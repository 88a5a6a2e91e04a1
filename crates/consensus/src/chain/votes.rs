//! Votes and committees between the engine's form and the house's.

use super::types::{Key, Scheme, Votes, key};
use ambar_base::finality::{Certificate, Vote, vote_namespace};
use ambar_base::{Committee, NetworkId, SecretKey, Signature};
use commonware_codec::{DecodeExt as _, Encode as _, Error as CodecError};
use commonware_cryptography::ed25519::PrivateKey;
use commonware_utils::ordered::Set;

/// The certificate that a finalization is.
pub(crate) fn certificate(votes: &Votes) -> Certificate {
    let proposal = &votes.proposal;
    let cast = votes.certificate.signers.iter().zip(&votes.certificate.signatures);
    let votes = cast.filter_map(|(signer, signature)| {
        let seat = u16::try_from(signer.get()).ok()?;
        let signature = signature.get()?.encode();
        Some(Vote { seat, signature: Signature(signature.as_ref().try_into().ok()?) })
    });
    Certificate {
        epoch: proposal.round.epoch().get(),
        view: proposal.round.view().get(),
        parent_view: proposal.parent.get(),
        votes: votes.collect(),
    }
}

/// The engine's form of a secret key.
pub(crate) fn private(secret: &SecretKey) -> Result<PrivateKey, CodecError> {
    PrivateKey::decode(bytes::Bytes::copy_from_slice(secret.seed().as_slice()))
}

/// A committee's keys in the order of its seats.
pub(crate) fn seats(committee: &Committee) -> Result<Set<Key>, CodecError> {
    let keys = committee.seats().iter().map(key).collect::<Result<Vec<_>, _>>()?;
    Ok(Set::from_iter_dedup(keys))
}

/// How the committee's votes are checked, and cast if `secret` has a seat.
pub(crate) fn scheme(
    network: NetworkId,
    committee: &Committee,
    secret: Option<&SecretKey>,
) -> Result<Scheme, CodecError> {
    let (namespace, seats) = (vote_namespace(network), seats(committee)?);
    let signer = match secret {
        Some(secret) => Scheme::signer(&namespace, seats.clone(), private(secret)?),
        None => None,
    };
    Ok(signer.unwrap_or_else(|| Scheme::verifier(&namespace, seats)))
}
