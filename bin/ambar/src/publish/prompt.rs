//! `prompt.toml`: a prompt capsule as people write it.
//!
//! ```toml
//! prompt = 1
//! title = "Ask the presidents"
//! system = "Answer with words copied from the passages."
//! template = "{{question}}\n\n{{passages}}"
//! passages_max = 2             # 0: does not retrieve
//! context_bytes_max = 900      # 0: does not retrieve
//! [roles]                      # which kind of capsule plays which role
//! model = "model"
//! datanet = "dataset"
//! ```
//!
//! Which capsules play the roles is said when it is published, with `--uses`.

use crate::failure::{Failure, Outcome};
use ambar_base::{Cid, ErrorCode};
use ambar_capsule::Kind;
use ambar_capsule::body::PromptBody;
use ambar_capsule::manifest::Component;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The file's name in the published directory.
pub const PROMPT_FILE: &str = "prompt.toml";
/// Longest such file, bytes.
pub const PROMPT_BYTES_MAX: u64 = 64 * 1024;
/// The version of the file's format.
const PROMPT_VERSION: u16 = 1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PromptFile {
    prompt: u16,
    title: Option<String>,
    system: String,
    template: String,
    #[serde(default)]
    passages_max: u32,
    #[serde(default)]
    context_bytes_max: u32,
    #[serde(default = "default_roles")]
    roles: BTreeMap<String, String>,
}

fn default_roles() -> BTreeMap<String, String> {
    [("model".to_owned(), "model".to_owned())].into()
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The body of the manifest.
    pub body: PromptBody,
    /// What people call it.
    pub title: Option<String>,
    /// Which kind of capsule plays which role.
    pub roles: BTreeMap<String, Kind>,
}

/// A component as `--uses` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The role, if it was said.
    pub role: Option<String>,
    /// The version.
    pub version: Cid,
    /// Its kind, as its manifest says.
    pub kind: Kind,
}

/// Reads the file.
pub fn parse(text: &str) -> Outcome<Prompt> {
    let invalid = |message: String| {
        Failure::new(ErrorCode::DocumentInvalid, format!("{PROMPT_FILE}: {message}"))
            .helping("correct the file; examples/presidents/prompt/prompt.toml shows every key")
    };
    let file: PromptFile =
        toml::from_str(text).map_err(|error| invalid(error.to_string().trim_end().to_owned()))?;
    if file.prompt != PROMPT_VERSION {
        return Err(invalid(format!("prompt = {PROMPT_VERSION} is the version known here")));
    }
    let body = PromptBody {
        context_bytes_max: file.context_bytes_max,
        passages_max: file.passages_max,
        system: file.system,
        template: file.template,
    };
    body.check().map_err(|rule| invalid(rule.to_owned()))?;
    let role = |(role, kind): (String, String)| match kind.parse() {
        Ok(kind) => Ok((role, kind)),
        Err(error) => Err(invalid(format!("role {role}: {error}"))),
    };
    let roles = file.roles.into_iter().map(role).collect::<Outcome<_>>()?;
    Ok(Prompt { body, title: file.title, roles })
}

/// Gives every component its role: the one that was said, or the one open role of its kind.
pub fn cast(roles: &BTreeMap<String, Kind>, used: &[Used]) -> Outcome<Vec<Component>> {
    let mut open = roles.clone();
    let mut components = Vec::with_capacity(used.len());
    // Said roles first, so that they do not depend on the order of the options.
    let (said, unsaid): (Vec<_>, Vec<_>) = used.iter().partition(|used| used.role.is_some());
    for used in said.into_iter().chain(unsaid) {
        let role = role_of(&open, used)?;
        if open.remove(&role).is_some_and(|kind| kind != used.kind) {
            let message = format!("{} is a {}, not what role {role} asks", used.version, used.kind);
            return Err(Failure::input(message));
        }
        components.push(Component { role, version: used.version });
    }
    match open.first_key_value() {
        None => Ok(components),
        Some((role, kind)) => Err(Failure::input(format!("nothing plays the role {role}"))
            .helping(format!("name a {kind} capsule with --uses ID"))),
    }
}

fn role_of(open: &BTreeMap<String, Kind>, used: &Used) -> Outcome<String> {
    let Used { role, version, kind } = used;
    if let Some(role) = role {
        let known = open.contains_key(role).then(|| role.clone());
        return known.ok_or_else(|| Failure::input(format!("there is no open role {role}")));
    }
    let mut fitting = open.iter().filter(|(_, wanted)| *wanted == kind).map(|(role, _)| role);
    match (fitting.next(), fitting.next()) {
        (Some(role), None) => Ok(role.clone()),
        (None, _) => Err(Failure::input(format!("no open role asks for the {kind} {version}"))),
        (Some(_), Some(_)) => {
            Err(Failure::input(format!("several roles ask for a {kind} such as {version}"))
                .helping("say which with --uses ROLE=ID"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../../examples/presidents/prompt/prompt.toml");

    fn used(role: Option<&str>, name: &str, kind: Kind) -> Used {
        Used { role: role.map(str::to_owned), version: Cid::of(name.as_bytes()), kind }
    }

    #[test]
    fn the_example_reads() {
        let prompt = parse(EXAMPLE).unwrap();
        assert_eq!(prompt.title.as_deref(), Some("Ask the presidents"));
        assert_eq!(prompt.body.passages_max, 2);
        let roles = [("datanet".into(), Kind::Dataset), ("model".into(), Kind::Model)];
        assert_eq!(prompt.roles, roles.into());
    }

    #[test]
    fn what_is_refused() {
        let check = |text: &str, expect: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(expect), "{error}");
        };
        check("prompt = 1\nsystem = \"\"\ntemplate = \"x\"", "contains {{question}}");
        check(
            "prompt = 2\nsystem = \"\"\ntemplate = \"{{question}}\"",
            "prompt = 1 is the version",
        );
        check("prompt = 1\nsistem = \"\"", "unknown field `sistem`");
    }

    #[test]
    fn components_find_their_roles() {
        let roles: BTreeMap<_, _> =
            [("model".to_owned(), Kind::Model), ("datanet".to_owned(), Kind::Dataset)].into();
        let (model, data) = (used(None, "m", Kind::Model), used(None, "d", Kind::Dataset));
        let found = cast(&roles, &[data.clone(), model.clone()]).unwrap();
        let pairs: Vec<_> = found.iter().map(|c| (c.role.as_str(), c.version)).collect();
        assert_eq!(pairs, [("datanet", data.version), ("model", model.version)]);
        let check = |used: &[Used], expect: &str| {
            let error = cast(&roles, used).unwrap_err();
            assert!(error.message.contains(expect), "{error}");
        };
        check(std::slice::from_ref(&model), "nothing plays the role datanet");
        check(&[model.clone(), model.clone()], "no open role asks for the model");
        check(&[used(Some("model"), "d", Kind::Dataset)], "not what role model asks");
        let two: BTreeMap<_, _> =
            [("a".to_owned(), Kind::Model), ("b".to_owned(), Kind::Model)].into();
        assert!(cast(&two, std::slice::from_ref(&model)).unwrap_err().help.contains("ROLE=ID"));
        let said = used(Some("b"), "x", Kind::Model);
        assert_eq!(cast(&two, &[model, said]).unwrap()[1].role, "a");
    }
}
