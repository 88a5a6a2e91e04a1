//! The shares of contributors, recomputed from evidence.
//!
//! Evidence may be left out, and the ledger attests the manifest of a datanet only if it
//! is a line of the batch; shares without either are reported as unchecked. That the
//! evidence is true of the corpus needs the corpus.

use super::case::Case;
use super::documents;
use super::report::{Fault, Verdict};
use crate::leaf::{Line, Shares};
use crate::sharing::sharing;
use ambar_attribution::{Division, Method, MethodShares};
use ambar_base::{Cid, Weight};
use ambar_capsule::manifest::DatanetDeclaration;
use ambar_capsule::{Party, Plan};
use std::collections::BTreeMap;

/// Most bytes of evidence that are evaluated for one receipt: evidence that many lines
/// name counts as often.
pub const EVIDENCE_WORK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Compares all shares with their evidence.
pub(super) fn recomputed(case: &Case<'_>) -> Verdict {
    let claims = claims(case);
    if claims.is_empty() {
        return Ok("No contributor has a share in this call.".into());
    }
    let roots = claims.iter().flat_map(|claim| claim.shares.iter().map(|share| share.evidence));
    let work: usize =
        roots.filter_map(|root| documents::evidence(case, root)).map(<[u8]>::len).sum();
    if work > EVIDENCE_WORK_BYTES_MAX {
        return Err(Fault::failed("the shares name more evidence than any call leaves"));
    }
    let (mut held, mut left) = (0, Vec::new());
    for claim in &claims {
        match claim.check(case) {
            Ok(()) => held += claim.shares.len(),
            Err(Fault::Absent(reason)) => left.push(reason),
            Err(fault) => return Err(fault),
        }
    }
    match left.first() {
        None => Ok(format!("Evidence gives the shares of all {held} attributions.")),
        Some(reason) => Err(Fault::absent(reason)),
    }
}

/// What a line says of one datanet.
struct Claim<'a> {
    line: &'a Line,
    datanet: u64,
    shares: Vec<&'a Shares>,
}

fn claims<'a>(case: &Case<'a>) -> Vec<Claim<'a>> {
    let mut claims = Vec::new();
    for line in &case.leaf.lines {
        let mut by_datanet = BTreeMap::<u64, Vec<&Shares>>::new();
        for shares in &line.shares {
            by_datanet.entry(shares.datanet).or_default().push(shares);
        }
        let claim = |(datanet, shares)| Claim { line, datanet, shares };
        claims.extend(by_datanet.into_iter().map(claim));
    }
    claims
}

impl Claim<'_> {
    fn check(&self, case: &Case<'_>) -> Result<(), Fault> {
        let datanet = self.datanet;
        let evidence = self.shares.iter().map(|share| documents::evidence(case, share.evidence));
        let Some(evidence) = evidence.collect::<Option<Vec<_>>>() else {
            let reason = format!("the file has not all evidence of datanet {datanet}");
            return Err(Fault::absent(reason));
        };
        let Ok(version) = case.facts.version(datanet) else {
            let reason = format!("the ledger attests nothing of datanet {datanet} here");
            return Err(Fault::absent(reason));
        };
        let declared = declared(case, version.id)?;
        let mix = mix(&declared)?;
        let (sharing, contributors) = sharing(&declared).map_err(Fault::failed)?;
        let plan: Plan = documents::plan(case, self.line.version)?;
        let total = plan.weight(Party::Datanet(datanet));
        let claimed = self.shares.iter().map(|share| method_shares(share));
        let claimed = claimed.collect::<Result<Vec<_>, _>>()?;
        let (call, datanet_id) = (case.leaf.call, version.id);
        let division =
            Division { total, mix: &mix, sharing, contributors, call, datanet: datanet_id };
        ambar_attribution::verify(&claimed, &evidence, &division)
            .map_err(|error| Fault::failed(format!("of datanet {datanet}, {error}")))
    }
}

fn method(number: u16) -> Result<Method, Fault> {
    let found = Method::ALL.iter().find(|method| u16::from(method.number()) == number);
    found.copied().ok_or_else(|| Fault::failed(format!("attribution method {number} is not known")))
}

fn method_shares(shares: &Shares) -> Result<MethodShares, Fault> {
    let (weights, evidence_root) = (shares.weights.clone(), shares.evidence);
    Ok(MethodShares { method: method(shares.method)?, weights, evidence_root })
}

fn declared(case: &Case<'_>, datanet: Cid) -> Result<DatanetDeclaration, Fault> {
    let declared = documents::manifest(case, datanet.0)?.datanet;
    declared.ok_or_else(|| Fault::failed("the manifest is no datanet's"))
}

/// How the datanet mixes methods.
fn mix(declared: &DatanetDeclaration) -> Result<Vec<(Method, Weight)>, Fault> {
    let part = |(number, weight): &(u16, Weight)| Ok((method(*number)?, *weight));
    declared.methods.iter().map(part).collect()
}
