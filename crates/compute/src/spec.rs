//! Engine specs: one line that names an engine, as people write it on a command
//! line or in a node's configuration. Secrets are never part of it.
//!
//! | spec | engine |
//! |---|---|
//! | `gguf:PATH` | a language model in a GGUF file |
//! | `embed:DIR` | an embedding model in a directory |
//! | `upstream:URL[#model]` | a server that speaks the `OpenAI` dialect |
//! | `null[:tokens=N,delay_ms=M]` | fixed answers without work, for load tests |

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::embed::EmbedEngine;
use crate::engine::Engine;
use crate::error::Failure;
use crate::gguf::{GgufEngine, GgufOptions, Pool};
use crate::limits::{NULL_DELAY_MS_MAX, NULL_TOKENS_MAX};
use crate::null::{NullEngine, NullOptions};
use crate::upstream::{Secret, UpstreamEngine, UpstreamOptions};

/// The accepted forms, as an error message lists them.
pub const SPEC_FORMS: &str =
    "`gguf:PATH`, `embed:DIR`, `upstream:URL[#model]` or `null[:tokens=N,delay_ms=M]`";

/// A spec that names no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("engine spec `{spec}`: {reason}; accepted are {SPEC_FORMS}")]
pub struct SpecError {
    /// The spec as it was given.
    pub spec: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Which engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineSpec {
    /// A language model in a GGUF file.
    Gguf(PathBuf),
    /// An embedding model in a directory.
    Embed(PathBuf),
    /// A server that speaks the `OpenAI` dialect.
    Upstream {
        /// Base URL.
        url: String,
        /// The server's name of the model.
        model: Option<String>,
    },
    /// Fixed answers without work.
    Null(NullOptions),
}

/// What a spec does not say: how the engine is run on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// For GGUF models.
    pub gguf: GgufOptions,
    /// The memory that GGUF models share; that of the process unless given.
    pub pool: Pool,
    /// The secret for an upstream.
    pub bearer: Option<Secret>,
    /// The `tokenizer.json` of an upstream's model, by which its counts are checked.
    pub tokenizer: Option<PathBuf>,
}

impl EngineSpec {
    /// Opens the engine; models are loaded later, at their first use.
    ///
    /// # Errors
    /// What the engine's own constructor refuses.
    pub fn open(&self, options: &EngineOptions) -> Result<Arc<dyn Engine>, Failure> {
        Ok(match self {
            Self::Gguf(path) => {
                Arc::new(GgufEngine::open_in(options.pool.clone(), path, options.gguf)?)
            }
            Self::Embed(dir) => Arc::new(EmbedEngine::open(dir)?),
            Self::Upstream { url, model } => Arc::new(UpstreamEngine::new(UpstreamOptions {
                url: url.clone(),
                model: model.clone(),
                bearer: options.bearer.clone(),
                tokenizer: options.tokenizer.clone(),
            })?),
            Self::Null(options) => Arc::new(NullEngine::new(*options)),
        })
    }
}

impl FromStr for EngineSpec {
    type Err = SpecError;

    fn from_str(spec: &str) -> Result<Self, SpecError> {
        let (kind, rest) = match spec.split_once(':') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (spec, None),
        };
        let parsed = match (kind, rest) {
            ("null", None) => Ok(Self::Null(NullOptions::default())),
            ("null", Some(rest)) => null_options(rest).map(Self::Null),
            ("gguf" | "embed" | "upstream", None | Some("")) => {
                Err("nothing follows the kind".to_owned())
            }
            ("gguf", Some(rest)) => Ok(Self::Gguf(rest.into())),
            ("embed", Some(rest)) => Ok(Self::Embed(rest.into())),
            ("upstream", Some(rest)) => upstream(rest),
            (kind, _) => Err(format!("`{kind}` is no kind of engine")),
        };
        parsed.map_err(|reason| SpecError { spec: spec.to_owned(), reason })
    }
}

impl fmt::Display for EngineSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gguf(path) => write!(f, "gguf:{}", path.display()),
            Self::Embed(dir) => write!(f, "embed:{}", dir.display()),
            Self::Upstream { url, model: None } => write!(f, "upstream:{url}"),
            Self::Upstream { url, model: Some(model) } => write!(f, "upstream:{url}#{model}"),
            Self::Null(NullOptions { tokens, delay_ms }) => {
                write!(f, "null:tokens={tokens},delay_ms={delay_ms}")
            }
        }
    }
}

