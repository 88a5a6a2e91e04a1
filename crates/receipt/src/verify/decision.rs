//! The decision by which a call was admitted, made again.
//!
//! The gateway says what was spent and held at that time, and this room believes it: no file
//! can show the books of that moment.

use super::case::Case;
use super::documents;
use super::report::{Fault, Verdict};
use crate::decision::admits;
use crate::leaf::Line;
use ambar_base::{Cid, codec};
use ambar_licence::Terms;
use ambar_licence::call::{DecisionRecord, PartFacts};
use std::collections::BTreeMap;

/// The decision is the one that the details bind, about this call, and made again it is the
/// same.
pub(super) fn replayed(case: &Case<'_>) -> Verdict {
    let Some(bytes) = &case.document.decision else {
        return Err(Fault::absent("the file does not show the decision to its reader"));
    };
    let details = case.details().map_err(|fault| match fault {
        Fault::Absent(_) => Fault::absent("the file does not show the details to its reader"),
        _ => Fault::blocked("the details do not hold"),
    })?;
    let record: DecisionRecord = codec::decode(bytes).map_err(Fault::failed)?;
    if record.digest() != details.decision {
        return Err(Fault::failed("the decision is not the one that the details bind"));
    }
    let reservation = admits(&record, case.leaf).map_err(Fault::failed)?;
    let terms = terms(case, &record)?;
    record.replay(|id| terms.get(id)).map_err(Fault::failed)?;
    let (price, parts) = (reservation.price, record.facts.parts.len());
    Ok(format!("Decided again, the call may run: {parts} parts, {price} credits reserved."))
}

/// The terms of the decision's parts: those that price the receipt's lines, in their order.
fn terms(case: &Case<'_>, record: &DecisionRecord) -> Result<BTreeMap<Cid, Terms>, Fault> {
    let lines = case.leaf.lines.iter().zip(&record.facts.parts);
    let each = |(line, part): (&Line, &PartFacts)| {
        let terms = documents::terms(case, line.grant)?;
        if terms.id() != part.terms || case.facts.version(line.version)?.id != part.capsule {
            return Err(Fault::failed("the decision is about other terms or capsules"));
        }
        Ok((part.terms, terms))
    };
    lines.map(each).collect()
}
