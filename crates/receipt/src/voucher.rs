//! Vouchers: what the payer's side of a channel has agreed may be spent on it, in all.
//!
//! A voucher is cumulative: the highest one says everything, and a lower one that is shown
//! again says nothing new. It knows no ledger: whether the key is the channel's session key is
//! for whoever reads it.

use ambar_base::keys::{BadSignature, Signed};
use ambar_base::{Domain, Encode, NetworkId, Price, PublicKey, SecretKey, Signature, record};

record! {
    /// The payer's word on a channel, signed by its session key.
    #[derive(Copy)]
    pub struct Voucher {
        /// The channel.
        pub channel: u64,
        /// The most that may ever have been spent on it, nano-credit.
        pub total: Price,
        /// The session key's signature over network, channel and total.
        pub signature: Signature,
    }
}

fn payload(channel: u64, total: Price) -> Vec<u8> {
    [channel.to_bytes(), total.to_bytes()].concat()
}

impl Voucher {
    /// A voucher of a channel of one network.
    #[must_use]
    pub fn sign(network: NetworkId, channel: u64, total: Price, session: &SecretKey) -> Self {
        let signature = session.sign(Domain::Voucher, network, &payload(channel, total));
        Self { channel, total, signature }
    }

    /// The signature, to be checked.
    #[must_use]
    pub fn signed(&self, network: NetworkId, session: &PublicKey) -> Signed {
        let payload = payload(self.channel, self.total);
        Signed::new(session, Domain::Voucher, network, &payload, &self.signature)
    }

    /// Checks the signature.
    pub fn verify(&self, network: NetworkId, session: &PublicKey) -> Result<(), BadSignature> {
        self.signed(network, session).verify()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Digest, codec};

    const NETWORK: NetworkId = NetworkId(Digest([3; 32]));

    fn session() -> SecretKey {
        SecretKey::from_seed(&[1; 32])
    }

    #[test]
    fn a_voucher_is_for_one_channel_and_total_on_one_network() {
        let voucher = Voucher::sign(NETWORK, 7, Price(300), &session());
        let check = |voucher: Voucher, network, key: &SecretKey| {
            voucher.verify(network, &key.public()).is_ok()
        };
        assert!(check(voucher, NETWORK, &session()));
        assert!(!check(Voucher { channel: 8, ..voucher }, NETWORK, &session()));
        assert!(!check(Voucher { total: Price(301), ..voucher }, NETWORK, &session()));
        assert!(!check(voucher, NetworkId(Digest([4; 32])), &session()));
        assert!(!check(voucher, NETWORK, &SecretKey::from_seed(&[2; 32])));
    }

    /// The bytes of this exemplar are for ever; a change needs a new version of the domain.
    #[test]
    fn conformance() {
        let voucher = Voucher::sign(NETWORK, 300, Price(1 << 40), &session());
        let bytes = voucher.to_bytes();
        assert_eq!(
            Digest::of(&bytes).to_string(),
            "4c7b224d1ed448285ead2ffcd73bd4002d11836d1b858579b994d7e9bd6dbdd3"
        );
        assert_eq!(codec::decode(&bytes), Ok(voucher));
    }
}
