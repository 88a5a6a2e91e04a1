//! The purse of a channel on disk.
//!
//! ```text
//! connect/NETWORK/CHANNEL.purse    the purse, the secret that salts come from, and the
//!                                  certificate of the last calls, which finds their receipts
//! connect/NETWORK/CHANNEL.lock     held while a process signs vouchers of the channel
//! ```
//!
//! **Invariant**: the file is whole at every moment, and what a change allows happens only after
//! the changed file is durable.

use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use ambar_base::{Digest, Encode, ErrorCode, NetworkId, codec, record};
use ambar_receipt::Purse;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The directory of a home's purses.
const CONNECT_DIRECTORY: &str = "connect";
/// Largest purse, bytes.
const PURSE_BYTES_MAX: u64 = 256 * 1024;
/// The format of a purse's file.
const PURSE_FORMAT: u16 = 1;

record! {
    /// What the file holds.
    struct Kept {
        format: u16,
        network: NetworkId,
        secret: Digest,
        certificate: String,
        purse: Purse,
    }
}

/// A purse with its file, which nobody else changes meanwhile.
#[derive(Debug)]
pub struct Keep {
    path: PathBuf,
    _lock: File,
    kept: Kept,
}

/// The files of a channel whose vouchers only this process signs.
pub struct Place {
    path: PathBuf,
    lock: File,
    network: NetworkId,
}

impl Place {
    /// Takes the place of a channel's purse in a home.
    pub fn take(home: &Path, network: NetworkId, channel: u64) -> Outcome<Self> {
        let folder = home.join(CONNECT_DIRECTORY).join(network.to_string());
        files::private_directory(&folder)?;
        let path = folder.join(format!("{channel}.lock"));
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = file.map_err(|error| Failure::file(&path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process signs the vouchers of channel {channel}");
                let help = "call through it, or stop it";
                return Err(Failure::new(ErrorCode::HomeInUse, message).helping(help));
            }
            Err(TryLockError::Error(error)) => return Err(Failure::file(&path, &error)),
        }
        Ok(Self { path: folder.join(format!("{channel}.purse")), lock, network })
    }

    /// The purse that lies there; the place, if none does.
    pub fn open(self) -> Outcome<Result<Keep, Self>> {
        if !self.path.exists() {
            return Ok(Err(self));
        }
        let bytes = files::read(&self.path, PURSE_BYTES_MAX)?;
        let about = |failure: Failure| failure.about(self.path.display());
        let kept: Kept =
            codec::decode(&bytes).or_fail(ErrorCode::DocumentInvalid).map_err(about)?;
        if kept.format != PURSE_FORMAT || kept.network != self.network {
            let message = "a purse of another format or network";
            return Err(about(Failure::new(ErrorCode::DocumentInvalid, message)));
        }
        Ok(Ok(Keep { path: self.path, _lock: self.lock, kept }))
    }

    /// Lays a new purse there.
    pub fn lay(self, purse: Purse, certificate: String) -> Outcome<Keep> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).or_fail(ErrorCode::Internal)?;
        let kept = Kept {
            format: PURSE_FORMAT,
            network: self.network,
            secret: Digest(secret),
            certificate,
            purse,
        };
        let keep = Keep { path: self.path, _lock: self.lock, kept };
        keep.write(&keep.kept)?;
        Ok(keep)
    }
}

impl Keep {
    /// The purse as it is on disk.
    pub fn purse(&self) -> &Purse {
        &self.kept.purse
    }

    /// The certificate of the last calls.
    pub fn certificate(&self) -> &str {
        &self.kept.certificate
    }

    /// Notes with which certificate calls are made from now on.
    pub fn call_with(&mut self, certificate: &str) -> Outcome {
        if self.kept.certificate == certificate {
            return Ok(());
        }
        let kept = Kept { certificate: certificate.to_owned(), ..self.kept.clone() };
        self.write(&kept)?;
        self.kept = kept;
        Ok(())
    }

