//! What every command shares: home, node, and how results are printed.

use crate::cli::Global;
use crate::commands::tx;
use crate::draft::Drafting;
use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use crate::interrupt;
use crate::progress::Progress;
use crate::signer::{Cosigners, Signer};
use ambar_base::{AccountId, ErrorCode};
use ambar_node::api::dto::Submitted;
use ambar_node::client::{Client, Trust};
use ambar_node::home::OPERATOR;
use ambar_node::keys::{KEYS_DIRECTORY, KeyStore, Passphrase};
use serde::Serialize;
use std::cell::Cell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The home's name in the user's home directory.
const HOME_NAME: &str = ".ambar";
/// Longest file that names an account, bytes.
const ACCOUNT_BYTES_MAX: u64 = 128;

/// Home, node and output of one command.
#[derive(Debug)]
pub struct Context {
    home: PathBuf,
    node: String,
    /// Whether one JSON document is wanted.
    pub json: bool,
    /// Whether it has been printed.
    printed: Cell<bool>,
    progress: Progress,
    draft: Option<Arc<Drafting>>,
}

impl Context {
    /// What the command line says.
    pub fn new(global: &Global) -> Self {
        let users = || std::env::home_dir().unwrap_or_default().join(HOME_NAME);
        let home = global.home.clone().unwrap_or_else(users);
        let (node, json) = (global.node.clone(), global.json);
        let progress = Progress::new(json);
        let draft = global.draft.clone().map(|path| Arc::new(Drafting::new(path)));
        Self { home, node, json, printed: Cell::new(false), progress, draft }
    }

    /// The home's directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The node's URL.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// How long work is told.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// A client of the node that asks as nobody.
    pub fn client(&self) -> Outcome<Client> {
        Ok(Client::trusting(&self.node, &self.trust())?)
    }

    /// Whom it trusts to be a node: the node of this home, and whom the environment names.
    pub fn trust(&self) -> Trust {
        Trust::from_environment().with_home(&self.home)
    }

    /// The home's keys.
    pub fn keys(&self) -> KeyStore {
        KeyStore::of(&self.home)
    }

    /// What the home's keys are encrypted with.
    #[expect(clippy::unused_self, reason = "the home's passphrase, wherever it comes from")]
    pub fn passphrase(&self) -> Option<Passphrase> {
        Passphrase::from_environment()
    }

    /// The named key, or the home's only one.
    pub fn key_name(&self, name: Option<&str>) -> Outcome<String> {
        if let Some(name) = name {
            return Ok(name.to_owned());
        }
        let names: Vec<_> = self.keys().list()?.into_iter().map(|info| info.name).collect();
        match &names[..] {
            [] => Err(Failure::new(ErrorCode::KeyUnknown, "this home has no keys")
                .helping("make one with `ambar key new NAME`")),
            [only] => Ok(only.clone()),
            several => {
                Err(Failure::input(format!("this home has the keys {}", several.join(", ")))
                    .helping("say which with --as KEY"))
            }
        }
    }

    /// Signs with the named key, or with the home's only one, for the account that it is noted
    /// for; `KEY@ACCOUNT` is for that account.
    pub async fn signer(&self, name: Option<&str>) -> Outcome<Signer> {
        let name = self.key_name(name)?;
        let (name, account) = match name.split_once('@') {
            Some((name, account)) => (name, Some(account)),
            None => (name.as_str(), None),
        };
        let key = self.keys().load(name, self.passphrase().as_ref())?;
        let client = self.client()?;
        let account = match account {
            Some(text) => {
                Some(client.account(text).await?.id.parse().or_fail(ErrorCode::BadGateway)?)
            }
            None => self.remembered_account(name)?,
        };
        Ok(Signer::new(&client, key, account).await?.among(self.cosigners()))
    }

