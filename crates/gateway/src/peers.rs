//! Other nodes, as the gateway reaches them. How is somebody else's work: whoever wires a node
//! together gives a [`Peers`] whose connections are authenticated by node keys on both sides.

use ambar_base::PublicKey;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

/// Where a node is, and the key that it must show there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Host and port.
    pub address: String,
    /// Its key on the ledger.
    pub key: PublicKey,
}

/// What another node answers, piece by piece.
pub type PeerBody = BoxStream<'static, Result<Bytes, PeerFailure>>;

/// Why another node does not answer, or not to the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PeerFailure {
    /// What happened, for people.
    pub message: String,
}

/// Requests to other nodes.
pub trait Peers: Send + Sync + 'static {
    /// Posts a body to a path of another node. Dropping the answer cancels the request there.
    fn post(
        &self,
        to: &Peer,
        path: &'static str,
        body: Bytes,
    ) -> BoxFuture<'_, Result<PeerBody, PeerFailure>>;
}