    /// Changes the purse and makes the change durable; if either fails, nothing has changed.
    pub fn change<T, E>(&mut self, change: impl FnOnce(&mut Purse) -> Result<T, E>) -> Outcome<T>
    where
        Failure: From<E>,
    {
        let mut kept = self.kept.clone();
        let value = change(&mut kept.purse)?;
        self.write(&kept)?;
        self.kept = kept;
        Ok(value)
    }

    /// The salt of a call's input and output: another for each call, the same if it is repeated.
    pub fn salt(&self, call: &Digest) -> Digest {
        Digest::of_parts(&[b"ambar/salt\0", &self.kept.secret.0, &call.0])
    }

    fn write(&self, kept: &Kept) -> Outcome {
        let failed = |error: std::io::Error| {
            Failure::new(ErrorCode::DiskFailed, format!("{}: {error}", self.path.display()))
        };
        let new = self.path.with_extension("new");
        let mut file = File::create(&new).map_err(failed)?;
        file.write_all(&kept.to_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&new, &self.path).map_err(failed)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // Some systems open no directories: there the rename itself has to do.
        #[cfg(unix)]
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        #[cfg(not(unix))]
        let _ = folder;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::Price;
    use ambar_receipt::purse::PurseError;

    const NETWORK: NetworkId = NetworkId(Digest([3; 32]));

    fn keep(home: &Path) -> Keep {
        let place = Place::take(home, NETWORK, 5).unwrap();
        let Err(place) = place.open().unwrap() else { panic!("nothing lies there") };
        place.lay(Purse::new(5, Price(0), Price(0)), "first".into()).unwrap()
    }

    fn reserve(keep: &mut Keep, key: &str) -> Outcome<Price> {
        let call = (key.to_owned(), Digest::of(key.as_bytes()));
        keep.change(|purse| purse.reserve(call, Price(10), Price(100), 2))
    }

    #[test]
    fn a_purse_comes_back_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let mut first = keep(home.path());
        assert_eq!(reserve(&mut first, "a").unwrap(), Price(10));
        let salt = first.salt(&Digest::of(b"a"));
        assert_ne!(salt, first.salt(&Digest::of(b"b")));
        let locked = Place::take(home.path(), NETWORK, 5).err().unwrap();
        assert_eq!(locked.code, ErrorCode::HomeInUse);
        assert_eq!(first.certificate(), "first");
        first.call_with("second").unwrap();
        let purse = first.purse().clone();
        drop(first);
        let place = Place::take(home.path(), NETWORK, 5).unwrap();
        let again = place.open().unwrap().ok().unwrap();
        assert_eq!((again.purse(), again.salt(&Digest::of(b"a"))), (&purse, salt));
        assert_eq!(again.certificate(), "second");
        assert!(Place::take(home.path(), NETWORK, 6).is_ok());
    }

    #[test]
    fn what_fails_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut keep = keep(home.path());
        let refused = keep.change(|purse| {
            purse.reserve(("a".into(), Digest::ZERO), Price(10), Price(100), 2)?;
            Err::<(), _>(PurseError::Busy(1))
        });
        assert_eq!(refused.unwrap_err().code, ErrorCode::Overloaded);
        assert!(keep.purse().counted.is_empty());
        // Without its folder nothing becomes durable, so nothing is allowed.
        fs::remove_dir_all(home.path().join(CONNECT_DIRECTORY)).unwrap();
        assert_eq!(reserve(&mut keep, "a").unwrap_err().code, ErrorCode::DiskFailed);
        assert!(keep.purse().counted.is_empty());
    }

    #[test]
    fn damaged_and_foreign_purses_are_refused() {
        let home = tempfile::tempdir().unwrap();
        drop(keep(home.path()));
        let folder = home.path().join(CONNECT_DIRECTORY).join(NETWORK.to_string());
        let path = folder.join("5.purse");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let open = || Place::take(home.path(), NETWORK, 5).unwrap().open().map(drop);
        assert_eq!(open().unwrap_err().code, ErrorCode::DocumentInvalid);
        fs::write(&path, [&[9], &bytes[1..]].concat()).unwrap();
        assert_eq!(open().unwrap_err().code, ErrorCode::DocumentInvalid);
    }
}
