use crate::error::StoreError;
use crate::limits::RANGE_BYTES_MAX;
use crate::staging::Staged;
use crate::store::{Store, copy_and_hash};
use ambar_base::{Coded, ErrorCode};
use ambar_capsule::chunks::{ContentRoot, GROUP_BYTES};
use proptest::prelude::*;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const LENGTHS: [usize; 8] = [0, 1, 1024, 16_383, 16_384, 16_385, 100_000, 40 * GROUP_BYTES + 3];

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect()
}

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn blob_path(dir: &Path, root: &ContentRoot) -> PathBuf {
    let name = root.to_string();
    dir.join("blobs").join(&name[..2]).join(name)
}

fn outboard_path(dir: &Path, root: &ContentRoot) -> PathBuf {
    blob_path(dir, root).with_extension("outboard")
}

fn staged(dir: &Path) -> usize {
    fs::read_dir(dir.join("staging")).unwrap().count()
}

#[test]
fn what_is_put_is_got() {
    let (dir, store) = store();
    let mut roots: Vec<_> = LENGTHS
        .iter()
        .map(|length| {
            let content = content(*length);
            let (root, length) = store.put(content.as_slice()).unwrap();
            assert_eq!((root, length), (ContentRoot::of(&content), content.len() as u64));
            assert_eq!(store.get(&root).unwrap(), content);
            assert_eq!(store.verify(&root).unwrap(), length);
            assert_eq!(store.length(&root).unwrap(), length);
            root
        })
        .collect();
    roots.sort();
    assert_eq!(store.list().unwrap(), roots);
    assert_eq!(Store::open(dir.path()).unwrap().list().unwrap(), roots);
    assert_eq!(staged(dir.path()), 0);
    assert!(store.remove(&roots[0]).unwrap());
    assert!(!store.remove(&roots[0]).unwrap());
    assert!(matches!(store.get(&roots[0]), Err(StoreError::NotFound(root)) if root == roots[0]));
    assert_eq!(store.list().unwrap(), roots[1..]);
}

#[test]
fn the_same_content_is_stored_once_and_repairs_a_damaged_one() {
    let (dir, store) = store();
    let content = content(50_000);
    let (root, _) = store.put(content.as_slice()).unwrap();
    let written = fs::metadata(blob_path(dir.path(), &root)).unwrap().modified().unwrap();
    store.put(content.as_slice()).unwrap();
    let kept = fs::metadata(blob_path(dir.path(), &root)).unwrap().modified().unwrap();
    assert_eq!(written, kept);
    for path in [blob_path(dir.path(), &root), outboard_path(dir.path(), &root)] {
        fs::write(&path, b"damaged").unwrap();
        assert_eq!(store.get(&root).unwrap_err().code(), ErrorCode::BlobCorrupt);
        store.put(content.as_slice()).unwrap();
        assert_eq!(store.get(&root).unwrap(), content);
        fs::remove_file(&path).unwrap();
        assert!(store.get(&root).is_err());
        store.put(content.as_slice()).unwrap();
        assert_eq!(store.get(&root).unwrap(), content);
    }
    assert_eq!(staged(dir.path()), 0);
}

#[test]
fn ranges_are_within_the_blob_and_bounded() {
    let (_dir, store) = store();
    let (root, length) = store.put(io::repeat(9).take(RANGE_BYTES_MAX + 5)).unwrap();
    let check = |start: u64, end: u64, expect: ErrorCode| {
        assert_eq!(store.read_range(&root, start..end).unwrap_err().code(), expect);
    };
    check(0, RANGE_BYTES_MAX + 1, ErrorCode::LimitExceeded);
    check(0, length + 1, ErrorCode::RequestInvalid);
    check(2, 1, ErrorCode::RequestInvalid);
    check(u64::MAX, u64::MAX, ErrorCode::RequestInvalid);
    assert_eq!(store.read_range(&root, length..length).unwrap(), b"");
    assert_eq!(store.read_range(&root, length - 3..length).unwrap(), [9; 3]);
}

/// Fails on demand, as a reader and as a disk.
struct Failing {
    left: usize,
    kind: io::ErrorKind,
}

impl Read for Failing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.left.min(out.len());
        self.left -= count;
        if count == 0 { Err(self.kind.into()) } else { Ok(count) }
    }
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.left.min(bytes.len());
        self.left -= count;
        if count == 0 { Err(self.kind.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_fails_leaves_nothing() {
    let (dir, store) = store();
    let reader = Failing { left: 700_000, kind: io::ErrorKind::BrokenPipe };
    assert!(matches!(store.put(reader), Err(StoreError::Peer(_))));
    assert_eq!((staged(dir.path()), store.list().unwrap().len()), (0, 0));
}

#[test]
fn a_full_disk_has_a_name() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        let disk = Failing { left: 300_000, kind };
        let error = copy_and_hash(content(500_000).as_slice(), disk).unwrap_err();
        assert_eq!(error.code(), ErrorCode::DiskFull);
    }
}

/// The kernel's own full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_real_full_device_has_a_name() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = copy_and_hash(b"x".as_slice(), full).unwrap_err();
    assert_eq!(error.code(), ErrorCode::DiskFull);
}

#[test]
fn leftovers_of_the_dead_are_swept_and_the_living_keep_theirs() {
    let (dir, store) = store();
    let staging = dir.path().join("staging");
    fs::write(staging.join("4000000-0"), b"left by a killed process").unwrap();
    let living = Staged::new(&staging).unwrap();
    let again = Store::open(dir.path()).unwrap();
    assert_eq!(staged(dir.path()), 1);
    drop(living);
    assert_eq!(staged(dir.path()), 0);
    assert_eq!(again.list().unwrap(), store.list().unwrap());
}

