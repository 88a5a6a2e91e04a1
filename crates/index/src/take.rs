//! Taking in one block: what its beginning and each of its operations mean for the index.

use crate::error::IndexError;
use crate::index::BlockInput;
use crate::movements::{Entries, between, call_entries, entry};
use crate::payout::{Facts, payouts};
use crate::rows::{AccountRow, BatchRow, ChannelRow, EntryKind, ReceiptEntry, StatementEntry};
use crate::tables::*;
use ambar_base::{AccountId, Amount, Cid, Decode, Encode, Price, codec};
use ambar_ledger::Key;
use ambar_ledger::object::{Balance, Node, Parameters, Version, reserved};
use ambar_ledger::query::State;
use ambar_ledger::result::{DrawnResult, EjectedResult, OperationResult};
use ambar_ledger::transaction::{
    Actor, Envelope, OpenChannel, Operation, Recall, Settle, SignedTransaction, Transfer,
};
use ambar_receipt::{Leaf, TransactionOutcome};
use redb::{ReadableTable, WriteTransaction};
use std::collections::BTreeMap;

/// A block on its way into the index.
pub(crate) struct Take<'a, S> {
    pub(crate) write: &'a WriteTransaction,
    pub(crate) block: BlockInput<'a>,
    pub(crate) state: &'a S,
    /// The rules that hold within the block.
    parameters: Parameters,
    ordinal: u32,
}

/// Who acts in a transaction.
#[derive(Clone, Copy)]
pub(crate) struct Acting {
    pub(crate) account: AccountId,
    outcome: u64,
    operation: u64,
}

impl<'a, S: State> Take<'a, S> {
    pub(crate) fn new(
        write: &'a WriteTransaction,
        block: BlockInput<'a>,
        state: &'a S,
    ) -> Result<Self, IndexError> {
        let governance = state.governance()?;
        // A change of this very block holds from the next one.
        let at = governance.parameters.at(block.height);
        let parameters = at.map_or(governance.parameters.latest(), |(parameters, _)| parameters);
        let parameters = parameters.clone();
        Ok(Self { write, block, state, parameters, ordinal: 0 })
    }

    pub(crate) fn run(mut self) -> Result<(), IndexError> {
        self.pay_out_channels()?;
        let block = self.block;
        for (index, transaction) in block.transactions.iter().enumerate() {
            let transaction: SignedTransaction = self.decode(transaction)?;
            let outcome = block.outcomes.get(index + 1);
            let outcome = outcome.ok_or_else(|| self.damaged("an outcome is missing"))?;
            let outcome: TransactionOutcome = self.decode(outcome)?;
            self.transaction(&transaction.envelope, &outcome, index as u64 + 1)?;
        }
        Ok(())
    }

    pub(crate) fn damaged(&self, reason: impl std::fmt::Display) -> IndexError {
        IndexError::Block { height: self.block.height, reason: reason.to_string() }
    }

    fn decode<T: Decode>(&self, bytes: &[u8]) -> Result<T, IndexError> {
        codec::decode(bytes).map_err(|error| self.damaged(error))
    }

    fn transaction(
        &mut self,
        envelope: &Envelope,
        outcome: &TransactionOutcome,
        index: u64,
    ) -> Result<(), IndexError> {
        let account = match &envelope.actor {
            Actor::Account(id) => *id,
            Actor::Node(number) => self.node_owner(*number)?,
            Actor::Nobody => return self.reported(outcome),
        };
        self.drew(envelope, outcome)?;
        self.fee(envelope.fee_payer.unwrap_or(account), outcome.fee)?;
        for (at, operation) in envelope.operations.iter().enumerate() {
            let result = outcome.results.get(at);
            let result = result.ok_or_else(|| self.damaged("a result is missing"))?;
            let result: OperationResult = self.decode(result)?;
            let acting = Acting { account, outcome: index, operation: at as u64 };
            self.operation(acting, operation, &result)?;
        }
        Ok(())
    }

