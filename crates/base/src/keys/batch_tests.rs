use super::*;
use crate::keys::SecretKey;
use proptest::prelude::*;
use rand_core::RngCore;

fn bytes<const N: usize>(digits: &str) -> [u8; N] {
    hex::decode(digits).unwrap().try_into().unwrap()
}

fn raw(key: &str, signature: &str, message: &[u8]) -> Signed {
    Signed::raw(&PublicKey(bytes(key)), message, &Signature(bytes(signature)))
}

/// Every way to check these signatures gives `expect`.
fn check(signed: &[Signed], expect: &[bool]) {
    let single: Vec<bool> = signed.iter().map(|one| one.verify().is_ok()).collect();
    assert_eq!(single, expect, "singly");
    assert_eq!(verify_each(signed), expect, "each");
    assert_eq!(verify_batch(signed).is_ok(), expect.iter().all(|good| *good), "together");
}

/// Key, both halves of the signature, message, whether ZIP-215 accepts them: the twelve of
/// K. Chalkias, F. Garillot, V. Nikolaenko, "Taming the many EdDSAs", SSR 2020, table 6.
const SPECCHECK: [(&str, &str, &str, &str, bool); 12] = [
    (
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
        true,
    ),
    (
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
        true,
    ),
    (
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
        "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
        true,
    ),
    (
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f",
        "87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
        "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
        true,
    ),
    (
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512",
        "5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
        "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
        true,
    ),
    (
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7",
        "e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
        "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
        true,
    ),
    (
        "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
        "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e",
        "547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
        "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
        false,
    ),
    (
        "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
        "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942",
        "7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22",
        "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
        false,
    ),
    (
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f",
        "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
        false,
    ),
    (
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908",
        "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
        true,
    ),
    (
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc",
        "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b",
        true,
    ),
    (
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc",
        "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
        true,
    ),
];

fn speccheck(index: usize) -> (Signed, bool) {
    let (key, r, s, message, good) = SPECCHECK[index];
    (raw(key, &[r, s].concat(), &bytes::<32>(message)), good)
}

#[test]
fn the_twelve_vectors_singly_and_together() {
    let (signed, expect): (Vec<_>, Vec<_>) = (0..SPECCHECK.len()).map(speccheck).unzip();
    check(&signed, &expect);
    for index in 0..signed.len() {
        check(&signed[index..=index], &expect[index..=index]);
        // Twice the same: an equation, not a single check.
        check(&[signed[index].clone(), signed[index].clone()], &[expect[index]; 2]);
    }
    let good: Vec<Signed> =
        (0..12).map(speccheck).filter_map(|(one, good)| good.then_some(one)).collect();
    assert_eq!(good.len(), 9);
    check(&good, &[true; 9]);
}

/// All 14 encodings of points of small order, canonical or not.
const SMALL_ORDER: [&str; 14] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// ZIP-215 accepts each pair of them with S = 0, whatever the message.
fn small(key: usize, commitment: usize, message: &[u8]) -> Signed {
    let signature = format!("{}{}", SMALL_ORDER[commitment], "00".repeat(32));
    raw(SMALL_ORDER[key], &signature, message)
}

#[test]
fn keys_and_commitments_of_small_order() {
    let pairs = (0..14).flat_map(|key| (0..14).map(move |commitment| (key, commitment)));
    let signed: Vec<_> = pairs.map(|(key, r)| small(key, r, b"Zcash")).collect();
    check(&signed, &[true; 14 * 14]);
}

/// They sign for anybody, so nobody may be named by them.
#[test]
fn keys_that_name_nobody_are_points_but_not_sound() {
    for encoding in SMALL_ORDER {
        let key = PublicKey(bytes(encoding));
        assert!(key.is_point() && !key.is_sound(), "{encoding}");
    }
    // The point with y = 3, by its one encoding and with y + p.
    let (least, repeated) = (format!("03{}", "00".repeat(31)), format!("f0{}7f", "ff".repeat(30)));
    let [least, repeated] = [least, repeated].map(|digits| PublicKey(bytes(&digits)));
    assert!(least.is_point() && least.is_sound());
    assert!(repeated.is_point() && !repeated.is_sound());
    let nowhere = PublicKey(bytes(&format!("02{}", "00".repeat(31))));
    assert!(!nowhere.is_point() && !nowhere.is_sound());
    assert!(SecretKey::from_seed(&[1; 32]).public().is_sound());
}

#[test]
fn a_key_that_is_no_point_fails_alone() {
    let nowhere = PublicKey(bytes(&format!("02{}", "00".repeat(31))));
    let good = sign(1, b"good");
    let bad = Signed::raw(&nowhere, b"x", &Signature([0; 64]));
    check(&[good.clone(), bad, good], &[true, false, true]);
    check(&[], &[]);
}

fn sign(seed: u8, message: &[u8]) -> Signed {
    let key = SecretKey::from_seed(&[seed; 32]);
    Signed::raw(&key.public(), message, &key.sign_raw(message))
}

