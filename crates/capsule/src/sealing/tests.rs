use super::stream::{bound, nonce_prefix};
use super::*;
use ambar_base::Digest;
use chacha20poly1305_11::aead::inout::InOutBuf;
use chacha20poly1305_11::{AeadInOut, ChaCha20Poly1305, KeyInit};
use proptest::prelude::*;
use std::collections::BTreeSet;

const PLAIN: usize = PLAIN_CHUNK_BYTES as usize;
const SEALED: usize = SEALED_CHUNK_BYTES as usize;
const BORDERS: [usize; 11] =
    [0, 1, 15, 16, 17, PLAIN - 1, PLAIN, PLAIN + 1, 2 * PLAIN - 1, 2 * PLAIN, 2 * PLAIN + 1];

fn key(seed: u8) -> VersionKey {
    VersionKey::from_bytes(&[seed; 32])
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect()
}

fn seal(key: &VersionKey, file: u32, plaintext: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::new(key, file, plaintext.len() as u64).unwrap();
    let mut sealed = Vec::new();
    sealer.update(plaintext, &mut sealed).unwrap();
    sealer.finish(&mut sealed).unwrap();
    sealed
}

fn open(key: &VersionKey, file: u32, sealed: &[u8]) -> Option<Vec<u8>> {
    let opener = Opener::new(key, file, sealed.len() as u64).ok()?;
    let mut plaintext = Vec::new();
    for (index, chunk) in sealed.chunks(SEALED).enumerate() {
        opener.open_chunk(index as u64, chunk, &mut plaintext).ok()?;
    }
    Some(plaintext)
}

/// The digests were reckoned by another implementation from the words of the module. These
/// bytes are for ever; a change needs a new format number.
#[test]
fn conformance() {
    let check = |file: u32, length: usize, expect: &str| {
        let sealed = seal(&key(7), file, &content(length));
        assert_eq!(Digest::of(&sealed).to_string(), expect, "{file} {length}");
    };
    assert_eq!(hex::encode(seal(&key(7), 0, b"abc")), "31e6fb0f81dea619ac939672c61c37dd4076fc");
    check(0, 0, "0f007731630273e00a17e6a483a9688f315f8cb13b73e356d53c3594a0a40acb");
    check(1, PLAIN, "1e95fd6d0d256863361902f2578db0ba61ea790672ac2bf7ac2d096121def2d6");
    check(
        99_999,
        2 * PLAIN + 1,
        "451ee3e96496d88f10778dcfc2680c10259e0d8addb51d84bc33b8a3d2855e1c",
    );
    assert_eq!(
        hex::encode(key(7).commitment().0),
        "46bf6b88f2d80c66994b33c0c3a7a47f3ead9eab99d4de6d043305df03590491"
    );
}

