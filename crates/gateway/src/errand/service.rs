//! The serving node's side: it looks at what a gateway asks with its own eyes, on its own state
//! of the ledger, works, and keeps what it has served before it says so.

use super::served::{LinePlace, ServedLog};
use super::wire::{Cancel, Done, Errand, Work};
use super::work::refusal;
use crate::archive::ArchiveError;
use crate::call::CallError;
use crate::route::{Part, Router, ledger, refuse};
use crate::serving::Serving;
use crate::supply::Answers;
use crate::view::LedgerView;
use ambar_base::{Digest, ErrorCode, Height, NetworkId, Price, PublicKey, SecretKey, codec};
use ambar_consensus::{Clock, Consensus};
use ambar_ledger::Key;
use ambar_ledger::object::{Channel, Node, Version};
use ambar_ledger::query::State as _;
use ambar_receipt::{OneCall, SignedOneCall, bill};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Frames that wait for a gateway that reads slowly.
const FRAMES_MAX: usize = 256;
/// Errands under way; past it more are refused.
pub const ERRANDS_MAX: usize = 4_096;
/// How long an errand waits for the block that its call was admitted on.
const BLOCK_PATIENCE: Duration = Duration::from_secs(2);

/// What serving for others needs.
pub struct ErrandsSettings {
    /// The network.
    pub network: NetworkId,
    /// This node's number.
    pub node: u64,
    /// This node's key.
    pub key: SecretKey,
    /// The clock.
    pub clock: Clock,
}

struct Inside {
    settings: ErrandsSettings,
    consensus: Arc<dyn Consensus>,
    serving: Arc<Serving>,
    log: ServedLog,
    under_way: Mutex<BTreeMap<LinePlace, CancellationToken>>,
    stop: CancellationToken,
}

/// What this node does for other gateways. Clones share everything.
#[derive(Clone)]
pub struct Errands(Arc<Inside>);

/// An errand that may run.
pub(super) struct Admitted {
    pub errands: Errands,
    pub certificate: SignedOneCall,
    pub part: Part,
    /// Whose call it is.
    pub payer: u64,
    pub cancel: CancellationToken,
    pub patience: Option<Duration>,
}

impl Answers for Admitted {}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.errands.lock().remove(&place(&self.certificate.call));
    }
}

fn place(call: &OneCall) -> LinePlace {
    (call.channel, call.n, call.line)
}

impl Errands {
    /// Opens what this node keeps of errands, in the gateway's directory.
    ///
    /// # Errors
    /// What the log's file fails with.
    pub fn open(
        directory: &Path,
        settings: ErrandsSettings,
        consensus: Arc<dyn Consensus>,
        serving: Arc<Serving>,
        stop: CancellationToken,
    ) -> Result<Self, ArchiveError> {
        let engine = Arc::clone(&consensus);
        let oldest = move || oldest(&*engine).unwrap_or_default();
        let log = ServedLog::open(&directory.join("served.redb"), oldest)?;
        let under_way = Mutex::default();
        Ok(Self(Arc::new(Inside { settings, consensus, serving, log, under_way, stop })))
    }

    pub(super) fn log(&self) -> &ServedLog {
        &self.0.log
    }

    pub(super) fn node(&self) -> u64 {
        self.0.settings.node
    }

    pub(super) fn network(&self) -> NetworkId {
        self.0.settings.network
    }

