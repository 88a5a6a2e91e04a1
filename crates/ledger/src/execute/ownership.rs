//! Names, and giving version lines to others.

use super::accounts::number_of;
use super::publish::check_component;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{FormerUses, Grant, Line, Name, Version};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::{RegisterName, TransferLine};
use crate::view::View;
use ambar_base::{Cid, ErrorCode};
use ambar_capsule::manifest::COMPONENTS_MAX;

/// Longest registered name, bytes.
pub const REGISTERED_NAME_BYTES_MAX: usize = 64;

/// A version by id.
pub(super) fn version_of(view: &View<'_>, id: &Cid) -> Result<(u64, Version), Stop> {
    let number: u64 = view.named("capsule", id, &Key::VersionNumber(*id))?;
    Ok((number, view.expect(&Key::Version(number))?))
}

/// The line of a version, which the party must own.
pub(super) fn own_line(view: &View<'_>, party: &Party, version: &Cid) -> Result<(u64, Line), Stop> {
    let (_, version) = version_of(view, version)?;
    let line: Line = view.expect(&Key::Line(version.line))?;
    if line.owner == party.account {
        return Ok((version.line, line));
    }
    let message = format!("capsule {} belongs to somebody else", version.id);
    Err(Refusal::new(ErrorCode::NotAuthorised, message).into())
}

pub(super) fn register_name(
    view: &mut View<'_>,
    party: &Party,
    record: &RegisterName,
) -> Result<OperationResult, Stop> {
    check_name(&record.name)?;
    view.require([Key::Name(record.name.clone()), Key::VersionNumber(record.version)])?;
    let (line, _) = own_line(view, party, &record.version)?;
    let key = Key::Name(record.name.clone());
    let taken = view.get::<Name>(&key)?.is_some_and(|name| name.owner != party.account);
    if taken {
        let message = format!("the name {} is taken", record.name);
        return Err(Refusal::new(ErrorCode::NameTaken, message).into());
    }
    view.put(&key, &Name { owner: party.account, line });
    Ok(OperationResult::Done)
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let plain = name.bytes().all(|byte| letter(byte) || b"-._/".contains(&byte));
    let edges = name.bytes().next().is_some_and(letter) && name.bytes().last().is_some_and(letter);
    if plain && edges && name.len() <= REGISTERED_NAME_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "a name is 1 to {REGISTERED_NAME_BYTES_MAX} of a-z 0-9 - . _ / \
         and begins and ends with a letter or digit"
    );
    Err(Refusal::new(ErrorCode::TransactionInvalid, message))
}

pub(super) fn transfer_line(
    view: &mut View<'_>,
    party: &Party,
    record: &TransferLine,
) -> Result<OperationResult, Stop> {
    let grants = record.grants.iter().take(COMPONENTS_MAX).map(|number| Key::Grant(*number));
    let fixed = [Key::AccountNumber(record.to), Key::VersionNumber(record.version)];
    view.require(grants.chain(fixed))?;
    let to = number_of(view, &record.to)?;
    let (number, mut line) = own_line(view, party, &record.version)?;
    transfer_components(view, line.head, to, &record.grants)?;
    line.owner = to;
    view.put(&Key::Line(number), &line);
    Ok(OperationResult::Done)
}

/// Calls admitted from now on use the components under the new owner's grants.
fn transfer_components(
    view: &mut View<'_>,
    number: u64,
    to: u64,
    grants: &[u64],
) -> Result<(), Stop> {
    let key = Key::Version(number);
    let mut head: Version = view.expect(&key)?;
    if grants.len() != head.uses.len() {
        let message = "one grant of the new owner is named for each component";
        return Err(Refusal::new(ErrorCode::GrantMissing, message).into());
    }
    if head.uses.is_empty() {
        return Ok(());
    }
    let oldest = view.oldest()?;
    if head.former_uses.as_ref().is_some_and(|former| former.last >= oldest) {
        let message = "the line has changed hands within the settlement window";
        return Err(Refusal::new(ErrorCode::LimitExceeded, message).into());
    }
    let uses: Vec<_> =
        head.uses.iter().zip(grants).map(|((version, _), grant)| (*version, *grant)).collect();
    check_components(view, to, &uses)?;
    let former = std::mem::replace(&mut head.uses, uses);
    head.former_uses = Some(FormerUses { last: view.block.height, uses: former });
    view.put(&key, &head);
    Ok(())
}

fn check_components(view: &View<'_>, owner: u64, uses: &[(u64, u64)]) -> Result<(), Stop> {
    let versions = uses.iter().map(|(version, _)| Key::Version(*version));
    let grant = |number: u64| view.get::<Grant>(&Key::Grant(number)).transpose();
    let grants = uses.iter().filter_map(|(_, number)| grant(*number));
    let terms = grants.map(|grant| Ok(Key::Terms(grant?.terms))).collect::<Result<Vec<_>, Stop>>();
    view.require(versions.chain(terms?))?;
    uses.iter().try_for_each(|(version, grant)| {
        let version: Version = view.expect(&Key::Version(*version))?;
        check_component(view, owner, &version, *grant)
    })
}
