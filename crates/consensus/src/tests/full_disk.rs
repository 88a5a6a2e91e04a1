//! A disk that fills up while the engine writes, and gets space again.

use super::toy::{Toy, account, fill, genesis, origin, settings, transfer};
use crate::backend::Deferred;
use crate::engine::{Consensus, Fate, Status};
use crate::error::{StoreError, SubmitError};
use crate::orderer::LocalOrderer;
use crate::replay::audit;
use crate::settings::system_clock;
use ambar_base::{Encode, Height};
use futures::executor::block_on;
use proptest::prelude::*;
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Debug, Default)]
struct Medium {
    bytes: Vec<u8>,
    /// Writes accepted before the disk is full; `None` is any number.
    writes_left: Option<u64>,
    syncs_fail: bool,
}

/// A disk in memory that refuses on demand, even in the middle of a commit.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Medium>>);

impl Disk {
    fn allow(&self, writes: Option<u64>) {
        self.0.lock().unwrap().writes_left = writes;
    }

    fn fail_syncs(&self, fail: bool) {
        self.0.lock().unwrap().syncs_fail = fail;
    }

    /// What a crash right now leaves behind.
    fn image(&self) -> Self {
        let bytes = self.0.lock().unwrap().bytes.clone();
        Self(Arc::new(Mutex::new(Medium { bytes, ..Medium::default() })))
    }
}

impl Medium {
    fn take_write(&mut self) -> io::Result<()> {
        match &mut self.writes_left {
            None => Ok(()),
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        out.copy_from_slice(&self.0.lock().unwrap().bytes[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut medium = self.0.lock().unwrap();
        medium.take_write()?;
        medium.bytes.resize(length as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.0.lock().unwrap().syncs_fail { Err(io::Error::other("no")) } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut medium = self.0.lock().unwrap();
        medium.take_write()?;
        let start = offset as usize;
        medium.bytes[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn open(disk: &Disk) -> LocalOrderer {
    let machine = Arc::new(Toy::default());
    let backend = Box::new(disk.clone());
    LocalOrderer::open_on(backend, settings(), machine, genesis(), system_clock()).unwrap()
}

fn recovers_after(fail: impl Fn(&Disk), expect: &StoreError) {
    let disk = Disk::default();
    let engine = open(&disk);
    let first = transfer(1, 0, 1, 1);
    block_on(engine.submit(first.to_bytes())).unwrap();
    let head = engine.head();
    fail(&disk);
    let refused = fill(2, 3_000);
    let refuse = |bytes| {
        assert_eq!(block_on(engine.submit(bytes)), Err(SubmitError::Store(expect.clone())));
        assert_eq!(engine.status(), Status::Stalled(expect.clone()));
        assert_eq!(engine.head(), head, "the block is not published");
    };
    refuse(refused.to_bytes());
    refuse(refused.to_bytes());
    refuse(transfer(3, 0, 1, 1).to_bytes());
    // Reads go on, and see nothing of the block that waits.
    let view = engine.read().unwrap();
    assert!(view.scan(b"fill", None, 1).unwrap().is_empty());
    assert_eq!(view.get(&account(0)).unwrap().unwrap().as_ref(), 999_999u64.to_be_bytes());
    assert_eq!(engine.fate(&refused.id()), Ok(Fate::Waiting));
    assert_eq!(engine.fate(&transfer(3, 0, 1, 1).id()), Ok(Fate::Unknown));
    assert!(engine.block(Height(1)).unwrap().is_some());
    // A crash now loses nothing that was acknowledged.
    let crashed = open(&disk.image());
    assert!(audit(&origin(&Toy::default()), &crashed).unwrap().head.height >= head.height);
    assert!(matches!(crashed.fate(&first.id()), Ok(Fate::Final { .. })));
    disk.allow(None);
    disk.fail_syncs(false);
    let committed = block_on(engine.submit(refused.to_bytes())).unwrap();
    assert_eq!(committed.height, Height(2));
    block_on(engine.submit(transfer(3, 0, 1, 1).to_bytes())).unwrap();
    assert_eq!(engine.status(), Status::Running);
    assert_eq!(audit(&origin(&Toy::default()), &engine).unwrap().transactions, 3);
    block_on(engine.shutdown());
    assert_eq!(open(&disk).head().height, Height(3));
}

#[test]
fn a_full_disk_refuses_then_recovers() {
    for writes in 0..4 {
        recovers_after(|disk| disk.allow(Some(writes)), &StoreError::DiskFull);
    }
}

#[test]
fn a_disk_that_does_not_sync_refuses_then_recovers() {
    recovers_after(|disk| disk.fail_syncs(true), &StoreError::Io("no".into()));
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
                        prop_assert!(disk.0.lock().unwrap().bytes == model);
                    }
                }
            }
            let mut read = vec![7; model.len()];
            deferred.read(0, &mut read).unwrap();
            prop_assert!(read == model);
        }
    }
}