fn upstream(rest: &str) -> Result<EngineSpec, String> {
    let (url, model) = match rest.split_once('#') {
        Some((_, "")) => return Err("no model follows `#`".to_owned()),
        Some((url, model)) => (url, Some(model.to_owned())),
        None => (rest, None),
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err("the URL begins with neither http:// nor https://".to_owned());
    }
    Ok(EngineSpec::Upstream { url: url.to_owned(), model })
}

fn null_options(rest: &str) -> Result<NullOptions, String> {
    let mut options = NullOptions::default();
    for setting in rest.split(',') {
        match setting.split_once('=') {
            Some(("tokens", value)) => {
                let tokens = within("tokens", value, 1, u64::from(NULL_TOKENS_MAX))?;
                options.tokens = u32::try_from(tokens).unwrap_or(NULL_TOKENS_MAX);
            }
            Some(("delay_ms", value)) => {
                options.delay_ms = within("delay_ms", value, 0, NULL_DELAY_MS_MAX)?;
            }
            _ => return Err(format!("`{setting}` is neither tokens=N nor delay_ms=M")),
        }
    }
    Ok(options)
}

fn within(name: &str, value: &str, min: u64, max: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("{name} is not a number from {min} to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read_and_written() {
        let null = |tokens, delay_ms| EngineSpec::Null(NullOptions { tokens, delay_ms });
        let upstream = |url: &str, model: Option<&str>| EngineSpec::Upstream {
            url: url.into(),
            model: model.map(Into::into),
        };
        let check = |spec: &str, expect: EngineSpec| {
            let parsed: EngineSpec = spec.parse().unwrap();
            assert_eq!(parsed, expect, "{spec}");
            assert_eq!(parsed.to_string().parse::<EngineSpec>().unwrap(), expect, "{parsed}");
        };
        check("gguf:/a/b: c.gguf", EngineSpec::Gguf("/a/b: c.gguf".into()));
        check("embed:./dir", EngineSpec::Embed("./dir".into()));
        check("upstream:http://h:1/v1", upstream("http://h:1/v1", None));
        check("upstream:https://h#a/b:c", upstream("https://h", Some("a/b:c")));
        check("null", null(16, 0));
        check("null:tokens=3", null(3, 0));
        check("null:delay_ms=5,tokens=1000000", null(1_000_000, 5));
    }

    #[test]
    fn a_bad_spec_is_told_the_accepted_forms() {
        for (spec, reason) in [
            ("", "`` is no kind of engine"),
            ("vllm:x", "`vllm` is no kind of engine"),
            ("gguf", "nothing follows the kind"),
            ("embed:", "nothing follows the kind"),
            ("upstream:host:80", "the URL begins with neither http:// nor https://"),
            ("upstream:http://h#", "no model follows `#`"),
            ("null:", "`` is neither tokens=N nor delay_ms=M"),
            ("null:tokens=0", "tokens is not a number from 1 to 1000000"),
            ("null:delay_ms=-1", "delay_ms is not a number from 0 to 60000"),
            ("null:words=3", "`words=3` is neither tokens=N nor delay_ms=M"),
        ] {
            let error = spec.parse::<EngineSpec>().unwrap_err();
            assert_eq!(error.reason, reason, "{spec}");
            let shown = error.to_string();
            assert!(shown.contains(spec) && shown.contains("`gguf:PATH`"), "{shown}");
        }
    }

    #[test]
    fn a_spec_opens_its_engine() {
        let kind = |spec: &str| {
            let spec: EngineSpec = spec.parse().unwrap();
            spec.open(&EngineOptions::default()).map(|engine| engine.describe().kind)
        };
        assert_eq!(kind("null").unwrap(), "null");
        assert_eq!(kind("upstream:http://localhost:1#m").unwrap(), "upstream");
        assert!(matches!(kind("gguf:/nowhere.gguf"), Err(Failure::File { .. })));
        assert!(matches!(kind("embed:/nowhere"), Err(Failure::File { .. })));
    }
}