    fn operation(
        &mut self,
        acting: Acting,
        operation: &Operation,
        result: &OperationResult,
    ) -> Result<(), IndexError> {
        match (operation, result) {
            (Operation::CreateAccount(record), OperationResult::Account(result)) => {
                let row = AccountRow { first: record.inception.first };
                self.put(ACCOUNTS, &key(&result.id, &[]), &row)
            }
            (Operation::Transfer(Transfer { to, amount }), _) => {
                let amount = Amount::from(*amount);
                self.between(acting.account, *to, EntryKind::Transfer, amount)
            }
            (Operation::Publish(record), OperationResult::Version(version)) => {
                self.published(acting, record, version)
            }
            (Operation::RegisterName(record), _) => self.named(record),
            (Operation::TransferRoyalty(record), _) => {
                self.royalty_moved(&acting.account, &record.to, record.royalty)
            }
            (Operation::BuyRoyalty(record), OperationResult::Sold(sale)) => {
                self.royalty_sold(acting, record, sale)
            }
            (Operation::Accept(record), OperationResult::Grant(number)) => {
                let key = key(&acting.account, &[*number]);
                self.write.open_table(OWN_GRANTS)?.insert(key.as_slice(), ())?;
                record.offer.map_or(Ok(()), |offer| self.offer_used(offer))
            }
            (_, OperationResult::Offer(number)) => self.offered(*number),
            (Operation::WithdrawTerms(number), _) => self.offer_used(*number),
            (Operation::OpenChannel(record), OperationResult::Channel(number)) => {
                self.open_channel(acting, *number, record)
            }
            (Operation::FundChannel(record), _) => {
                self.fund_channel(acting, record.channel, record.amount)
            }
            (Operation::CloseChannel(number), _) => {
                let due = self.block.height.after(self.parameters.settlement_window + 1);
                self.write.open_table(CLOSINGS)?.insert((due.0, *number), ())?;
                Ok(())
            }
            (Operation::RegisterNode(_), _) => {
                self.bond(acting, false, Amount::from(self.parameters.node_bond))
            }
            (Operation::RegisterValidator(_), _) => {
                self.bond(acting, false, Amount::from(self.parameters.validator_bond))
            }
            (
                Operation::Recall(Recall { department: id, .. }) | Operation::CloseDepartment(id),
                OperationResult::Recalled(amount),
            ) => self.between(*id, acting.account, EntryKind::Recall, *amount),
            (_, OperationResult::Withdrawn(bond)) => self.bond(acting, true, *bond),
            (_, OperationResult::Ejected(result)) => self.ejected(result),
            (Operation::Settle(settle), _) => self.settle(acting, settle),
            (_, OperationResult::Disputed(opened)) => self.disputed(acting, *opened),
            (_, OperationResult::DisputeClosed(closed)) => self.dispute_closed(closed),
            _ => Ok(()),
        }
    }

    /// What a department drew stands behind the results of its operations.
    fn drew(
        &mut self,
        envelope: &Envelope,
        outcome: &TransactionOutcome,
    ) -> Result<(), IndexError> {
        let Some(result) = outcome.results.get(envelope.operations.len()) else { return Ok(()) };
        match self.decode(result)? {
            OperationResult::Drawn(DrawnResult { organisation, department, amount }) => {
                self.between(organisation, department, EntryKind::Draw, amount)
            }
            other => Err(self.damaged(format!("a result of no operation: {other:?}"))),
        }
    }

    /// What nobody in particular reported: it cost nothing.
    fn reported(&mut self, outcome: &TransactionOutcome) -> Result<(), IndexError> {
        for result in &outcome.results {
            if let OperationResult::Ejected(result) = self.decode(result)? {
                self.ejected(&result)?;
            }
        }
        Ok(())
    }

    /// A bond that was the owner's is burned: it left the owner's balance long ago.
    fn ejected(&mut self, result: &EjectedResult) -> Result<(), IndexError> {
        let burn = AccountId::reserved(reserved::NAMES[0]);
        let entry = entry(EntryKind::Burn, true, result.burned, self.block.time);
        self.enter([(burn, StatementEntry { counterpart: Some(result.owner), ..entry })])
    }

