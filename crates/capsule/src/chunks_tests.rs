use super::*;
use ambar_base::codec::decode;
use proptest::prelude::*;

const LENGTHS: [usize; 12] =
    [0, 1, 1023, 1024, 1025, 16_383, 16_384, 16_385, 32_768, 32_769, 100_000, 13 * GROUP_BYTES + 5];

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect()
}

fn group(content: &[u8], index: u64) -> &[u8] {
    let start = index as usize * GROUP_BYTES;
    &content[start..content.len().min(start + GROUP_BYTES)]
}

#[test]
fn the_root_is_the_standard_hash() {
    for length in LENGTHS {
        let tree = ChunkTree::of(&content(length)).unwrap();
        assert_eq!(tree.root, ContentRoot::of(&content(length)), "{length}");
        assert_eq!(tree.length, length as u64);
        assert_eq!(tree.outboard.0.len(), length.div_ceil(GROUP_BYTES).max(1), "{length}");
    }
    // What `b3sum` prints for an empty file (BLAKE3 test vectors).
    let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    assert_eq!(ContentRoot::of(b"").to_string(), empty);
    assert_eq!(empty.parse(), Ok(ContentRoot::of(b"")));
}

#[test]
fn every_group_and_proof_verifies_at_its_own_place_only() {
    for length in LENGTHS.into_iter().chain((1..34).map(|groups| groups * GROUP_BYTES - 7)) {
        let content = content(length);
        let ChunkTree { root, outboard, .. } = ChunkTree::of(&content).unwrap();
        let outboard = outboard.verify(&root).unwrap();
        outboard.check_groups(0, &content).unwrap();
        for index in 0..outboard.groups() {
            let bytes = group(&content, index);
            outboard.check_group(index, bytes).unwrap();
            let mut proof = outboard.prove(index).unwrap();
            assert_eq!(proof.verify(&root, bytes), Ok(index + 1 == outboard.groups()));
            proof.index += 1;
            assert_eq!(proof.verify(&root, bytes), Err(ChunkError::Group(index + 1)));
        }
        let beyond = outboard.groups();
        assert_eq!(outboard.check_group(beyond, b"x"), Err(ChunkError::NoGroup(beyond)));
        assert_eq!(outboard.prove(beyond), Err(ChunkError::NoGroup(beyond)));
    }
}

/// Half a group is a subtree of BLAKE3 too, but not the content's end.
#[test]
fn a_truncated_group_is_refused() {
    let content = content(3 * GROUP_BYTES);
    let ChunkTree { root, outboard, .. } = ChunkTree::of(&content).unwrap();
    let outboard = outboard.verify(&root).unwrap();
    let half = GROUP_BYTES / 2;
    for index in 0..3u64 {
        let bytes = group(&content, index);
        let offset = offset_of(index);
        let second = Hasher::new()
            .set_input_offset(offset + half as u64)
            .update(&bytes[half..])
            .finalize_non_root();
        let mut proof = outboard.prove(index).unwrap();
        proof.siblings.insert(0, second);
        assert_eq!(proof.verify(&root, &bytes[..half]), Err(ChunkError::Group(index)));
        assert!(outboard.check_group(index, &bytes[..half]).is_err());
    }
}

#[test]
fn lengths_are_limited() {
    assert_eq!(Outboard::from_bytes(b""), Err(ChunkError::OutboardLength(0)));
    assert_eq!(Outboard::from_bytes(&[0; 33]), Err(ChunkError::OutboardLength(33)));
    let proof = GroupProof { index: 0, siblings: vec![[0; 32]; PROOF_SIBLINGS_MAX + 1] };
    let root = ContentRoot::of(b"x");
    assert_eq!(proof.verify(&root, &[0; GROUP_BYTES]), Err(ChunkError::Group(0)));
    let proof = GroupProof { index: u64::MAX, siblings: vec![[0; 32]; 20] };
    assert_eq!(proof.verify(&root, b"x"), Err(ChunkError::Group(u64::MAX)));
}