#[test]
fn lengths_around_borders_open_to_what_was_sealed() {
    for length in BORDERS {
        let sealed = seal(&key(1), 3, &content(length));
        let layout = Layout::of_plaintext(length as u64).unwrap();
        assert_eq!(sealed.len() as u64, layout.sealed());
        assert_eq!(open(&key(1), 3, &sealed), Some(content(length)), "{length}");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for length in [0, 1, 70] {
        let mut sealed = seal(&key(1), 3, &content(length));
        for bit in 0..sealed.len() * 8 {
            sealed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key(1), 3, &sealed), None, "{length} {bit}");
            sealed[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(open(&key(1), 3, &sealed), Some(content(length)));
    }
}

#[test]
fn every_other_length_is_refused() {
    let sealed = seal(&key(1), 3, &content(2 * PLAIN + 40));
    let near_border = |cut: &usize| cut % SEALED < 60 || cut % SEALED > SEALED - 60;
    for cut in (0..sealed.len()).filter(near_border).chain((0..SEALED).step_by(97)) {
        assert_eq!(open(&key(1), 3, &sealed[..cut]), None, "{cut}");
    }
    let small = seal(&key(1), 3, &content(300));
    for cut in 0..small.len() {
        assert_eq!(open(&key(1), 3, &small[..cut]), None, "{cut}");
    }
    for more in 1..40 {
        assert_eq!(open(&key(1), 3, &[small.clone(), vec![0; more]].concat()), None, "{more}");
    }
}

/// The last chunk is marked: without its length, a file that lost whole chunks is told.
#[test]
fn a_chunk_before_the_end_is_not_the_last() {
    let sealed = seal(&key(1), 3, &content(2 * PLAIN));
    let stream = stream::FileStream::new(&key(1), 3, 2 * PLAIN as u64);
    let opens = |chunk: u32, last: bool| {
        let place = chunk as usize * SEALED;
        stream.open(chunk, last, &sealed[place..place + SEALED], &mut Vec::new()).is_ok()
    };
    assert!(opens(0, false) && opens(1, true));
    assert!(!opens(0, true) && !opens(1, false));
}

#[test]
fn chunks_open_at_their_own_place_of_their_own_file_only() {
    let length = 3 * PLAIN;
    let sealed = seal(&key(1), 3, &content(length));
    let opener = |seed: u8, file: u32| Opener::new(&key(seed), file, sealed.len() as u64).unwrap();
    let opens = |opener: &Opener, index: u64, place: usize| {
        let chunk = &sealed[place * SEALED..(place + 1) * SEALED];
        opener.open_chunk(index, chunk, &mut Vec::new()).is_ok()
    };
    for (index, place) in (0..3u64).flat_map(|index| (0..3).map(move |place| (index, place))) {
        assert_eq!(opens(&opener(1, 3), index, place), index == place as u64);
        assert!(!opens(&opener(1, 4), index, place), "another file");
        assert!(!opens(&opener(2, 3), index, place), "another version");
    }
    let beyond = opener(1, 3).open_chunk(3, &sealed[..SEALED], &mut Vec::new());
    assert_eq!(beyond, Err(OpenError::NoChunk(3)));
    let beyond = opener(1, 3).open_chunk(1 << 32, &sealed[..SEALED], &mut Vec::new());
    assert_eq!(beyond, Err(OpenError::NoChunk(1 << 32)));
}

#[test]
fn swapped_and_doubled_chunks_are_refused() {
    let sealed = seal(&key(1), 3, &content(3 * PLAIN));
    let chunk = |index: usize| &sealed[index * SEALED..(index + 1) * SEALED];
    for order in [[0, 2, 1], [1, 0, 2], [0, 0, 2], [0, 1, 1], [2, 1, 0]] {
        assert_eq!(open(&key(1), 3, &order.map(chunk).concat()), None, "{order:?}");
    }
}

#[test]
fn a_refused_chunk_leaves_the_buffer_as_it_was() {
    let mut sealed = seal(&key(1), 3, &content(50));
    sealed[0] ^= 1;
    let opener = Opener::new(&key(1), 3, sealed.len() as u64).unwrap();
    let mut plaintext = b"before".to_vec();
    assert_eq!(opener.open_chunk(0, &sealed, &mut plaintext), Err(OpenError::Chunk(0)));
    assert_eq!(plaintext, b"before");
}

#[test]
fn more_or_less_than_announced_is_not_sealed() {
    let mut sealed = Vec::new();
    let mut sealer = Sealer::new(&key(1), 0, 10).unwrap();
    assert_eq!(sealer.update(&[0; 11], &mut sealed), Err(SealError::TooMuch(10)));
    sealer.update(&[0; 9], &mut sealed).unwrap();
    assert_eq!(sealer.update(&[0; 2], &mut sealed), Err(SealError::TooMuch(10)));
    assert_eq!(sealer.finish(&mut sealed), Err(SealError::TooLittle(1)));
    assert!(sealed.is_empty());
    let longest = PLAINTEXT_BYTES_MAX + 1;
    assert_eq!(Sealer::new(&key(1), 0, longest).err(), Some(LengthError::Plaintext(longest)));
}

/// Every chunk opens by the bare cipher with the key and nonce that the module names, so
/// these are the ones used; no two chunks share both, nor, within a version, the nonce.
#[test]
fn no_nonce_is_used_twice() {
    let (mut used, mut chunks) = (BTreeSet::new(), 0);
    for seed in 0..2 {
        let mut nonces = BTreeSet::new();
        for (file, length) in (0..60u32).zip(BORDERS.into_iter().cycle()) {
            let mut sealed = seal(&key(seed), file, &content(length));
            let file_key = *key(seed).of_file(file, length as u64);
            let count = sealed.len().div_ceil(SEALED);
            for (index, chunk) in sealed.chunks_mut(SEALED).enumerate() {
                let mut nonce = [0; 12];
                nonce[..7].copy_from_slice(&nonce_prefix(file));
                nonce[7..11].copy_from_slice(&(index as u32).to_be_bytes());
                nonce[11] = u8::from(index + 1 == count);
                let (text, tag) = chunk.split_at_mut(chunk.len() - 16);
                let tag: &[u8; 16] = (&*tag).try_into().unwrap();
                let bound = bound(file, length as u64);
                ChaCha20Poly1305::new(&file_key.into())
                    .decrypt_inout_detached(&nonce.into(), &bound, InOutBuf::from(text), tag.into())
                    .unwrap();
                assert!(nonces.insert(nonce) && used.insert((file_key, nonce)));
                chunks += 1;
            }
        }
    }
    assert_eq!(used.len(), chunks);
}

/// A file that is sealed at two lengths under one key, against the rule, has two keys.
#[test]
fn lengths_and_files_and_versions_have_keys_of_their_own() {
    let mut keys = BTreeSet::new();
    for (seed, file, length) in
        (0..4).flat_map(|s| (0..20u32).flat_map(move |f| (0..20u64).map(move |l| (s, f, l))))
    {
        assert!(keys.insert(*key(seed).of_file(file, length)));
    }
}

fn any_length() -> impl Strategy<Value = usize> {
    prop_oneof![prop::sample::select(BORDERS.to_vec()), 0..4 * PLAIN]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pieces_do_not_matter(
        length in any_length(), pieces in prop::collection::vec(0usize..40_000, 1..20),
    ) {
        prop_assume!(pieces.iter().any(|piece| *piece > 0));
        let content = content(length);
        let mut sealer = Sealer::new(&key(1), 3, length as u64).unwrap();
        let (mut sealed, mut rest) = (Vec::new(), content.as_slice());
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*piece));
            sealer.update(now, &mut sealed).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        sealer.finish(&mut sealed).unwrap();
        prop_assert_eq!(&sealed, &seal(&key(1), 3, &content));
        prop_assert_eq!(open(&key(1), 3, &sealed), Some(content));
    }

    #[test]
    fn a_stream_opens_to_what_was_sealed(
        length in any_length(),
        pieces in proptest::collection::vec(1usize..40_000, 1..6),
    ) {
        let sealed = seal(&key(5), 9, &content(length));
        let mut opener = StreamOpener::new(&key(5), 9, sealed.len() as u64).unwrap();
        let (mut plaintext, mut rest) = (Vec::new(), &sealed[..]);
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            opener.update(now, &mut plaintext).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        opener.finish(&mut plaintext).unwrap();
        prop_assert_eq!(&plaintext, &content(length));
        prop_assert_eq!(open_file(&key(5), 9, &sealed), Ok(plaintext));
    }

    #[test]
    fn a_stream_that_ends_early_or_late_is_not_the_file(length in any_length(), cut in 1usize..20) {
        let sealed = seal(&key(5), 9, &content(length));
        let whole = sealed.len() as u64;
        let mut opener = StreamOpener::new(&key(5), 9, whole).unwrap();
        let mut plaintext = Vec::new();
        let less = &sealed[..sealed.len() - cut.min(sealed.len())];
        if opener.update(less, &mut plaintext).is_ok() {
            prop_assert!(opener.finish(&mut plaintext).is_err());
        }
        let mut opener = StreamOpener::new(&key(5), 9, whole).unwrap();
        let more = [&sealed[..], &[0; 20][..cut]].concat();
        if opener.update(&more, &mut plaintext).is_ok() {
            prop_assert!(opener.finish(&mut plaintext).is_err());
        }
    }

    #[test]
    fn a_range_is_the_slice(length in any_length(), one: usize, two: usize) {
        let (one, two) = (one % (length + 1), two % (length + 1));
        let range = one.min(two)..one.max(two);
        let (content, sealed) = (content(length), seal(&key(1), 3, &content(length)));
        let opener = Opener::new(&key(1), 3, sealed.len() as u64).unwrap();
        let cover = opener.layout().cover(range.start as u64..range.end as u64).unwrap();
        let bytes = &sealed[cover.sealed.start as usize..cover.sealed.end as usize];
        let mut read = Vec::new();
        let mut indices = cover.chunks.clone();
        for chunk in bytes.chunks(SEALED) {
            let (index, mut plaintext) = (indices.next().unwrap(), Vec::new());
            opener.open_chunk(index, chunk, &mut plaintext).unwrap();
            read.extend_from_slice(cover.part(index, &plaintext));
        }
        prop_assert_eq!(indices.next(), None);
        prop_assert_eq!(read, &content[range]);
    }

    #[test]
    fn a_flipped_bit_is_refused(length in any_length(), at: usize, bit in 0u8..8) {
        let mut sealed = seal(&key(1), 3, &content(length));
        let at = at % sealed.len();
        sealed[at] ^= 1 << bit;
        prop_assert_eq!(open(&key(1), 3, &sealed), None);
    }

    #[test]
    fn a_cut_is_refused(length in any_length(), cut: usize) {
        let sealed = seal(&key(1), 3, &content(length));
        prop_assert_eq!(open(&key(1), 3, &sealed[..cut % sealed.len()]), None);
    }
}
