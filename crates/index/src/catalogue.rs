//! The catalogue: versions and names as they are published.

use crate::error::IndexError;
use crate::rows::CatalogueRow;
use crate::tables::{CATALOGUE, HEADS, LINE_NAMES, NAMES, VERSIONS};
use crate::take::{Acting, Take};
use ambar_base::Encode;
use ambar_capsule::Manifest;
use ambar_ledger::query::State;
use ambar_ledger::result::VersionResult;
use ambar_ledger::transaction::{Publish, RegisterName};
use redb::ReadableTable;

impl<S: State> Take<'_, S> {
    pub(crate) fn published(
        &self,
        acting: Acting,
        record: &Publish,
        version: &VersionResult,
    ) -> Result<(), IndexError> {
        let manifest = Manifest::decode(&record.manifest.bytes);
        let manifest = manifest.map_err(|error| self.damaged(error))?;
        self.royalties_of(&manifest, version)?;
        let mut catalogue = self.write.open_table(CATALOGUE)?;
        let last = catalogue.last()?.map_or(0, |(sequence, _)| sequence.value());
        let row = CatalogueRow {
            sequence: last + 1,
            id: version.id,
            number: version.number,
            line: version.line,
            kind: manifest.kind().text().to_owned(),
            name: manifest.name,
            description: manifest.description,
            creator: acting.account,
            height: self.block.height,
        };
        catalogue.insert(row.sequence, row.to_bytes().as_slice())?;
        self.write.open_table(VERSIONS)?.insert(version.number, row.sequence)?;
        self.write.open_table(HEADS)?.insert(version.line, row.sequence)?;
        Ok(())
    }

    /// A name stands for one line; registering it again moves it.
    pub(crate) fn named(&self, record: &RegisterName) -> Result<(), IndexError> {
        let (_, version) = self.state.version(&record.version)?;
        let name = record.name.as_str();
        let mut lines = self.write.open_table(LINE_NAMES)?;
        let mut names = self.write.open_table(NAMES)?;
        let before = names.insert(name, version.line)?.map(|line| line.value());
        if let Some(before) = before {
            lines.remove((before, name))?;
        }
        lines.insert((version.line, name), ())?;
        Ok(())
    }
}
