//! What is recovered after clean ends, torn tails, damage, and removals.

use super::*;
use crate::journal::{Damage, JournalCorrupt};
use ambar_base::{Coded, ErrorCode};

/// Three committed records in one segment, and their positions.
fn three(directory: &Path) -> Vec<Position> {
    let (journal, _) = open(directory);
    (0..3).map(|number| commit(&journal, &[record(number, 40)]).expect("commits")).collect()
}

fn corrupt(directory: &Path) -> JournalCorrupt {
    let before: Vec<_> = segments(directory).iter().map(|path| std::fs::read(path).ok()).collect();
    let error = Journal::open(directory, &small()).err().expect("damage is refused");
    let after: Vec<_> = segments(directory).iter().map(|path| std::fs::read(path).ok()).collect();
    assert!(before == after, "a refused journal is not changed");
    assert_eq!(error.code(), ErrorCode::JournalCorrupt);
    match error {
        JournalError::Corrupt(corrupt) => corrupt,
        other => panic!("{other}"),
    }
}

fn cut(path: &Path, bytes: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("a segment opens");
    file.set_len(bytes).expect("a segment is cut");
}

fn flip(path: &Path, offset: u64) {
    let mut bytes = std::fs::read(path).expect("a segment reads");
    bytes[offset as usize] ^= 0x10;
    std::fs::write(path, bytes).expect("a segment is written");
}

#[test]
fn records_come_back_in_order_with_their_positions() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let (journal, recovered) = open(&directory.path().join("new"));
    assert_eq!(recovered, Recovered { records: vec![], truncated_bytes: 0 });
    let mut expect = Vec::new();
    for number in 0..100 {
        let record = record(number, number * 3);
        let position = if number % 3 == 0 {
            commit(&journal, std::slice::from_ref(&record)).expect("commits")
        } else {
            journal.append(&record).expect("appends")
        };
        expect.push((position, record));
    }
    assert!(expect.is_sorted_by_key(|(position, _)| *position));
    for (position, record) in &expect {
        assert_eq!(journal.read(*position).expect("reads"), *record);
    }
    drop(journal);
    assert!(segments(&directory.path().join("new")).len() > 3);
    for _ in 0..2 {
        let (journal, recovered) = open(&directory.path().join("new"));
        assert_eq!(recovered, Recovered { records: expect.clone(), truncated_bytes: 0 });
        assert_eq!(journal.read(expect[40].0).expect("reads"), expect[40].1);
    }
}

#[test]
fn a_tail_cut_at_any_byte_is_truncated_and_reported() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let positions = three(directory.path());
    let path = &segments(directory.path())[0];
    let whole = std::fs::read(path).expect("a segment reads");
    let frame = record(0, 40).len() as u64 + 8;
    for bytes in positions[0].offset..whole.len() as u64 {
        std::fs::write(path, &whole).expect("a segment is written");
        cut(path, bytes);
        let (journal, recovered) = open(directory.path());
        let kept = positions.iter().filter(|at| at.offset + frame <= bytes).count();
        let expect: Vec<_> = (0..kept).map(|number| record(number, 40)).collect();
        assert_eq!(payloads(&recovered), expect, "cut to {bytes}");
        let next = commit(&journal, &[record(9, 40)]).expect("commits behind the cut");
        assert!(next.offset + recovered.truncated_bytes >= bytes);
        drop(journal);
        let (_, again) = open(directory.path());
        assert_eq!(again.records.last(), Some(&(next, record(9, 40))));
        assert_eq!((again.records.len(), again.truncated_bytes), (kept + 1, 0));
    }
}

#[test]
fn a_flipped_bit_anywhere_in_durable_bytes_is_refused() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let positions = three(directory.path());
    let path = &segments(directory.path())[0];
    let end = positions[2].offset + record(2, 40).len() as u64 + 8;
    for offset in 0..end {
        flip(path, offset);
        let corrupt = corrupt(directory.path());
        assert_eq!(&corrupt.file, path);
        let header = offset < positions[0].offset;
        assert_eq!(corrupt.damage, if header { Damage::Header } else { Damage::Frame });
        // Offsets name the frame; between records stand marks.
        assert!(corrupt.offset <= offset && (header || offset - corrupt.offset < 80), "{offset}");
        assert!(corrupt.what_to_do().contains(path.to_str().expect("the path is UTF-8")));
        flip(path, offset);
    }
    assert_eq!(open(directory.path()).1.records.len(), 3);
}

#[test]
fn unsynced_bytes_may_come_back_in_any_state() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let (journal, _) = open(directory.path());
    let last = commit(&journal, &[record(0, 40)]).expect("commits");
    let durable = last.offset + record(0, 40).len() as u64 + 8;
    let torn = journal.append(&record(1, 40)).expect("appends");
    journal.append(&record(2, 40)).expect("appends");
    for spoiled in [torn.offset..torn.offset + 20, durable..torn.offset + 40] {
        let crash = copy(directory.path());
        let path = &segments(crash.path())[0];
        let mut bytes = std::fs::read(path).expect("a segment reads");
        bytes[spoiled.start as usize..spoiled.end as usize].fill(0);
        std::fs::write(path, bytes).expect("a segment is written");
        let (_, recovered) = open(crash.path());
        assert_eq!(payloads(&recovered), [record(0, 40)], "{spoiled:?}");
        assert!(recovered.truncated_bytes > 0);
    }
}

