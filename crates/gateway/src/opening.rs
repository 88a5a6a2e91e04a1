//! Opening a call's certificate on the newest state that this node has.

use crate::call::CallError;
use crate::certificate::{CertificateError, Certificates, Opened};
use crate::view::LedgerView;
use ambar_base::{Digest, PublicKey};
use ambar_consensus::Consensus;
use ambar_ledger::Key;
use ambar_ledger::object::{Channel, Numbers, Revocations};
use ambar_ledger::query::State as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// How long a call waits for its channel.
const CHANNEL_PATIENCE: Duration = Duration::from_secs(2);
/// How many channels other nodes may have seen opened that this one has not.
const CHANNELS_AHEAD_MAX: u64 = 1_024;

/// The newest state, and a certificate that is good on it.
pub(crate) async fn opened(
    consensus: &dyn Consensus,
    certificates: &Certificates,
    token: &str,
) -> Result<(LedgerView, Arc<Opened>), CallError> {
    let (view, opened) = presented(consensus, certificates, token).await?;
    match revoked(&view, opened.channel, opened.blocks.iter().map(|block| &block.id))? {
        Some(block) => Err(CallError::of(&CertificateError::Revoked(block))),
        None => Ok((view, opened)),
    }
}

/// The first of a certificate's blocks that is revoked.
pub(crate) fn revoked<'a>(
    view: &LedgerView,
    channel: u64,
    mut blocks: impl Iterator<Item = &'a Digest>,
) -> Result<Option<usize>, CallError> {
    let found: Option<Revocations> = view
        .object(&Key::Revocations(channel))
        .map_err(|error| CallError::new(error.code, error.message))?;
    Ok(found.and_then(|revocations| blocks.position(|block| revocations.names(block))))
}

/// A certificate that verifies, be it revoked or not. A client may come with a channel that it
/// saw opened at a node that is a block ahead of this one: such a channel is waited for.
pub(crate) async fn presented(
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
