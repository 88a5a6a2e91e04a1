//! Transactions that several sign: a file that goes from one home to the next.
//!
//! The file is JSON around the transaction's canonical bytes. What it says in words beside
//! them is for whoever opens it; this program reads the bytes, and says in its own words what
//! they do.
//!
//! **Invariant**: a draft that was read has good signatures only, each by another key.

use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use crate::words;
use ambar_base::keys::Signed;
use ambar_base::{Domain, Encode, ErrorCode, Height, PublicKey, SecretKey, codec};
use ambar_ledger::transaction::{BeginRecovery, TRANSACTION_BYTES_MAX};
use ambar_ledger::{Actor, Operation, SignedTransaction};
use ambar_node::api::dto::{Account, Status};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Heights within which a draft may apply: a week where a block takes a second. Those who
/// sign may be far apart; its nonce makes it void once the account does anything else.
pub const DRAFT_EXPIRY_HEIGHTS: u64 = 604_800;
/// The format of draft files.
const DRAFT_FORMAT: u32 = 1;
/// Largest draft file, bytes: two digits for each byte of the transaction, and words.
const DRAFT_BYTES_MAX: u64 = 2 * TRANSACTION_BYTES_MAX as u64 + (1 << 20);

/// A transaction on its way to its signers.
#[derive(Clone, Debug)]
pub struct Draft {
    /// With the signatures that it has so far.
    pub transaction: SignedTransaction,
}

/// What lies in the file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    draft: u32,
    says: Vec<String>,
    transaction: String,
}

/// Who signed a draft, and who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The DIDs of those who signed.
    pub signed: Vec<String>,
    /// The DIDs of those who may and have not.
    pub may: Vec<String>,
    /// How many must.
    pub needed: usize,
    /// Signatures that a recovery within it lacks.
    pub recovery: usize,
}

/// Where `--draft` wants a transaction to go instead of to a node.
#[derive(Debug)]
pub struct Drafting {
    /// The file.
    pub path: PathBuf,
    done: OnceLock<(Draft, Standing)>,
}

impl Drafting {
    /// Nothing is drafted yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, done: OnceLock::new() }
    }

    /// Writes the draft; the command that wanted to submit it ends here.
    pub fn write(&self, transaction: SignedTransaction, account: &Account) -> Failure {
        let draft = Draft { transaction };
        let written = draft.standing(account).and_then(|standing| {
            draft.write(&self.path)?;
            Ok(standing)
        });
        match written {
            Err(failure) => failure,
            Ok(standing) => {
                // A command drafts once: it ends with the failure that follows.
                let _ = self.done.set((draft, standing));
                Failure::internal("a draft was written in place of a transaction")
            }
        }
    }

    /// What was drafted.
    pub fn done(&self) -> Option<&(Draft, Standing)> {
        self.done.get()
    }
}

impl Draft {
    /// Reads a draft and checks its signatures.
    pub fn read(path: &Path) -> Outcome<Self> {
        let text = files::read_text(path, DRAFT_BYTES_MAX)?;
        let about = |failure: Failure| failure.about(path.display());
        let odd = |message: String| about(Failure::new(ErrorCode::DocumentInvalid, message));
        let document: Document =
            serde_json::from_str(&text).map_err(|error| odd(format!("no draft: {error}")))?;
        if document.draft != DRAFT_FORMAT {
            return Err(odd(format!("draft format {} is not known", document.draft)));
        }
        let bytes = hex::decode(&document.transaction);
        let bytes = bytes.map_err(|_| odd("the transaction is not hexadecimal".into()))?;
        let transaction = codec::decode(&bytes).map_err(|error| odd(error.to_string()))?;
        let draft = Self { transaction };
        draft.check_signatures().map_err(about)?;
        Ok(draft)
    }

