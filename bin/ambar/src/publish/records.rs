//! Whose the records of a directory are, as its `contributors.toml` says.

use super::tree::SourceFile;
use crate::failure::{OrFail, Outcome};
use crate::files;
use ambar_base::{AccountId, ErrorCode};
use ambar_capsule::Contributor;
use ambar_node::client::Client;
use ambar_node::contributors::{CONTRIBUTORS_BYTES_MAX, ContributorsFile};
use ambar_node::files::CONTRIBUTORS_FILE;
use std::collections::BTreeMap;

/// What the directory says; nothing if it has no such file.
pub fn declared(files: &[SourceFile]) -> Outcome<ContributorsFile> {
    let Some(file) = files.iter().find(|file| file.name == CONTRIBUTORS_FILE) else {
        return Ok(ContributorsFile::default());
    };
    let text = files::read_text(&file.path, CONTRIBUTORS_BYTES_MAX as u64)?;
    Ok(ContributorsFile::parse(&text)?)
}

/// The contributor of each record by its name. The node says which accounts DIDs have.
pub async fn contributors(
    client: &Client,
    declared: &ContributorsFile,
    files: &[SourceFile],
    publisher: AccountId,
) -> Outcome<BTreeMap<String, Contributor>> {
    let mut accounts = BTreeMap::new();
    for did in declared.dids() {
        let account = client.account(did).await?;
        accounts.insert(did.to_owned(), account.id.parse().or_fail(ErrorCode::BadGateway)?);
    }
    let paths = files.iter().map(|file| file.name.as_str());
    Ok(declared.by_path(paths, publisher, |did| accounts.get(did).copied())?)
}
