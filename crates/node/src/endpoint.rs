//! Saying on the ledger where other nodes reach this one.
//!
//! A node says it when it starts and whenever the ledger says something else: its address may
//! have changed while it was away. On a development network a node that was told nothing says
//! where it listens; elsewhere it says nothing, and is asked by nobody.

use crate::config::Config;
use ambar_consensus::Consensus;
use ambar_gateway::Gateway;
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object::Endpoint;
use ambar_ledger::query::State as _;
use ambar_ledger::transaction::{Operation, SetEndpoint};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long to wait before it is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// What a node says of where it is reached.
pub(crate) fn endpoint(config: &Config, listens: SocketAddr, development: bool) -> Option<String> {
    config.endpoint.clone().or_else(|| development.then(|| listens.to_string()))
}

/// Says it, until the ledger does.
pub(crate) async fn announce(
    gateway: Gateway,
    consensus: Arc<dyn Consensus>,
    node: u64,
    address: Option<String>,
    stop: CancellationToken,
) {
    let said = || {
        let view = LedgerView::latest(&*consensus).ok()?;
        view.object::<Endpoint>(&Key::Endpoint(node)).ok()
    };
    loop {
        if said().is_some_and(|known| known.map(|known| known.address) == address) {
            return;
        }
        let say = Operation::SetEndpoint(SetEndpoint { node, address: address.clone() });
        let saying = stop.run_until_cancelled(gateway.act(say)).await;
        let Some(saying) = saying else { return };
        if let Err(error) = saying {
            tracing::warn!(error = error.message, "where this node is reached cannot be said");
            if stop.run_until_cancelled(tokio::time::sleep(RETRY_DELAY)).await.is_none() {
                return;
            }
        }
    }
}
