//! A node's first start: its owner's account and its place on the ledger.

use crate::config::ASK_DEFAULT;
use crate::error::NodeError;
use crate::home::Home;
use crate::submit::Signatory;
use ambar_base::{Inception, Price, SecretKey};
use ambar_consensus::Consensus;
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::query::State;
use ambar_ledger::transaction::{Operation, RegisterNode, Transfer};

/// What a development network's faucet gives a new operator besides the bond.
const OPERATOR_CREDITS: Price = Price(1_000 * Price::CREDIT.0);

/// The node's number, after registering it if need be and possible.
pub(crate) async fn node_number(home: &Home, consensus: &dyn Consensus) -> Result<u64, NodeError> {
    let key = Key::NodeNumber(home.node_key.public());
    if let Some(number) = LedgerView::latest(consensus)?.object(&key)? {
        return Ok(number);
    }
    let governance = LedgerView::latest(consensus)?.governance()?;
    if !governance.development || !is_faucet(home, consensus)? {
        return Err(NodeError::NotRegistered);
    }
    let operator = home.operator()?;
    let bond = governance.parameters.latest().node_bond;
    fund_operator(home, &operator, bond, consensus).await?;
    register(home, &operator, consensus).await?;
    LedgerView::latest(consensus)?.object(&key)?.ok_or(NodeError::NotRegistered)
}

/// Whether this home's validator key opened an account at genesis.
fn is_faucet(home: &Home, consensus: &dyn Consensus) -> Result<bool, NodeError> {
    let key = Key::FirstKey(home.validator.public());
    Ok(LedgerView::latest(consensus)?.object::<u64>(&key)?.is_some())
}

async fn fund_operator(
    home: &Home,
    operator: &SecretKey,
    bond: Price,
    consensus: &dyn Consensus,
) -> Result<(), NodeError> {
    let known = Key::FirstKey(operator.public());
    if LedgerView::latest(consensus)?.object::<u64>(&known)?.is_some() {
        return Ok(());
    }
    let network = home.genesis.network();
    let inception = Inception::single(operator.public()).sign(network, operator);
    let to = inception.inception.id(network);
    let amount = Price(OPERATOR_CREDITS.0.saturating_add(bond.0));
    let operations =
        vec![Operation::CreateAccount(inception), Operation::Transfer(Transfer { to, amount })];
    let faucet = Signatory { network, key: &home.validator };
    faucet.act(consensus, operations).await.map(drop)
}

async fn register(
    home: &Home,
    operator: &SecretKey,
    consensus: &dyn Consensus,
) -> Result<(), NodeError> {
    let network = home.genesis.network();
    let ask = home.config()?.ask.unwrap_or(ASK_DEFAULT);
    let owner = Inception::single(operator.public()).id(network);
    let record = RegisterNode::new(network, &home.node_key, &owner, ask);
    let operator = Signatory { network, key: operator };
    operator.act(consensus, vec![Operation::RegisterNode(record)]).await.map(drop)
}
