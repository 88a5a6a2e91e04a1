//! How a command fails: a public code, what happened, and what to do about it.
//!
//! Everything that goes wrong becomes one [`Failure`], so that people, scripts and exit
//! codes see the same. Inner errors keep their own types and are translated here once.
//!
//! **Invariant**: a failure never prints a secret and its exit code is never 0.

use ambar_base::{Coded, ErrorCode};
use serde_json::{Value, json};
use std::fmt;
use std::io;
use std::path::Path;

/// What a command returns.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a command fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The public code.
    pub code: ErrorCode,
    /// What happened.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Failure {
    /// A failure with the help of its code.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: code.help().to_owned() }
    }

    /// Wrong input of the command's own.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::RequestInvalid, message)
    }

    /// A fault of the program.
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(ErrorCode::Internal, message.to_string())
    }

    /// A file that cannot be read or written.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Self::new(ErrorCode::FileUnreadable, format!("{}: {error}", path.display()))
    }

    /// The same failure with other help.
    #[must_use]
    pub fn helping(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The same failure, saying what it is about.
    #[must_use]
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// As scripts read it.
    pub fn to_json(&self) -> Value {
        let Self { code, message, help } = self;
        json!({ "error": { "code": code.text(), "message": message, "help": help } })
    }
}

impl fmt::Display for Failure {
    /// As people read it: two lines at least.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}\nhelp: {}", self.code, self.message, self.help)
    }
}

impl<E: Coded> From<E> for Failure {
    fn from(error: E) -> Self {
        let help = error.help().unwrap_or_else(|| error.code().help().to_owned());
        Self { code: error.code(), message: error.to_string(), help }
    }
}

/// Turns errors without a public code into failures.
pub trait OrFail<T> {
    /// Fails with this code and the error's own words.
    fn or_fail(self, code: ErrorCode) -> Outcome<T>;
}

impl<T, E: fmt::Display> OrFail<T> for Result<T, E> {
    fn or_fail(self, code: ErrorCode) -> Outcome<T> {
        self.map_err(|error| Failure::new(code, error.to_string()))
    }
}

/// Turns a command line that clap refused into a failure; `None` if it asked for help or
/// the version.
pub fn of_command_line(
    error: &clap::Error,
    arguments: impl Iterator<Item = String>,
) -> Option<Failure> {
    use clap::error::ErrorKind;
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return None;
    }
    let command = crate::cli::meant(arguments);
    let text = error.render().to_string();
    let missing =
        [ErrorKind::MissingSubcommand, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    if missing.contains(&error.kind()) {
        let below = command.get_subcommands().map(clap::Command::get_name);
        let below = below.filter(|name| *name != "help").collect::<Vec<_>>().join(", ");
        let help = format!("name one of {below}, or read {}", more(&command));
        return Some(Failure::input("a command is missing").helping(help));
    }
    let what = text.split("\n\n").next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or(what).trim().replace('\n', " ");
    let tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    let tips = tips.map(str::to_owned).chain([called(&command)]);
    let help = tips.collect::<Vec<_>>().join("; ");
    Some(Failure::input(collapse(&what)).helping(help))
}

/// How a command is called, an example if its help has one, and where to read more.
fn called(command: &clap::Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = collapse(usage.trim_start_matches("Usage:"));
    let example = crate::cli::example(command);
    let example = example.map(|example| format!(", for example `{example}`")).unwrap_or_default();
    format!("call it as `{usage}`{example}; for more, {}", more(command))
}

fn more(command: &clap::Command) -> String {
    format!("`{} --help`", command.get_bin_name().unwrap_or("ambar"))
}

fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_scripts_see_the_same() {
        let failure = Failure::new(ErrorCode::ChannelEmpty, "channel 3 is empty").about("call");
        let text = "error[channel_empty]: call: channel 3 is empty\n\
                    help: add credits with `ambar channel fund`";
        assert_eq!(failure.to_string(), text);
        let error = &failure.to_json()["error"];
        assert_eq!(error["code"], "channel_empty");
        assert_eq!(error["help"], "add credits with `ambar channel fund`");
    }

    #[test]
    fn errors_of_rooms_keep_code_and_words() {
        let error = ambar_licence::Terms::parse("terms = 1\ngrant = [\"call\"]").unwrap_err();
        let failure = Failure::from(error);
        assert_eq!(failure.code, ErrorCode::TermsInvalid);
        assert!(failure.message.contains("nearest known one is `grants`"), "{failure}");
    }
}