    /// Writes the draft, in place of what the file held.
    pub fn write(&self, path: &Path) -> Outcome {
        let document = Document {
            draft: DRAFT_FORMAT,
            says: self.says(),
            transaction: hex::encode(self.transaction.to_bytes()),
        };
        let text = serde_json::to_string_pretty(&document).or_fail(ErrorCode::Internal)?;
        files::write(path, format!("{text}\n").as_bytes())
    }

    /// What it does, in plain words.
    pub fn says(&self) -> Vec<String> {
        self.transaction.envelope.operations.iter().map(words::operation).collect()
    }

    /// The account that acts.
    pub fn account(&self) -> Outcome<String> {
        match &self.transaction.envelope.actor {
            Actor::Account(id) => Ok(id.to_string()),
            _ => Err(Failure::new(ErrorCode::DocumentInvalid, "a draft is an account's")),
        }
    }

    fn check_signatures(&self) -> Outcome {
        let SignedTransaction { envelope, signatures, .. } = &self.transaction;
        let (id, mut keys) = (envelope.id(), BTreeSet::new());
        for (key, signature) in signatures {
            let did = key.did();
            let signed = Signed::new(key, Domain::Transaction, envelope.network, &id.0, signature);
            if signed.verify().is_err() {
                let message = format!("the signature of {did} is not over this transaction");
                return Err(Failure::new(ErrorCode::SignatureInvalid, message));
            }
            if !keys.insert(key) {
                let message = format!("{did} has signed twice");
                return Err(Failure::new(ErrorCode::SignatureInvalid, message));
            }
        }
        Ok(())
    }

    /// Whether it can still apply: for this network, in time, with the account's next nonce.
    pub fn check(&self, status: &Status, account: &Account) -> Outcome {
        let envelope = &self.transaction.envelope;
        let refuse = |code, message: String| Err(Failure::new(code, message));
        if envelope.network.to_string() != status.network {
            let message = format!(
                "the draft is for network {}, this is {}",
                envelope.network, status.network
            );
            return refuse(ErrorCode::WrongNetwork, message);
        }
        if envelope.expires < Height(status.height) {
            let message = format!("the draft expired at height {}", envelope.expires);
            return refuse(ErrorCode::TransactionExpired, message)
                .map_err(|failure| failure.helping("draft it again"));
        }
        if envelope.nonce != account.nonce {
            let message = format!(
                "the draft has nonce {}, the account's next one is {}",
                envelope.nonce, account.nonce
            );
            return refuse(ErrorCode::NonceStale, message).map_err(|failure| {
                failure.helping("the account has done something else meanwhile: draft it again")
            });
        }
        Ok(())
    }

    /// Who signed and who may, by the account's keys now.
    pub fn standing(&self, account: &Account) -> Outcome<Standing> {
        let operations = &self.transaction.envelope.operations;
        let may = may_sign(account, operations);
        let signed = self.transaction.signatures.iter().map(|(key, _)| key.did());
        let signed: Vec<String> = signed.collect();
        if let Some(stranger) = signed.iter().find(|did| !may.contains(did)) {
            let message = format!("{stranger} signed, and may not for account {}", account.id);
            return Err(Failure::new(ErrorCode::SignatureInvalid, message)
                .helping("draft it again, without that signature"));
        }
        let recovery = operations.iter().map(|operation| match operation {
            Operation::BeginRecovery(record) => {
                usize::from(record.recovery.threshold).saturating_sub(record.signatures.len())
            }
            _ => 0,
        });
        let recovery = recovery.sum();
        let may = may.into_iter().filter(|did| !signed.contains(did)).collect();
        Ok(Standing { signed, may, needed: usize::from(account.threshold), recovery })
    }

    /// Signs with a key that may; a key of a recovery within it signs that.
    pub fn sign(&mut self, key: &SecretKey, account: &Account) -> Outcome {
        let (public, did) = (key.public(), key.public().did());
        let standing = self.standing(account)?;
        if standing.may.contains(&did) {
            let signature = self.transaction.envelope.signature(key);
            self.transaction.signatures.push(signature);
            return Ok(());
        }
        if self.sign_recovery(key) {
            return Ok(());
        }
        if standing.signed.contains(&did) || self.recovered_by(&public) {
            return Err(Failure::input(format!("{did} has signed already"))
                .helping("let another key sign: `ambar tx show FILE` says who may"));
        }
        let message = format!("{did} may not sign this for account {}", account.id);
        Err(Failure::new(ErrorCode::NotAuthorised, message)
            .helping("`ambar tx show FILE` says who may"))
    }

