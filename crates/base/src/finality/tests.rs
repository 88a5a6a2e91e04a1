use super::*;
use crate::codec::decode;
use crate::keys::SecretKey;
use crate::tree::Tree;
use proptest::prelude::*;

const NETWORK: NetworkId = NetworkId(Digest([9; 32]));

fn keys(epoch: u64) -> Vec<SecretKey> {
    (0..4u8).map(|n| SecretKey::from_seed(&[7 + n + epoch as u8 * 4; 32])).collect()
}

fn committee(epoch: u64) -> Committee {
    Committee::new(epoch, keys(epoch).iter().map(SecretKey::public).collect()).unwrap()
}

fn checkpoint(epoch: u64) -> Checkpoint {
    Checkpoint { network: NETWORK, committee: committee(epoch) }
}

fn header(epoch: u64, outcomes: &[Vec<u8>]) -> BlockHeader {
    BlockHeader {
        network: NETWORK,
        protocol: 1,
        height: Height(300),
        time: Moment(1_700_000_000_000),
        parent: Digest::of(b"parent"),
        round: Round { epoch, view: 12, parent_view: 11, leader: keys(epoch)[0].public() },
        outcomes: outcomes.len() as u32,
        transactions_root: Digest::of(b"transactions"),
        outcomes_root: root_over(outcomes.iter().map(Vec::as_slice)),
        writes_digest: Digest::of(b"writes"),
        state: StateCommitment {
            root: Digest::of(b"state"),
            operations_root: Digest::of(b"operations"),
            first: 4,
            end: 9,
        },
        next_committee: None,
    }
}

fn certified(header: BlockHeader, descendants: Vec<BlockHeader>) -> FinalHeader {
    let last = descendants.last().unwrap_or(&header);
    let epoch = last.round.epoch;
    let certificate = committee(epoch).certify(NETWORK, &last.digest(), (12, 11), &keys(epoch));
    FinalHeader { header, descendants, certificate }
}

fn outcomes(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| format!("outcome {i}").into_bytes()).collect()
}

fn proof(outcomes: &[Vec<u8>], index: usize) -> OutcomeProof {
    let tree = Tree::new(outcomes.iter().map(|outcome| tree::leaf_hash(outcome)).collect());
    let block = certified(header(0, outcomes), Vec::new());
    let (index, path) = (index as u64, tree.path(index));
    OutcomeProof { block, index, path, handovers: Vec::new() }
}

fn handover(epoch: u64) -> Handover {
    let next = committee(epoch + 1);
    let last = BlockHeader { next_committee: Some(next.digest()), ..header(epoch, &[]) };
    Handover { last: certified(last, Vec::new()), next }
}

fn child(parent: &BlockHeader) -> BlockHeader {
    BlockHeader { parent: parent.digest(), height: parent.height.after(1), ..parent.clone() }
}

#[test]
fn every_outcome_verifies_at_its_own_place_only() {
    for count in 1..12 {
        let outcomes = outcomes(count);
        for (index, outcome) in outcomes.iter().enumerate() {
            let mut proof = proof(&outcomes, index);
            assert_eq!(proof.verify(&checkpoint(0), outcome), Ok(&header(0, &outcomes)));
            assert_eq!(proof.verify(&checkpoint(0), b"other"), Err(FinalityError::Path));
            proof.index += 1;
            assert_eq!(proof.verify(&checkpoint(0), outcome), Err(FinalityError::Path));
        }
    }
}

#[test]
fn other_committees_networks_and_long_paths_are_refused() {
    let outcomes = outcomes(2);
    let mut proof = proof(&outcomes, 1);
    let verify = |proof: &OutcomeProof, trusted: &Checkpoint| {
        proof.verify(trusted, &outcomes[1]).map(|header| header.height)
    };
    let strangers = keys(5).iter().map(SecretKey::public).collect();
    let strangers = Committee::new(0, strangers).unwrap();
    let stranger = Checkpoint { committee: strangers, ..checkpoint(0) };
    assert_eq!(verify(&proof, &stranger), Err(FinalityError::Signature));
    let elsewhere = Checkpoint { network: NetworkId(Digest::ZERO), ..checkpoint(0) };
    assert_eq!(verify(&proof, &elsewhere), Err(FinalityError::Network));
    proof.path = vec![Digest::ZERO; PATH_HASHES_MAX + 1];
    assert_eq!(
        verify(&proof, &checkpoint(0)),
        Err(FinalityError::PathTooLong(PATH_HASHES_MAX + 1))
    );
}

