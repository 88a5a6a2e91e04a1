//! Which offers of terms there are for a version line, and to an account.
//!
//! **Invariant**: after the last block that was taken in, each offer of the ledger stands here
//! once at its line, and once at its account if it is to one. None other does.

use crate::error::IndexError;
use crate::index::Index;
use crate::queries::ROWS_MAX;
use crate::tables::{LINE_OFFERS, OFFERS, OFFERS_TO, key};
use crate::take::Take;
use ambar_base::{AccountId, Encode, codec, record};
use ambar_ledger::Key;
use ambar_ledger::object::{Balance, Numbers, Offer};
use ambar_ledger::query::State;
use redb::WriteTransaction;

record! {
    /// Where an offer stands.
    #[derive(Copy)]
    pub(crate) struct OfferRow {
        /// The version line.
        line: u64,
        /// Who may accept it; nothing: anybody.
        to: Option<AccountId>,
    }
}

impl<S: State> Take<'_, S> {
    /// Terms were offered. Later operations of the same block may have ended the offer.
    pub(crate) fn offered(&self, number: u64) -> Result<(), IndexError> {
        match row(self.state, number)? {
            Some(row) => insert(self.write, number, &row),
            None => Ok(()),
        }
    }

    /// An offer was withdrawn or accepted: it may be gone.
    pub(crate) fn offer_used(&self, number: u64) -> Result<(), IndexError> {
        if self.state.object::<Offer>(&Key::Offer(number))?.is_some() {
            return Ok(());
        }
        let row: Option<OfferRow> = {
            let mut offers = self.write.open_table(OFFERS)?;
            let value = offers.remove(number)?;
            let row = value.map(|value| codec::decode(value.value())).transpose();
            row.map_err(|error| self.damaged(error))?
        };
        let Some(OfferRow { line, to }) = row else { return Ok(()) };
        self.write.open_table(LINE_OFFERS)?.remove((line, number))?;
        if let Some(to) = to {
            self.write.open_table(OFFERS_TO)?.remove(key(&to, &[number]).as_slice())?;
        }
        Ok(())
    }
}

fn row(state: &impl State, number: u64) -> Result<Option<OfferRow>, IndexError> {
    let Some(Offer { line, to, .. }) = state.object(&Key::Offer(number))? else { return Ok(None) };
    let account = |to: u64| state.must::<Balance>("account", to, &Key::Balance(to));
    let to = to.map(account).transpose()?.map(|balance| balance.account);
    Ok(Some(OfferRow { line, to }))
}

fn insert(write: &WriteTransaction, number: u64, row: &OfferRow) -> Result<(), IndexError> {
    write.open_table(OFFERS)?.insert(number, row.to_bytes().as_slice())?;
    write.open_table(LINE_OFFERS)?.insert((row.line, number), ())?;
    if let Some(to) = row.to {
        write.open_table(OFFERS_TO)?.insert(key(&to, &[number]).as_slice(), ())?;
    }
    Ok(())
}

/// All offers of a state.
pub(crate) fn fill(write: &WriteTransaction, state: &impl State) -> Result<(), IndexError> {
    let numbers: Numbers = state.must("numbers", "of this network", &Key::Numbers)?;
    for number in 0..numbers.offers {
        if let Some(row) = row(state, number)? {
            insert(write, number, &row)?;
        }
    }
    Ok(())
}

impl Index {
    /// The numbers of the offers for a version line, newest first.
    pub fn offers_of(&self, line: u64) -> Result<Vec<u64>, IndexError> {
        let table = self.read()?.open_table(LINE_OFFERS)?;
        let rows = table.range((line, 0)..=(line, u64::MAX))?.rev();
        rows.take(ROWS_MAX).map(|row| Ok(row?.0.value().1)).collect()
    }

    /// The numbers of the offers to an account, newest first.
    pub fn offers_to(&self, account: &AccountId) -> Result<Vec<u64>, IndexError> {
        self.owned(OFFERS_TO, account)
    }
}