#[test]
fn a_frame_within_a_record_is_no_record() {
    let directory = tempfile::tempdir().expect("a directory is created");
    three(directory.path());
    let copied = std::fs::read(&segments(directory.path())[0]).expect("a segment reads");
    let (journal, _) = open(directory.path());
    let at = journal.append(&copied).expect("appends");
    let crash = copy(directory.path());
    cut(&segments(crash.path())[0], at.offset + 8 + copied.len() as u64 - 1);
    let (_, recovered) = open(crash.path());
    assert_eq!(recovered.records.len(), 3);
    assert_eq!(recovered.truncated_bytes, 8 + copied.len() as u64 - 1);
}

/// A journal of several segments.
fn long(directory: &Path) -> Vec<PathBuf> {
    let (journal, _) = open(directory);
    for number in 0..60 {
        journal.append(&record(number, 300)).expect("appends");
    }
    drop(journal);
    let paths = segments(directory);
    assert!(paths.len() >= 4, "{paths:?}");
    paths
}

#[test]
fn damage_before_the_last_segment_is_refused() {
    let check = |spoil: fn(&[PathBuf]), file: usize, damage| {
        let directory = tempfile::tempdir().expect("a directory is created");
        let paths = long(directory.path());
        spoil(&paths);
        let corrupt = corrupt(directory.path());
        assert_eq!((&corrupt.file, corrupt.damage), (&paths[file], damage));
    };
    check(|paths| flip(&paths[1], 100), 1, Damage::Frame);
    check(|paths| flip(&paths[0], 20), 0, Damage::Header);
    check(|paths| cut(&paths[0], 1_000), 0, Damage::Frame);
    // 48 bytes of header, and two whole frames of 8 + 16 + 300 bytes.
    check(|paths| cut(&paths[0], 48 + 2 * 324), 0, Damage::Length);
    check(|paths| cut(&paths[3], 10), 3, Damage::Header);
    check(|paths| std::fs::remove_file(&paths[2]).expect("removed"), 2, Damage::Missing);
    check(|paths| std::fs::rename(&paths[0], &paths[1]).expect("renamed"), 1, Damage::Header);
}

#[test]
fn retaining_drops_whole_segments_before_the_position() {
    let directory = tempfile::tempdir().expect("a directory is created");
    long(directory.path());
    let (journal, recovered) = open(directory.path());
    let (keep, _) = recovered.records[30];
    assert!(keep.segment > 1);
    journal.retain_from(keep).expect("retains");
    let first = recovered.records[0].0;
    assert!(matches!(journal.read(first), Err(JournalError::PositionUnknown(at)) if at == first));
    let beyond = Position { segment: 99, offset: 0 };
    assert!(matches!(journal.retain_from(beyond), Err(JournalError::PositionUnknown(_))));
    drop(journal);
    let kept = open(directory.path()).1.records;
    let of_segment = |(at, _): &&(Position, Vec<u8>)| at.segment >= keep.segment;
    let expect: Vec<_> = recovered.records.iter().filter(of_segment).cloned().collect();
    assert_eq!(kept, expect);
}

#[test]
fn a_checkpoint_stands_for_everything_before_it() {
    let directory = tempfile::tempdir().expect("a directory is created");
    long(directory.path());
    let (journal, _) = open(directory.path());
    let seen = journal.end();
    journal.append(b"late").expect("appends");
    let stale = journal.checkpoint(seen, &[]);
    assert!(matches!(stale, Err(JournalError::CheckpointStale { .. })));
    let first = journal.checkpoint(journal.end(), &[record(7, 9_000), record(8, 1)]);
    let first = first.expect("a checkpoint is made");
    assert_eq!(journal.read(first).expect("reads"), record(7, 9_000));
    assert_eq!(segments(directory.path()).len(), 1);
    journal.append(b"after").expect("appends");
    drop(journal);
    let (_, recovered) = open(directory.path());
    assert_eq!(recovered.records[0].0, first);
    let expect = [record(7, 9_000), record(8, 1), b"after".to_vec()];
    assert_eq!(payloads(&recovered), expect);
    // A checkpoint is durable as a whole before it has its name.
    cut(&segments(directory.path())[0], 5_000);
    assert_eq!(corrupt(directory.path()).damage, Damage::Frame);
}

#[test]
fn a_journal_is_open_once() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let (journal, _) = open(directory.path());
    let error = Journal::open(directory.path(), &small()).err().expect("it is in use");
    assert!(matches!(&error, JournalError::HomeInUse(path) if path == directory.path()));
    assert_eq!(error.code(), ErrorCode::HomeInUse);
    drop(journal);
    open(directory.path());
}

#[test]
fn settings_out_of_bounds_are_refused() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let group =
        |micros, records_max| Sync::Group { delay: Duration::from_micros(micros), records_max };
    for settings in [
        Settings { segment_bytes_max: SEGMENT_BYTES_MIN - 1, ..Settings::default() },
        Settings { sync: group(10_001, 1), ..Settings::default() },
        Settings { sync: group(0, 0), ..Settings::default() },
        Settings { queue_records_max: 0, ..Settings::default() },
        Settings { queue_bytes_max: usize::MAX, ..Settings::default() },
    ] {
        let refused = Journal::open(directory.path(), &settings).err();
        assert!(matches!(refused, Some(JournalError::Setting { .. })), "{settings:?}");
    }
}
