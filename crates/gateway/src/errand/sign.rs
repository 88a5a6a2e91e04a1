//! How a serving node's signature gets into a batch: the gateway shows it the lines that it
//! served, as they will settle, and the node compares them with what it kept.
//!
//! **Invariant**: a node signs a root only over lines each of which it has served for this very
//! gateway, with no more counted than it counted itself.

use super::served::{Served, ServedLog};
use super::wire::{SignAnswer, SignRequest};
use super::{Errands, SIGN_PATH};
use crate::archive::ArchiveError;
use crate::peers::{Peer, Peers};
use ambar_base::codec;
use ambar_base::{Encode, PublicKey, Signature, tree};
use ambar_receipt::ServedLine;
use ambar_receipt::batch::BATCH_LEAVES_MAX;
use ambar_receipt::leaf::LINES_MAX;
use bytes::Bytes;
use futures::StreamExt;
use std::time::Duration;

/// How long a gateway waits for a node's signature.
pub const SIGN_WAIT: Duration = Duration::from_secs(2);
/// Longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why a gateway has no signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// The node is not there, or does not answer: later, perhaps.
    Absent(String),
    /// It will not sign lines of these calls: (channel, number).
    Unknown(Vec<(u64, u64)>),
}

/// Asks a node for its signature.
///
/// # Errors
/// [`Unsigned`].
pub async fn signature_of(
    peers: &dyn Peers,
    node: &Peer,
    request: &SignRequest,
) -> Result<Signature, Unsigned> {
    let absent = |why: String| Unsigned::Absent(why);
    let asked = async {
        let body = Bytes::from(request.to_bytes());
        let mut answer = peers.post(node, SIGN_PATH, body).await.map_err(|e| absent(e.message))?;
        let mut bytes = Vec::new();
        while let Some(piece) = answer.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| absent(error.message))?);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(absent("its answer is too long".into()));
            }
        }
        codec::decode(&bytes).map_err(|error| absent(error.to_string()))
    };
    let answer = tokio::time::timeout(SIGN_WAIT, asked).await;
    match answer.map_err(|_| absent("it does not answer".into()))?? {
        SignAnswer::Signed(signature) => Ok(signature),
        SignAnswer::Unknown(calls) => Err(Unsigned::Unknown(calls)),
        SignAnswer::Refused(why) => Err(absent(why)),
    }
}

impl Errands {
    /// Signs a gateway's lines, if they are what this node has served.
    #[must_use]
    pub fn sign(&self, peer: &PublicKey, body: &[u8]) -> SignAnswer {
        let refused = |why: &str| SignAnswer::Refused(why.to_owned());
        let Ok(request) = codec::decode::<SignRequest>(body) else {
            return refused("the request does not read");
        };
        if !self.is_gateway(peer, request.gateway) {
            return refused("the gateway's key is another one");
        }
        if request.served.len() > BATCH_LEAVES_MAX * LINES_MAX {
            return refused("these are more lines than a batch has");
        }
        let hashes = request.served.iter().map(ServedLine::hash).collect();
        let SignRequest { lines, served, .. } = &request;
        let is_root = lines.lines == served.len() as u64 && lines.root == tree::root_of(hashes);
        if lines.node != self.node() || !is_root {
            return refused("the root is not that of these lines of this node");
        }
        match unknown(self.log(), &request) {
            Err(error) => refused(&error.to_string()),
            Ok(unknown) if !unknown.is_empty() => SignAnswer::Unknown(unknown),
            Ok(_) => {
                let batch = (request.gateway, request.batch);
                SignAnswer::Signed(lines.sign(self.network(), batch, self.key()))
            }
        }
    }
}

/// The calls whose lines are not what was served.
fn unknown(log: &ServedLog, request: &SignRequest) -> Result<Vec<(u64, u64)>, ArchiveError> {
    let mut unknown = Vec::new();
    for served in &request.served {
        let kept = log.get((served.channel, served.n, served.index))?;
        if !kept.is_some_and(|kept| is_covered(request.gateway, served, &kept)) {
            unknown.push((served.channel, served.n));
        }
    }
    unknown.dedup();
    Ok(unknown)
}

fn is_covered(gateway: u64, served: &ServedLine, kept: &Served) -> bool {
    let (line, call) = (&served.line, &kept.certificate.call);
    let same = (line.node, line.version, line.grant) == (call.node, call.version, call.grant);
    same && gateway == call.gateway && line.counters.within(&kept.counters)
}
