//! The port's certificate: one that the operator gives, read again when its files change, or
//! one that the node makes and keeps in its home.
//!
//! It deliberately knows no client: whom a client trusts is the client's business.
//!
//! **Invariant**: a certificate that is shown fits its key; files that do not fit one another,
//! as while they are being replaced, change nothing.

use super::tls::TlsError;
use crate::peers::identity::provider;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Largest PEM file that is read, bytes: a chain of several certificates is far smaller.
pub const PEM_BYTES_MAX: u64 = 256 * 1024;
/// The directory of the node's own certificate within its home.
pub const TLS_DIRECTORY: &str = "tls";
/// The certificate's file within it.
pub const CERTIFICATE_FILE: &str = "certificate.pem";
/// Its key's file within it.
pub const KEY_FILE: &str = "key.pem";
/// The names for which the own certificate was made, one a line.
const NAMES_FILE: &str = "names";
/// The first and the last year of the own certificate: it is trusted by itself, and making it
/// anew would break whoever pinned it.
const FIRST_YEAR: i32 = 2025;
const LAST_YEAR: i32 = 2125;

/// The two files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, with those between it and its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// SHA-256 of a certificate's DER form, as browsers and `openssl x509 -fingerprint` show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of one certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > PEM_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {PEM_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// The certificates in a PEM file.
///
/// # Errors
/// [`TlsError::File`] if it cannot be read, [`TlsError::Pem`] if it has none.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path).map_err(|error| TlsError::file(path, error))?;
    certificates(path, &bytes)
}

fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let all = all.map_err(|error| TlsError::pem(path, &error))?;
    if all.is_empty() {
        return Err(TlsError::pem(path, &"it has no CERTIFICATE"));
    }
    Ok(all)
}

/// What the files hold.
struct Loaded {
    bytes: [Vec<u8>; 2],
    certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
}

impl CertificateFiles {
    fn bytes(&self) -> Result<[Vec<u8>; 2], TlsError> {
        let read = |path: &Path| read(path).map_err(|error| TlsError::file(path, error));
        Ok([read(&self.certificate)?, read(&self.key)?])
    }

    fn parse(&self, bytes: [Vec<u8>; 2]) -> Result<Loaded, TlsError> {
        let chain = certificates(&self.certificate, &bytes[0])?;
        let key = PrivateKeyDer::from_pem_slice(&bytes[1]);
        let key = key.map_err(|error| TlsError::pem(&self.key, &error))?;
        // A chain is never empty here.
        let fingerprint = Fingerprint::of(chain.first().map_or(&[], |own| own.as_ref()));
        let certified = CertifiedKey::from_der(chain, key, &provider());
        let certified = certified.map_err(|error| TlsError::pem(&self.certificate, &error))?;
        Ok(Loaded { bytes, certified: Arc::new(certified), fingerprint })
    }
}

/// The certificate that is shown now.
pub struct Shown {
    files: CertificateFiles,
    now: RwLock<Loaded>,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Shown {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] if they cannot be read, or do not fit one another.
    pub fn open(files: CertificateFiles) -> Result<Self, TlsError> {
        let now = RwLock::new(files.parse(files.bytes()?)?);
        Ok(Self { files, now })
    }

    /// Reads them again if they changed; whether they did.
    ///
    /// # Errors
    /// [`TlsError`] if what is there now cannot be shown: the last one that could stays.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let bytes = self.files.bytes()?;
        if self.look(|now| now.bytes == bytes) {
            return Ok(false);
        }
        let loaded = self.files.parse(bytes)?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(true)
    }

    /// Where it lies.
    #[must_use]
    pub const fn files(&self) -> &CertificateFiles {
        &self.files
    }

    /// How it is told from others.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.look(|now| now.fingerprint)
    }

    fn look<T>(&self, look: impl FnOnce(&Loaded) -> T) -> T {
        look(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.look(|now| Arc::clone(&now.certified)))
    }
}

