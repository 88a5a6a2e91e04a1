//! The documents that facts and leaf name: terms, tariffs, plans, manifests, evidence.

use super::case::Case;
use super::report::{Fault, Verdict};
use crate::export::Kind;
use crate::leaf::Line;
use crate::tariff::Tariff;
use ambar_base::{Digest, codec};
use ambar_capsule::{Manifest, Plan};
use ambar_licence::{PriceRule, Terms};

/// The names of the checks of [`digests`].
pub(super) const CHECKS: [(&str, Kind); 5] = [
    ("terms-digest", Kind::Terms),
    ("tariff-digest", Kind::Tariff),
    ("plan-digest", Kind::Plan),
    ("manifest-digest", Kind::Manifest),
    ("evidence-digest", Kind::Evidence),
];

/// The documents of a kind are those that are named: all that are needed, no others.
pub(super) fn digests(case: &Case<'_>, kind: Kind) -> Verdict {
    let (version, grant) = (|n| case.facts.version(n).ok(), |n| case.facts.grant(n).ok());
    let named = kind.named(case.leaf, version, grant, |n| case.facts.tariff(n).ok());
    let text = kind.text();
    let given: Vec<Digest> =
        case.document.preimages.of(kind).iter().map(|bytes| kind.digest(bytes)).collect();
    let foreign =
        |digest: &&Digest| !named.needed.contains(digest) && !named.useful.contains(digest);
    if let Some(digest) = given.iter().find(foreign) {
        return Err(Fault::failed(format!("nothing names the {text} with digest {digest}")));
    }
    if let Some(digest) = named.needed.iter().find(|digest| !given.contains(digest)) {
        return Err(Fault::failed(format!("the {text} with digest {digest} is missing")));
    }
    if !given.windows(2).all(|pair| pair[0] < pair[1]) {
        return Err(Fault::failed(format!("digests of {text} documents ascend, each once")));
    }
    if given.is_empty() && !named.useful.is_empty() {
        return Err(Fault::absent(format!("the file has no {text}")));
    }
    Ok(format!("{} {text} documents have the digests that name them.", given.len()))
}

/// Each line's grant holds for versions with the terms that its version has; the payer holds the
/// first.
pub(super) fn grants(case: &Case<'_>) -> Verdict {
    for (index, line) in case.leaf.lines.iter().enumerate() {
        let (grant, version) = (case.facts.grant(line.grant)?, case.facts.version(line.version)?);
        if case.facts.granted_of(line.grant)? != version.terms {
            let message = format!("grant {} is for other terms than line {index}", grant.number);
            return Err(Fault::failed(message));
        }
        let channel = case.facts.channel(case.leaf.channel)?;
        if index == 0 && grant.licensee != channel.payer {
            return Err(Fault::failed("the called capsule is not granted to the channel's payer"));
        }
    }
    Ok("Each line was granted at the terms that price it.".into())
}

fn find<'a>(case: &Case<'a>, kind: Kind, digest: Digest) -> Result<&'a [u8], Fault> {
    let found = case.documents.get(&kind).and_then(|list| list.get(&digest)).copied();
    let missing = || format!("the {} with digest {digest} is missing", kind.text());
    found.ok_or_else(|| Fault::blocked(missing()))
}

/// What a call costs under a line's grant, in the tier that held when it was admitted.
pub(super) fn price(case: &Case<'_>, line: &Line) -> Result<PriceRule, Fault> {
    let terms = terms(case, line.grant)?;
    if terms.tiers.is_empty() {
        return Ok(terms.price);
    }
    let tier = case.facts.tier(line.grant)?.tier;
    let missing = || format!("the terms of grant {} have no tier {tier}", line.grant);
    terms.price_of(tier).copied().ok_or_else(|| Fault::failed(missing()))
}

/// The terms of a grant.
pub(super) fn terms(case: &Case<'_>, grant: u64) -> Result<Terms, Fault> {
    let id = case.facts.grant(grant)?.terms;
    Terms::from_document(find(case, Kind::Terms, id.0)?).map_err(Fault::failed)
}

/// The tariff that measures a line.
pub(super) fn tariff(case: &Case<'_>, line: &Line) -> Result<Tariff, Fault> {
    let id = case.facts.tariff(line.tariff)?.id;
    Tariff::decode(find(case, Kind::Tariff, id.0)?).map_err(Fault::failed)
}

/// The plan of a version.
pub(super) fn plan(case: &Case<'_>, version: u64) -> Result<Plan, Fault> {
    let digest = case.facts.version(version)?.plan;
    codec::decode(find(case, Kind::Plan, digest)?).map_err(Fault::failed)
}

/// The manifest with this digest.
pub(super) fn manifest(case: &Case<'_>, digest: Digest) -> Result<Manifest, Fault> {
    Manifest::decode(find(case, Kind::Manifest, digest)?).map_err(Fault::failed)
}

/// The evidence with this root, if the file has it.
pub(super) fn evidence<'a>(case: &Case<'a>, root: Digest) -> Option<&'a [u8]> {
    find(case, Kind::Evidence, root).ok()
}
