//! A node's first start: its owner's account and its place on the ledger.
//!
//! A node that does not make all blocks itself first waits until the network makes some: what
//! it acts on must be the state of now, and its registration is final only by a quorum's votes.

use crate::config::ASK_DEFAULT;
use crate::error::NodeError;
use crate::home::Home;
use crate::progress::{Gauge, Phase};
use crate::submit::Signatory;
use ambar_base::{Inception, Price, SecretKey};
use ambar_consensus::{Consensus, system_clock};
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::query::State;
use ambar_ledger::transaction::{Operation, RegisterNode, Transfer};

/// What a development network's faucet gives a new operator besides the bond.
const OPERATOR_CREDITS: Price = Price(1_000 * Price::CREDIT.0);

/// The node's number, after registering it if need be and possible.
pub(crate) async fn node_number(
    home: &Home,
    consensus: &dyn Consensus,
    gauge: &Gauge,
) -> Result<u64, NodeError> {
    if let Some(number) = registered(home, consensus)? {
        return Ok(number);
    }
    // A node that joined a network of one is not that one: its ledger comes from there.
    let own = [home.validator.public()];
    let alone = home.genesis.committee().is_none_or(|committee| committee.seats() == own);
    if !alone {
        let busy = gauge.begin(None);
        busy.at(Phase::Network, 0, 0);
        wait_for_blocks(consensus).await;
    }
    if let Some(number) = registered(home, consensus)? {
        return Ok(number);
    }
    let operator = home.operator()?;
    pay_for(home, &operator, consensus).await?;
    register(home, &operator, consensus).await?;
    registered(home, consensus)?.ok_or(NodeError::NotRegistered)
}

fn registered(home: &Home, consensus: &dyn Consensus) -> Result<Option<u64>, NodeError> {
    let key = Key::NodeNumber(home.node_key.public());
    Ok(LedgerView::latest(consensus)?.object(&key)?)
}

/// Waits for a block that was made after the node began to wait: whatever its operator did at
/// other nodes before the start is in it. Networks make blocks while nothing happens too.
async fn wait_for_blocks(consensus: &dyn Consensus) {
    let (mut head, now) = (consensus.watch(), system_clock()());
    // The engine lives as long as its caller waits.
    let _ = head.wait_for(|head| head.time >= now).await;
}

/// Makes sure that the operator has an account that can pay the node's bond.
async fn pay_for(
    home: &Home,
    operator: &SecretKey,
    consensus: &dyn Consensus,
) -> Result<(), NodeError> {
    if has_account(operator, consensus)? {
        return Ok(());
    }
    let governance = LedgerView::latest(consensus)?.governance()?;
    if !governance.development || !has_account(&home.validator, consensus)? {
        return Err(NodeError::NotRegistered);
    }
    let bond = governance.parameters.latest().node_bond;
    fund_operator(home, operator, bond, consensus).await
}

/// Whether a key opened an account.
fn has_account(key: &SecretKey, consensus: &dyn Consensus) -> Result<bool, NodeError> {
    let key = Key::FirstKey(key.public());
    Ok(LedgerView::latest(consensus)?.object::<u64>(&key)?.is_some())
}

async fn fund_operator(
    home: &Home,
    operator: &SecretKey,
    bond: Price,
    consensus: &dyn Consensus,
) -> Result<(), NodeError> {
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
