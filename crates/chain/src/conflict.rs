//! Votes of one key against each other, from the engine's form to the house's evidence.

use crate::types::{Scheme, Sha, our_digest};
use ambar_base::Signature;
use ambar_base::finality::{Ballot, Proposal, Statement};
use commonware_codec::{Encode as _, ReadExt as _};
use commonware_consensus::simplex::types::{
    Activity, Attributable as _, Finalize, Notarize, Nullify, Proposal as EngineProposal,
};
use commonware_consensus::types::Round;
use commonware_cryptography::certificate::Attestation;

/// Two votes that no honest validator casts together. Their signatures may not have been
/// looked at.
pub(super) struct Conflict {
    pub(super) seat: usize,
    /// Epoch and view.
    pub(super) round: (u64, u64),
    pub(super) ballots: [Ballot; 2],
}

/// The conflict that the engine reports, if it reports one. It shows the two votes only
/// encoded, one behind the other.
pub(super) fn conflict(activity: &Activity<Scheme, Sha>) -> Option<Conflict> {
    match activity {
        Activity::ConflictingNotarize(both) => {
            let mut bytes = both.encode();
            let one = Notarize::<Scheme, Sha>::read(&mut bytes).ok()?;
            let other = Notarize::<Scheme, Sha>::read(&mut bytes).ok()?;
            let of = |vote: &Notarize<Scheme, Sha>| {
                ballot(Statement::Notarize(proposal(&vote.proposal)), &vote.attestation)
            };
            found(one.signer().into(), one.proposal.round, [of(&one)?, of(&other)?])
        }
        Activity::ConflictingFinalize(both) => {
            let mut bytes = both.encode();
            let one = Finalize::<Scheme, Sha>::read(&mut bytes).ok()?;
            let other = Finalize::<Scheme, Sha>::read(&mut bytes).ok()?;
            found(one.signer().into(), one.proposal.round, [finalized(&one)?, finalized(&other)?])
        }
        Activity::NullifyFinalize(both) => {
            let mut bytes = both.encode();
            let given_up = Nullify::<Scheme>::read(&mut bytes).ok()?;
            let vote = Finalize::<Scheme, Sha>::read(&mut bytes).ok()?;
            let nullify = ballot(Statement::Nullify, &given_up.attestation)?;
            found(vote.signer().into(), vote.proposal.round, [nullify, finalized(&vote)?])
        }
        _ => None,
    }
}

fn found(seat: usize, round: Round, ballots: [Ballot; 2]) -> Option<Conflict> {
    Some(Conflict { seat, round: (round.epoch().get(), round.view().get()), ballots })
}

fn finalized(vote: &Finalize<Scheme, Sha>) -> Option<Ballot> {
    ballot(Statement::Finalize(proposal(&vote.proposal)), &vote.attestation)
}

fn proposal(proposal: &EngineProposal<Sha>) -> Proposal {
    Proposal { parent_view: proposal.parent.get(), block: our_digest(&proposal.payload) }
}

fn ballot(statement: Statement, attestation: &Attestation<Scheme>) -> Option<Ballot> {
    let signature = attestation.signature.get()?.encode();
    Some(Ballot { statement, signature: Signature(signature.as_ref().try_into().ok()?) })
}
