//! What each operation does.

mod accounts;
mod certificates;
mod channels;
pub(crate) mod departments;
mod disputes;
mod grants;
mod leases;
mod lineage;
mod nodes;
mod offers;
mod ownership;
mod pools;
mod publish;
mod records;
mod recovery;
mod revocation;
mod trade;
mod validators;

pub(crate) use validators::report;

use crate::execution::Party;
use crate::refusal::{Gather, Stop};
use crate::result::OperationResult;
use crate::settle;
use crate::transaction::Operation;
use crate::view::View;
use ambar_base::Encode;

/// Executes operations in order; their encoded results. While keys are missing the rest
/// is executed too, so that the number of rounds is that of one operation.
pub(crate) fn operations(
    view: &mut View<'_>,
    party: &Party,
    operations: &[Operation],
) -> Result<Vec<Vec<u8>>, Stop> {
    let mut gather = Gather::default();
    let mut results = Vec::with_capacity(operations.len());
    for one in operations {
        let result = gather.take(operation(view, party, one))?;
        results.extend(result.map(|result| result.to_bytes()));
    }
    gather.finish().map(|()| results)
}

/// Executes one operation for a party.
fn operation(
    view: &mut View<'_>,
    party: &Party,
    operation: &Operation,
) -> Result<OperationResult, Stop> {
    match operation {
        Operation::CreateAccount(record) => accounts::create(view, record),
        Operation::RotateKeys(record) => accounts::rotate(view, party, record),
        Operation::Transfer(record) => accounts::transfer(view, party, record),
        Operation::BeginRecovery(record) => recovery::begin(view, record),
        Operation::CancelRecovery => recovery::cancel(view, party),
        Operation::FinishRecovery(account) => recovery::finish(view, account),
        Operation::Publish(record) => publish::publish(view, party, record),
        Operation::RegisterName(record) => ownership::register_name(view, party, record),
        Operation::TransferLine(record) => ownership::transfer_line(view, party, record),
        Operation::TransferRoyalty(record) => trade::transfer(view, party, record),
        Operation::OfferRoyalty(record) => trade::offer(view, party, record),
        Operation::WithdrawOffer(number) => trade::withdraw(view, party, *number),
        Operation::BuyRoyalty(record) => trade::buy(view, party, record),
        Operation::Accept(record) => grants::accept(view, party, record),
        Operation::RevokeGrant(number) => grants::revoke(view, party, *number),
        Operation::OpenChannel(record) => channels::open(view, party, record),
        Operation::FundChannel(record) => channels::fund(view, party, record),
        Operation::CloseChannel(number) => channels::close(view, party, *number),
        Operation::RevokeCertificate(record) => certificates::revoke(view, party, record),
        Operation::TakeLease(record) => leases::take(view, party, record),
        Operation::ReturnLease(record) => leases::give_back(view, party, record),
        Operation::RegisterNode(record) => nodes::register(view, party, record),
        Operation::SetAsk(record) => nodes::set_ask(view, party, record),
        Operation::SetEndpoint(record) => nodes::set_endpoint(view, party, record),
        Operation::AllowServing(record) => nodes::allow_serving(view, party, record),
        Operation::Settle(record) => settle::settle(view, party.node, record),
        Operation::SetParameters(record) => nodes::set_parameters(view, party, record),
        Operation::PublishTariff(bytes) => nodes::publish_tariff(view, party, bytes),
        Operation::RegisterValidator(record) => validators::register(view, party, record),
        Operation::RetireValidator => validators::retire(view, party),
        Operation::WithdrawBond => validators::withdraw(view, party),
        Operation::RankValidators(keys) => validators::rank(view, party, keys),
        Operation::ReportConflict(evidence) => report(view, evidence),
        Operation::CreateDepartment(record) => departments::create(view, party, record),
        Operation::SetBudget(record) => departments::set_budget(view, party, record),
        Operation::SetMembers(record) => departments::set_members(view, party, record),
        Operation::Recall(record) => departments::recall(view, party, record),
        Operation::CloseDepartment(id) => departments::close(view, party, id),
        Operation::RevokeGrantFor(record) => revocation::revoke(view, party, record),
        Operation::OpenDispute(record) => disputes::open(view, party, record),
        Operation::ResolveDispute(record) => disputes::resolve(view, party, record),
        Operation::WithdrawDispute(number) => disputes::withdraw(view, party, *number),
        Operation::LapseDispute(number) => disputes::lapse(view, *number),
        Operation::OfferTerms(record) => offers::make(view, party, record),
        Operation::WithdrawTerms(number) => offers::withdraw(view, party, *number),
        Operation::CreatePool(record) => pools::create(view, party, record),
        Operation::JoinPool(record) => pools::join(view, party, record),
        Operation::LeavePool(pool) => pools::leave(view, party, *pool),
        Operation::SubmitRecord(record) => records::submit(view, party, record),
        Operation::RevealRecord(record) => records::reveal(view, party, record),
        Operation::ReviewRecord(record) => records::review(view, party, record),
        Operation::WithdrawRecord(record) => records::withdraw(view, party, record),
        Operation::ProposeRules(record) => pools::propose(view, party, record),
        Operation::VoteRules(record) => pools::vote(view, party, record),
    }
}
