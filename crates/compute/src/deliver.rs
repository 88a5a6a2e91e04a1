//! Hands text to the listener and counts it; the one place where an engine
//! that runs on tokio, of this crate or another, waits for a slow reader.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::engine::{Event, Usage};

/// Sends `text` unless it is empty, and counts its bytes once they are sent.
/// False: nobody wants it, the job is cancelled.
pub async fn deliver(
    text: String,
    usage: &mut Usage,
    events: &mpsc::Sender<Event>,
    cancel: &CancellationToken,
) -> bool {
    if text.is_empty() {
        return true;
    }
    let bytes = text.len() as u64;
    let sent = tokio::select! {
        biased;
        sent = events.send(Event::Text(text)) => sent.is_ok(),
        () = cancel.cancelled() => false,
    };
    if sent {
        usage.bytes_out += bytes;
    }
    sent
}
