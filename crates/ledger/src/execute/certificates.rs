//! Ending certificates before their time.
//!
//! The ledger has never seen a certificate and never sees one: leaves name neither its blocks
//! nor its holder. It keeps which blocks of a channel's certificates are revoked, so that every
//! reader of the state knows; the channel's gateway, which sees every block, refuses the calls.

use crate::execution::Party;
use crate::key::Key;
use crate::object::{Channel, Revocation, Revocations};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::RevokeCertificate;
use crate::view::View;
use ambar_base::{Digest, ErrorCode};

/// Most blocks that are revoked in one channel.
pub const REVOCATIONS_MAX: usize = 1_024;

/// The payer may end any certificate of the channel. Whoever holds one asks the gateway, which
/// has seen it; a gateway that ends what nobody gave back only refuses its own work.
pub(super) fn revoke(
    view: &mut View<'_>,
    party: &Party,
    record: &RevokeCertificate,
) -> Result<OperationResult, Stop> {
    let RevokeCertificate { channel: number, block } = record;
    let key = Key::Revocations(*number);
    view.require([Key::Channel(*number), key.clone()])?;
    let channel: Channel = view.named("channel", number, &Key::Channel(*number))?;
    let entitled = match party.node {
        Some(node) => node == channel.gateway,
        None => party.account == channel.payer,
    };
    if !entitled {
        let message = format!("channel {number} is between other parties");
        return Err(Refusal::new(ErrorCode::NotAuthorised, message).into());
    }
    let mut revocations = view.get::<Revocations>(&key)?.unwrap_or_default();
    let revocation = Revocation { block: Digest::of(&block.0), height: view.block.height.after(1) };
    let Err(place) = revocations.place(&revocation.block) else {
        return Ok(OperationResult::Done);
    };
    if revocations.blocks.len() >= REVOCATIONS_MAX {
        let message = format!(
            "{REVOCATIONS_MAX} certificates of channel {number} are revoked: close the channel"
        );
        return Err(Refusal::new(ErrorCode::LimitExceeded, message).into());
    }
    revocations.blocks.insert(place, revocation);
    view.put(&key, &revocations);
    Ok(OperationResult::Done)
}
