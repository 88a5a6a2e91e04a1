//! What is asked of grants, channels, certificates and quotas.

use ambar_base::{Cid, Moment, Price, PublicKey, Signature, record};

record! {
    /// See [`Operation::Accept`](super::Operation::Accept).
    pub struct Accept {
        /// A version of the line.
        pub version: Cid,
        /// The terms that were read: refused if the version or the offer has others.
        pub terms: Cid,
        /// Where the licensee uses the capsule: an assigned code of ISO 3166-1 alpha-2.
        pub territory: Option<String>,
        /// The offer of the terms, by number; nothing: the terms are the version's own.
        pub offer: Option<u64>,
    }
}

record! {
    /// See [`Operation::OpenChannel`](super::Operation::OpenChannel).
    pub struct OpenChannel {
        /// The key that roots certificates.
        pub session_key: PublicKey,
        /// The gateway's key.
        pub gateway: PublicKey,
        /// The grants it may be used with; empty for none.
        pub grants: Vec<u64>,
        /// What is put in.
        pub amount: Price,
        /// Most nano-credit per MU of any line.
        pub unit_price_max: Price,
        /// No call is admitted from then on.
        pub expires: Moment,
        /// Whether nothing settles beyond what vouchers of the session key cover.
        pub vouchers: bool,
    }
}

record! {
    /// See [`Operation::FundChannel`](super::Operation::FundChannel).
    pub struct FundChannel {
        /// The channel.
        pub channel: u64,
        /// What is added.
        pub amount: Price,
    }
}

record! {
    /// See [`Operation::RevokeCertificate`](super::Operation::RevokeCertificate).
    pub struct RevokeCertificate {
        /// The channel that pays for its calls.
        pub channel: u64,
        /// The revocation id of one of its blocks, which is the block's signature.
        pub block: Signature,
    }
}

record! {
    /// See [`Operation::TakeLease`](super::Operation::TakeLease). It gives what is left of what is asked, 0 too.
    pub struct TakeLease {
        /// A channel to the node, by which it may call under the grant.
        pub channel: u64,
        /// The grant.
        pub grant: u64,
        /// The period of its quota: the one of the block's time or the next, or
        /// [`RATE_PERIOD`](crate::quota::RATE_PERIOD).
        pub period: u64,
        /// Calls.
        pub calls: u64,
        /// Royalty and node fee, nano-credit.
        pub spend: Price,
        /// Calls per unit of the rate.
        pub rate: u32,
        /// Versions from one that the channel may call to the one that is called under the
        /// grant, each a component of the one before; empty if the grant is the channel's.
        pub through: Vec<u64>,
    }
}

record! {
    /// See [`Operation::ReturnLease`](super::Operation::ReturnLease). What the lease does not hold is not given back.
    pub struct ReturnLease {
        /// The grant.
        pub grant: u64,
        /// The period of its quota, or [`RATE_PERIOD`](crate::quota::RATE_PERIOD).
        pub period: u64,
        /// Calls.
        pub calls: u64,
        /// Royalty and node fee, nano-credit.
        pub spend: Price,
        /// Calls per unit of the rate.
        pub rate: u32,
    }
}
