//! Votes and committees between the engine's form and the house's.

use crate::types::{Key, Scheme, Votes, key, sha};
use ambar_base::finality::{Certificate, FinalHeader, Vote, vote_namespace};
use ambar_base::{Committee, NetworkId, SecretKey, Signature};
use commonware_codec::{DecodeExt as _, Encode as _, Error as CodecError, types::lazy::Lazy};
use commonware_consensus::simplex::types::Proposal;
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::certificate::Signers;
use commonware_cryptography::ed25519::certificate::Certificate as EngineCertificate;
use commonware_cryptography::ed25519::{PrivateKey, Signature as EngineSignature};
use commonware_utils::Participant;
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

/// The engine's form of the votes for a block that was voted on itself.
pub(crate) fn finalization(block: &FinalHeader, committee: &Committee) -> Option<Votes> {
    let Certificate { epoch, view, parent_view, votes } = &block.certificate;
    let round = Round::new(Epoch::new(*epoch), View::new(*view));
    let payload = sha(&block.header.digest());
    let seats = votes.iter().map(|vote| Participant::new(u32::from(vote.seat)));
    let signatures = votes.iter().map(|vote| {
        let bytes = bytes::Bytes::copy_from_slice(&vote.signature.0);
        EngineSignature::decode(bytes).ok().map(Lazy::from)
    });
    let participants = u32::try_from(committee.seats().len()).ok()?;
    let certificate = EngineCertificate {
        signers: Signers::new(participants, seats).ok()?,
        signatures: signatures.collect::<Option<_>>()?,
    };
    let proposal = Proposal::new(round, View::new(*parent_view), payload);
    Some(Votes { proposal, certificate })
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
