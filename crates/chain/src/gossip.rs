//! Spreading transactions among validators, so that whoever leads next proposes them.
//!
//! **Invariant**: what peers send is admitted like anything else before it is kept, and is
//! not spread further: a committee is fully connected.

use crate::types::Key;
use ambar_consensus::core::Core;
use bytes::Bytes;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::{Handle, Spawner};
use futures::future::{Either, select};
use std::sync::Arc;

/// Runs until the network ends.
pub(crate) fn start<E: Spawner, S, R>(
    runtime: E,
    core: Arc<Core>,
    (mut sender, mut receiver): (S, R),
) -> Handle<()>
where
    S: Sender<PublicKey = Key>,
    R: Receiver<PublicKey = Key>,
{
    runtime.spawn(move |_| async move {
        let mut to_spread = core.to_spread().await;
        loop {
            let next = {
                let spread = std::pin::pin!(to_spread.recv());
                let heard = std::pin::pin!(receiver.recv());
                match select(spread, heard).await {
                    Either::Left((Some(transaction), _)) => Next::Spread(transaction),
                    Either::Right((Ok((_, message)), _)) => Next::Heard(message.into()),
                    Either::Left((None, _)) | Either::Right((Err(_), _)) => return,
                }
            };
            match next {
                Next::Spread(transaction) => {
                    sender.send(Recipients::All, transaction, false);
                }
                Next::Heard(transaction) => core.hear(&[transaction]),
            }
        }
    })
}

enum Next {
    Spread(Bytes),
    Heard(Bytes),
}
