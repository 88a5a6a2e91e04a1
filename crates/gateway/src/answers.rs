//! Answers that are kept for retries, sealed: neither the disk nor whoever copies it reads them.
//!
//! Each answer is sealed by a key of its own, from a secret of its day, the certificate's holder,
//! the idempotency key and the receipt's id. The gateway does not keep idempotency keys, so it
//! opens an answer only when its caller comes again; when the day's secret is erased nobody does.
//! A call without an idempotency key cannot come again, and nothing of its answer is kept.
//!
//! **Invariant**: a secret is durable before anything is sealed by it; one key seals one answer.

use crate::transcript::Transcript;
use ambar_base::codec::DecodeError;
use ambar_base::{Coded, Digest, Encode, ErrorCode, Moment, codec, record};
use ambar_receipt::ReceiptId;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// UTC days of which answers are kept, the running one included: a retry finds its answer for
/// 24 hours at least, and for 48 at most.
pub const ANSWER_DAYS_KEPT: u64 = 2;
/// What keys are derived for: BLAKE3's context string.
const CONTEXT: &str = "ambar 2026-11 answer kept for a retry";
const SECRET_BYTES: usize = 32;
/// The directory, in the gateway's.
const DIRECTORY: &str = "answers";

record! {
    /// What an answer says.
    #[derive(Default)]
    pub struct AnswerBody {
        /// Text.
        pub text: String,
        /// Vectors, as little-endian 32-bit floats.
        pub vectors: Vec<Vec<u8>>,
        /// An answer that is more than one text, as JSON of a [`Transcript`]; else empty.
        pub choices: Vec<u8>,
    }
}

record! {
    /// An answer's body that its caller can ask for again.
    pub struct SealedAnswer {
        /// The UTC day of the secret, counted from 1970-01-01.
        pub day: u64,
        /// ChaCha20-Poly1305 (RFC 8439) with a key of its own and nonce 0.
        pub bytes: Vec<u8>,
    }
}

/// Why an answer is not there.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Its secret is erased.
    #[error("the answer was kept for {ANSWER_DAYS_KEPT} days and is erased")]
    Erased,
    /// It does not open.
    #[error("the kept answer is damaged")]
    Damaged,
    /// A secret cannot be read or written.
    #[error("{}: {error}", .path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Coded for AnswerError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Erased => ErrorCode::AnswerErased,
            Self::Damaged => ErrorCode::JournalCorrupt,
            Self::File { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
                ErrorCode::DiskFull
            }
            Self::File { .. } => ErrorCode::FileUnreadable,
        }
    }
}

impl From<DecodeError> for AnswerError {
    fn from(_: DecodeError) -> Self {
        Self::Damaged
    }
}

type Secret = Zeroizing<[u8; SECRET_BYTES]>;

/// The secrets by which answers are sealed.
pub struct Answers {
    directory: PathBuf,
    days: Mutex<BTreeMap<u64, Secret>>,
}

/// Who can open an answer, and by what.
pub struct Opener {
    /// The certificate's holder.
    pub holder: Digest,
    /// The idempotency key.
    pub key: Zeroizing<String>,
}

/// Seals the answer of one call.
pub struct Sealer {
    day: u64,
    secret: Secret,
    opener: Opener,
}

impl AnswerBody {
    /// What an answer says.
    #[must_use]
    pub fn of(transcript: &Transcript, vectors: &[Vec<f32>]) -> Self {
        let vectors = Self::float_bytes(vectors);
        match transcript.only_text() {
            Some(text) => Self { text: text.to_owned(), vectors, choices: Vec::new() },
            None => {
                let choices = serde_json::to_vec(transcript);
                let choices = choices.expect("numbers, texts and JSON values serialise");
                Self { text: String::new(), vectors, choices }
            }
        }
    }

    /// The choices of the answer.
    ///
    /// # Errors
    /// [`AnswerError::Damaged`].
    pub fn transcript(&self) -> Result<Transcript, AnswerError> {
        if self.choices.is_empty() {
            return Ok(Transcript::of(&self.text));
        }
        serde_json::from_slice(&self.choices).map_err(|_| AnswerError::Damaged)
    }

    /// The vectors as numbers.
    #[must_use]
    pub fn floats(&self) -> Vec<Vec<f32>> {
        let number = |bytes: &[u8]| bytes.try_into().map(f32::from_le_bytes).unwrap_or_default();
        self.vectors.iter().map(|vector| vector.chunks_exact(4).map(number).collect()).collect()
    }

    /// Vectors as bytes.
    #[must_use]
    pub fn float_bytes(vectors: &[Vec<f32>]) -> Vec<Vec<u8>> {
        let bytes = |vector: &Vec<f32>| vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        vectors.iter().map(bytes).collect()
    }
}