#[test]
fn roots_survive_their_encodings() {
    let root = ContentRoot::of(b"abc");
    assert_eq!(decode::<ContentRoot>(&root.to_bytes()), Ok(root));
    assert!(root.to_string().to_uppercase().parse::<ContentRoot>().is_err());
    assert!("00".parse::<ContentRoot>().is_err());
}

fn any_length() -> impl Strategy<Value = usize> {
    prop_oneof![prop::sample::select(LENGTHS.to_vec()), 0usize..200_000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_do_not_matter(length in any_length(), pieces in prop::collection::vec(1usize..40_000, 1..20)) {
        let content = content(length);
        let mut hasher = ChunkHasher::new();
        let mut rest = content.as_slice();
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*piece));
            hasher.update(now).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(hasher.finish(), ChunkTree::of(&content).unwrap());
    }

    #[test]
    fn a_flipped_bit_of_content_is_refused(length in any_length(), at: usize, bit in 0u8..8) {
        prop_assume!(length > 0);
        let mut content = content(length);
        let ChunkTree { root, outboard, .. } = ChunkTree::of(&content).unwrap();
        let outboard = outboard.verify(&root).unwrap();
        let at = at % length;
        content[at] ^= 1 << bit;
        let index = (at / GROUP_BYTES) as u64;
        prop_assert_eq!(outboard.check_groups(0, &content), Err(ChunkError::Group(index)));
        let proof = outboard.prove(index).unwrap();
        prop_assert!(proof.verify(&root, group(&content, index)).is_err());
    }

    #[test]
    fn a_changed_length_is_refused(length in any_length(), cut in 1usize..40_000) {
        let content = content(length + cut);
        let ChunkTree { root, outboard, .. } = ChunkTree::of(&content[..length]).unwrap();
        let outboard = outboard.verify(&root).unwrap();
        prop_assert!(outboard.check_groups(0, &content).is_err());
        let last = outboard.groups() - 1;
        let short = &group(&content[..length], last);
        if !short.is_empty() {
            prop_assert!(outboard.check_group(last, &short[..short.len() - 1]).is_err());
        }
    }

    #[test]
    fn a_flipped_bit_of_the_outboard_is_refused(length in any_length(), at: usize, bit in 0u8..8) {
        let ChunkTree { root, outboard, .. } = ChunkTree::of(&content(length)).unwrap();
        let mut bytes = outboard.as_bytes().to_vec();
        prop_assert_eq!(Outboard::from_bytes(&bytes), Ok(outboard));
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let changed = Outboard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(changed.verify(&root).err(), Some(ChunkError::Outboard));
    }

    #[test]
    fn a_flipped_bit_of_a_proof_is_refused(
        length in any_length(), pick: u64, at: usize, bit in 0u8..8,
    ) {
        let content = content(length);
        let ChunkTree { root, outboard, .. } = ChunkTree::of(&content).unwrap();
        let outboard = outboard.verify(&root).unwrap();
        let index = pick % outboard.groups();
        let mut bytes = outboard.prove(index).unwrap().to_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let verified = decode::<GroupProof>(&bytes)
            .is_ok_and(|proof| proof.verify(&root, group(&content, index)).is_ok());
        prop_assert!(!verified);
    }
}

/// Found by the fuzz target `chunk_proof`: the root itself, and the two halves below it, are
/// outboards with the same root. No bytes verify by them.
#[test]
fn an_outboard_that_stops_above_the_groups_verifies_nothing() {
    let content = content(4 * GROUP_BYTES + 100);
    let tree = ChunkTree::of(&content).unwrap();
    let values = tree.outboard.as_bytes().as_chunks::<CHAINING_VALUE_BYTES>().0;
    let halves = [subtree(&values[..4]), values[4]].concat();
    for above in [tree.root.0.to_vec(), halves] {
        let above = Outboard::from_bytes(&above).unwrap().verify(&tree.root).unwrap();
        for (index, place) in (0..above.groups()).flat_map(|i| (0..5).map(move |p| (i, p))) {
            let bytes = content.chunks(GROUP_BYTES).nth(place).unwrap();
            assert_eq!(above.check_group(index, bytes), Err(ChunkError::Group(index)));
        }
    }
}
