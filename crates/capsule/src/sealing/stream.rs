//! STREAM over one file: the chunks of one derived key, by index.

use super::SEALING_FORMAT;
use super::key::VersionKey;
use aead_stream::aead::{self, Buffer};
use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use chacha20poly1305_11::{ChaCha20Poly1305, KeyInit};
use std::fmt;

const TAG: &[u8; 12] = b"ambar/sealed";
/// Four blocks of Poly1305: its vector code takes four at a time, and a chunk that begins
/// between them block by block.
const BOUND_BYTES: usize = 64;

/// The cipher of one file. The library wipes its key when dropped.
pub(super) struct FileStream {
    stream: StreamBE32<ChaCha20Poly1305>,
    bound: [u8; BOUND_BYTES],
}

impl FileStream {
    pub(super) fn new(key: &VersionKey, file: u32, plaintext: u64) -> Self {
        let file_key = key.of_file(file, plaintext);
        let aead = ChaCha20Poly1305::new((&*file_key).into());
        let stream = StreamBE32::from_aead(aead, &nonce_prefix(file).into());
        Self { stream, bound: bound(file, plaintext) }
    }

    /// Appends a sealed chunk.
    pub(super) fn seal(&self, chunk: u32, last: bool, plaintext: &[u8], sealed: &mut Vec<u8>) {
        let mut tail = Tail::of(sealed, plaintext);
        let done = self.stream.encrypt_in_place(chunk, last, &self.bound, &mut tail);
        done.expect("a chunk is shorter than 256 GiB, and a vector takes its tag");
    }

    /// Appends an opened chunk, or nothing.
    pub(super) fn open(
        &self,
        chunk: u32,
        last: bool,
        sealed: &[u8],
        plaintext: &mut Vec<u8>,
    ) -> Result<(), aead::Error> {
        let mut tail = Tail::of(plaintext, sealed);
        let opened = self.stream.decrypt_in_place(chunk, last, &self.bound, &mut tail);
        if opened.is_err() {
            tail.truncate(0);
        }
        opened
    }
}

impl fmt::Debug for FileStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileStream(..)")
    }
}

/// What STREAM's counter and flag follow. The file's key is its own already; with the
/// index here, nonces of a version differ by themselves.
pub(super) fn nonce_prefix(file: u32) -> [u8; 7] {
    let [a, b, c, d] = file.to_be_bytes();
    [0, 0, 0, a, b, c, d]
}

/// The associated data of each chunk, zeros at its end.
pub(super) fn bound(file: u32, plaintext: u64) -> [u8; BOUND_BYTES] {
    let mut bound = [0; BOUND_BYTES];
    let (tag, rest) = bound.split_at_mut(TAG.len());
    tag.copy_from_slice(TAG);
    rest[1] = SEALING_FORMAT;
    rest[2..6].copy_from_slice(&file.to_be_bytes());
    rest[6..14].copy_from_slice(&plaintext.to_be_bytes());
    bound
}

/// The end of a caller's buffer, in which the library works in place.
struct Tail<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Tail<'a> {
    fn of(bytes: &'a mut Vec<u8>, content: &[u8]) -> Self {
        let start = bytes.len();
        bytes.extend_from_slice(content);
        Self { bytes, start }
    }
}

impl AsRef<[u8]> for Tail<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl AsMut<[u8]> for Tail<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}

impl Buffer for Tail<'_> {
    fn extend_from_slice(&mut self, other: &[u8]) -> aead::Result<()> {
        self.bytes.extend_from_slice(other);
        Ok(())
    }

    fn truncate(&mut self, length: usize) {
        self.bytes.truncate(self.start + length);
    }
}
