//! What a node asks of the ledger besides settling, in the node's own name.
//!
//! A node's transactions are numbered: whoever settles sends these too, one after another.

use crate::call::CallError;
use ambar_base::ErrorCode;
use ambar_consensus::Committed;
use ambar_ledger::Operation;
use tokio::sync::{mpsc, oneshot};

/// How many wait.
const ASKS_MAX: usize = 1_024;

/// An operation that somebody waits for.
pub(crate) struct Ask {
    /// What is asked.
    pub(crate) operation: Operation,
    /// Who waits.
    pub(crate) answer: oneshot::Sender<Result<Committed, CallError>>,
}

/// Where asks are handed in.
#[derive(Clone)]
pub(crate) struct Desk(mpsc::Sender<Ask>);

/// A desk, and who takes from it.
pub(crate) fn desk() -> (Desk, mpsc::Receiver<Ask>) {
    let (sender, receiver) = mpsc::channel(ASKS_MAX);
    (Desk(sender), receiver)
}

impl Desk {
    /// Asks for an operation, and waits until it is final.
    pub(crate) async fn ask(&self, operation: Operation) -> Result<Committed, CallError> {
        let (answer, waiting) = oneshot::channel();
        let full = |_| CallError::new(ErrorCode::Overloaded, "too much is asked of the ledger");
        self.0.try_send(Ask { operation, answer }).map_err(full)?;
        let closing = |_| CallError::new(ErrorCode::ShuttingDown, "this node is shutting down");
        waiting.await.map_err(closing)?
    }
}
