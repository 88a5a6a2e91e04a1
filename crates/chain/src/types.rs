//! The engine's types under the house's names, and a block as the engine carries it.
//!
//! **Invariant**: a decoded block's transactions are those that its header commits to, and
//! its consensus context is its header's: whoever has the digest has the block.

use crate::state::{SyncTarget, sync_target};
use ambar_base::codec::decode;
use ambar_base::finality::{BlockHeader, Round};
use ambar_base::{Digest, Encode as _, PublicKey};
use ambar_consensus::block::root_of;
use ambar_consensus::settings::BlockLimits;
use bytes::Bytes;
use commonware_codec::{
    Buf, DecodeExt as _, EncodeSize, Error as CodecError, FixedSize, Read, ReadExt as _, Write,
};
use commonware_consensus::simplex::scheme::ed25519;
use commonware_consensus::simplex::types::{Context as SimplexContext, Finalization};
use commonware_consensus::types::{Epoch, Height, Round as SimplexRound, View};
use commonware_consensus::{Block, BoundedBlock, CertifiableBlock, Heightable};
use commonware_cryptography::Digestible;
use commonware_runtime::BufMut;

/// A digest as the engine has it.
pub type Sha = commonware_cryptography::sha256::Digest;
/// A validator's key as the engine has it.
pub type Key = commonware_cryptography::ed25519::PublicKey;
/// How validators vote. Another scheme is another alias: nothing else names one.
pub type Scheme = ed25519::Scheme;
/// Where a block stands in consensus.
pub type Context = SimplexContext<Sha, Key>;
/// A quorum's votes that make a block final.
pub type Votes = Finalization<Scheme, Sha>;

/// Longest header, bytes.
const HEADER_BYTES_MAX: usize = 1_024;

/// A block as the engine carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainBlock {
    header: BlockHeader,
    encoded: Bytes,
    digest: Sha,
    context: Context,
    target: SyncTarget,
    transactions: Vec<Bytes>,
}

/// A key of ours as the engine has it.
pub fn key(key: &PublicKey) -> Result<Key, CodecError> {
    Key::decode(Bytes::copy_from_slice(&key.0))
}

/// A key of the engine as ours.
pub fn our_key(key: &Key) -> PublicKey {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key.as_ref());
    PublicKey(bytes)
}

/// A digest of ours as the engine has it.
pub fn sha(digest: &Digest) -> Sha {
    Sha::from(digest.0)
}

/// A digest of the engine as ours.
pub fn our_digest(digest: &Sha) -> Digest {
    let mut bytes = [0; Digest::BYTES];
    bytes.copy_from_slice(digest.as_ref());
    Digest(bytes)
}

/// Where a context places a block.
pub fn our_round(context: &Context) -> Round {
    Round {
        epoch: context.round.epoch().get(),
        view: context.round.view().get(),
        parent_view: context.parent.0.get(),
        leader: our_key(&context.leader),
    }
}

impl ChainBlock {
    /// A block of this content. Nothing if the header's leader is no key or its state no
    /// range of operations.
    pub fn new(header: BlockHeader, transactions: Vec<Bytes>) -> Option<Self> {
        let round = &header.round;
        let context = Context {
            round: SimplexRound::new(Epoch::new(round.epoch), View::new(round.view)),
            leader: key(&round.leader).ok()?,
            parent: (View::new(round.parent_view), sha(&header.parent)),
        };
        let encoded = Bytes::from(header.to_bytes());
        let digest = sha(&header.digest());
        let target = sync_target(&header.state)?;
        Some(Self { header, encoded, digest, context, target, transactions })
    }

    /// Its header.
    pub fn header(&self) -> &BlockHeader {
        &self.header
    }

    /// What it commits to of the state's database.
    pub fn target(&self) -> &SyncTarget {
        &self.target
    }

    /// Its transactions in their order.
    pub fn transactions(&self) -> &[Bytes] {
        &self.transactions
    }
}

impl Write for ChainBlock {
    fn write(&self, buf: &mut impl BufMut) {
        write_bytes(&self.encoded, buf);
        write_length(self.transactions.len(), buf);
        self.transactions.iter().for_each(|transaction| write_bytes(transaction, buf));
    }
}

impl EncodeSize for ChainBlock {
    fn encode_size(&self) -> usize {
        let bytes = |bytes: &Bytes| u32::SIZE + bytes.len();
        bytes(&self.encoded) + u32::SIZE + self.transactions.iter().map(bytes).sum::<usize>()
    }
}

fn write_length(length: usize, buf: &mut impl BufMut) {
    // Block limits are far below; a longer block would not decode anywhere.
    buf.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

fn write_bytes(bytes: &Bytes, buf: &mut impl BufMut) {
    write_length(bytes.len(), buf);
    buf.put_slice(bytes);
}

fn read_bytes(buf: &mut impl Buf, max: usize) -> Result<Bytes, CodecError> {
    let length = u32::read(buf)? as usize;
    if length > max {
        return Err(CodecError::InvalidLength(length));
    }
    if buf.remaining() < length {
        return Err(CodecError::EndOfBuffer);
    }
    Ok(buf.copy_to_bytes(length))
}

const NAME: &str = "ambar::ChainBlock";

impl Read for ChainBlock {
    type Cfg = BlockLimits;

    fn read_cfg(buf: &mut impl Buf, limits: &BlockLimits) -> Result<Self, CodecError> {
        let encoded = read_bytes(buf, HEADER_BYTES_MAX)?;
        let header: BlockHeader = decode(&encoded)
            .map_err(|_| CodecError::Invalid(NAME, "the header does not decode"))?;
        let count = u32::read(buf)? as usize;
        if count > limits.transactions_max {
            return Err(CodecError::InvalidLength(count));
        }
        let mut left = limits.bytes_max;
        let mut transactions = Vec::new();
        for _ in 0..count {
            let transaction = read_bytes(buf, left)?;
            left -= transaction.len();
            transactions.push(transaction);
        }
        if root_of(&transactions) != header.transactions_root {
            return Err(CodecError::Invalid(NAME, "the header commits to other transactions"));
        }
        Self::new(header, transactions)
            .ok_or(CodecError::Invalid(NAME, "the leader or the state is unsound"))
    }
}

impl BoundedBlock for ChainBlock {
    fn max_encode_size(limits: &BlockLimits) -> usize {
        let lengths = (limits.transactions_max + 2) * u32::SIZE;
        lengths + HEADER_BYTES_MAX + limits.bytes_max
    }
}

impl Digestible for ChainBlock {
    type Digest = Sha;

    fn digest(&self) -> Sha {
        self.digest
    }
}

impl Heightable for ChainBlock {
    fn height(&self) -> Height {
        Height::new(self.header.height.0)
    }
}

impl Block for ChainBlock {
    fn parent(&self) -> Sha {
        self.context.parent.1
    }
}

impl CertifiableBlock for ChainBlock {
    type Context = Context;

    fn context(&self) -> Context {
        self.context.clone()
    }
}
