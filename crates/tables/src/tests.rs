use crate::Tables;
use crate::deferred::Deferred;
use crate::faulty::Disk;
use proptest::prelude::*;
use redb::{TableDefinition, WriteTransaction};
use std::io;

const TABLE: TableDefinition<'_, u64, Vec<u8>> = TableDefinition::new("numbers");
/// More than the file has free: a value makes it grow.
const VALUE_BYTES: usize = 100_000;

fn open(disk: &Disk) -> Tables {
    let prepare = |write: &WriteTransaction| -> Result<(), redb::Error> {
        write.open_table(TABLE)?;
        Ok(())
    };
    Tables::open_on(Box::new(disk.clone()), 1 << 20, prepare).unwrap().0
}

fn put(number: u64) -> impl FnOnce(&WriteTransaction) -> Result<(), redb::Error> {
    move |write| {
        let value = vec![number as u8; VALUE_BYTES];
        write.open_table(TABLE)?.insert(number, value)?;
        Ok(())
    }
}

fn numbers(tables: &Tables) -> Vec<u64> {
    let table = tables.begin_read().unwrap().open_table(TABLE).unwrap();
    let rows = table.range::<u64>(..).unwrap().map(|row| {
        let (key, value) = row.unwrap();
        assert_eq!(value.value(), vec![key.value() as u8; VALUE_BYTES]);
        key.value()
    });
    rows.collect()
}

fn is_full(result: &Result<(), redb::Error>) -> bool {
    matches!(result, Err(redb::Error::Io(error)) if error.kind() == io::ErrorKind::StorageFull)
}

#[test]
fn what_a_full_disk_refuses_is_read_and_is_durable_later() {
    for writes in 0..4 {
        let disk = Disk::default();
        let tables = open(&disk);
        tables.write(put(1)).unwrap();
        disk.allow(Some(writes));
        assert!(is_full(&tables.write(put(2))), "{writes}");
        assert!(is_full(&tables.write(put(3))), "nothing is begun while something waits");
        assert!(is_full(&tables.write_later(put(3))));
        assert!(is_full(&tables.flush()));
        assert_eq!(numbers(&tables), [1, 2]);
        assert_eq!(numbers(&open(&disk.image())), [1], "a crash leaves a state that was whole");
        disk.allow(None);
        tables.write(put(3)).unwrap();
        assert_eq!(numbers(&tables), [1, 2, 3]);
        assert_eq!(numbers(&open(&disk.image())), [1, 2, 3]);
    }
}

#[test]
fn what_is_written_later_is_durable_after_a_flush() {
    let disk = Disk::default();
    let tables = open(&disk);
    tables.write_later(put(1)).unwrap();
    assert_eq!(numbers(&tables), [1]);
    assert_eq!(numbers(&open(&disk.image())), [] as [u64; 0]);
    disk.fail_syncs(true);
    assert!(tables.flush().is_err());
    disk.fail_syncs(false);
    tables.flush().unwrap();
    assert_eq!(numbers(&open(&disk.image())), [1]);
}

#[test]
fn a_disk_that_is_full_from_the_start_is_refused() {
    let disk = Disk::default();
    disk.allow(Some(1));
    let opened = Tables::open_on(Box::new(disk), 1 << 20, put(1)).map(|_| ());
    assert!(is_full(&opened), "{opened:?}");
}

#[test]
fn a_file_is_opened_by_one_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("numbers.redb");
    let (tables, ()) = Tables::open(&file, 1 << 20, put(1)).unwrap();
    let second = Tables::open(&file, 1 << 20, put(2)).map(|_| ());
    assert!(matches!(second, Err(redb::Error::DatabaseAlreadyOpen)), "{second:?}");
    drop(tables);
    let (tables, ()) = Tables::open(&file, 1 << 20, put(2)).unwrap();
    assert_eq!(numbers(&tables), [1, 2]);
}

#[derive(Clone, Debug)]
enum Step {
    Resize(u64),
    Write(u64, Vec<u8>),
    Flush(Option<u64>),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u64..40_000).prop_map(Step::Resize),
        (0u64..40_000, prop::collection::vec(any::<u8>(), 0..9_000))
            .prop_map(|(at, bytes)| Step::Write(at, bytes)),
        prop::option::of(0u64..4).prop_map(Step::Flush),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_read_is_what_was_written_last(steps in prop::collection::vec(any_step(), 1..30)) {
        let disk = Disk::default();
        let deferred = Deferred::new(Box::new(disk.clone())).unwrap();
        let mut model: Vec<u8> = Vec::new();
        for step in steps {
            match step {
                Step::Resize(length) => {
                    deferred.set_len(length).unwrap();
                    model.resize(length as usize, 0);
                }
                Step::Write(at, bytes) => {
                    let end = at as usize + bytes.len();
                    let written = deferred.write(at, &bytes);
                    prop_assert_eq!(written.is_ok(), end <= model.len());
                    if end <= model.len() {
                        model[at as usize..end].copy_from_slice(&bytes);
                    }
                }
                Step::Flush(allowed) => {
                    disk.allow(allowed);
                    let flushed = deferred.flush();
                    prop_assert_eq!(flushed.is_ok(), deferred.failure().is_none());
                    if flushed.is_ok() {
                        prop_assert!(disk.bytes() == model);
                    }
                }
            }
            let mut read = vec![7; model.len()];
            deferred.read(0, &mut read).unwrap();
            prop_assert!(read == model);
        }
    }
}