    fn bond(&mut self, acting: Acting, incoming: bool, bond: Amount) -> Result<(), IndexError> {
        let entry = entry(EntryKind::Bond, incoming, bond, self.block.time);
        self.enter([(acting.account, entry)])
    }

    fn fee(&mut self, payer: AccountId, fee: Price) -> Result<(), IndexError> {
        let burned = fee.share(self.parameters.burn);
        let rest = Amount::from(fee).saturating_sub(burned);
        let time = self.block.time;
        let earned = |kind, amount| StatementEntry {
            counterpart: Some(payer),
            ..entry(kind, true, amount, time)
        };
        self.enter([
            (payer, entry(EntryKind::Fee, false, Amount::from(fee), time)),
            (AccountId::reserved(reserved::NAMES[0]), earned(EntryKind::Burn, burned)),
            (AccountId::reserved(reserved::NAMES[1]), earned(EntryKind::Network, rest)),
        ])
    }

    fn open_channel(
        &mut self,
        acting: Acting,
        number: u64,
        record: &OpenChannel,
    ) -> Result<(), IndexError> {
        let deposit = Amount::from(self.parameters.deposit);
        let row = ChannelRow { payer: acting.account, left: Amount::ZERO, deposit };
        self.write.open_table(CHANNELS)?.insert(number, row.to_bytes().as_slice())?;
        let own = key(&acting.account, &[number]);
        self.write.open_table(OWN_CHANNELS)?.insert(own.as_slice(), ())?;
        let deposits = AccountId::reserved(reserved::NAMES[2]);
        self.between(acting.account, deposits, EntryKind::Deposit, deposit)?;
        self.fund_channel(acting, number, record.amount)
    }

    fn fund_channel(
        &mut self,
        acting: Acting,
        number: u64,
        amount: Price,
    ) -> Result<(), IndexError> {
        let amount = Amount::from(amount);
        let row = self.channel(number)?;
        let left = row.left.checked_add(amount).ok_or_else(|| self.damaged("a sum overflows"))?;
        self.put_channel(number, &ChannelRow { left, ..row })?;
        let entry = entry(EntryKind::Channel, false, amount, self.block.time);
        self.enter([(acting.account, StatementEntry { channel: Some(number), ..entry })])
    }

    fn channel(&self, number: u64) -> Result<ChannelRow, IndexError> {
        let table = self.write.open_table(CHANNELS)?;
        let value = table.get(number)?;
        let value = value.ok_or_else(|| self.damaged(format!("channel {number} is not known")))?;
        self.decode(value.value())
    }

    fn put_channel(&self, number: u64, row: &ChannelRow) -> Result<(), IndexError> {
        self.write.open_table(CHANNELS)?.insert(number, row.to_bytes().as_slice())?;
        Ok(())
    }

    /// The beginning of the block gives back what is left of channels that are due.
    fn pay_out_channels(&mut self) -> Result<(), IndexError> {
        let mut due = Vec::new();
        {
            let closings = self.write.open_table(CLOSINGS)?;
            for row in closings.range(..(self.block.height.0 + 1, 0))? {
                due.push(row?.0.value());
            }
        }
        for (height, number) in due {
            let row = self.channel(number)?;
            let entry = entry(EntryKind::Channel, true, row.left, self.block.time);
            let entry = StatementEntry { channel: Some(number), ..entry };
            self.enter([(row.payer, entry)])?;
            let deposits = AccountId::reserved(reserved::NAMES[2]);
            self.between(deposits, row.payer, EntryKind::Deposit, row.deposit)?;
            self.write.open_table(CLOSINGS)?.remove((height, number))?;
            self.write.open_table(CHANNELS)?.remove(number)?;
        }
        Ok(())
    }

