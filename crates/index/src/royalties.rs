//! Who holds which royalty lines, and what was paid for them.
//!
//! **Invariant**: after the last block that was taken in, each line stands once, at its holder
//! on the ledger.

use crate::error::IndexError;
use crate::movements::between;
use crate::rows::{EntryKind, StatementEntry};
use crate::tables::{OWN_ROYALTIES, key};
use crate::take::{Acting, Take};
use ambar_base::{AccountId, Amount};
use ambar_capsule::Manifest;
use ambar_ledger::Key;
use ambar_ledger::object::{Balance, Line, Numbers, Royalty};
use ambar_ledger::query::State;
use ambar_ledger::result::{SaleResult, VersionResult};
use ambar_ledger::transaction::BuyRoyalty;
use redb::WriteTransaction;

impl<S: State> Take<'_, S> {
    /// The lines of a new version line, by the holders that its first manifest names. Later
    /// versions name none.
    pub(crate) fn royalties_of(
        &self,
        manifest: &Manifest,
        version: &VersionResult,
    ) -> Result<(), IndexError> {
        if manifest.royalty.is_empty() {
            return Ok(());
        }
        let line = self.line(version.line)?;
        for (declared, (number, _)) in manifest.royalty.iter().zip(line.royalty) {
            let own = key(&declared.holder, &[number]);
            self.write.open_table(OWN_ROYALTIES)?.insert(own.as_slice(), ())?;
        }
        Ok(())
    }

    /// A line has another holder.
    pub(crate) fn royalty_moved(
        &self,
        from: &AccountId,
        to: &AccountId,
        number: u64,
    ) -> Result<(), IndexError> {
        let mut own = self.write.open_table(OWN_ROYALTIES)?;
        own.remove(key(from, &[number]).as_slice())?;
        own.insert(key(to, &[number]).as_slice(), ())?;
        Ok(())
    }

    /// A line was bought: the price went the other way.
    pub(crate) fn royalty_sold(
        &mut self,
        acting: Acting,
        record: &BuyRoyalty,
        sale: &SaleResult,
    ) -> Result<(), IndexError> {
        self.royalty_moved(&sale.seller, &acting.account, record.royalty)?;
        let key = Key::Royalty(record.royalty);
        let royalty: Royalty = self.state.must("royalty line", record.royalty, &key)?;
        // The latest version depends on when this is asked, the first one does not.
        let capsule = Some(self.line(royalty.line)?.first);
        let (price, time) = (Amount::from(record.price), self.block.time);
        let sides = between(acting.account, sale.seller, EntryKind::Sale, price, time);
        let about = |(account, entry)| (account, StatementEntry { capsule, ..entry });
        self.enter(sides.into_iter().map(about))
    }

    fn line(&self, number: u64) -> Result<Line, IndexError> {
        Ok(self.state.must("version line", number, &Key::Line(number))?)
    }
}

/// All lines by the holders of a state. If blocks before it are taken in afterwards, the last
/// change of each line among them ends at the same holder.
pub(crate) fn fill(write: &WriteTransaction, state: &impl State) -> Result<(), IndexError> {
    let numbers: Numbers = state.must("numbers", "of this network", &Key::Numbers)?;
    let mut own = write.open_table(OWN_ROYALTIES)?;
    for number in 0..numbers.royalties {
        let royalty: Royalty = state.must("royalty line", number, &Key::Royalty(number))?;
        let holder = *royalty.holder.latest();
        let balance: Balance = state.must("account", holder, &Key::Balance(holder))?;
        own.insert(key(&balance.account, &[number]).as_slice(), ())?;
    }
    Ok(())
}
