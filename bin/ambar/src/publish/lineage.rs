//! What a capsule would be built on, asked before anything is stored: whether its terms may be
//! what they are, and under which grants it is built on what others own.
//!
//! The ledger decides; what it would refuse is said here first, with the clause.

use crate::failure::{Failure, OrFail, Outcome};
use crate::signer::{Signer, number};
use ambar_base::weight::total;
use ambar_base::{Amount, Cid, Coded, ErrorCode};
use ambar_capsule::manifest::{ManifestError, Parent};
use ambar_licence::{Right, Terms, inherit};
use ambar_node::api::dto::{Capsule, Grant};
use ambar_node::client::Client;
use std::collections::BTreeSet;

/// The grants for the parents that others own, in order. Refuses what the ledger would.
pub async fn derives(signer: &Signer, terms: &Terms, parents: &[Parent]) -> Outcome<Vec<u64>> {
    if parents.is_empty() {
        return Ok(Vec::new());
    }
    // Said first of all: it needs no node to be seen.
    total(parents.iter().map(|parent| parent.share)).ok_or(ManifestError::Shares)?;
    let own = signer.account.to_string();
    let held = signer.client().grants(&own).await?;
    let mut grants = Vec::new();
    for parent in parents {
        for ancestor in ancestors(signer.client(), &parent.version).await? {
            if ancestor.owner != own {
                not_wider(terms, &ancestor)?;
            }
        }
        let capsule = signer.client().capsule(&parent.version.to_string()).await?;
        if capsule.owner != own {
            enough(terms, parent, &capsule)?;
            grants.push(grant(&held, &capsule)?);
        }
    }
    Ok(grants)
}

/// A version and everything that it is built on.
pub async fn ancestors(client: &Client, version: &Cid) -> Outcome<Vec<Capsule>> {
    let graph = client.lineage(&version.to_string()).await?;
    let (mut left, mut seen) = (vec![graph.root.clone()], BTreeSet::from([graph.root.clone()]));
    let mut found = Vec::new();
    while let Some(at) = left.pop() {
        found.push(client.capsule(&at).await?);
        let edges =
            graph.edges.iter().filter(|edge| edge.kind == "derived_from" && edge.from == at);
        left.extend(edges.map(|edge| edge.to.clone()).filter(|to| seen.insert(to.clone())));
    }
    Ok(found)
}

fn terms_of(capsule: &Capsule) -> Outcome<Terms> {
    Terms::parse(&capsule.terms.toml).or_fail(ErrorCode::BadGateway)
}

/// Refuses terms that are wider than those of an ancestor.
pub fn not_wider(terms: &Terms, ancestor: &Capsule) -> Outcome {
    let wider = inherit::check(terms, &terms_of(ancestor)?);
    let Some(first) = wider.first() else { return Ok(()) };
    let clauses: Vec<_> = wider.iter().map(|clause| format!("\n  {clause}")).collect();
    let Capsule { name, id, .. } = ancestor;
    let message = format!("the terms are wider than those of {name} ({id}):{}", clauses.concat());
    let failure = Failure::new(first.code(), message);
    Err(match first.code() {
        ErrorCode::TermsInvalid => failure.helping("narrow these clauses of the terms"),
        _ => failure.helping("ask its owner"),
    })
}

/// Refuses a share or a price that a parent's terms do not accept.
fn enough(terms: &Terms, parent: &Parent, capsule: &Capsule) -> Outcome {
    let rule = terms_of(capsule)?;
    let Capsule { name, id, .. } = capsule;
    if !rule.grants.contains(&Right::Derive) {
        let message = format!("grants: the terms of {name} ({id}) do not grant to derive");
        return Err(Failure::new(ErrorCode::RightNotGranted, message));
    }
    let (share, asked) = (parent.share, rule.derivatives);
    if share < asked.share {
        let message = format!(
            "derivatives.share: the terms of {name} ({id}) ask a share of {}, not {share}",
            asked.share
        );
        let help = format!("name it as --from {id}={}", asked.share);
        return Err(Failure::new(ErrorCode::NotAuthorised, message).helping(help));
    }
    let least = terms.minimum_price_per_call().share(share);
    if least < Amount::from(asked.floor_per_call) {
        let message = format!(
            "derivatives.floor_per_call: the terms of {name} ({id}) ask at least {} per call; this \
             capsule's smallest call gives it {least}",
            asked.floor_per_call
        );
        let help = "raise price.minimum or price.per_call, or the share";
        return Err(Failure::new(ErrorCode::NotAuthorised, message).helping(help));
    }
    Ok(())
}

fn grant(held: &[Grant], capsule: &Capsule) -> Outcome<u64> {
    let holds = |grant: &&Grant| {
        grant.revoked.is_none() && grant.capsule == capsule.head && grant.terms == capsule.terms.id
    };
    let none = || {
        let Capsule { name, id, .. } = capsule;
        let message = format!("the terms of {name} ({id}) are not accepted yet");
        Failure::new(ErrorCode::GrantMissing, message)
            .helping(format!("accept them with `ambar license {id} --no-channel`"))
    };
    number("grant", &held.iter().rev().find(holds).ok_or_else(none)?.id)
}