    fn settle(&mut self, acting: Acting, settle: &Settle) -> Result<(), IndexError> {
        let batch = (settle.batch.header.gateway, settle.batch.header.number);
        let facts: Option<Vec<Vec<u8>>> = self.state.object(&Key::Facts(batch))?;
        let facts = facts.ok_or(IndexError::FactsForgotten(batch.0, batch.1))?;
        let known = Facts::read(&facts)?;
        let (height, outcome) = (self.block.height, acting.outcome);
        let row = BatchRow { height, outcome, operation: acting.operation, facts };
        self.write.open_table(BATCHES)?.insert(batch, row.to_bytes().as_slice())?;
        let mut versions = BTreeMap::new();
        for (index, leaf) in settle.leaves.iter().enumerate() {
            self.leaf(leaf, batch, index as u64, &known, &mut versions)?;
        }
        Ok(())
    }

    fn leaf(
        &mut self,
        leaf: &Leaf,
        batch: (u64, u64),
        index: u64,
        facts: &Facts,
        versions: &mut BTreeMap<u64, Version>,
    ) -> Result<(), IndexError> {
        for line in &leaf.lines {
            if let std::collections::btree_map::Entry::Vacant(at) = versions.entry(line.version) {
                at.insert(self.state.must("version", line.version, &Key::Version(line.version))?);
            }
        }
        let no_payer = || self.damaged(format!("no fact about channel {}", leaf.channel));
        let payer = facts.payer(leaf.channel).ok_or_else(no_payer)?;
        let paid = payouts(leaf, facts, |number| Ok(versions[&number].plan.clone()))?;
        let capsule = |line: usize| -> Option<Cid> {
            leaf.lines.get(line).and_then(|line| versions.get(&line.version)).map(|v| v.id)
        };
        let id = (leaf.channel, leaf.n);
        self.enter(call_entries(id, payer, &paid, self.block.time, capsule))?;
        self.spend(leaf)?;
        let row =
            ReceiptEntry { leaf: leaf.clone(), payer, batch, index, height: self.block.height };
        self.write.open_table(RECEIPTS)?.insert(id, row.to_bytes().as_slice())?;
        let own = key(&payer, &[self.block.height.0, id.0, id.1]);
        self.write.open_table(PAID)?.insert(own.as_slice(), ())?;
        Ok(())
    }

    fn spend(&self, leaf: &Leaf) -> Result<(), IndexError> {
        let price = leaf.price().ok_or_else(|| self.damaged("a price overflows"))?;
        let row = self.channel(leaf.channel)?;
        let left = row.left.checked_sub(Amount::from(price));
        let left = left.ok_or_else(|| self.damaged("a channel is overspent"))?;
        self.put_channel(leaf.channel, &ChannelRow { left, ..row })
    }

    fn node_owner(&self, number: u64) -> Result<AccountId, IndexError> {
        let node: Node = self.state.must("node", number, &Key::Node(number))?;
        let balance: Balance = self.state.must("account", node.owner, &Key::Balance(node.owner))?;
        Ok(balance.account)
    }

    fn between(
        &mut self,
        from: AccountId,
        to: AccountId,
        kind: EntryKind,
        amount: Amount,
    ) -> Result<(), IndexError> {
        self.enter(between(from, to, kind, amount, self.block.time))
    }

    /// Numbers entries and keeps those above zero.
    pub(crate) fn enter(
        &mut self,
        entries: impl IntoIterator<Item = (AccountId, StatementEntry)>,
    ) -> Result<(), IndexError> {
        let entries: Entries = entries.into_iter().collect();
        for (account, entry) in entries {
            if entry.amount.is_zero() {
                continue;
            }
            let key = entry_key(&account, self.block.height, self.ordinal);
            self.put(STATEMENTS, &key, &entry)?;
            self.ordinal += 1;
        }
        Ok(())
    }

    fn put(
        &self,
        table: redb::TableDefinition<'_, Bytes, Bytes>,
        key: &[u8],
        row: &impl Encode,
    ) -> Result<(), IndexError> {
        self.write.open_table(table)?.insert(key, row.to_bytes().as_slice())?;
        Ok(())
    }
}
