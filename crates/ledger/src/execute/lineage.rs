//! What a version owes to what it is built on, through any number of versions between.
//!
//! An owner is not bound by their own terms. What they build on a capsule of their own is, as
//! to everybody else above it, built on what that one was built on: nobody lowers a share by
//! publishing something in between.
//!
//! **Invariant**: a published version's terms are not wider than those of any ancestor of
//! another owner, and what those terms ask of its royalty and of its cheapest call reaches it.

use super::ownership::version_of;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{ANCESTORS_MAX, Ancestor, Ancestry, Grant, Line, Version};
use crate::refusal::{Refusal, Stop};
use crate::view::{View, stored_terms};
use ambar_base::{Amount, Cid, Coded, ErrorCode, Price, Weight};
use ambar_capsule::manifest::Parent;
use ambar_capsule::{Manifest, Plan};
use ambar_licence::{Right, Terms, inherit};
use std::collections::BTreeMap;

/// What is known of a version's parents.
pub(super) struct Parents {
    /// Their plans with their shares.
    pub plans: Vec<(Weight, Plan)>,
    /// Everything that the version is built on.
    pub ancestry: Ancestry,
    /// Least that a call earns, so that every floor above is reached, nano-credit.
    pub least: Price,
}

/// The terms and lines of a version's ancestors: what [`parents`] reads.
pub(super) fn ancestor_keys(view: &View<'_>, number: u64) -> Result<Vec<Key>, Stop> {
    let ancestry: Ancestry = view.get(&Key::Ancestry(number))?.unwrap_or_default();
    let keys = |one: &Ancestor| [Key::Line(one.line), Key::Terms(one.terms)];
    Ok(ancestry.ancestors.iter().flat_map(keys).collect())
}

