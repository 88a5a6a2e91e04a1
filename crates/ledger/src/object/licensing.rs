//! Grants and what is counted on them, channels and their certificates.

use crate::object::Version;
use crate::sequence::Sequence;
use ambar_base::{Amount, Cid, Digest, Height, Moment, Price, PublicKey, record};

record! {
    /// Terms accepted by a licensee.
    pub struct Grant {
        /// Who accepted them.
        pub licensee: u64,
        /// For which version line.
        pub line: u64,
        /// Which terms.
        pub terms: Cid,
        /// When.
        pub accepted: Moment,
        /// At which height.
        pub height: Height,
        /// From which height it no longer holds.
        pub revoked: Option<Height>,
        /// The territory that the licensee declared, an assigned code of ISO 3166-1 alpha-2.
        pub territory: Option<String>,
        /// The height at which a dispute about a breach of it was upheld first.
        pub breach: Option<Height>,
        /// The published terms of the versions that it holds for: its own, unless these were
        /// offered beside them.
        pub of: Cid,
        /// Least that a call under its terms earns, nano-credit.
        pub least: Price,
    }
}

record! {
    /// The channels that name a grant and are not closed. It is kept for grants whose terms let
    /// the owner end them where nothing backs them.
    #[derive(Default)]
    pub struct Backing {
        /// By number, ascending.
        pub channels: Vec<u64>,
    }
}

record! {
    /// What is counted on a grant in one period of its quota, over all gateways.
    #[derive(Copy, Default)]
    pub struct QuotaCount {
        /// Calls that settled.
        pub calls: u64,
        /// Royalty and node fee of their lines under the grant, nano-credit.
        pub spend: Price,
        /// Calls that leases hold.
        pub calls_leased: u64,
        /// Nano-credit that leases hold.
        pub spend_leased: Price,
        /// Calls per unit of the terms' rate that leases hold.
        pub rate_leased: u32,
    }
}

record! {
    /// What one gateway may still settle under a grant in one period of its quota.
    #[derive(Copy, Default)]
    pub struct Lease {
        /// Calls.
        pub calls: u64,
        /// Royalty and node fee, nano-credit.
        pub spend: Price,
        /// Calls that the gateway may admit within each unit of the terms' rate.
        pub rate: u32,
        /// The first height at which it admits no call any more.
        pub until: Height,
    }
}

record! {
    /// Money set aside for calls through one gateway.
    pub struct Channel {
        /// Who pays.
        pub payer: u64,
        /// The key that roots certificates.
        pub session_key: PublicKey,
        /// The gateway, by node number.
        pub gateway: u64,
        /// The grants it may be used with, ascending.
        pub grants: Vec<u64>,
        /// Most nano-credit per MU, royalty and node fee together, of any line.
        pub unit_price_max: Price,
        /// No call is admitted from then on.
        pub expires: Moment,
        /// Everything ever put in.
        pub funded: Amount,
        /// What calls took out.
        pub spent: Amount,
        /// Which sequence numbers have settled.
        pub settled: Sequence,
        /// At which height closing was asked for.
        pub closing: Option<Height>,
        /// What is given back with the remainder.
        pub deposit: Amount,
        /// The most that may ever have been spent, nano-credit, as the session key has signed;
        /// nothing: as the gateway says, up to what was put in.
        pub vouched: Option<Price>,
    }
}

record! {
    /// Which certificates of a channel are no longer good.
    #[derive(Default)]
    pub struct Revocations {
        /// By the block's digest, ascending, each once.
        pub blocks: Vec<Revocation>,
    }
}

record! {
    /// A block of a certificate that is revoked, and with it every certificate that has it.
    #[derive(Copy)]
    pub struct Revocation {
        /// The digest of the block's revocation id.
        pub block: Digest,
        /// Calls admitted from this height on are refused.
        pub height: Height,
    }
}

impl Grant {
    /// Whether its terms govern a version: one of the line that is published under the terms
    /// that stood there when it was accepted, whose parents get no less than theirs ask.
    #[must_use]
    pub fn covers(&self, version: &Version) -> bool {
        self.line == version.line && self.of == version.terms && self.least >= version.least
    }
}

impl Revocations {
    /// Whether a block is revoked.
    #[must_use]
    pub fn names(&self, block: &Digest) -> bool {
        self.place(block).is_ok()
    }

    /// From which height on a block's calls are refused, if they are.
    #[must_use]
    pub fn since(&self, block: &Digest) -> Option<Height> {
        self.place(block).ok().map(|place| self.blocks[place].height)
    }

    /// Where a block stands, or would stand.
    pub(crate) fn place(&self, block: &Digest) -> Result<usize, usize> {
        self.blocks.binary_search_by(|known| known.block.cmp(block))
    }
}

impl Channel {
    /// What calls may still take.
    #[must_use]
    pub fn remaining(&self) -> Amount {
        self.funded.saturating_sub(self.spent)
    }
}
