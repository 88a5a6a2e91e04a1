//! Signed requests: how a key says "this request is mine" to a node's own API.
//!
//! Server and client share this code. The signature covers method, path with query, the
//! SHA-256 of the body and the time, in [`Domain::Request`] for one network. A request is
//! good for [`REQUEST_AGE_MS_MAX`] around its time; what it asks for can be asked twice
//! without harm.

use ambar_base::{
    Digest, Domain, Encode, Moment, NetworkId, PublicKey, SecretKey, Signature, record,
};

/// The signer's `did:key`.
pub const KEY_HEADER: &str = "ambar-key";
/// The account that the signer acts for, if its key is not that account's first.
pub const ACCOUNT_HEADER: &str = "ambar-account";
/// When it was signed, milliseconds since 1970.
pub const TIME_HEADER: &str = "ambar-time";
/// The signature in hexadecimal.
pub const SIGNATURE_HEADER: &str = "ambar-signature";
/// The SHA-256 of the body in hexadecimal: known before the body has arrived. A request
/// without it has no body.
pub const DIGEST_HEADER: &str = "ambar-digest";
/// Furthest that a request's time may lie from the node's, milliseconds.
pub const REQUEST_AGE_MS_MAX: u64 = 30_000;

record! {
    /// What a request's signature covers.
    pub struct RequestStamp {
        /// Such as `GET`.
        pub method: String,
        /// The path with its query, as sent.
        pub target: String,
        /// SHA-256 of the body.
        pub body: Digest,
        /// When it was signed.
        pub time: Moment,
    }
}

/// Why a request does not count as its signer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// Signed too long ago, or by a clock that is wrong.
    #[error(
        "the request was signed {0} ms away from this node's time; at most {REQUEST_AGE_MS_MAX} are accepted"
    )]
    Time(u64),
    /// The signature is another's or over another request.
    #[error("the signature is not this key's over this request")]
    Signature,
}

impl RequestStamp {
    /// Signs the request.
    #[must_use]
    pub fn sign(&self, network: NetworkId, key: &SecretKey) -> Signature {
        key.sign(Domain::Request, network, &self.to_bytes())
    }

    /// Checks that `key` signed the request near `now`.
    pub fn verify(
        &self,
        network: NetworkId,
        key: &PublicKey,
        signature: &Signature,
        now: Moment,
    ) -> Result<(), StampError> {
        let away = self.time.distance_ms(now);
        if away > REQUEST_AGE_MS_MAX {
            return Err(StampError::Time(away));
        }
        let verified = key.verify(Domain::Request, network, &self.to_bytes(), signature);
        verified.map_err(|_| StampError::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_counts_for_one_request_near_its_time() {
        let (network, key) = (NetworkId(Digest::of(b"n")), SecretKey::from_seed(&[1; 32]));
        let stamp = RequestStamp {
            method: "GET".into(),
            target: "/api/v1/grants".into(),
            body: Digest::of(b""),
            time: Moment(100_000),
        };
        let signature = stamp.sign(network, &key);
        let check = |stamp: &RequestStamp, network, now, expect| {
            assert_eq!(stamp.verify(network, &key.public(), &signature, Moment(now)), expect);
        };
        check(&stamp, network, 100_000, Ok(()));
        check(&stamp, network, 130_000, Ok(()));
        check(&stamp, network, 70_000, Ok(()));
        check(&stamp, network, 130_001, Err(StampError::Time(30_001)));
        check(&stamp, network, 69_999, Err(StampError::Time(30_001)));
        check(&stamp, NetworkId(Digest::of(b"m")), 100_000, Err(StampError::Signature));
        let other = RequestStamp { target: "/api/v1/grants?".into(), ..stamp };
        check(&other, network, 100_000, Err(StampError::Signature));
    }
}