    fn recoveries(&self) -> impl Iterator<Item = &BeginRecovery> {
        self.transaction.envelope.operations.iter().filter_map(|operation| match operation {
            Operation::BeginRecovery(record) => Some(record),
            _ => None,
        })
    }

    fn recovered_by(&self, key: &PublicKey) -> bool {
        self.recoveries().any(|one| one.signatures.iter().any(|(signer, _)| signer == key))
    }

    /// Signs a recovery of whose set the key is. What was signed around it is void then.
    fn sign_recovery(&mut self, key: &SecretKey) -> bool {
        let (network, public) = (self.transaction.envelope.network, key.public());
        let mut signed = false;
        for operation in &mut self.transaction.envelope.operations {
            let Operation::BeginRecovery(record) = operation else { continue };
            let has = record.signatures.iter().any(|(signer, _)| *signer == public);
            if record.recovery.keys.contains(&public) && !has {
                let signature = record.signature(network, key);
                record.signatures.push(signature);
                signed = true;
            }
        }
        if signed {
            self.transaction.signatures.clear();
        }
        signed
    }

    /// The keys of a recovery within it that have not signed.
    pub fn recovery_may(&self) -> Vec<String> {
        let missing = |record: &BeginRecovery| {
            let left = record.recovery.keys.iter();
            let has = |key: &&PublicKey| record.signatures.iter().any(|(one, _)| one == *key);
            left.filter(|key| !has(key)).map(PublicKey::did).collect::<Vec<_>>()
        };
        self.recoveries().flat_map(missing).collect()
    }
}

impl Standing {
    /// How many must still sign, for the account.
    pub fn missing(&self) -> usize {
        self.needed.saturating_sub(self.signed.len())
    }

    /// Whether nobody needs to sign any more.
    pub fn is_complete(&self) -> bool {
        self.missing() == 0 && self.recovery == 0
    }
}