/// A kept outboard is right, so ranges go on; reading whole looks at the disk.
#[test]
fn a_kept_outboard_outlives_damage_of_its_file_and_not_of_the_content() {
    let (dir, store) = store();
    let content = content(100_000);
    let (root, _) = store.put(content.as_slice()).unwrap();
    assert_eq!(store.read_range(&root, 5..90_000).unwrap(), content[5..90_000]);
    flip(&outboard_path(dir.path(), &root), 3, 1);
    assert_eq!(store.read_range(&root, 5..90_000).unwrap(), content[5..90_000]);
    assert!(refuses(&store, &root));
    assert!(Store::open(dir.path()).unwrap().read_range(&root, 0..1).is_err());
    flip(&blob_path(dir.path(), &root), 70_000, 1);
    assert!(store.read_range(&root, 5..90_000).is_err());
    fs::write(blob_path(dir.path(), &root), &content[..40_000]).unwrap();
    assert!(store.read_range(&root, 0..10).is_err());
    store.remove(&root).unwrap();
    assert!(matches!(store.read_range(&root, 0..1), Err(StoreError::NotFound(_))));
}

/// Every way of reading that touches the damaged byte refuses.
fn refuses(store: &Store, root: &ContentRoot) -> bool {
    let named = |error: StoreError| matches!(error, StoreError::BlobCorrupt { root: named, .. } if named == *root);
    store.get(root).err().is_some_and(named) && store.verify(root).err().is_some_and(named)
}

fn flip(path: &Path, at: usize, bit: u8) -> usize {
    let mut bytes = fs::read(path).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
    at
}

fn any_length() -> impl Strategy<Value = usize> {
    prop_oneof![prop::sample::select(LENGTHS[1..].to_vec()), 1usize..200_000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_flipped_bit_of_the_content_is_refused_where_it_is(
        length in any_length(), at: usize, bit in 0u8..8,
    ) {
        let (dir, store) = store();
        let content = content(length);
        let (root, _) = store.put(content.as_slice()).unwrap();
        let at = flip(&blob_path(dir.path(), &root), at, bit) as u64;
        prop_assert!(refuses(&store, &root));
        let group = at / GROUP_BYTES as u64 * GROUP_BYTES as u64;
        let error = store.read_range(&root, at..at + 1).unwrap_err();
        let named = matches!(error, StoreError::BlobCorrupt { offset, .. } if offset == group);
        prop_assert!(named, "{}", error);
        // Groups before it are still good.
        prop_assert_eq!(store.read_range(&root, 0..group).is_ok(), group > 0);
    }

    #[test]
    fn a_flipped_bit_of_the_outboard_is_refused_everywhere(
        length in any_length(), at: usize, bit in 0u8..8,
    ) {
        let (dir, store) = store();
        let (root, _) = store.put(content(length).as_slice()).unwrap();
        flip(&outboard_path(dir.path(), &root), at, bit);
        prop_assert!(refuses(&store, &root));
        prop_assert!(store.read_range(&root, 0..1).is_err());
    }

    #[test]
    fn a_changed_length_is_refused(length in any_length(), cut in 1usize..40_000, longer: bool) {
        let (dir, store) = store();
        let mut content = content(length);
        let (root, _) = store.put(content.as_slice()).unwrap();
        let changed = if longer { length + cut } else { length.saturating_sub(cut) };
        content.resize(changed, 0);
        fs::write(blob_path(dir.path(), &root), content).unwrap();
        prop_assert!(refuses(&store, &root));
    }

    #[test]
    fn any_range_is_that_of_the_content(length in any_length(), a: usize, b: usize) {
        let (_dir, store) = store();
        let content = content(length);
        let (root, _) = store.put(content.as_slice()).unwrap();
        let (a, b) = (a % (length + 1), b % (length + 1));
        let (start, end) = (a.min(b), a.max(b));
        let bytes = store.read_range(&root, start as u64..end as u64).unwrap();
        prop_assert_eq!(bytes.as_slice(), &content[start..end]);
    }
}

/// A blob longer than memory should take, of zeros that take no space.
#[test]
fn a_part_of_a_long_blob_is_checked_alone() {
    let (dir, store) = store();
    let length = 80 << 20;
    let sparse = tempfile::tempfile().unwrap();
    sparse.set_len(length).unwrap();
    let (root, _) = store.put(sparse).unwrap();
    let damaged = 70 << 20;
    let mut file = OpenOptions::new().write(true).open(blob_path(dir.path(), &root)).unwrap();
    file.seek(io::SeekFrom::Start(damaged + 5)).unwrap();
    file.write_all(&[1]).unwrap();
    let check = |range: std::ops::Range<u64>, expect: Option<u64>| {
        assert_eq!(store.verify_range(&root, range.clone()).ok(), expect, "{range:?}");
    };
    check(0..damaged, Some(damaged));
    check(3..damaged - 7, Some(damaged - 10));
    check(damaged + GROUP_BYTES as u64..u64::MAX, Some(length - damaged - GROUP_BYTES as u64));
    check(length..length, Some(0));
    check(length + 1..u64::MAX, None);
    let error = store.verify_range(&root, 1 << 20..u64::MAX).unwrap_err();
    assert!(
        matches!(error, StoreError::BlobCorrupt { offset, .. } if offset == damaged),
        "{error}"
    );
    let mut rest = Vec::new();
    store.copy_range(&root, damaged - 9..damaged - 4, &mut rest).unwrap();
    assert_eq!(rest, [0; 5]);
}