    /// The home's other keys, and the draft that is wanted.
    pub fn cosigners(&self) -> Cosigners {
        let (keys, passphrase) = (self.keys(), self.passphrase());
        Cosigners { keys, passphrase, draft: self.draft.clone() }
    }

    /// Refuses if a draft is wanted of what cannot be one.
    pub fn no_draft(&self, why: &str) -> Outcome {
        if self.draft.is_none() { Ok(()) } else { Err(Failure::input(why)) }
    }

    /// How the process ends. What was drafted in place of being submitted is told here.
    pub fn conclude(&self, outcome: Outcome) -> ExitCode {
        let outcome = match (outcome, &self.draft) {
            (outcome, Some(drafting)) => match drafting.done() {
                Some((draft, standing)) => tx::drafted(self, &drafting.path, draft, standing),
                None => outcome.and_then(|()| {
                    self.no_draft("--draft is for commands that submit a transaction")
                }),
            },
            (outcome, None) => outcome,
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => self.fail(&failure),
        }
    }

    /// The operator of the node that is talked to, if this is its home.
    pub async fn operator(&self) -> Outcome<Option<Signer>> {
        if self.keys().info(OPERATOR).is_err() {
            return Ok(None);
        }
        let signer = self.signer(Some(OPERATOR)).await?;
        let owner = signer.client().status().await?.node.owner;
        Ok(Some(signer).filter(|signer| signer.account.to_string() == owner))
    }

    /// Remembers the account of a key that did not open it.
    pub fn remember_account(&self, name: &str, account: AccountId) -> Outcome {
        files::write(&self.account_path(name), account.to_string().as_bytes())
    }

    /// The account that a key is noted for.
    pub fn remembered_account(&self, name: &str) -> Outcome<Option<AccountId>> {
        let path = self.account_path(name);
        if !path.exists() {
            return Ok(None);
        }
        let text = files::read_text(&path, ACCOUNT_BYTES_MAX)?;
        let account = text.trim().parse().or_fail(ErrorCode::DocumentInvalid);
        account.map(Some).map_err(|failure| failure.about(path.display()))
    }

    fn account_path(&self, name: &str) -> PathBuf {
        self.home.join(KEYS_DIRECTORY).join(format!("{name}.account"))
    }

    /// Prints the result: one JSON document, or what people read.
    pub fn print(&self, document: &impl Serialize, text: impl FnOnce() -> String) -> Outcome {
        if self.json { self.write_json(document) } else { self.write(&text()) }
    }

    /// Says what a transaction did, and in which block.
    pub fn done(&self, submitted: &Submitted, what: &str) -> Outcome {
        self.print(submitted, || format!("{what}, final in block {}\n", submitted.height))
    }

    /// Writes one JSON document and a line end.
    pub fn write_json(&self, document: &impl Serialize) -> Outcome {
        let text = serde_json::to_string(document).or_fail(ErrorCode::Internal)?;
        self.printed.set(true);
        self.write(&format!("{text}\n"))
    }

    /// Writes to standard output. A reader that has seen enough is no failure.
    #[expect(clippy::unused_self, reason = "output belongs to the context, whatever it needs")]
    pub fn write(&self, text: &str) -> Outcome {
        let mut out = io::stdout().lock();
        interrupt::wrote(text);
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(ErrorCode::DiskFailed, format!("standard output: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Says something on standard error.
    pub fn note(&self, text: &str) {
        self.progress.say(text);
    }

    /// Prints a failure; the exit code.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        // A command that printed its result and then fails has said it all: one document.
        fail(failure, self.json && !self.printed.get())
    }
}

/// Prints a failure, on standard output too if it is wanted as JSON; the exit code.
pub fn fail(failure: &Failure, json: bool) -> ExitCode {
    eprintln!("{failure}");
    if json {
        // Nobody is left to tell that standard output is closed.
        let _ = writeln!(io::stdout(), "{}", failure.to_json());
    }
    ExitCode::from(failure.code.exit_code())
}
