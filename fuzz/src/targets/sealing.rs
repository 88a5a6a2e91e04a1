//! Sealed content: descriptors, requests for keys, wrapped keys, and ciphertext.

use crate::{Reach, Target, promise};
use ambar_base::{AccountId, Cid, Digest, Encode, NetworkId, SecretKey};
use ambar_capsule::sealing::{
    CustodyRequest, RecipientSecret, ReleaseRequest, Released, SEALED_CONTENT_BYTES_MAX,
    SealedContent, Sealer, VersionKey, open_file,
};

pub(super) const TARGET: Target = Target { name: "sealing", seeds, attempt };

const PLACE: u32 = 3;

fn key() -> VersionKey {
    VersionKey::from_bytes(&[7; 32])
}

fn secret() -> RecipientSecret {
    RecipientSecret::from_bytes(&[8; 32])
}

fn release() -> ReleaseRequest {
    ReleaseRequest {
        network: NetworkId(Digest::of(b"network")),
        version: Cid::of(b"version"),
        grant: 5,
        licensee: AccountId(Digest::of(b"licensee")),
        recipient: secret().public(),
        nonce: [9; 32],
    }
}

fn custody() -> CustodyRequest {
    CustodyRequest {
        network: NetworkId(Digest::of(b"network")),
        version: Cid::of(b"version"),
        node: SecretKey::from_seed(&[1; 32]).public(),
        recipient: secret().public(),
    }
}

fn sealed(plaintext: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::new(&key(), PLACE, plaintext.len() as u64).expect("it is short");
    let mut sealed = Vec::new();
    sealer.update(plaintext, &mut sealed).expect("no more than announced");
    sealer.finish(&mut sealed).expect("all that was announced");
    sealed
}

fn seeds() -> Vec<Vec<u8>> {
    let wrapped = |wrapped: Result<Released, _>| Encode::to_bytes(&wrapped.expect("a good key"));
    vec![
        SealedContent::new(&key(), 100_000).encode(),
        release().to_bytes(),
        custody().to_bytes(),
        wrapped(release().wrap(&key(), &[4; 32])),
        wrapped(custody().wrap(&key(), &[4; 32])),
        sealed(b""),
        sealed(b"a word"),
        sealed(&[5; 17_000]),
    ]
}

fn attempt(input: &[u8]) -> Reach {
    let decode = SealedContent::decode;
    let document =
        promise::document(input, SEALED_CONTENT_BYTES_MAX, decode, SealedContent::encode);
    let request = promise::compact::<ReleaseRequest>(input).is_some()
        | promise::compact::<CustodyRequest>(input).is_some();
    if let Some(document) = &document {
        let _ = document.check_lengths([input.len() as u64, 16]);
    }
    let decoded = document.is_some() || request;
    if opens_a_key(input) || opens_a_file(input) {
        Reach::Used
    } else if decoded {
        Reach::Decoded
    } else {
        Reach::Refused
    }
}

/// What opens is the key that was wrapped: nobody here can wrap another.
fn opens_a_key(input: &[u8]) -> bool {
    let Some(wrapped) = promise::compact::<Released>(input) else { return false };
    let opened = [wrapped.open(&secret(), &release()), custody().open(&wrapped, &secret())];
    let found = opened.iter().flatten().next();
    if let Some(found) = found {
        assert_eq!(found.commitment(), key().commitment(), "another key was opened");
    }
    found.is_some()
}

/// What opens is what was sealed: sealing it again gives the same bytes.
fn opens_a_file(input: &[u8]) -> bool {
    let Ok(plaintext) = open_file(&key(), PLACE, input) else { return false };
    assert_eq!(sealed(&plaintext), input, "two ciphertexts of one plaintext");
    true
}
