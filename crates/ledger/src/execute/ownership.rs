//! Names, and giving version lines and royalty lines to others.

use super::accounts::number_of;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Line, Name, Royalty, Version};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::{RegisterName, TransferLine, TransferRoyalty};
use crate::view::View;
use ambar_base::{Cid, ErrorCode};

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
    let to = number_of(view, &record.to)?;
    let (number, mut line) = own_line(view, party, &record.version)?;
    check_components(view, &line, to)?;
    line.owner = to;
    view.put(&Key::Line(number), &line);
    Ok(OperationResult::Done)
}

/// Whoever owns a capsule holds the grants for its components.
fn check_components(view: &View<'_>, line: &Line, to: u64) -> Result<(), Stop> {
    let head: Version = view.expect(&Key::Version(line.head))?;
    for (_, grant) in &head.uses {
        let grant: crate::object::Grant = view.expect(&Key::Grant(*grant))?;
        if grant.licensee != to {
            let message = "the new owner holds no grant for a component of the capsule";
            return Err(Refusal::new(ErrorCode::GrantMissing, message).into());
        }
    }
    Ok(())
}

pub(super) fn transfer_royalty(
    view: &mut View<'_>,
    party: &Party,
    record: &TransferRoyalty,
) -> Result<OperationResult, Stop> {
    let to = number_of(view, &record.to)?;
    let key = Key::Royalty(record.royalty);
    let mut royalty: Royalty = view.named("royalty line", record.royalty, &key)?;
    if *royalty.holder.latest() != party.account {
        let message = format!("royalty line {} is held by somebody else", record.royalty);
        return Err(Refusal::new(ErrorCode::NotAuthorised, message).into());
    }
    let (height, oldest) = (view.block.height, view.oldest()?);
    royalty
        .holder
        .set(height.after(1), oldest, to)
        .map_err(|error| Refusal::new(ErrorCode::LimitExceeded, error.to_string()))?;
    view.put(&key, &royalty);
    Ok(OperationResult::Done)
}
