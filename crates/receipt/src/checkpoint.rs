//! The checkpoint file: a committee that somebody trusts, as a short text that people read,
//! compare and pass on.
//!
//! It is TOML with four keys. This module knows its form; whether the committee deserves
//! trust is for whoever passes the file on, and nothing in it is signed.
//!
//! **Invariant**: what [`write()`] gives, [`read`] takes back; and every error of a text is
//! reported at once, each with its line.

use ambar_base::did::DidError;
use ambar_base::finality::SEATS_MAX;
use ambar_base::{Checkpoint, Coded, Committee, Digest, ErrorCode, NetworkId, PublicKey};
use ambar_licence::Position;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The format that this version reads and writes.
pub const CHECKPOINT_FORMAT: u64 = 1;
/// Longest text, bytes: [`SEATS_MAX`] validators at 60 bytes, and as much again for remarks.
pub const CHECKPOINT_BYTES_MAX: usize = 16 * 1024;

/// The keys, in the order in which they are written.
const KEYS: [&str; 4] = ["format", "network", "epoch", "validators"];

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not the `did:key` of a validator.
    #[error(transparent)]
    Did(#[from] DidError),
    /// Written for another version.
    #[error("checkpoint format {0} is not known; this version reads format {CHECKPOINT_FORMAT}")]
    Format(u64),
    /// A key that must be there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// Not the id of a network.
    #[error("a network's id has 64 lower-case hexadecimal digits")]
    Network,
    /// Named twice.
    #[error("this validator is named twice")]
    Repeated,
    /// No validator, or too many.
    #[error("a committee has 1 to {SEATS_MAX} validators, not {0}")]
    Seats(usize),
    /// Not TOML.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// Longer than the limit.
    #[error("the text is longer than {CHECKPOINT_BYTES_MAX} bytes")]
    TooLong,
    /// A key that a checkpoint does not have.
    #[error("unknown key `{0}`; a checkpoint has format, network, epoch and validators")]
    UnknownKey(String),
    /// A value of another type.
    #[error("expected {0}")]
    WrongType(&'static str),
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct CheckpointError {
    /// The line, from 1; 1 for what is missing.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// Everything that is wrong with a text, in the order of lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct CheckpointErrors(Vec<CheckpointError>);

impl CheckpointErrors {
    /// The errors.
    #[must_use]
    pub fn errors(&self) -> &[CheckpointError] {
        &self.0
    }
}

impl Coded for CheckpointErrors {
    fn code(&self) -> ErrorCode {
        ErrorCode::DocumentInvalid
    }

    fn help(&self) -> Option<String> {
        Some("`ambar network checkpoint` writes such a file".into())
    }
}

type Item<'t> = Spanned<DeValue<'t>>;

/// Reads a checkpoint.
///
/// # Errors
/// All that is wrong with the text.
pub fn read(text: &str) -> Result<Checkpoint, CheckpointErrors> {
    let mut reader = Reader { text, errors: Vec::new() };
    let checkpoint = reader.read();
    let mut errors = reader.errors;
    errors.sort_by_key(|error| error.line);
    match checkpoint {
        Some(checkpoint) if errors.is_empty() => Ok(checkpoint),
        _ => Err(CheckpointErrors(errors)),
    }
}

/// The text of a checkpoint.
#[must_use]
pub fn write(checkpoint: &Checkpoint) -> String {
    let Checkpoint { network, committee } = checkpoint;
    let seats = committee.seats().iter().map(|key| format!("    \"{}\",\n", key.did()));
    format!(
        "# Whose votes make blocks final, for `ambar receipt verify`. Nothing here is signed:\n\
         # compare it with a copy that came to you another way.\n\
         format = {CHECKPOINT_FORMAT}\n\
         network = \"{network}\"\n\
         epoch = {epoch}\n\
         validators = [\n{seats}]\n",
        epoch = committee.epoch(),
        seats = seats.collect::<String>(),
    )
}

struct Reader<'t> {
    text: &'t str,
    errors: Vec<CheckpointError>,
}

impl Reader<'_> {
    fn refuse(&mut self, offset: usize, problem: impl Into<Problem>) {
        let line = Position::of(self.text, offset).line;
        self.errors.push(CheckpointError { line, problem: problem.into() });
    }

    /// The value, or nothing if there is an error; then it is recorded.
    fn read(&mut self) -> Option<Checkpoint> {
        if self.text.len() > CHECKPOINT_BYTES_MAX {
            self.refuse(0, Problem::TooLong);
            return None;
        }
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let offset = error.span().map_or(0, |span| span.start);
            self.refuse(offset, Problem::Syntax(error.message().to_owned()));
        }
        if !errors.is_empty() {
            return None;
        }
        let table = root.get_ref();
        // What another format says is not for this version to judge.
        self.format(table)?;
        for key in table.keys().filter(|key| !KEYS.contains(&key.get_ref().as_ref())) {
            self.refuse(key.span().start, Problem::UnknownKey(key.get_ref().to_string()));
        }
        let (network, epoch) = (self.network(table), self.integer(table, "epoch"));
        let validators = self.validators(table);
        let committee = Committee::new(epoch?, validators?).ok()?;
        Some(Checkpoint { network: network?, committee })
    }

    fn item<'a, 't>(&mut self, table: &'a DeTable<'t>, key: &'static str) -> Option<&'a Item<'t>> {
        let item = table.get(key);
        if item.is_none() {
            self.refuse(0, Problem::Missing(key));
        }
        item
    }

    fn format(&mut self, table: &DeTable<'_>) -> Option<()> {
        let format = self.integer(table, "format")?;
        if format == CHECKPOINT_FORMAT {
            return Some(());
        }
        let offset = table.get("format").map_or(0, |item| item.span().start);
        self.refuse(offset, Problem::Format(format));
        None
    }

    fn integer(&mut self, table: &DeTable<'_>, key: &'static str) -> Option<u64> {
        let item = self.item(table, key)?;
        let number = item.get_ref().as_integer();
        let value = number.and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
        if value.is_none() {
            self.refuse(item.span().start, Problem::WrongType("a number, at least 0"));
        }
        value
    }

    fn network(&mut self, table: &DeTable<'_>) -> Option<NetworkId> {
        let item = self.item(table, "network")?;
        let digest = item.get_ref().as_str().and_then(|text| text.parse::<Digest>().ok());
        if digest.is_none() {
            self.refuse(item.span().start, Problem::Network);
        }
        digest.map(NetworkId)
    }

    fn validators(&mut self, table: &DeTable<'_>) -> Option<Vec<PublicKey>> {
        let item = self.item(table, "validators")?;
        let Some(items) = item.get_ref().as_array() else {
            self.refuse(item.span().start, Problem::WrongType("a list of did:key texts"));
            return None;
        };
        if items.is_empty() || items.len() > SEATS_MAX {
            self.refuse(item.span().start, Problem::Seats(items.len()));
            return None;
        }
        let mut seats = Vec::new();
        for item in items {
            match seat(item, &seats) {
                Ok(key) => seats.push(key),
                Err(problem) => self.refuse(item.span().start, problem),
            }
        }
        (seats.len() == items.len()).then_some(seats)
    }
}

fn seat(item: &Item<'_>, others: &[PublicKey]) -> Result<PublicKey, Problem> {
    let did = item.get_ref().as_str().ok_or(Problem::WrongType("a did:key in quotes"))?;
    let key = PublicKey::from_did(did)?;
    if others.contains(&key) { Err(Problem::Repeated) } else { Ok(key) }
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
