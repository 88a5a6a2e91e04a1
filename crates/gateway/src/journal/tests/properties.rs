//! Properties over random histories.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Commit(Vec<usize>),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || prop_oneof![3 => 0..400_usize, 1 => 0..6_000_usize];
    let step = prop_oneof![
        4 => bytes().prop_map(Step::Append),
        4 => prop::collection::vec(bytes(), 0..5).prop_map(Step::Commit),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..30)
}

/// A record that was written, and where.
struct Told {
    position: Position,
    record: Vec<u8>,
}

/// Takes the steps; returns what was written in order, with every record's position.
fn take(directory: &Path, steps: &[Step]) -> Vec<Told> {
    let mut journal = open(directory).0;
    let mut told: Vec<Told> = Vec::new();
    let mut number = 0;
    let mut next = |bytes: &usize| {
        number += 1;
        record(number, *bytes)
    };
    for step in steps {
        match step {
            Step::Append(bytes) => {
                let record = next(bytes);
                let position = journal.append(&record).expect("appends");
                told.push(Told { position, record });
            }
            Step::Commit(sizes) => {
                let records: Vec<_> = sizes.iter().map(&mut next).collect();
                let mut position = commit(&journal, &records).expect("commits");
                for record in records {
                    let bytes = record.len() as u64 + 8;
                    told.push(Told { position, record });
                    position.offset += bytes;
                }
            }
            Step::Reopen => {
                drop(journal);
                journal = open(directory).0;
            }
        }
    }
    told
}

/// Where a cut goes: within the last segment, by class.
fn cut_points(told: &[Told], segment: u64, length: u64) -> Vec<u64> {
    let starts = told.iter().filter(|told| told.position.segment == segment);
    let mut points = vec![length];
    for Told { position, record } in starts {
        let (at, end) = (position.offset, position.offset + 8 + record.len() as u64);
        // Before the frame, in its length, its checksum, its payload, at its end, in a mark.
        points.extend([at, at + 2, at + 4, at + 7, at + 8, (at + end) / 2, end - 1, end, end + 5]);
    }
    points.retain(|point| *point <= length);
    points
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_stands_before_a_cut_is_recovered_and_nothing_else(steps in steps()) {
        let directory = tempfile::tempdir().expect("a directory is created");
        let told = take(directory.path(), &steps);
        let paths = segments(directory.path());
        let path = paths.last().expect("there is a segment");
        let whole = std::fs::read(path).expect("a segment reads");
        for point in cut_points(&told, paths.len() as u64, whole.len() as u64) {
            std::fs::write(path, &whole[..point as usize]).expect("a segment is written");
            let (_, recovered) = open(directory.path());
            let stands = |told: &&Told| {
                let end = told.position.offset + 8 + told.record.len() as u64;
                told.position.segment < paths.len() as u64 || end <= point
            };
            let expect: Vec<_> = told
                .iter()
                .filter(stands)
                .map(|told| (told.position, told.record.clone()))
                .collect();
            prop_assert_eq!(recovered.records, expect, "cut to {}", point);
        }
    }

    #[test]
    fn a_flipped_bit_never_changes_a_record(steps in steps(), place in any::<prop::sample::Index>()) {
        let directory = tempfile::tempdir().expect("a directory is created");
        let told = take(directory.path(), &steps);
        let paths = segments(directory.path());
        let path = &paths[place.index(paths.len())];
        let mut bytes = std::fs::read(path).expect("a segment reads");
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << place.index(8);
        std::fs::write(path, bytes).expect("a segment is written");
        match Journal::open(directory.path(), &small()) {
            Err(JournalError::Corrupt(corrupt)) => {
                prop_assert_eq!(&corrupt.file, path);
                prop_assert!(corrupt.offset <= at as u64);
            }
            Err(other) => prop_assert!(false, "{}", other),
            // Only the last mark may be damaged unnoticed: the records before it are whole.
            Ok((_, recovered)) => {
                prop_assert!(recovered.truncated_bytes > 0 && path == paths.last().expect("one"));
                let expect: Vec<_> = told.into_iter().map(|told| told.record).collect();
                prop_assert_eq!(payloads(&recovered), expect);
            }
        }
    }
}