/// The node's own certificate in `directory`, made for `names` if there is none for them yet.
/// A name is a DNS name or an IP address.
///
/// # Errors
/// [`TlsError`] if it cannot be made or written.
pub fn own(directory: &Path, names: &[String]) -> Result<CertificateFiles, TlsError> {
    let files = CertificateFiles {
        certificate: directory.join(CERTIFICATE_FILE),
        key: directory.join(KEY_FILE),
    };
    let known = directory.join(NAMES_FILE);
    let there = read(&known).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let there = there.unwrap_or_default();
    let covered = names.iter().all(|name| there.lines().any(|line| line == name));
    if covered && Shown::open(files.clone()).is_ok() {
        return Ok(files);
    }
    let written = |path: &Path, bytes: &[u8]| {
        crate::home::write_private(path, bytes).map_err(|error| TlsError::file(path, error))
    };
    let made = crate::home::private_directory(directory);
    made.map_err(|error| TlsError::file(directory, error))?;
    let (certificate, key) = make(names).map_err(|error| TlsError::Make(error.to_string()))?;
    written(&files.key, key.as_bytes())?;
    written(&files.certificate, certificate.as_bytes())?;
    written(&known, names.join("\n").as_bytes())?;
    Ok(files)
}

/// A self-signed certificate of a new P-256 key, and the key, both as PEM.
fn make(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => Ok(SanType::DnsName(name.as_str().try_into()?)),
        })
        .collect::<Result<_, rcgen::Error>>()?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "Ambar node");
    params.distinguished_name = name;
    params.not_before = date_time_ymd(FIRST_YEAR, 1, 1);
    params.not_after = date_time_ymd(LAST_YEAR, 1, 1);
    let certificate = params.self_signed(&key)?;
    Ok((pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &key.serialize_der())))
}

/// The text form of RFC 7468.
fn pem(label: &str, bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_certificate_is_made_once_for_its_names() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(TLS_DIRECTORY);
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let made = |list: &[&str]| {
            let files = own(&directory, &names(list)).unwrap();
            Shown::open(files).unwrap().fingerprint()
        };
        let first = made(&["localhost", "127.0.0.1"]);
        assert_eq!(made(&["localhost", "127.0.0.1"]), first);
        assert_eq!(made(&["127.0.0.1"]), first);
        let second = made(&["localhost", "gpu.example.org"]);
        assert_ne!(second, first);
        std::fs::write(directory.join(KEY_FILE), "").unwrap();
        assert_ne!(made(&["localhost"]), second);
        let error = own(&directory, &names(&["not a name\u{e9}"])).unwrap_err();
        assert!(matches!(error, TlsError::Make(_)), "{error}");
        assert_eq!(Fingerprint([0xab; 32]).to_string().len(), 95);
    }

    #[test]
    fn files_that_changed_are_read_again_when_they_fit() {
        let home = tempfile::tempdir().unwrap();
        let names = vec!["localhost".to_owned()];
        let (one, two) = (home.path().join("one"), home.path().join("two"));
        let (files, other) = (own(&one, &names).unwrap(), own(&two, &names).unwrap());
        let shown = Shown::open(files.clone()).unwrap();
        let first = shown.fingerprint();
        assert!(!shown.reload().unwrap());
        // The certificate is there, its key is not yet.
        std::fs::copy(&other.certificate, &files.certificate).unwrap();
        assert!(shown.reload().is_err());
        assert_eq!(shown.fingerprint(), first);
        std::fs::copy(&other.key, &files.key).unwrap();
        assert!(shown.reload().unwrap());
        assert_eq!(shown.fingerprint(), Shown::open(other).unwrap().fingerprint());
        std::fs::remove_file(&files.key).unwrap();
        assert!(matches!(shown.reload(), Err(TlsError::File { .. })));
        assert_ne!(shown.fingerprint(), first);
    }
}
