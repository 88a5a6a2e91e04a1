//! What was written is read; whatever else stands there is refused with its offset.

use super::*;
use ambar_base::finality::{BlockHeader, Certificate, FinalHeader, Round, StateCommitment};
use ambar_base::{Digest, Moment, NetworkId, SecretKey};
use ambar_consensus::Block;
use ambar_ledger::Genesis;
use std::fs;

fn genesis() -> Genesis {
    Genesis::development(SecretKey::from_seed(&[1; 32]).public(), [1; 32])
}

/// A block of this height; nobody voted for it.
fn block(height: u64) -> Block {
    let leader = SecretKey::from_seed(&[1; 32]).public();
    let zero = Digest::ZERO;
    let header = BlockHeader {
        network: NetworkId(zero),
        protocol: 1,
        height: Height(height),
        time: Moment(height),
        parent: zero,
        round: Round { epoch: 0, view: height, parent_view: 0, leader },
        outcomes: 0,
        transactions_root: zero,
        outcomes_root: zero,
        writes_digest: zero,
        state: StateCommitment { root: zero, operations_root: zero, first: 0, end: 1 },
        next_committee: None,
    };
    let certificate = Certificate { epoch: 0, view: height, parent_view: 0, votes: Vec::new() };
    let finality = FinalHeader { header, descendants: Vec::new(), certificate };
    Block { finality, transactions: vec![vec![7; 9]], outcomes: vec![vec![8; 5]] }
}

/// The bytes of a file with blocks 3 to 5.
fn written() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("some.chain");
    let (first, last) = (Height(3), Height(5));
    let opening = Opening { genesis: genesis().to_bytes(), first, last };
    let mut writer = ChainWriter::create(&path, &opening).unwrap();
    for height in 3..=5 {
        writer.add(&block(height)).unwrap();
    }
    assert!(!path.exists(), "a file in the making has another name");
    let bytes = writer.finish().unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let written = fs::read(&path).unwrap();
    assert_eq!(written.len() as u64, bytes);
    written
}

/// All blocks of a file.
fn read(bytes: &[u8]) -> Result<Vec<Block>, ChainFileError> {
    let mut reader = ChainReader::over(Path::new("some.chain"), bytes)?;
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block()? {
        blocks.push(block);
    }
    Ok(blocks)
}

/// Where a file is damaged.
fn offset(bytes: &[u8]) -> u64 {
    match read(bytes).unwrap_err() {
        ChainFileError::Damaged { offset, .. } => offset,
        other => panic!("{other}"),
    }
}

#[test]
fn what_was_written_is_read() {
    let bytes = written();
    assert_eq!(read(&bytes).unwrap(), [block(3), block(4), block(5)]);
    let reader = ChainReader::over(Path::new("x"), &bytes[..]).unwrap();
    assert_eq!((reader.first, reader.last), (Height(3), Height(5)));
    assert_eq!(reader.genesis, genesis());
}

#[test]
fn every_changed_byte_and_every_missing_end_is_seen() {
    let bytes = written();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        let error = read(&changed).unwrap_err();
        assert!(matches!(error, ChainFileError::Damaged { .. }), "byte {at}: {error}");
        let error = read(&bytes[..at]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ChainFileInvalid, "{at} bytes: {error}");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert_eq!(offset(&longer), bytes.len() as u64);
}

#[test]
fn damage_is_told_with_its_place() {
    let bytes = written();
    let opening = 17
        + frame(&Opening { genesis: genesis().to_bytes(), first: Height(3), last: Height(5) })
            .len();
    let second = opening + frame(&block(3)).len();
    assert_eq!(offset(b"something else altogether"), 0);
    assert_eq!(offset(&bytes[..3]), 0);
    let mut newer = bytes.clone();
    newer[16] = 2;
    assert_eq!(offset(&newer), 16);
    assert_eq!(read(&newer).unwrap_err().code(), ErrorCode::HomeTooNew);
    let without = [&bytes[..opening], &bytes[second..]].concat();
    let error = read(&without).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("some.chain at byte {opening}: block 3 is expected, and block 4 stands here")
    );
    assert_eq!(offset(&bytes[..second + 10]), second as u64 + 10);
    let mut long = bytes[..second].to_vec();
    long.extend([0xff, 0xff, 0xff, 0xff, 0x7f]);
    assert_eq!(offset(&long), second as u64);
}

#[test]
fn blocks_are_written_in_order_and_all_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("some.chain");
    let opening = Opening { genesis: Vec::new(), first: Height(3), last: Height(4) };
    let begin = || ChainWriter::create(&path, &opening).unwrap();
    assert!(begin().add(&block(4)).is_err());
    let mut writer = begin();
    writer.add(&block(3)).unwrap();
    assert!(writer.finish().is_err());
    let mut writer = begin();
    writer.add(&block(3)).unwrap();
    writer.add(&block(4)).unwrap();
    assert!(writer.add(&block(5)).is_err());
}

#[test]
fn frames_follow_one_another() {
    let bytes = [frame(&block(1)), frame(&block(2))].concat();
    assert_eq!(frames::<Block>(&bytes).unwrap(), [block(1), block(2)]);
    assert_eq!(frames::<Block>(&[]).unwrap(), []);
    assert!(frames::<Block>(&bytes[..bytes.len() - 1]).is_err());
}
