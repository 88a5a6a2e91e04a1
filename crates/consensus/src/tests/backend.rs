//! The view's storage on a disk that fills up and gets space again.

use crate::backend::Deferred;
use proptest::prelude::*;
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Debug, Default)]
struct Medium {
    bytes: Vec<u8>,
    /// Writes accepted before the disk is full; `None` is any number.
    writes_left: Option<u64>,
}

/// A disk in memory that refuses on demand, even in the middle of a commit.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Medium>>);

impl Disk {
    fn allow(&self, writes: Option<u64>) {
        self.0.lock().unwrap().writes_left = writes;
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
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut medium = self.0.lock().unwrap();
        medium.take_write()?;
        let start = offset as usize;
        medium.bytes[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
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
