//! Entries of statements as values: both sides of a movement.

use crate::payout::Payout;
use crate::rows::{EntryKind, StatementEntry};
use ambar_base::{AccountId, Amount, Cid, Moment, Price};
use ambar_ledger::Genesis;
use ambar_ledger::genesis::{Allocation, GenesisValidator};
use ambar_receipt::Payee;

/// Entries in the order in which they are numbered.
pub(crate) type Entries = Vec<(AccountId, StatementEntry)>;

/// The entry of a movement without its details.
pub(crate) fn entry(
    kind: EntryKind,
    incoming: bool,
    amount: Amount,
    time: Moment,
) -> StatementEntry {
    let (receipt, counterpart, capsule, channel) = (None, None, None, None);
    StatementEntry { kind, incoming, amount, time, receipt, counterpart, capsule, channel }
}

/// What genesis gave, and what of it went into the bonds of validators, at time 0.
pub(crate) fn genesis_entries(genesis: &Genesis) -> Entries {
    let at = |key, kind, incoming, amount: Price| {
        (genesis.account(key), entry(kind, incoming, Amount::from(amount), Moment(0)))
    };
    let given = |one: &Allocation| at(one.key, EntryKind::Genesis, true, one.amount);
    let bonds = |one: &GenesisValidator| at(one.owner, EntryKind::Bond, false, one.bond);
    let given = genesis.allocations.iter().map(given);
    given.chain(genesis.validators.iter().map(bonds)).collect()
}

/// A movement between two accounts.
pub(crate) fn between(
    from: AccountId,
    to: AccountId,
    kind: EntryKind,
    amount: Amount,
    time: Moment,
) -> Entries {
    let side = |incoming, other| StatementEntry {
        counterpart: Some(other),
        ..entry(kind, incoming, amount, time)
    };
    vec![(from, side(false, to)), (to, side(true, from))]
}

/// What a payout is called in a statement.
fn kind_of(payee: Payee) -> EntryKind {
    match payee {
        Payee::Royalty(_) => EntryKind::Royalty,
        Payee::Contributor(..) => EntryKind::Contribution,
        Payee::Treasury(_) => EntryKind::Treasury,
        Payee::Node(_) => EntryKind::Node,
        Payee::Network => EntryKind::Network,
        Payee::Burn => EntryKind::Burn,
    }
}

/// The entries of a call's payouts: what one account earns in one role from one line is
/// one entry. `capsule` gives the version of a line.
pub(crate) fn call_entries(
    receipt: (u64, u64),
    payer: AccountId,
    payouts: &[Payout],
    time: Moment,
    capsule: impl Fn(usize) -> Option<Cid>,
) -> Entries {
    let mut entries: Vec<(Option<usize>, AccountId, StatementEntry)> = Vec::new();
    for Payout { line, payee, account, amount } in payouts {
        let kind = kind_of(*payee);
        let same = |(at, to, known): &&mut (Option<usize>, AccountId, StatementEntry)| {
            at == line && to == account && known.kind == kind
        };
        if let Some((.., known)) = entries.iter_mut().find(same) {
            // Both are parts of one price.
            known.amount.0 += amount.0;
            continue;
        }
        let entry = StatementEntry {
            receipt: Some(receipt),
            counterpart: Some(payer),
            capsule: line.and_then(&capsule),
            channel: Some(receipt.0),
            ..entry(kind, true, *amount, time)
        };
        entries.push((*line, *account, entry));
    }
    entries.into_iter().map(|(_, account, entry)| (account, entry)).collect()
}
