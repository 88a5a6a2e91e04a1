//! Sealing: confidential content of a version.
//!
//! The files of a sealed version are stored, served, challenged and verified as
//! ciphertext: whoever holds them needs no key, and the chunk tree's roots are roots of
//! ciphertext. One random [`VersionKey`] serves all files of one version, each by a key
//! derived for its place. A licensee asks for the version's key by a [`ReleaseRequest`]
//! and gets it [`Released`], wrapped for that request alone. Before, the owner hands the key
//! to the node that will release it, wrapped for the node's own [`CustodyRequest`].
//!
//! | what | by |
//! |---|---|
//! | key of a file | BLAKE3 `derive_key` (a mode of the BLAKE3 paper) of version key, file index and plaintext length |
//! | chunks | STREAM (Hoang, Reyhanitabar, Rogaway and Vizár 2015, <https://eprint.iacr.org/2015/189>) over ChaCha20-Poly1305 (RFC 8439) |
//! | nonce of a chunk | file index (7 bytes), chunk index (4 bytes), both big-endian, 1 for the last chunk and 0 before |
//! | associated data | `ambar/sealed`, 0, the format, file index (4 bytes), plaintext length (8 bytes), big-endian, zeros up to 64 bytes |
//! | release | HPKE (RFC 9180), base mode, X25519, HKDF-SHA256, ChaCha20-Poly1305 |
//!
//! A sealed chunk is as long as a group of the chunk tree, tag included: whoever verified
//! a group can open it, without another. A tag for each 16 368 bytes adds 0.098 %.
//!
//! It does not know who may have a key, where keys are kept, nor how files are named: the
//! file table, which the creator signs, ties a path to an index. Sealing hides neither the
//! number and lengths of files nor their paths, and does not stop whoever has the key from
//! copying what it opens.
//!
//! **Invariant**: what opens is what was sealed, at that place of that file of that
//! version. No nonce is used twice with one key, as long as a version key seals one
//! version once.

mod custody;
mod descriptor;
mod key;
mod layout;
mod opener;
mod release;
mod sealer;
mod stream;

pub use custody::CustodyRequest;
pub use descriptor::{
    Algorithm, SEALED_CONTENT_BYTES_MAX, SEALED_CONTENT_MEDIA_TYPE, SealedContent,
    SealedContentError,
};
pub use key::{KeyCommitment, VersionKey};
pub use layout::{
    Cover, Layout, LengthError, PLAIN_CHUNK_BYTES, PLAINTEXT_BYTES_MAX, SEALED_CHUNK_BYTES,
    TAG_BYTES,
};
pub use opener::{OpenError, OpenFileError, Opener, StreamOpener, open_file};
pub use release::{RecipientKey, RecipientSecret, ReleaseError, ReleaseRequest, Released};
pub use sealer::{SealError, Sealer};

/// The sealing format that this version writes and opens.
pub const SEALING_FORMAT: u8 = 1;

#[cfg(test)]
mod tests;
