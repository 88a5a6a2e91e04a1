//! Which disputes are about which call, grant and node, and what they moved.

use crate::error::IndexError;
use crate::index::Index;
use crate::movements::entry;
use crate::queries::ROWS_MAX;
use crate::rows::{EntryKind, StatementEntry};
use crate::tables::DISPUTES;
use crate::take::{Acting, Take};
use ambar_base::AccountId;
use ambar_ledger::Key;
use ambar_ledger::object::{Claim, Dispute, DisputeBook, reserved};
use ambar_ledger::query::State;
use ambar_ledger::result::{DisputeClosed, DisputeOpened};
use redb::WriteTransaction;

/// What disputes are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A call: channel and sequence number.
    Receipt(u64, u64),
    /// A grant that was breached.
    Grant(u64),
    /// A node that counted too much.
    Node(u64),
}

impl Subject {
    const fn place(self) -> (u8, u64, u64) {
        match self {
            Self::Receipt(channel, n) => (0, channel, n),
            Self::Grant(number) => (1, number, 0),
            Self::Node(number) => (2, number, 0),
        }
    }
}

/// The subjects of a dispute.
fn subjects(dispute: &Dispute) -> impl Iterator<Item = Subject> {
    let (channel, n) = dispute.receipt;
    let grant = match dispute.claim {
        Claim::Breach(grant) => Some(Subject::Grant(grant)),
        Claim::Overstated(_) | Claim::Misattributed(_) => None,
    };
    [Subject::Receipt(channel, n)].into_iter().chain(grant).chain(dispute.node.map(Subject::Node))
}

fn list(write: &WriteTransaction, number: u64, dispute: &Dispute) -> Result<(), IndexError> {
    let mut table = write.open_table(DISPUTES)?;
    for subject in subjects(dispute) {
        let (kind, a, b) = subject.place();
        table.insert((kind, a, b, number), ())?;
    }
    Ok(())
}

impl<S: State> Take<'_, S> {
    /// A claim was made: the claimant set its deposit aside.
    pub(crate) fn disputed(
        &mut self,
        acting: Acting,
        opened: DisputeOpened,
    ) -> Result<(), IndexError> {
        let number = opened.number;
        // What a dispute is about never changes.
        let dispute: Dispute = self.state.must("dispute", number, &Key::Dispute(number))?;
        list(self.write, number, &dispute)?;
        let deposits = AccountId::reserved(reserved::NAMES[2]);
        self.about(&dispute, acting.account, deposits, opened.deposit)
    }

    /// A claim was decided or taken back: its deposit goes to whom it is due, and what is paid
    /// back comes out of a bond, which left its owner's balance long ago.
    pub(crate) fn dispute_closed(&mut self, closed: &DisputeClosed) -> Result<(), IndexError> {
        let number = closed.number;
        let dispute: Dispute = self.state.must("dispute", number, &Key::Dispute(number))?;
        let deposits = AccountId::reserved(reserved::NAMES[2]);
        self.about(&dispute, deposits, closed.to, closed.deposit)?;
        let refund = entry(EntryKind::Refund, true, closed.refund, self.block.time);
        self.enter([(closed.claimant, of(&dispute, refund))])
    }

    fn about(
        &mut self,
        dispute: &Dispute,
        from: AccountId,
        to: AccountId,
        amount: ambar_base::Amount,
    ) -> Result<(), IndexError> {
        let time = self.block.time;
        let sides = crate::movements::between(from, to, EntryKind::Deposit, amount, time);
        self.enter(sides.into_iter().map(|(account, entry)| (account, of(dispute, entry))))
    }
}

fn of(dispute: &Dispute, mut entry: StatementEntry) -> StatementEntry {
    entry.receipt = Some(dispute.receipt);
    entry.capsule = Some(dispute.capsule);
    entry.channel = Some(dispute.receipt.0);
    entry
}

/// All disputes of a state.
pub(crate) fn fill(write: &WriteTransaction, state: &impl State) -> Result<(), IndexError> {
    let book: DisputeBook = state.object(&Key::DisputeBook)?.unwrap_or_default();
    for number in 0..book.next {
        let dispute: Dispute = state.must("dispute", number, &Key::Dispute(number))?;
        list(write, number, &dispute)?;
    }
    Ok(())
}

impl Index {
    /// The numbers of disputes about something, newest first.
    pub fn disputes(&self, subject: Subject, limit: usize) -> Result<Vec<u64>, IndexError> {
        let table = self.read()?.open_table(DISPUTES)?;
        let (kind, a, b) = subject.place();
        let rows = table.range((kind, a, b, 0)..=(kind, a, b, u64::MAX))?.rev();
        rows.take(limit.min(ROWS_MAX)).map(|row| Ok(row?.0.value().3)).collect()
    }
}