    pub(super) fn key(&self) -> &SecretKey {
        &self.0.settings.key
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LinePlace, CancellationToken>> {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> Result<LedgerView, CallError> {
        LedgerView::latest(&*self.0.consensus).map_err(|error| CallError::of(&error))
    }

    /// Whether a key is that of the gateway with a number.
    pub(super) fn is_gateway(&self, peer: &PublicKey, number: u64) -> bool {
        let node = self.view().ok().and_then(|view| view.object::<Node>(&Key::Node(number)).ok());
        node.flatten().is_some_and(|node| node.key == *peer)
    }

    /// Does an errand for the gateway whose key has opened the connection. Dropping the frames
    /// ends the work.
    #[must_use]
    pub fn run(&self, peer: PublicKey, body: Vec<u8>) -> mpsc::Receiver<Bytes> {
        let (frames, receiver) = mpsc::channel(FRAMES_MAX);
        let errands = self.clone();
        tokio::spawn(async move {
            let last = match errands.admit(&peer, &body).await {
                Ok((admitted, work)) => admitted.work(work, &frames).await,
                Err(error) => refusal(&error, Done::default()),
            };
            // Whoever went away does not want to know.
            let _ = frames.send(last.packed().into()).await;
        });
        receiver
    }

    /// Ends an errand before its time, for the gateway that asked for it.
    pub fn cancel(&self, peer: &PublicKey, body: &[u8]) {
        let Ok(Cancel { channel, n, line }) = codec::decode(body) else { return };
        let of_peer = || {
            let channel: Channel = self.view().ok()?.object(&Key::Channel(channel)).ok()??;
            self.is_gateway(peer, channel.gateway).then_some(())
        };
        if of_peer().is_some()
            && let Some(cancel) = self.lock().get(&(channel, n, line))
        {
            cancel.cancel();
        }
    }

    async fn admit(&self, peer: &PublicKey, body: &[u8]) -> Result<(Admitted, Work), CallError> {
        let unread = |error: codec::DecodeError| {
            CallError::new(ErrorCode::RequestInvalid, format!("the errand does not read: {error}"))
        };
        let Errand { certificate, work, patience_ms } = codec::decode(body).map_err(unread)?;
        let call = &certificate.call;
        if call.node != self.node() || Digest::of(&work) != call.work {
            return refuse(ErrorCode::AudienceMismatch, "the errand is for another node or work");
        }
        if certificate.verify(self.network(), peer).is_err() {
            return refuse(ErrorCode::SignatureInvalid, "the errand is not the gateway's own");
        }
        if !call.is_current((self.0.settings.clock)()) {
            return refuse(ErrorCode::ClockSkew, "the errand is too old, or of the future");
        }
        let view = self.view_at(call.admitted).await?;
        let (part, payer) = self.part(&view, peer, call)?;
        let work = codec::decode(&work).map_err(unread)?;
        let cancel = self.enter(call, &work)?;
        let patience = patience_ms.map(Duration::from_millis);
        let errands = self.clone();
        Ok((Admitted { errands, certificate, part, payer, cancel, patience }, work))
    }

    /// A state that has the block on which the gateway admitted the call.
    async fn view_at(&self, height: Height) -> Result<LedgerView, CallError> {
        let mut head = self.0.consensus.watch();
        let there = head.wait_for(|head| head.height >= height);
        let waited = tokio::time::timeout(BLOCK_PATIENCE, there).await.is_ok();
        if !waited {
            let message = "this node's last final block is older than the call";
            return refuse(ErrorCode::LedgerStale, message);
        }
        self.view()
    }

    /// The part that is asked for, if this node may serve it and will be paid.
    fn part(
        &self,
        view: &LedgerView,
        peer: &PublicKey,
        call: &OneCall,
    ) -> Result<(Part, u64), CallError> {
        let node: Node =
            view.must("node", call.gateway, &Key::Node(call.gateway)).map_err(ledger)?;
        let channel: Channel =
            view.must("channel", call.channel, &Key::Channel(call.channel)).map_err(ledger)?;
        if node.key != *peer || channel.gateway != call.gateway {
            return refuse(ErrorCode::AudienceMismatch, "the channel is open to another gateway");
        }
        if channel.closing.is_some() {
            return refuse(ErrorCode::ChannelClosed, "the channel is closing");
        }
        if channel.remaining() < call.price_max.into() {
            return refuse(ErrorCode::ChannelEmpty, "the channel cannot pay for the errand");
        }
        let version: Version =
            view.must("capsule", call.version, &Key::Version(call.version)).map_err(ledger)?;
        let inside = &*self.0;
        let router = Router {
            view,
            serving: &inside.serving,
            node: inside.settings.node,
            now: call.time,
            elsewhere: false,
        };
        let part = router.served(call.version, version, call.grant)?;
        if !part.grant.covers(&part.version) || part.grant.revoked.is_some() {
            return refuse(ErrorCode::GrantMissing, "the grant is not for this capsule any more");
        }
        let tariff = router.tariff()?;
        let cost = bill::line_bill(&call.bound, &part.price, &tariff, part.ask_max()).ok();
        let cost = cost.and_then(|bill| bill.royalty.checked_add(bill.node_fee));
        if cost.is_none_or(|cost: Price| cost > call.price_max) {
            let message = "the errand may cost more than its certificate allows";
            return refuse(ErrorCode::PriceAboveLimit, message);
        }
        Ok((part, channel.payer))
    }

    /// A line is served once. What its answer quotes may be looked up after that.
    fn enter(&self, call: &OneCall, work: &Work) -> Result<CancellationToken, CallError> {
        let place = place(call);
        let kept = self.0.log.get(place).map_err(|error| CallError::of(&error))?;
        if kept.is_some() != matches!(work, Work::Trace(_) | Work::Replay(_)) {
            return refuse(ErrorCode::IdempotencyConflict, "the line was served, or was not yet");
        }
        let mut under_way = self.lock();
        if under_way.len() >= ERRANDS_MAX {
            return refuse(ErrorCode::Overloaded, "too many errands are under way");
        }
        if under_way.contains_key(&place) {
            return refuse(ErrorCode::IdempotencyConflict, "the line is being served");
        }
        let cancel = self.0.stop.child_token();
        under_way.insert(place, cancel.clone());
        Ok(cancel)
    }
}

/// The admission height below which nothing can settle any more.
fn oldest(consensus: &dyn Consensus) -> Option<Height> {
    let view = LedgerView::latest(consensus).ok()?;
    let window = view.governance().ok()?.parameters.latest().settlement_window;
    Some(Height(view.head().height.0.saturating_sub(window)))
}
