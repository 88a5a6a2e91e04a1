use super::*;
use crate::record::{chunks_root, chunks_tree, records_tree};
use proptest::prelude::*;

struct Datanet {
    texts: Vec<Vec<u8>>,
    leaves: Vec<RecordLeaf>,
    tree: Tree,
    root: Digest,
}

/// Records of these lengths, whose bytes differ from place to place.
fn datanet(lengths: &[usize]) -> Datanet {
    let text = |(n, bytes): (usize, &usize)| {
        (0..*bytes).map(|at| b'a' + ((at * 31 + at / 7 + n * 5) % 26) as u8).collect::<Vec<u8>>()
    };
    let texts: Vec<Vec<u8>> = lengths.iter().enumerate().map(text).collect();
    let leaf = |(n, text): (usize, &Vec<u8>)| RecordLeaf {
        contributor: 10 + n as u32,
        title: Digest::of(&[n as u8]),
        bytes: text.len() as u32,
        chunks: chunks_root(text),
    };
    let leaves: Vec<RecordLeaf> = texts.iter().enumerate().map(leaf).collect();
    let tree = records_tree(leaves.iter().cloned());
    let root = root(leaves.len() as u64, &tree.root());
    Datanet { texts, leaves, tree, root }
}

impl Datanet {
    fn prove(&self, document: usize, span: Range<usize>) -> Option<SpanProof> {
        let place = (self.leaves.len() as u32, document as u32);
        let text = &self.texts[document];
        let trees = (&self.tree, &chunks_tree(text));
        SpanProof::of(trees, place, &self.leaves[document], text, span)
    }
}

#[test]
fn a_span_is_proven_with_less_than_two_chunks_around_it() {
    let datanet = datanet(&[10, 70_000, 1_024, 3_000, 2_048]);
    let check = |document: usize, span: Range<usize>| {
        let words = &datanet.texts[document][span.clone()];
        let proof = datanet.prove(document, span.clone()).unwrap();
        let (offset, contributor) = (span.start as u32, 10 + document as u32);
        let proven = Proven { document: document as u32, contributor, offset };
        assert_eq!(proof.verify(&datanet.root, words), Ok(proven));
        assert!(proof.before.len() + proof.after.len() < 2 * CHUNK_BYTES);
        let bytes = proof.encode();
        assert_eq!(SpanProof::decode(&bytes).as_ref(), Ok(&proof));
    };
    check(0, 0..10);
    check(0, 3..4);
    check(1, 0..65_536);
    check(1, 1_023..1_025);
    check(1, 1_024..2_048);
    check(1, 69_999..70_000);
    check(2, 0..1_024);
    check(3, 2_900..3_000);
    check(4, 1..2_048);
}

#[test]
fn what_no_trace_gives_is_not_proven() {
    let datanet = datanet(&[70_000, 10]);
    for (from, to) in [(0, 0), (5, 4), (0, 65_537), (69_999, 70_001)] {
        assert_eq!(datanet.prove(0, from..to), None);
    }
    let proof = datanet.prove(1, 0..5).unwrap();
    assert_eq!(proof.verify(&datanet.root, b""), Err(ProofError::Outside));
    let long = vec![b'x'; OUTPUT_BYTES_MAX as usize + 1];
    assert_eq!(proof.verify(&datanet.root, &long), Err(ProofError::Outside));
}

#[test]
fn every_changed_field_is_refused() {
    let datanet = datanet(&[5_000, 9_000, 40, 7_000, 300]);
    let (document, span) = (1, 1_500..4_000);
    let honest = datanet.prove(document, span.clone()).unwrap();
    let words = datanet.texts[document][span].to_vec();
    let check = |change: &dyn Fn(&mut SpanProof), expect: ProofError| {
        let mut proof = honest.clone();
        change(&mut proof);
        assert_ne!(proof, honest);
        assert_eq!(proof.verify(&datanet.root, &words), Err(expect));
    };
    check(&|p| p.documents = 4, ProofError::Record);
    check(&|p| p.documents = 6, ProofError::Record);
    check(&|p| p.document = 0, ProofError::Record);
    check(&|p| p.document = 5, ProofError::Record);
    check(&|p| p.contributor = 10, ProofError::Record);
    check(&|p| p.title = Digest::ZERO, ProofError::Record);
    check(&|p| p.bytes -= 1, ProofError::Record);
    check(&|p| p.bytes = 3_999, ProofError::Outside);
    check(&|p| p.bytes += 1_024, ProofError::Record);
    check(&|p| p.offset += 1, ProofError::Surroundings);
    check(&|p| p.offset += 1_024, ProofError::Chunks);
    check(&|p| p.before[0] ^= 1, ProofError::Record);
    check(&|p| p.before.truncate(9), ProofError::Surroundings);
    check(&|p| p.after[0] ^= 1, ProofError::Record);
    check(&|p| p.after.push(0), ProofError::Surroundings);
    check(&|p| p.chunk_path[0].0[9] ^= 1, ProofError::Record);
    check(&|p| p.chunk_path.truncate(1), ProofError::Chunks);
    check(&|p| p.chunk_path.push(Digest::ZERO), ProofError::Chunks);
    check(&|p| p.document_path[0].0[9] ^= 1, ProofError::Record);
    check(&|p| p.document_path.truncate(1), ProofError::Record);
    check(&|p| p.document_path.push(Digest::ZERO), ProofError::Record);
    let mut other = words.clone();
    other[700] ^= 1;
    assert_eq!(honest.verify(&datanet.root, &other), Err(ProofError::Record));
    assert_eq!(honest.verify(&Digest::ZERO, &words), Err(ProofError::Record));
    let shorter = honest.verify(&datanet.root, &words[1..]);
    assert_eq!(shorter, Err(ProofError::Surroundings));
}

#[test]
fn the_longest_proof_fits() {
    let proof = SpanProof {
        documents: u32::MAX,
        document: u32::MAX,
        contributor: u32::MAX,
        title: Digest::ZERO,
        bytes: u32::MAX,
        offset: u32::MAX,
        before: vec![0; CHUNK_BYTES],
        after: vec![0; CHUNK_BYTES],
        chunk_path: vec![Digest::ZERO; 2 * PATH_HASHES_MAX],
        document_path: vec![Digest::ZERO; PATH_HASHES_MAX],
    };
    assert!(SpanProof::decode(&proof.encode()).is_ok());
    let mut longer = proof;
    longer.before = vec![0; PROOF_BYTES_MAX];
    assert!(matches!(SpanProof::decode(&longer.encode()), Err(ProofError::Document(_))));
}

proptest! {
    #[test]
    fn a_flipped_bit_of_the_document_proves_nothing_else(
        lengths in proptest::collection::vec(1usize..5_000, 1..9),
        pick: usize, from: usize, to: usize, at: usize, bit in 0u8..8,
    ) {
        let datanet = datanet(&lengths);
        let document = pick % lengths.len();
        let start = from % lengths[document];
        let end = start + 1 + to % (lengths[document] - start);
        let words = &datanet.texts[document][start..end];
        let proof = datanet.prove(document, start..end).unwrap();
        prop_assert!(proof.verify(&datanet.root, words).is_ok());
        let mut bytes = proof.encode();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = SpanProof::decode(&bytes) {
            prop_assert!(changed.verify(&datanet.root, words).is_err());
        }
    }
}
