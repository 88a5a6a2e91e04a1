//! What each operation does.

mod accounts;
mod channels;
mod grants;
mod nodes;
mod ownership;
mod publish;

use crate::execution::Party;
use crate::refusal::Stop;
use crate::result::OperationResult;
use crate::settle;
use crate::transaction::Operation;
use crate::view::View;

/// Executes one operation for a party.
pub(crate) fn operation(
    view: &mut View<'_>,
    party: &Party,
    operation: &Operation,
) -> Result<OperationResult, Stop> {
    match operation {
        Operation::CreateAccount(record) => accounts::create(view, record),
        Operation::RotateKeys(record) => accounts::rotate(view, party, record),
        Operation::Transfer(record) => accounts::transfer(view, party, record),
        Operation::Publish(record) => publish::publish(view, party, record),
        Operation::RegisterName(record) => ownership::register_name(view, party, record),
        Operation::TransferLine(record) => ownership::transfer_line(view, party, record),
        Operation::TransferRoyalty(record) => ownership::transfer_royalty(view, party, record),
        Operation::Accept(record) => grants::accept(view, party, record),
        Operation::RevokeGrant(number) => grants::revoke(view, party, *number),
        Operation::OpenChannel(record) => channels::open(view, party, record),
        Operation::FundChannel(record) => channels::fund(view, party, record),
        Operation::CloseChannel(number) => channels::close(view, party, *number),
        Operation::RegisterNode(record) => nodes::register(view, party, record),
        Operation::SetAsk(record) => nodes::set_ask(view, party, record),
        Operation::AllowServing(record) => nodes::allow_serving(view, party, record),
        Operation::Settle(record) => settle::settle(view, party.node, record),
        Operation::SetParameters(record) => nodes::set_parameters(view, party, record),
        Operation::PublishTariff(bytes) => nodes::publish_tariff(view, party, bytes),
    }
}