impl Opener {
    /// The key of one answer. Its parts have fixed lengths but for the last.
    fn derive(&self, secret: &Secret, receipt: ReceiptId) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(secret.as_slice());
        hasher.update(&self.holder.0);
        hasher.update(&receipt.channel.to_be_bytes());
        hasher.update(&receipt.n.to_be_bytes());
        hasher.update(self.key.as_bytes());
        Zeroizing::new(*hasher.finalize().as_bytes())
    }

    fn cipher(&self, secret: &Secret, receipt: ReceiptId) -> ChaCha20Poly1305 {
        let key = self.derive(secret, receipt);
        ChaCha20Poly1305::new(Key::from_slice(key.as_slice()))
    }
}

impl Sealer {
    /// Seals the answer of the call with this receipt; nothing if it is too long for the cipher.
    #[must_use]
    pub fn seal(&self, receipt: ReceiptId, body: &AnswerBody) -> Option<SealedAnswer> {
        let cipher = self.opener.cipher(&self.secret, receipt);
        let plain = Zeroizing::new(body.to_bytes());
        let payload = Payload { msg: &plain, aad: &self.day.to_be_bytes() };
        let bytes = cipher.encrypt(&Nonce::default(), payload).ok()?;
        Some(SealedAnswer { day: self.day, bytes })
    }
}

impl Answers {
    /// Opens those of a gateway's directory, and erases what is over at `now`.
    ///
    /// # Errors
    /// `File`.
    pub fn open(directory: &Path, now: Moment) -> Result<Self, AnswerError> {
        let directory = directory.join(DIRECTORY);
        fs::create_dir_all(&directory).map_err(|error| failed(&directory, error))?;
        let mut days = BTreeMap::new();
        for entry in fs::read_dir(&directory).map_err(|error| failed(&directory, error))? {
            let path = entry.map_err(|error| failed(&directory, error))?.path();
            match day_of(&path) {
                Some(day) => drop(days.insert(day, read(&path)?)),
                // What a crash left of a file that was not named yet.
                None => fs::remove_file(&path).map_err(|error| failed(&path, error))?,
            }
        }
        let answers = Self { directory, days: Mutex::new(days) };
        answers.erase(now)?;
        Ok(answers)
    }

    /// A sealer by the secret of the day, which is durable from then on.
    ///
    /// # Errors
    /// `File`.
    pub fn sealer(&self, now: Moment, opener: Opener) -> Result<Sealer, AnswerError> {
        let mut days = self.lock();
        let day = now.day();
        let secret = match days.get(&day) {
            Some(secret) => secret.clone(),
            None => {
                let secret = self.make(day)?;
                days.insert(day, secret.clone());
                secret
            }
        };
        Ok(Sealer { day, secret, opener })
    }

    /// Opens the answer of a call.
    ///
    /// # Errors
    /// `Erased` and `Damaged`.
    pub fn unseal(
        &self,
        sealed: &SealedAnswer,
        receipt: ReceiptId,
        opener: &Opener,
    ) -> Result<AnswerBody, AnswerError> {
        let secret = self.lock().get(&sealed.day).cloned().ok_or(AnswerError::Erased)?;
        let cipher = opener.cipher(&secret, receipt);
        let payload = Payload { msg: &sealed.bytes, aad: &sealed.day.to_be_bytes() };
        let plain = cipher.decrypt(&Nonce::default(), payload);
        let plain = Zeroizing::new(plain.map_err(|_| AnswerError::Damaged)?);
        Ok(codec::decode(&plain)?)
    }

    /// Erases the secrets of days that are over.
    ///
    /// # Errors
    /// `File`; secrets that are still there are tried again the next time.
    pub fn erase(&self, now: Moment) -> Result<(), AnswerError> {
        let first = (now.day() + 1).saturating_sub(ANSWER_DAYS_KEPT);
        let mut days = self.lock();
        while let Some(entry) = days.first_entry().filter(|entry| *entry.key() < first) {
            let path = self.path(*entry.key());
            erase(&path).map_err(|error| failed(&path, error))?;
            entry.remove();
        }
        Ok(())
    }

    fn make(&self, day: u64) -> Result<Secret, AnswerError> {
        let path = self.path(day);
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        let drawn = getrandom::fill(secret.as_mut_slice()).map_err(io::Error::other);
        let written = drawn.and_then(|()| write(&self.directory, &path, secret.as_slice()));
        written.map_err(|error| failed(&path, error))?;
        Ok(secret)
    }