/// The parents of a version, after the terms of everything it is built on were heard.
pub(super) fn parents(
    view: &View<'_>,
    party: &Party,
    manifest: &Manifest,
    terms: &Terms,
    grants: &[u64],
) -> Result<Parents, Stop> {
    let mut plans = Vec::new();
    let mut flat = BTreeMap::new();
    let mut grants = grants.iter();
    for parent in &manifest.derived_from {
        let (number, version) = version_of(view, &parent.version)?;
        let rule = stored_terms(view, version.terms)?;
        let own = owns(view, party, version.line)?;
        if !own {
            let named = grants.next().copied();
            check_grant(view, party, &version, &rule, named)?;
        }
        let asked = if own { Weight::ONE } else { rule.derivatives.share };
        flatten(view, parent, number, &version, asked, rule.derivatives.share, &mut flat)?;
        plans.push((parent.share, version.plan));
    }
    if grants.next().is_some() {
        let message = "more grants are named than parents that others own";
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    if flat.len() > ANCESTORS_MAX {
        let message = format!("a capsule is built on at most {ANCESTORS_MAX} versions");
        return Err(Refusal::new(ErrorCode::LimitExceeded, message).into());
    }
    let mut least = Price::ZERO;
    for ancestor in flat.values_mut() {
        if owns(view, party, ancestor.line)? {
            // What owners do not ask of themselves they cannot ask of others through this.
            ancestor.due = ancestor.due.min(ancestor.reaches);
        } else {
            let rule = stored_terms(view, ancestor.terms)?;
            check_ancestor(terms, &rule, ancestor)?;
            let floor = least_for(rule.derivatives.floor_per_call, ancestor.reaches);
            least = least.max(floor.ok_or_else(Refusal::overflow)?);
        }
    }
    Ok(Parents { plans, ancestry: Ancestry { ancestors: flat.into_values().collect() }, least })
}

/// Whether terms that an owner offers for a version are as narrow as those that were heard when
/// it was published. Reads its ancestry.
pub(super) fn check_offered(
    view: &View<'_>,
    owner: u64,
    number: u64,
    terms: &Terms,
) -> Result<(), Stop> {
    view.require([Key::Ancestry(number)])?;
    let ancestry: Ancestry = view.get(&Key::Ancestry(number))?.unwrap_or_default();
    view.require(ancestor_keys(view, number)?)?;
    for ancestor in &ancestry.ancestors {
        if view.expect::<Line>(&Key::Line(ancestor.line))?.owner != owner {
            check_width(terms, &stored_terms(view, ancestor.terms)?, &ancestor.id)?;
        }
    }
    Ok(())
}

/// The smallest price of which this share is at least `floor`; nothing where there is none.
fn least_for(floor: Price, share: Weight) -> Option<Price> {
    if floor.is_zero() {
        return Some(Price::ZERO);
    }
    let whole = u128::from(Weight::ONE.0).checked_mul(floor.0.into())?;
    let least = whole.checked_add(u128::from(share.0).checked_sub(1)?)? / u128::from(share.0);
    u64::try_from(least).ok().map(Price)
}

fn owns(view: &View<'_>, party: &Party, line: u64) -> Result<bool, Stop> {
    Ok(view.expect::<Line>(&Key::Line(line))?.owner == party.account)
}

/// Whoever builds on what another owns has accepted terms that let them.
fn check_grant(
    view: &View<'_>,
    party: &Party,
    parent: &Version,
    rule: &Terms,
    named: Option<u64>,
) -> Result<(), Stop> {
    let id = parent.id;
    let refuse = |code, message: String| Err(Refusal::new(code, message).into());
    if !rule.derivatives.allowed {
        let message = format!("derivatives.allowed: the terms of {id} allow no derivatives");
        return refuse(ErrorCode::NotAuthorised, message);
    }
    let Some(number) = named else {
        if !rule.grants.contains(&Right::Derive) {
            return no_right(&id);
        }
        let message = format!("a grant is named for each parent of another owner; {id} lacks one");
        return refuse(ErrorCode::GrantMissing, message);
    };
    let grant: Grant = view.named("grant", number, &Key::Grant(number))?;
    if grant.licensee != party.account || grant.line != parent.line {
        return refuse(
            ErrorCode::GrantMissing,
            format!("grant {number} is not the publisher's for {id}"),
        );
    }
    if !grant.covers(parent) {
        return refuse(
            ErrorCode::GrantMissing,
            format!("grant {number} is for other terms than those of {id}"),
        );
    }
    // Under the terms of the grant: the published ones, or others that were offered.
    let held = stored_terms(view, grant.terms)?;
    if !held.grants.contains(&Right::Derive) {
        return no_right(&id);
    }
    if grant.revoked.is_some() {
        return refuse(ErrorCode::GrantRevoked, format!("grant {number} for {id} was revoked"));
    }
    if held.expires(grant.accepted).is_some_and(|end| view.block.time >= end) {
        return refuse(
            ErrorCode::GrantTermOver,
            format!("the term of grant {number} for {id} is over"),
        );
    }
    Ok(())
}

fn no_right(id: &Cid) -> Result<(), Stop> {
    let message = format!("grants: the terms of {id} do not grant to derive");
    Err(Refusal::new(ErrorCode::RightNotGranted, message).into())
}

/// Adds a parent, and what it is built on. `asked` is the part of what the terms above ask that
/// is still asked through it.
fn flatten(
    view: &View<'_>,
    parent: &Parent,
    number: u64,
    version: &Version,
    asked: Weight,
    share: Weight,
    flat: &mut BTreeMap<Cid, Ancestor>,
) -> Result<(), Stop> {
    let above: Ancestry = view.get(&Key::Ancestry(number))?.unwrap_or_default();
    let Version { id, line, terms, .. } = *version;
    add(flat, Ancestor { id, line, terms, reaches: parent.share, due: share });
    for one in above.ancestors {
        let (reaches, due) = (part(parent.share, one.reaches), part(asked, one.due));
        add(flat, Ancestor { reaches, due, ..one });
    }
    Ok(())
}

fn add(flat: &mut BTreeMap<Cid, Ancestor>, one: Ancestor) {
    let known =
        flat.entry(one.id).or_insert(Ancestor { reaches: Weight::ZERO, due: Weight::ZERO, ..one });
    // Shares sum to at most the whole, and each way is rounded down.
    known.reaches = known.reaches.checked_add(one.reaches).unwrap_or(Weight::ONE);
    known.due = known.due.max(one.due);
}

/// A part of a part, rounded down.
fn part(of: Weight, weight: Weight) -> Weight {
    let product = u64::from(of.0) * u64::from(weight.0) / u64::from(Weight::ONE.0);
    Weight(u32::try_from(product).expect("a part of a weight is a weight"))
}

/// Terms are not wider than those of a version that theirs is built on.
fn check_width(terms: &Terms, rule: &Terms, id: &Cid) -> Result<(), Refusal> {
    let wider = inherit::check(terms, rule);
    let Some(first) = wider.first() else { return Ok(()) };
    let all: Vec<_> = wider.iter().map(ToString::to_string).collect();
    let message = format!("the terms are wider than those of {id}: {}", all.join("; "));
    Err(Refusal::new(first.code(), message))
}

/// What an ancestor of another owner demands.
fn check_ancestor(terms: &Terms, rule: &Terms, ancestor: &Ancestor) -> Result<(), Refusal> {
    let Ancestor { id, reaches, due, .. } = ancestor;
    check_width(terms, rule, id)?;
    let refuse = |message: String| Err(Refusal::new(ErrorCode::NotAuthorised, message));
    if reaches < due {
        return refuse(format!(
            "derivatives.share: the terms of {id} ask a share of {due}, not {reaches}"
        ));
    }
    let floor = rule.derivatives.floor_per_call;
    let least = terms.minimum_price_per_call().share(*reaches);
    if least < Amount::from(floor) {
        return refuse(format!(
            "derivatives.floor_per_call: the terms of {id} ask at least {floor} per call; this \
             capsule's smallest call gives it {least}"
        ));
    }
    Ok(())
}
