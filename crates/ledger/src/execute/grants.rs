//! Accepting terms, and ending grants.

use super::ownership::version_of;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Grant, Line};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::Accept;
use crate::view::View;
use ambar_base::ErrorCode;

pub(super) fn accept(
    view: &mut View<'_>,
    party: &Party,
    record: &Accept,
) -> Result<OperationResult, Stop> {
    let (_, version) = version_of(view, &record.version)?;
    if version.terms != record.terms {
        let message = format!("capsule {} has terms {}", record.version, version.terms);
        return Err(Refusal::new(ErrorCode::GrantMissing, message).into());
    }
    let grant = Grant {
        licensee: party.account,
        line: version.line,
        terms: version.terms,
        accepted: view.block.time,
        height: view.block.height,
        revoked: None,
    };
    let number = view.number(|numbers| &mut numbers.grants)?;
    view.put(&Key::Grant(number), &grant);
    Ok(OperationResult::Grant(number))
}

/// The owner of the capsule or the licensee may end a grant. Calls admitted before this
/// block's successor still settle.
pub(super) fn revoke(
    view: &mut View<'_>,
    party: &Party,
    number: u64,
) -> Result<OperationResult, Stop> {
    let key = Key::Grant(number);
    let mut grant: Grant = view.named("grant", number, &key)?;
    let line: Line = view.expect(&Key::Line(grant.line))?;
    if party.account != grant.licensee && party.account != line.owner {
        let message = format!("grant {number} is between other parties");
        return Err(Refusal::new(ErrorCode::NotAuthorised, message).into());
    }
    if grant.revoked.is_none() {
        grant.revoked = Some(view.block.height.after(1));
        view.put(&key, &grant);
    }
    Ok(OperationResult::Done)
}
