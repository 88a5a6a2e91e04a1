//! Signatures of other nodes under a batch: each signs the lines that it has served.
//!
//! **Invariant**: a node that is not there delays only the calls it served, and the payer of
//! such a call pays nothing if the node stays away for half the settlement window.

use super::{Settler, Trouble};
use crate::call::ReceiptId;
use crate::errand::sign::{Unsigned, signature_of};
use crate::errand::wire::SignRequest;
use crate::peers::Peer;
use crate::record::Metered;
use crate::view::LedgerView;
use ambar_base::{PublicKey, Signature};
use ambar_ledger::Key;
use ambar_ledger::object::{Endpoint, Node};
use ambar_ledger::query::State as _;
use ambar_receipt::{BatchHeader, Leaf, NodeLines, ServedLine};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Nodes that are not there, and the calls that wait for each.
pub type Absent = BTreeMap<u64, Vec<Arc<Metered>>>;

/// The signatures under a header, in its order, and by which keys.
pub(super) struct Cosigned {
    pub keys: Vec<PublicKey>,
    pub signatures: Vec<Signature>,
}

fn served_by(call: &Metered, node: u64) -> bool {
    call.leaf.lines.iter().any(|line| line.node == node)
}

impl Settler {
    fn absent(&self) -> MutexGuard<'_, Absent> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that waits for an absent node: they are asked again.
    pub(super) fn take_absent(&self) -> Vec<Arc<Metered>> {
        std::mem::take(&mut *self.absent()).into_values().flatten().collect()
    }

    pub(super) fn note_absent(&self, node: u64) {
        self.absent().entry(node).or_default();
    }

    /// The calls that wait for nobody; the others are set aside.
    pub(super) fn without_absent(&self, calls: Vec<Arc<Metered>>) -> Vec<Arc<Metered>> {
        let mut absent = self.absent();
        if absent.is_empty() {
            return calls;
        }
        let mut left = Vec::with_capacity(calls.len());
        for call in calls {
            let waits = absent.iter_mut().find(|(node, _)| served_by(&call, **node));
            match waits {
                Some((_, waiting)) => waiting.push(call),
                None => left.push(call),
            }
        }
        left
    }

    /// The same calls, those voided that a node has let wait for too long.
    pub(super) async fn overdue(
        &self,
        calls: Vec<Arc<Metered>>,
        stop: &CancellationToken,
    ) -> Vec<Arc<Metered>> {
        let Ok((view, _)) = self.now() else { return calls };
        let window = view.governance().map(|rules| rules.parameters.latest().settlement_window);
        let half = window.unwrap_or(u64::MAX) / 2;
        let height = view.head().height.0;
        let nodes: Vec<u64> = self.absent().keys().copied().collect();
        let mut left = Vec::with_capacity(calls.len());
        for call in calls {
            let waits = nodes.iter().any(|node| served_by(&call, *node));
            let over = height.saturating_sub(call.leaf.admitted.0) > half;
            left.push(match waits && over {
                true => self.void(&call, "the node that served it is not there", stop).await,
                false => call,
            });
        }
        left
    }

    /// The same calls, those voided that a node will not sign for.
    pub(super) async fn unserved(
        &self,
        calls: Vec<Arc<Metered>>,
        unserved: &BTreeSet<ReceiptId>,
        stop: &CancellationToken,
    ) -> Vec<Arc<Metered>> {
        let why = "a node does not know what it is said to have served";
        let mut left = Vec::with_capacity(calls.len());
        for call in calls {
            left.push(match unserved.contains(&call.receipt()) {
                true => self.void(&call, why, stop).await,
                false => call,
            });
        }
        left
    }

    /// Signs this node's lines, and has the other nodes sign theirs.
    pub(super) async fn cosigned(
        &self,
        view: &LedgerView,
        header: &BatchHeader,
        leaves: &[Leaf],
    ) -> Result<Cosigned, Trouble> {
        let signed = header.nodes.iter().map(|lines| self.signed(view, header, lines, leaves));
        let signed = futures::future::try_join_all(signed).await?;
        let (keys, signatures) = signed.into_iter().unzip();
        Ok(Cosigned { keys, signatures })
    }

    async fn signed(
        &self,
        view: &LedgerView,
        header: &BatchHeader,
        lines: &NodeLines,
        leaves: &[Leaf],
    ) -> Result<(PublicKey, Signature), Trouble> {
        let batch = (header.gateway, header.number);
        if lines.node == self.node {
            return Ok((self.key.public(), lines.sign(self.network, batch, &self.key)));
        }
        let absent = |why: &str| {
            tracing::warn!(node = lines.node, why, "a node has not signed its lines");
            Trouble::Absent(lines.node)
        };
        let peer = peer(view, lines.node).ok_or_else(|| absent("it is reached nowhere"))?;
        let served = leaves.iter().flat_map(|leaf| {
            let own = |index: &usize| leaf.lines[*index].node == lines.node;
            (0..leaf.lines.len()).filter(own).filter_map(|index| ServedLine::of(leaf, index))
        });
        let request = SignRequest {
            gateway: header.gateway,
            batch: header.number,
            lines: lines.clone(),
            served: served.collect(),
        };
        match signature_of(&*self.peers, &peer, &request).await {
            Ok(signature) if lines.verify(self.network, batch, &peer.key, &signature).is_ok() => {
                Ok((peer.key, signature))
            }
            Ok(_) => Err(absent("its signature does not verify")),
            Err(Unsigned::Absent(why)) => Err(absent(&why)),
            Err(Unsigned::Unknown(calls)) => Err(unknown(&calls, leaves, &absent)),
        }
    }
}

/// What to do about calls that a node does not know. Names that are not in the batch say nothing.
fn unknown(calls: &[(u64, u64)], leaves: &[Leaf], absent: &dyn Fn(&str) -> Trouble) -> Trouble {
    let named = |leaf: &&Leaf| calls.contains(&(leaf.channel, leaf.n));
    let unserved = leaves.iter().filter(named);
    let unserved: BTreeSet<ReceiptId> =
        unserved.map(|leaf| ReceiptId { channel: leaf.channel, n: leaf.n }).collect();
    if unserved.is_empty() {
        absent("it names no line of its own")
    } else {
        Trouble::Unserved(unserved)
    }
}

fn peer(view: &LedgerView, number: u64) -> Option<Peer> {
    let node: Node = view.object(&Key::Node(number)).ok()??;
    let endpoint: Endpoint = view.object(&Key::Endpoint(number)).ok()??;
    Some(Peer { address: endpoint.address, key: node.key })
}
