//! What a node writes to standard error while it runs: lines for people, or JSON for programs.
//!
//! It deliberately decides nothing about what is logged of a call: the names and the fields are
//! the gateway's.
//!
//! **Invariant**: prompts and answers are logged only where `--log-prompts` was given, and then
//! the first line says so.

use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use clap::ValueEnum;
use std::io::{self, Write};
use tracing_subscriber::EnvFilter;

/// The environment variable with the filter: targets and levels, as `tracing` reads them.
const FILTER_VARIABLE: &str = "AMBAR_LOG";
/// The same for programs of many libraries; the own one goes before.
const FILTER_VARIABLE_USUAL: &str = "RUST_LOG";
/// What a node says of itself unless asked for more: warnings, but not those with which the
/// storage's library greets a home that is new.
const SAID: &str = "warn,commonware_storage=error";
/// The same where a log was asked for: besides, a line for each call.
const LOGGED: &str = "warn,commonware_storage=error,ambar::call=info";
/// The lines with prompts and answers.
const CONTENTS: &str = "ambar::contents=info";

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON document a line.
    Json,
}

/// Begins to log; lines of `progress` stay below.
pub fn begin(format: Option<Format>, prompts: bool, progress: &Progress) -> Outcome {
    let named = |variable| std::env::var(variable).ok().filter(|text| !text.is_empty());
    let usual = if format.is_some() { LOGGED } else { SAID };
    let given = named(FILTER_VARIABLE).or_else(|| named(FILTER_VARIABLE_USUAL));
    let filter = filter(given.as_deref().unwrap_or(usual), prompts)?;
    let lines = progress.clone();
    let writer = move || LineWriter(lines.clone());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // A subscriber that is set already is as good.
    let _ = match format {
        Some(Format::Json) => builder.json().flatten_event(true).try_init(),
        _ => builder.try_init(),
    };
    if prompts {
        progress.say("prompts and answers are logged: whoever reads this log reads them");
    }
    Ok(())
}

fn filter(text: &str, prompts: bool) -> Outcome<EnvFilter> {
    let refused = |error: &dyn std::fmt::Display| {
        Failure::input(format!("{FILTER_VARIABLE}: `{text}` is no filter: {error}"))
            .helping("write targets and levels, such as info or warn,ambar::call=info")
    };
    let filter = EnvFilter::try_new(text).map_err(|error| refused(&error))?;
    if !prompts {
        return Ok(filter);
    }
    let contents = CONTENTS.parse().map_err(Failure::internal)?;
    Ok(filter.add_directive(contents))
}

/// Writes log lines above whatever is drawn.
struct LineWriter(Progress);

impl Write for LineWriter {
    /// A log line comes whole, with its end.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.say(String::from_utf8_lossy(bytes).trim_end_matches('\n'));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_let_through_only_where_they_were_asked_for() {
        let check = |text: &str, prompts: bool, expect: bool| {
            let filter = filter(text, prompts).unwrap().to_string();
            assert_eq!(filter.contains("ambar::contents=info"), expect, "{filter}");
        };
        check(SAID, false, false);
        check(LOGGED, false, false);
        check(LOGGED, true, true);
        check("error", true, true);
        assert!(filter("ambar=loud", false).is_err());
    }
}
