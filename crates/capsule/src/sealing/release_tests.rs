use super::*;
use ambar_base::codec::decode;
use proptest::prelude::*;

fn request(secret: &RecipientSecret) -> ReleaseRequest {
    ReleaseRequest {
        network: NetworkId(Digest::of(b"network")),
        version: Cid::of(b"version"),
        grant: 7,
        licensee: AccountId(Digest::of(b"licensee")),
        recipient: secret.public(),
        nonce: [5; 32],
    }
}

fn secret() -> RecipientSecret {
    RecipientSecret::from_bytes(&[3; 32])
}

fn key() -> VersionKey {
    VersionKey::from_bytes(&[1; 32])
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// Gives the bytes of a test vector, once.
struct Fixed(Vec<u8>);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("the suite draws bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("the suite draws bytes")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.drain(..bytes.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

/// RFC 9180, appendix A.2.1 and the first encryption of A.2.1.1.
#[test]
fn known_answer_of_rfc_9180() {
    let info = b"Ode on a Grecian Urn";
    let ikm_e = "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b";
    let sk_r = "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb";
    let pk_r = "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a";
    let enc = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a";
    let plaintext = b"Beauty is truth, truth beauty";
    let bound = b"Count-0";
    let ciphertext = "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b\
                      60b4db21993c62ce81883d2dd1b51a28";

    let secret = RecipientSecret::from_bytes(&bytes(sk_r));
    assert_eq!(secret.public(), RecipientKey(bytes(pk_r)));
    let mut random = Fixed(hex::decode(ikm_e).unwrap());
    let mut content = *plaintext;
    let sealed = seal(&secret.public(), info, &mut content, bound, &mut random);
    let (encapsulated, tag) = sealed.unwrap();
    assert!(random.0.is_empty());
    assert_eq!(hex::encode(encapsulated), enc);
    assert_eq!(hex::encode([content.as_slice(), &tag].concat()), ciphertext);
    open(&secret, &encapsulated, info, &mut content, bound, &tag).unwrap();
    assert_eq!(&content, plaintext);
}

/// The digests were reckoned by another implementation, from RFC 9180. These bytes are for
/// ever; a change needs a new version of the domain.
#[test]
fn conformance() {
    let request = request(&secret());
    assert_eq!(request.to_bytes().len(), 32 + 32 + 1 + 32 + 32 + 32);
    assert_eq!(
        request.digest().to_string(),
        "1ab140d32e5ca81a81d6d6d8fdd93536e6e709ea7a61e759a24f7ed00b73ee53"
    );
    let released = request.wrap(&key(), &[9; 32]).unwrap();
    assert_eq!(released.to_bytes().len(), 80);
    assert_eq!(
        Digest::of(&released.to_bytes()).to_string(),
        "3ca1504ca06dc9f0e43f574ddc5af8074b9668039ca7a182590391f849d6648c"
    );
    let opened = released.open(&secret(), &request).unwrap();
    assert_eq!(opened.to_bytes(), key().to_bytes());
}

#[test]
fn another_request_or_recipient_does_not_open() {
    type Change = fn(&mut ReleaseRequest);
    let good = request(&secret());
    let released = good.wrap(&key(), &[9; 32]).unwrap();
    let check = |change: Change| {
        let mut request = good.clone();
        change(&mut request);
        assert_ne!(request.digest(), good.digest());
        let opened = released.open(&secret(), &request);
        assert_eq!(opened.err(), Some(ReleaseError::Refused));
    };
    check(|r| r.network = NetworkId(Digest::of(b"other")));
    check(|r| r.version = Cid::of(b"other"));
    check(|r| r.grant = 8);
    check(|r| r.licensee = AccountId(Digest::of(b"other")));
    check(|r| r.recipient = RecipientSecret::from_bytes(&[4; 32]).public());
    check(|r| r.nonce[31] ^= 1);
    let other = RecipientSecret::from_bytes(&[4; 32]);
    assert_eq!(released.open(&other, &good).err(), Some(ReleaseError::Refused));
}

/// Points of small order, with which everybody shares one secret (RFC 7748, section 6.1).
#[test]
fn keys_of_small_order_are_refused() {
    let one = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    let order_8 = bytes("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
    for recipient in [[0; 32], one, order_8] {
        let request = ReleaseRequest { recipient: RecipientKey(recipient), ..request(&secret()) };
        assert_eq!(request.wrap(&key(), &[9; 32]), Err(ReleaseError::Recipient));
    }
}

#[test]
fn the_licensee_signs_all_of_the_request() {
    let (signer, request) = (SecretKey::from_seed(&[2; 32]), request(&secret()));
    let signature = request.sign(&signer);
    let signed = |request: &ReleaseRequest| request.signed(&signer.public(), &signature).verify();
    assert!(signed(&request).is_ok());
    assert!(signed(&ReleaseRequest { grant: 8, ..request.clone() }).is_err());
    assert!(signed(&ReleaseRequest { nonce: [6; 32], ..request.clone() }).is_err());
    let other = NetworkId(Digest::of(b"other"));
    assert!(signed(&ReleaseRequest { network: other, ..request }).is_err());
}

#[test]
fn one_seed_for_two_requests_encapsulates_two_keys() {
    let one = request(&secret());
    let two = ReleaseRequest { nonce: [6; 32], ..one.clone() };
    let wrap = |request: &ReleaseRequest| request.wrap(&key(), &[9; 32]).unwrap();
    assert_ne!(wrap(&one).encapsulated, wrap(&two).encapsulated);
    assert_eq!(wrap(&one), wrap(&one));
}

#[test]
fn secrets_do_not_print() {
    assert_eq!(format!("{:?} {:?}", secret(), key()), "RecipientSecret(..) VersionKey(..)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_key_arrives(key: [u8; 32], seed: [u8; 32], secret: [u8; 32]) {
        let secret = RecipientSecret::from_bytes(&secret);
        let request = request(&secret);
        let released = request.wrap(&VersionKey::from_bytes(&key), &seed).unwrap();
        prop_assert_eq!(*released.open(&secret, &request).unwrap().to_bytes(), key);
    }

    #[test]
    fn a_flipped_bit_is_refused(at in 0usize..80, bit in 0u8..8) {
        let request = request(&secret());
        let mut bytes = request.wrap(&key(), &[9; 32]).unwrap().to_bytes();
        bytes[at] ^= 1 << bit;
        let released = decode::<Released>(&bytes).unwrap();
        // X25519 ignores the highest bit of a point, but HPKE hashes all of it.
        prop_assert_eq!(released.open(&secret(), &request).err(), Some(ReleaseError::Refused));
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>, released: [u8; 32]) {
        if let Ok(request) = decode::<ReleaseRequest>(&bytes) {
            prop_assert_eq!(request.to_bytes(), bytes);
        }
        let garbage = Released { encapsulated: released, ciphertext: [0; CIPHERTEXT] };
        prop_assert!(garbage.open(&secret(), &request(&secret())).is_err());
    }
}