/// Errors that cancel out in a sum without coefficients: S moved from one to the other.
#[test]
fn errors_do_not_cancel_out() {
    let key = SecretKey::from_seed(&[1; 32]);
    let [mut left, mut right] = [b"left", b"even"].map(|message| key.sign_raw(message));
    // A step of 2^8 neither carries nor borrows in bytes that allow it.
    let room = (33..48).find(|at| left.0[*at] < 255 && right.0[*at] > 0).unwrap();
    left.0[room] += 1;
    right.0[room] -= 1;
    let signed =
        [Signed::raw(&key.public(), b"left", &left), Signed::raw(&key.public(), b"even", &right)];
    check(&signed, &[false, false]);
}

#[test]
fn coefficients_depend_on_everything_that_is_checked() {
    let seed = |signed: &[Signed]| Coefficients::of(signed).seed;
    let (one, two) = (sign(1, b"one"), sign(2, b"two"));
    let base = seed(&[one.clone(), two.clone()]);
    let key = SecretKey::from_seed(&[1; 32]);
    let mut signature = key.sign_raw(b"one");
    assert_eq!(seed(&[Signed::raw(&key.public(), b"one", &signature), two.clone()]), base);
    signature.0[63] ^= 1;
    let moved = Signed::raw(&key.public(), b"one", &signature);
    assert_ne!(seed(&[moved, two.clone()]), base, "the signature's second half");
    assert_ne!(seed(&[sign(1, b"ONE"), two.clone()]), base, "the message");
    assert_ne!(seed(&[sign(3, b"one"), two.clone()]), base, "the key");
    assert_ne!(seed(&[two, one]), base, "the order");
    let mut drawn = Coefficients { seed: base, drawn: 0 };
    let mut draw = || [drawn.next_u64(), drawn.next_u64()];
    assert_ne!(draw(), draw());
}

/// One bad signature costs no other, on either side of an equation's end.
#[test]
fn many_equations() {
    let good = sign(1, b"good");
    let mut bad = SecretKey::from_seed(&[1; 32]).sign_raw(b"good");
    bad.0[0] ^= 1;
    let bad = Signed::raw(&SecretKey::from_seed(&[1; 32]).public(), b"good", &bad);
    let mut signed = vec![good; EQUATION_SIGNATURES_MAX + 2];
    assert_eq!(verify_batch(&signed), Ok(()));
    let place = EQUATION_SIGNATURES_MAX;
    signed[place] = bad;
    let found = verify_each(&signed);
    assert!(found.iter().enumerate().all(|(at, good)| *good == (at != place)));
    assert_eq!(verify_batch(&signed), Err(BadSignature));
}

/// A signature of some sort, and whether the rule accepts it.
#[derive(Clone, Debug)]
enum Sort {
    /// An honest one.
    Honest(u8, Vec<u8>),
    /// An honest one with one bit turned.
    Turned(u8, Vec<u8>, usize),
    /// By an honest key whose commitment has a torsion component.
    Torsion(usize),
    /// Key and commitment of small order.
    Small(usize, usize, Vec<u8>),
}

impl Sort {
    fn signed(&self) -> Signed {
        match self {
            Self::Honest(seed, message) => sign(*seed, message),
            Self::Turned(seed, message, bit) => {
                let key = SecretKey::from_seed(&[*seed; 32]);
                let mut signature = key.sign_raw(message);
                signature.0[bit / 8] ^= 1 << (bit % 8);
                Signed::raw(&key.public(), message, &signature)
            }
            Self::Torsion(index) => speccheck(*index).0,
            Self::Small(key, r, message) => small(*key, *r, message),
        }
    }

    fn is_good(&self) -> bool {
        match self {
            Self::Honest(..) | Self::Small(..) => true,
            Self::Turned(..) => false,
            Self::Torsion(index) => SPECCHECK[*index].4,
        }
    }
}

fn good() -> impl Strategy<Value = Sort> {
    let message = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        (0u8..6, message()).prop_map(|(seed, message)| Sort::Honest(seed, message)),
        (0usize..6).prop_map(Sort::Torsion),
        (0usize..14, 0usize..14, message())
            .prop_map(|(key, r, message)| Sort::Small(key, r, message)),
    ]
}

fn any_sort() -> impl Strategy<Value = Sort> {
    let message = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        3 => good(),
        1 => (0u8..6, message(), 0usize..512)
            .prop_map(|(seed, message, bit)| Sort::Turned(seed, message, bit)),
        1 => (0usize..12).prop_map(Sort::Torsion),
    ]
}

proptest! {
    #[test]
    fn together_if_and_only_if_singly(sorts in prop::collection::vec(any_sort(), 0..12)) {
        let signed: Vec<_> = sorts.iter().map(Sort::signed).collect();
        let expect: Vec<_> = sorts.iter().map(Sort::is_good).collect();
        check(&signed, &expect);
    }

    #[test]
    fn good_ones_of_every_sort_are_good_together(sorts in prop::collection::vec(good(), 2..40)) {
        let signed: Vec<_> = sorts.iter().map(Sort::signed).collect();
        prop_assert!(verify_batch(&signed).is_ok());
    }
}
