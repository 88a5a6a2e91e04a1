//! From the leaf to the committee's votes: trees and signatures.

use super::case::{Case, Settled};
use super::report::{Fault, Verdict};
use crate::batch::{NodeLines, line_hash};
use crate::export::{Place, ReceiptDocument};
use crate::leaf::{Leaf, Line};
use ambar_base::tree::{self, includes};
use ambar_base::{Checkpoint, Digest, Encode, Signature};

fn leads(place: &Place, root: &Digest, hash: &Digest, size: u64) -> bool {
    includes(root, hash, place.index, size, &place.path)
}

fn settled<'a>(case: &'a Case<'_>) -> Result<&'a Settled, Fault> {
    let missing = match case.document.settlement {
        None => Fault::absent("the receipt is not final yet"),
        Some(_) => Fault::blocked("the settlement cannot be read"),
    };
    case.settled.as_ref().ok_or(missing)
}

/// The outcome is in a block that the trusted committee made final, or one that followed it.
pub(super) fn finality(
    document: &ReceiptDocument,
    settled: Option<&Settled>,
    leaf: Option<&Leaf>,
    trusted: Option<&Checkpoint>,
) -> Verdict {
    let Some(settled) = settled else {
        return Err(match (&document.settlement, trusted) {
            (Some(_), _) => Fault::blocked("the settlement cannot be read"),
            (None, Some(_)) => Fault::failed("the receipt is not final yet"),
            (None, None) => Fault::absent("the receipt is not final yet"),
        });
    };
    let Some(trusted) = trusted else {
        return Err(Fault::absent("neither a network key nor a checkpoint was given"));
    };
    let header = settled.proof.verify(trusted, &settled.outcome).map_err(Fault::failed)?;
    if leaf.is_some_and(|leaf| leaf.admitted > header.height) {
        return Err(Fault::failed("the call was admitted after the block that settled it"));
    }
    let (certificate, height) = (&settled.proof.block.certificate, header.height);
    let (votes, epoch) = (certificate.votes.len(), certificate.epoch);
    let plural = if votes == 1 { "vote" } else { "votes" };
    Ok(format!("The batch settled in block {height}, final by {votes} {plural} in epoch {epoch}."))
}

/// The outcome is in the block, whoever made that final.
pub(super) fn outcome_path(case: &Case<'_>) -> Verdict {
    let Settled { outcome, proof, .. } = settled(case)?;
    let (header, hash) = (&proof.block.header, tree::leaf_hash(outcome));
    let size = u64::from(header.outcomes);
    if includes(&header.outcomes_root, &hash, proof.index, size, &proof.path) {
        Ok(format!("The settlement is outcome {} of block {}.", proof.index, header.height))
    } else {
        Err(Fault::failed("the path does not lead from the settlement to the block's root"))
    }
}

/// Each fact is among those that the settlement attests.
pub(super) fn facts_root(case: &Case<'_>) -> Verdict {
    let outcome = &settled(case)?.batch;
    for (index, placed) in case.document.facts.iter().enumerate() {
        let hash = tree::leaf_hash(&placed.fact);
        if !leads(&placed.place, &outcome.facts_root, &hash, outcome.facts) {
            let message = format!("fact {index} is not among those that the settlement attests");
            return Err(Fault::failed(message));
        }
    }
    Ok(format!("The facts are among the {} that the settlement attests.", outcome.facts))
}

/// The batch is the one that settled.
pub(super) fn batch_outcome(case: &Case<'_>) -> Verdict {
    let outcome = &settled(case)?.batch;
    if outcome.header == Digest::of(&case.batch.header.to_bytes()) {
        Ok("The batch header is the one that settled.".into())
    } else {
        Err(Fault::failed("another batch header settled"))
    }
}

/// The gateway that signed is the channel's, and its key sealed the file.
pub(super) fn gateway(case: &Case<'_>) -> Verdict {
    let gateway = case.batch.header.gateway;
    let channel = case.facts.channel(case.leaf.channel)?;
    if channel.gateway != gateway {
        let message = format!("the channel is open to gateway {}, not {gateway}", channel.gateway);
        return Err(Fault::failed(message));
    }
    if case.facts.node(gateway)?.key != case.key {
        return Err(Fault::failed(format!("the file is not sealed by the key of node {gateway}")));
    }
    Ok(format!("Node {gateway}, to which the channel is open, sealed the file."))
}

/// The gateway signed the header.
pub(super) fn batch_signature(case: &Case<'_>) -> Verdict {
    let header = &case.batch.header;
    let key = case.facts.node(header.gateway)?.key;
    let network = case.document.network();
    header.verify(network, &key, &case.batch.signature).map_err(Fault::failed)?;
    Ok(format!("Node {} signed its batch {}.", header.gateway, header.number))
}

/// The leaf is in the batch.
pub(super) fn leaf_path(case: &Case<'_>) -> Verdict {
    let (header, place) = (&case.batch.header, &case.document.place);
    if leads(place, &header.leaves_root, &case.leaf.hash(), header.leaves) {
        Ok(format!("The call is leaf {} of {}.", place.index, header.leaves))
    } else {
        Err(Fault::failed("the path does not lead from the leaf to the batch's root"))
    }
}

/// What a node signed, and its signature.
fn signed_lines<'a>(
    case: &'a Case<'_>,
    node: u64,
) -> Result<(&'a NodeLines, &'a Signature), Fault> {
    let mut signed = case.batch.header.nodes.iter().zip(&case.batch.nodes);
    let found = signed.find(|(lines, _)| lines.node == node);
    found.ok_or_else(|| Fault::failed(format!("node {node} signed nothing of this batch")))
}

fn each_line<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (usize, &'a Line)> {
    case.leaf.lines.iter().enumerate()
}

/// Each line is among those that its node signed.
pub(super) fn line_paths(case: &Case<'_>) -> Verdict {
    let places = &case.document.lines;
    if places.len() != case.leaf.lines.len() {
        return Err(Fault::failed("there is not one path for each line"));
    }
    for ((index, line), place) in each_line(case).zip(places) {
        let (lines, _) = signed_lines(case, line.node)?;
        let hash = line_hash(case.leaf, index);
        if !hash.is_some_and(|hash| leads(place, &lines.root, &hash, lines.lines)) {
            let message = format!("the path of line {index} does not lead to its node's root");
            return Err(Fault::failed(message));
        }
    }
    Ok("Each line is among those that its node signed.".into())
}

/// The nodes of the lines signed theirs.
pub(super) fn node_signatures(case: &Case<'_>) -> Verdict {
    let header = &case.batch.header;
    for (_, line) in each_line(case) {
        let (lines, signature) = signed_lines(case, line.node)?;
        let (network, batch) = (case.document.network(), (header.gateway, header.number));
        let key = case.facts.node(line.node)?.key;
        lines
            .verify(network, batch, &key, signature)
            .map_err(|_| Fault::failed(format!("node {} has not signed its lines", line.node)))?;
    }
    Ok("The nodes that served the lines signed them.".into())
}