/// The DIDs of the keys that may sign these operations for an account: all of its keys, or
/// those of a department that have the roles.
pub fn may_sign(account: &Account, operations: &[Operation]) -> Vec<String> {
    let Some(department) = &account.department else { return account.keys.clone() };
    let roles: Option<BTreeSet<_>> = operations.iter().map(Operation::role).collect();
    let Some(roles) = roles else { return Vec::new() };
    let has = |held: &[String]| roles.iter().all(|role| held.iter().any(|one| one == role.text()));
    let members = department.members.iter().filter(|member| has(&member.roles));
    members.map(|member| member.key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{AccountId, Digest, KeySet, NetworkId, Price};
    use ambar_ledger::Envelope;
    use ambar_ledger::transaction::{TRANSACTION_VERSION, Transfer};

    fn key(number: u8) -> SecretKey {
        SecretKey::from_seed(&[number; 32])
    }

    fn account(keys: &[u8], threshold: u16) -> Account {
        let id = AccountId(Digest::of(b"company")).to_string();
        let keys = keys.iter().map(|number| key(*number).public().did()).collect::<Vec<_>>();
        let document = serde_json::json!({
            "id": id, "did": null, "number": "7", "name": null, "keys": keys,
            "threshold": threshold, "nonce": 3, "available": "0", "pending": "0",
            "recovery": null, "recovering": null,
        });
        serde_json::from_value(document).unwrap()
    }

    fn draft(operations: Vec<Operation>) -> Draft {
        let envelope = Envelope {
            network: NetworkId(Digest::of(b"network")),
            version: TRANSACTION_VERSION,
            actor: Actor::Account(AccountId(Digest::of(b"company"))),
            nonce: 3,
            expires: Height(100),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations,
        };
        let (signatures, payer_signatures) = (Vec::new(), Vec::new());
        Draft { transaction: SignedTransaction { envelope, signatures, payer_signatures } }
    }

    fn pay() -> Operation {
        let to = AccountId(Digest::of(b"to"));
        Operation::Transfer(Transfer { to, amount: Price(2_500_000_000) })
    }

    #[test]
    fn drafts_gather_signatures_from_file_to_file() {
        let (dir, company) = (tempfile::tempdir().unwrap(), account(&[1, 2, 3], 2));
        let path = dir.path().join("pay.draft");
        let mut first = draft(vec![pay()]);
        first.sign(&key(1), &company).unwrap();
        first.write(&path).unwrap();
        let mut second = Draft::read(&path).unwrap();
        assert!(!second.standing(&company).unwrap().is_complete());
        let twice = second.sign(&key(1), &company).unwrap_err();
        assert_eq!(twice.code, ErrorCode::RequestInvalid);
        let foreign = second.sign(&key(9), &company).unwrap_err();
        assert_eq!(foreign.code, ErrorCode::NotAuthorised);
        second.sign(&key(3), &company).unwrap();
        let standing = second.standing(&company).unwrap();
        assert!(standing.is_complete());
        assert_eq!(standing.may, [key(2).public().did()]);
        let rotated = second.standing(&account(&[2, 3], 2)).unwrap_err();
        assert_eq!(rotated.code, ErrorCode::SignatureInvalid, "a key that is one no longer");
    }

    #[test]
    fn what_was_changed_on_its_way_is_refused() {
        let (dir, company) = (tempfile::tempdir().unwrap(), account(&[1, 2], 2));
        let path = dir.path().join("pay.draft");
        let check = |draft: &Draft, code| {
            draft.write(&path).unwrap();
            assert_eq!(Draft::read(&path).unwrap_err().code, code);
        };
        let mut signed = draft(vec![pay()]);
        signed.sign(&key(1), &company).unwrap();
        let mut changed = signed.clone();
        changed.transaction.envelope.fee_cap = Price(9);
        check(&changed, ErrorCode::SignatureInvalid);
        let mut doubled = signed.clone();
        doubled.transaction.signatures.extend(signed.transaction.signatures.clone());
        check(&doubled, ErrorCode::SignatureInvalid);
        for odd in ["", "{}", "{\"draft\":2,\"says\":[],\"transaction\":\"\"}"] {
            std::fs::write(&path, odd).unwrap();
            assert_eq!(Draft::read(&path).unwrap_err().code, ErrorCode::DocumentInvalid);
        }
    }

    #[test]
    fn a_recovery_is_signed_before_who_pays_for_it() {
        let mut keys = vec![key(4).public(), key(5).public()];
        keys.sort_unstable();
        let record = BeginRecovery {
            account: AccountId(Digest::of(b"lost")),
            nonce: 0,
            recovery: KeySet { keys, threshold: 2 },
            keys: KeySet::single(key(6).public()),
            next: None,
            signatures: Vec::new(),
        };
        let (mut draft, payer) = (draft(vec![Operation::BeginRecovery(record)]), account(&[1], 1));
        draft.sign(&key(4), &payer).unwrap();
        draft.sign(&key(1), &payer).unwrap();
        assert!(!draft.standing(&payer).unwrap().is_complete());
        draft.sign(&key(5), &payer).unwrap();
        assert_eq!(draft.standing(&payer).unwrap().missing(), 1, "the payer signs anew");
        assert!(draft.recovery_may().is_empty());
        draft.sign(&key(1), &payer).unwrap();
        assert!(draft.standing(&payer).unwrap().is_complete());
        let twice = draft.sign(&key(5), &payer).unwrap_err();
        assert_eq!(twice.code, ErrorCode::RequestInvalid);
        draft.check_signatures().unwrap();
    }
}
