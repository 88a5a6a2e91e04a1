//! One-call certificates: what a gateway asks of a serving node, once.
//!
//! A serving node never sees the certificate of the caller. It sees this: which line of which
//! receipt it serves, how much it may produce, at what price at most, until when, signed by the
//! gateway that will settle the call. The node keeps it: with the lines that it signs in the end
//! it is evidence of what was asked. It knows no ledger: whether the channel can pay and the
//! node may serve is for the node to look up.
//!
//! **Invariant**: one certificate is for one node, one line of one call and one piece of work.

use crate::Counters;
use ambar_base::keys::{BadSignature, Signed};
use ambar_base::{
    Digest, Domain, Encode, Height, Moment, NetworkId, Price, PublicKey, SecretKey, Signature,
    record,
};

/// How long after its admission a call may begin at a serving node, milliseconds.
pub const ONE_CALL_AGE_MS_MAX: u64 = 60_000;

record! {
    /// What is asked.
    pub struct OneCall {
        /// The gateway, by node number: it answers for the channel.
        pub gateway: u64,
        /// The node that is asked.
        pub node: u64,
        /// The channel that pays.
        pub channel: u64,
        /// The call's sequence number on it.
        pub n: u64,
        /// Which line of the leaf the node serves.
        pub line: u64,
        /// The capsule version, by number.
        pub version: u64,
        /// The grant under which it is called.
        pub grant: u64,
        /// The final block that the call was admitted on.
        pub admitted: Height,
        /// When it was admitted.
        pub time: Moment,
        /// Most that it may use; the node enforces it.
        pub bound: Counters,
        /// Most that the line may cost, royalty and node fee, nano-credit.
        pub price_max: Price,
        /// The digest of the work as it is sent.
        pub work: Digest,
    }
}

record! {
    /// A one-call certificate.
    pub struct SignedOneCall {
        /// What is asked.
        pub call: OneCall,
        /// The gateway's signature over network and call.
        pub signature: Signature,
    }
}

impl OneCall {
    /// Signs with the gateway's key.
    #[must_use]
    pub fn sign(self, network: NetworkId, gateway: &SecretKey) -> SignedOneCall {
        let signature = gateway.sign(Domain::OneCall, network, &self.to_bytes());
        SignedOneCall { call: self, signature }
    }

    /// Whether work on it may begin at `now`.
    #[must_use]
    pub fn is_current(&self, now: Moment) -> bool {
        self.time.distance_ms(now) <= ONE_CALL_AGE_MS_MAX
    }
}

impl SignedOneCall {
    /// The signature, to be checked.
    #[must_use]
    pub fn signed(&self, network: NetworkId, gateway: &PublicKey) -> Signed {
        let payload = self.call.to_bytes();
        Signed::new(gateway, Domain::OneCall, network, &payload, &self.signature)
    }

    /// Checks the signature.
    pub fn verify(&self, network: NetworkId, gateway: &PublicKey) -> Result<(), BadSignature> {
        self.signed(network, gateway).verify()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Counter;
    use ambar_base::codec;

    const NETWORK: NetworkId = NetworkId(Digest([3; 32]));

    fn call() -> OneCall {
        OneCall {
            gateway: 1,
            node: 2,
            channel: 7,
            n: 300,
            line: 1,
            version: 5,
            grant: 6,
            admitted: Height(9),
            time: Moment(1_000_000),
            bound: Counters::new([(Counter::TokensIn, 300), (Counter::TokensOut, 512)]),
            price_max: Price(1 << 40),
            work: Digest::of(b"work"),
        }
    }

    #[test]
    fn a_certificate_is_for_one_call_at_one_node() {
        let key = SecretKey::from_seed(&[1; 32]);
        let signed = call().sign(NETWORK, &key);
        assert!(signed.verify(NETWORK, &key.public()).is_ok());
        let check = |change: fn(&mut OneCall)| {
            let mut other = signed.clone();
            change(&mut other.call);
            assert!(other.verify(NETWORK, &key.public()).is_err(), "{other:?}");
        };
        check(|call| call.node = 3);
        check(|call| call.n = 301);
        check(|call| call.line = 0);
        check(|call| call.price_max = Price((1 << 40) + 1));
        check(|call| call.work = Digest::ZERO);
        check(|call| call.bound = Counters::default());
        assert!(signed.verify(NetworkId(Digest([4; 32])), &key.public()).is_err());
        assert!(signed.verify(NETWORK, &SecretKey::from_seed(&[2; 32]).public()).is_err());
    }

    #[test]
    fn it_is_good_for_a_minute() {
        let call = call();
        let check = |ms: u64, current| assert_eq!(call.is_current(Moment(ms)), current, "{ms}");
        check(1_000_000, true);
        check(1_060_000, true);
        check(1_060_001, false);
        check(940_000, true);
        check(939_999, false);
    }

    /// The bytes of this exemplar are for ever; a change needs a new version of the domain.
    #[test]
    fn conformance() {
        let signed = call().sign(NETWORK, &SecretKey::from_seed(&[1; 32]));
        let bytes = signed.to_bytes();
        assert_eq!(
            Digest::of(&bytes).to_string(),
            "78fd13dc706516aeb1a4ab1618110fe002719206e4b798183f54cb5ede5b0c45"
        );
        assert_eq!(codec::decode(&bytes), Ok(signed));
    }
}
