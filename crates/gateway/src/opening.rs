//! Opening a call's certificate on the newest state that this node has.

use crate::call::CallError;
use crate::certificate::{CertificateError, Certificates, Opened};
use crate::view::LedgerView;
use ambar_base::PublicKey;
use ambar_consensus::Consensus;
use ambar_ledger::Key;
use ambar_ledger::object::{Channel, Numbers};
use ambar_ledger::query::State as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// How long a call waits for its channel.
const CHANNEL_PATIENCE: Duration = Duration::from_secs(2);
/// How many channels other nodes may have seen opened that this one has not.
const CHANNELS_AHEAD_MAX: u64 = 1_024;

/// The newest state, and a certificate that is good on it. A client may come with a channel
/// that it saw opened at a node that is a block ahead of this one: such a channel is waited for.
pub(crate) async fn opened(
    consensus: &dyn Consensus,
    certificates: &Certificates,
    token: &str,
) -> Result<(LedgerView, Arc<Opened>), CallError> {
    let mut head = consensus.watch();
    let mut patience = pin!(tokio::time::sleep(CHANNEL_PATIENCE));
    loop {
        head.mark_unchanged();
        let view = LedgerView::latest(consensus).map_err(|error| CallError::of(&error))?;
        let refused = match certificates.open(token, |channel| session(&view, channel)) {
            Ok(opened) => return Ok((view, opened)),
            Err(error) => error,
        };
        let goes_on = may_be_ahead(&view, &refused)
            && tokio::select! {
                changed = head.changed() => changed.is_ok(),
                () = &mut patience => false,
            };
        if !goes_on {
            return Err(CallError::of(&refused));
        }
    }
}

fn session(view: &LedgerView, channel: u64) -> Option<PublicKey> {
    let channel: Option<Channel> = view.object(&Key::Channel(channel)).ok()?;
    channel.map(|channel| channel.session_key)
}

/// Whether a channel is missing here that the next blocks may open.
fn may_be_ahead(view: &LedgerView, refused: &CertificateError) -> bool {
    let CertificateError::ChannelUnknown(channel) = refused else { return false };
    let numbers: Option<Numbers> = view.object(&Key::Numbers).ok().flatten();
    let next = numbers.map_or(0, |numbers| numbers.channels);
    (next..next.saturating_add(CHANNELS_AHEAD_MAX)).contains(channel)
}
