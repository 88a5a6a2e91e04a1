//! Code and agents: `code.toml` and `agent.toml`.
//!
//! ```toml
//! # code.toml
//! code = 1
//! runtime = "wasm32-wasip1"
//! entry = "main.wasm"
//! ```
//!
//! ```toml
//! # agent.toml
//! agent = 1
//! instructions = "Answer in one sentence."
//! steps_max = 8
//! [roles]
//! model = "model"
//! ```
//!
//! A single `.wasm` or `.py` file needs no `code.toml`.

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::publish::tree::SourceFile;
use ambar_base::ErrorCode;
use ambar_capsule::Kind;
use ambar_capsule::body::{AgentBody, CodeBody};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Longest such file, bytes.
const PROGRAM_BYTES_MAX: u64 = 64 * 1024;
/// The version of both formats.
const PROGRAM_VERSION: u16 = 1;
const CODE_FILE: &str = "code.toml";
const AGENT_FILE: &str = "agent.toml";
/// Runtimes of single files, by the end of their names.
const RUNTIMES: [(&str, &str); 2] = [(".wasm", "wasm32-wasip1"), (".py", "python")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeFile {
    code: u16,
    runtime: String,
    entry: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentFile {
    agent: u16,
    instructions: String,
    steps_max: u32,
    #[serde(default)]
    roles: BTreeMap<String, String>,
}

/// The body of a code capsule.
pub fn code(files: &[SourceFile]) -> Outcome<CodeBody> {
    if !files.iter().any(|file| file.name == CODE_FILE) {
        return single(files);
    }
    let file: CodeFile = read(files, CODE_FILE)?;
    check_version(CODE_FILE, file.code)?;
    if !files.iter().any(|source| source.name == file.entry) {
        return Err(invalid(CODE_FILE, &format!("there is no file {}", file.entry)));
    }
    Ok(CodeBody { runtime: file.runtime, entry: file.entry })
}

fn single(files: &[SourceFile]) -> Outcome<CodeBody> {
    let [file] = files else {
        return Err(invalid(CODE_FILE, "a directory of code needs one"));
    };
    let runtime = RUNTIMES.iter().find(|(end, _)| file.name.ends_with(end));
    let (_, runtime) = runtime.ok_or_else(|| {
        invalid(CODE_FILE, &format!("{} ends in neither .wasm nor .py", file.name))
    })?;
    Ok(CodeBody { runtime: (*runtime).to_owned(), entry: file.name.clone() })
}

/// The body of an agent capsule, and which kind of capsule plays which role.
pub fn agent(files: &[SourceFile]) -> Outcome<(AgentBody, BTreeMap<String, Kind>)> {
    let file: AgentFile = read(files, AGENT_FILE)?;
    check_version(AGENT_FILE, file.agent)?;
    let role = |(role, kind): (String, String)| match kind.parse() {
        Ok(kind) => Ok((role, kind)),
        Err(error) => Err(invalid(AGENT_FILE, &format!("role {role}: {error}"))),
    };
    let roles = file.roles.into_iter().map(role).collect::<Outcome<_>>()?;
    Ok((AgentBody { instructions: file.instructions, steps_max: file.steps_max }, roles))
}

fn read<T: DeserializeOwned>(files: &[SourceFile], name: &str) -> Outcome<T> {
    // A file published alone may have any name.
    let found = files.iter().find(|file| file.name == name).or(match files {
        [one] => Some(one),
        _ => None,
    });
    let file = found.ok_or_else(|| invalid(name, "it is missing"))?;
    let text = files::read_text(&file.path, PROGRAM_BYTES_MAX)?;
    toml::from_str(&text).map_err(|error| invalid(name, error.to_string().trim_end()))
}

fn check_version(name: &str, version: u16) -> Outcome {
    if version == PROGRAM_VERSION {
        return Ok(());
    }
    Err(invalid(name, &format!("version {PROGRAM_VERSION} is the one known here")))
}

fn invalid(name: &str, message: &str) -> Failure {
    Failure::new(ErrorCode::DocumentInvalid, format!("{name}: {message}"))
        .helping("correct the file; `ambar publish --help` shows an example")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn published(contents: &[(&str, &str)]) -> (tempfile::TempDir, Vec<SourceFile>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in contents {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let files = crate::publish::tree::files(dir.path()).unwrap();
        (dir, files)
    }

    #[test]
    fn code_says_what_starts() {
        let text = "code = 1\nruntime = \"python\"\nentry = \"main.py\"";
        let (_dir, files) = published(&[(CODE_FILE, text), ("main.py", "")]);
        assert_eq!(code(&files).unwrap().entry, "main.py");
        let (_dir, files) = published(&[(CODE_FILE, text), ("other.py", "")]);
        assert!(code(&files).unwrap_err().message.contains("no file main.py"));
        let (_dir, files) = published(&[("only.wasm", "")]);
        assert_eq!(code(&files).unwrap().runtime, "wasm32-wasip1");
        let (_dir, files) = published(&[("only.txt", "")]);
        assert!(code(&files).unwrap_err().message.contains("neither .wasm nor .py"));
    }

    #[test]
    fn agents_have_roles() {
        let text = "agent = 1\ninstructions = \"x\"\nsteps_max = 3\n[roles]\nmodel = \"model\"";
        let (_dir, files) = published(&[(AGENT_FILE, text)]);
        let (body, roles) = agent(&files).unwrap();
        assert_eq!((body.steps_max, roles), (3, [("model".into(), Kind::Model)].into()));
        let (_dir, files) = published(&[(AGENT_FILE, "agent = 2\ninstructions=\"\"\nsteps_max=1")]);
        assert!(agent(&files).unwrap_err().message.contains("version 1"));
    }
}
