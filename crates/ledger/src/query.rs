//! Typed questions to a committed state, for gateways and nodes. They read, and never
//! decide what settles.

use crate::key::Key;
use crate::object::{Account, Balance, Governance, Name, Version};
use crate::refusal::Refusal;
use crate::roster::Roster;
use ambar_base::codec::{self, Decode};
use ambar_base::{AccountId, Cid, ErrorCode, PublicKey};
use ambar_licence::Terms;

/// A committed state.
pub trait State {
    /// The value of a key.
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Refusal>;

    /// The object at a key.
    fn object<T: Decode>(&self, key: &Key) -> Result<Option<T>, Refusal> {
        let bytes = self.value(&key.bytes())?;
        bytes.as_deref().map(codec::decode).transpose().map_err(|error| {
            let message = format!("the state at {key:?} is damaged: {error}");
            Refusal::new(ErrorCode::LedgerCorrupt, message)
        })
    }

    /// The object at a key that must be there.
    fn must<T: Decode>(
        &self,
        what: &str,
        which: impl std::fmt::Display,
        key: &Key,
    ) -> Result<T, Refusal> {
        self.object(key)?.ok_or_else(|| Refusal::unknown(what, which))
    }

    /// The network's rules.
    fn governance(&self) -> Result<Governance, Refusal> {
        self.must("parameters", "of this network", &Key::Parameters)
    }

    /// The committee of the running epoch, and who is preferred for the next ones.
    fn roster(&self) -> Result<Roster, Refusal> {
        self.must("roster", "of this network", &Key::Roster)
    }

    /// A version by id.
    fn version(&self, id: &Cid) -> Result<(u64, Version), Refusal> {
        let number: u64 = self.must("capsule", id, &Key::VersionNumber(*id))?;
        Ok((number, self.must("capsule", id, &Key::Version(number))?))
    }

    /// A version by id or registered name; a name stands for its line's latest version.
    fn version_named(&self, text: &str) -> Result<(u64, Version), Refusal> {
        if let Ok(id) = text.parse::<Cid>() {
            return self.version(&id);
        }
        let unknown = || Refusal::unknown("capsule", text);
        let name: Name = self.object(&Key::Name(text.to_owned()))?.ok_or_else(unknown)?;
        let line: crate::object::Line =
            self.must("version line", name.line, &Key::Line(name.line))?;
        Ok((line.head, self.must("capsule", text, &Key::Version(line.head))?))
    }

    /// Terms by id.
    fn terms(&self, id: &Cid) -> Result<Terms, Refusal> {
        let bytes: Vec<u8> = self.must("terms", id, &Key::Terms(*id))?;
        Terms::from_document(&bytes)
            .map_err(|error| Refusal::new(ErrorCode::LedgerCorrupt, error.to_string()))
    }

    /// An account's number, keys and balance by id, or by the DID of its first key.
    fn account(&self, text: &str) -> Result<(u64, Account, Balance), Refusal> {
        let number = self.account_number(text)?;
        let account = self.must("account", text, &Key::Account(number))?;
        Ok((number, account, self.must("account", text, &Key::Balance(number))?))
    }

    /// An account's number by id, or by the DID of its first key.
    fn account_number(&self, text: &str) -> Result<u64, Refusal> {
        if let Ok(key) = PublicKey::from_did(text) {
            return self.must("account", text, &Key::FirstKey(key));
        }
        let unknown = |_| Refusal::unknown("account", text);
        let id: AccountId = text.parse().map_err(unknown)?;
        self.must("account", text, &Key::AccountNumber(id))
    }
}