#[test]
fn a_block_is_final_through_its_descendants() {
    let first = header(0, &[]);
    let second = child(&first);
    let third = child(&second);
    let check = |descendants: Vec<BlockHeader>, expect| {
        let block = certified(first.clone(), descendants);
        assert_eq!(block.verify(&checkpoint(0)).map(|header| header.height), expect);
    };
    check(vec![second.clone(), third.clone()], Ok(Height(300)));
    check(vec![third], Err(FinalityError::Chain));
    let stranger = BlockHeader { parent: Digest::ZERO, ..second.clone() };
    check(vec![stranger], Err(FinalityError::Chain));
    let many = DESCENDANTS_MAX + 1;
    check(vec![second; many], Err(FinalityError::DescendantsTooMany(many)));
}

#[test]
fn trust_moves_from_committee_to_committee() {
    let handovers = [handover(0), handover(1), handover(2)];
    let reach = |from: u64, to: u64, handovers: &[Handover]| {
        checkpoint(from).reach(to, handovers).map(|reached| reached.committee.epoch())
    };
    assert_eq!(reach(0, 3, &handovers), Ok(3));
    assert_eq!(reach(0, 1, &handovers), Ok(1));
    assert_eq!(reach(2, 3, &handovers), Ok(3));
    assert_eq!(reach(3, 3, &handovers), Ok(3));
    let missing = FinalityError::Epoch { voted: 3, known: 1 };
    assert_eq!(reach(0, 3, &[handover(0), handover(2)]), Err(missing));
    let mut other = handover(1);
    other.next = committee(3);
    let expect = Err(FinalityError::Handover { epoch: 1 });
    assert_eq!(reach(0, 2, &[handover(0), other]), expect);
    let mut forged = handover(0);
    forged.next = Committee::new(1, committee(9).seats().to_vec()).unwrap();
    forged.last.header.next_committee = Some(forged.next.digest());
    assert_eq!(reach(0, 1, &[forged]), Err(FinalityError::Signature));
}

proptest! {
    #[test]
    fn any_flipped_bit_is_refused(count in 1usize..40, pick: usize, at: usize, bit in 0u8..8) {
        let outcomes = outcomes(count);
        let index = pick % count;
        let mut bytes = proof(&outcomes, index).to_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let verified = decode::<OutcomeProof>(&bytes)
            .is_ok_and(|proof| proof.verify(&checkpoint(0), &outcomes[index]).is_ok());
        prop_assert!(!verified);
    }
}

/// Changing these bytes changes what every vote covers.
#[test]
fn conformance() {
    let check = |bytes: &[u8], expect: &str| assert_eq!(Digest::of(bytes).to_string(), expect);
    let proof = proof(&outcomes(3), 2);
    check(
        &proof.block.header.to_bytes(),
        "6c7fc3b6f8f3374b4ea54ac9d3af5295ddd3c8c4da7ae5e56cbead82c34480e2",
    );
    check(
        &proof.block.to_bytes(),
        "c73e102b720aa10b83f4397f6bb14434489ff8fa1a5f60efbf02729d74e28e23",
    );
    check(&proof.to_bytes(), "b22d91f065e476cbca0df11ce50cf7a3fbfc6066ee6d66441090dc2d56da0030");
    check(
        &handover(0).to_bytes(),
        "062afa81fab6c1dee0dec87afbcac61a796cef0cbcb06e58742fabfad8e21d7e",
    );
    check(
        &checkpoint(0).to_bytes(),
        "ba5994041543c92e7711412e55af455efcf928ddcbc5b8430d1bf525557c7119",
    );
    check(
        &vote_message(NETWORK, &proof.block.certificate, &Digest::ZERO),
        "e591054c121a55006bd31df6f8ddd973bd832a7776b19afae81298921f1ef45f",
    );
}