    fn path(&self, day: u64) -> PathBuf {
        self.directory.join(format!("{day}.key"))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Secret>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(path: &Path, error: io::Error) -> AnswerError {
    AnswerError::File { path: path.to_owned(), error }
}

fn day_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(".key")?.parse().ok()
}

fn read(path: &Path) -> Result<Secret, AnswerError> {
    let bytes = Zeroizing::new(fs::read(path).map_err(|error| failed(path, error))?);
    let secret: [u8; SECRET_BYTES] =
        bytes.as_slice().try_into().map_err(|_| AnswerError::Damaged)?;
    Ok(Zeroizing::new(secret))
}

/// Writes a file whole or not at all, readable by its owner only.
fn write(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(directory)?.sync_all()
}

/// Overwrites and removes a file. Disks that write elsewhere may keep the old bytes for a while.
fn erase(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(&[0; SECRET_BYTES])?;
    file.sync_all()?;
    fs::remove_file(path)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const RECEIPT: ReceiptId = ReceiptId { channel: 3, n: 7 };
    const DAY: u64 = Moment::DAY_MS;

    fn opener(holder: &str, key: &str) -> Opener {
        Opener { holder: Digest::of(holder.as_bytes()), key: Zeroizing::new(key.to_owned()) }
    }

    fn body() -> AnswerBody {
        AnswerBody { text: "canary".into(), vectors: vec![vec![1, 2, 3, 4]], choices: Vec::new() }
    }

    fn open(home: &TempDir, day: u64) -> Answers {
        Answers::open(home.path(), Moment(day * DAY)).unwrap()
    }

    fn sealed(answers: &Answers, day: u64) -> SealedAnswer {
        let sealer = answers.sealer(Moment(day * DAY), opener("holder", "key")).unwrap();
        sealer.seal(RECEIPT, &body()).unwrap()
    }

    #[test]
    fn only_who_called_opens_an_answer() {
        let home = tempfile::tempdir().unwrap();
        let sealed = sealed(&open(&home, 9), 9);
        assert!(!sealed.bytes.windows(6).any(|window| window == b"canary"));
        // Another process finds the secret.
        let answers = open(&home, 9);
        let check = |sealed: &SealedAnswer, receipt, holder, key| {
            answers.unseal(sealed, receipt, &opener(holder, key)).ok()
        };
        assert_eq!(check(&sealed, RECEIPT, "holder", "key"), Some(body()));
        assert_eq!(check(&sealed, RECEIPT, "other", "key"), None);
        assert_eq!(check(&sealed, RECEIPT, "holder", "other"), None);
        assert_eq!(check(&sealed, ReceiptId { n: 8, ..RECEIPT }, "holder", "key"), None);
        let mut damaged = sealed.clone();
        damaged.bytes[3] ^= 1;
        assert_eq!(check(&damaged, RECEIPT, "holder", "key"), None);
        let error = answers.unseal(&damaged, RECEIPT, &opener("holder", "key")).unwrap_err();
        assert_eq!(error.code(), ErrorCode::JournalCorrupt);
    }

    #[test]
    fn a_day_that_is_over_is_erased() {
        let home = tempfile::tempdir().unwrap();
        let answers = open(&home, 9);
        let (old, new) = (sealed(&answers, 9), sealed(&answers, 10));
        let unseal = |answers: &Answers, sealed: &SealedAnswer| {
            answers.unseal(sealed, RECEIPT, &opener("holder", "key"))
        };
        answers.erase(Moment(11 * DAY - 1)).unwrap();
        assert_eq!(unseal(&answers, &old).unwrap(), body());
        answers.erase(Moment(11 * DAY)).unwrap();
        assert_eq!(unseal(&answers, &old).unwrap_err().code(), ErrorCode::AnswerErased);
        assert_eq!(unseal(&answers, &new).unwrap(), body());
        let names = || {
            let entries = fs::read_dir(home.path().join(DIRECTORY)).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
        };
        assert_eq!(names(), ["10.key"]);
        // A gateway that was off for days erases when it starts.
        drop(answers);
        let answers = open(&home, 20);
        assert_eq!(unseal(&answers, &new).unwrap_err().code(), ErrorCode::AnswerErased);
        assert_eq!(names(), [""; 0]);
    }

    #[test]
    fn one_secret_seals_no_two_calls_alike() {
        let home = tempfile::tempdir().unwrap();
        let answers = open(&home, 9);
        let seal = |n| {
            let sealer = answers.sealer(Moment(9 * DAY), opener("holder", "key")).unwrap();
            sealer.seal(ReceiptId { n, ..RECEIPT }, &body()).unwrap().bytes
        };
        assert_ne!(seal(1), seal(2));
    }
}
