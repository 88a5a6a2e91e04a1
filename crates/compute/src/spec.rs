//! Engine specs: one line that names an engine, as people write it on a command
//! line or in a node's configuration. Secrets are never part of it.
//!
//! | spec | engine |
//! |---|---|
//! | `gguf:PATH` | a language model in a GGUF file |
//! | `embed:DIR` | an embedding model in a directory |
//! | `upstream:URL[#model]` | a server that speaks the `OpenAI` dialect |
//! | `corpus[:context=N,count=M]` | the records of the datasets that a capsule is built on |
//! | `null[:tokens=N,delay_ms=M]` | fixed answers without work, for load tests |

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::embed::EmbedEngine;
use crate::engine::Engine;
use crate::error::Failure;
use crate::gguf::{GgufEngine, GgufOptions, Pool};
use crate::limits::{
    CORPUS_CONTEXT_WORDS_DEFAULT, CORPUS_CONTEXT_WORDS_MAX, CORPUS_COUNT_DEFAULT, CORPUS_COUNT_MAX,
    NULL_DELAY_MS_MAX, NULL_TOKENS_MAX,
};
use crate::null::{NullEngine, NullOptions};
use crate::upstream::{Secret, UpstreamEngine, UpstreamOptions};

/// The accepted forms, as an error message lists them.
pub const SPEC_FORMS: &str = "`gguf:PATH`, `embed:DIR`, `upstream:URL[#model]`, \
    `corpus[:context=N,count=M]` or `null[:tokens=N,delay_ms=M]`";

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
    /// The records of the datasets that a capsule is built on, as a language model.
    Corpus(CorpusOptions),
    /// Fixed answers without work.
    Null(NullOptions),
}

/// How a language model that is records looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorpusOptions {
    /// Longest context, words.
    pub context: u32,
    /// A context that stands in the records less often is made shorter.
    pub count: u32,
}

impl Default for CorpusOptions {
    fn default() -> Self {
        Self { context: CORPUS_CONTEXT_WORDS_DEFAULT, count: CORPUS_COUNT_DEFAULT }
    }
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
    /// What the engine's own constructor refuses. Records are not this crate's: whoever has them
    /// makes an engine of them.
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
            Self::Corpus(_) => {
                let reason = "they are where datasets are served".to_owned();
                return Err(Failure::NoRecords { reason });
            }
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
            ("corpus", None) => Ok(Self::Corpus(CorpusOptions::default())),
            ("corpus", Some(rest)) => corpus_options(rest).map(Self::Corpus),
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
            Self::Corpus(CorpusOptions { context, count }) => {
                write!(f, "corpus:context={context},count={count}")
            }
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

fn corpus_options(rest: &str) -> Result<CorpusOptions, String> {
    let mut options = CorpusOptions::default();
    let number = |name, value, max: u32| {
        let number = within(name, value, 1, u64::from(max))?;
        Ok::<_, String>(u32::try_from(number).unwrap_or(max))
    };
    for setting in rest.split(',') {
        match setting.split_once('=') {
            Some(("context", value)) => {
                options.context = number("context", value, CORPUS_CONTEXT_WORDS_MAX)?;
            }
            Some(("count", value)) => options.count = number("count", value, CORPUS_COUNT_MAX)?,
            _ => return Err(format!("`{setting}` is neither context=N nor count=M")),
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
        let corpus = |context, count| EngineSpec::Corpus(CorpusOptions { context, count });
        check("corpus", corpus(4, 2));
        check("corpus:count=1", corpus(4, 1));
        check("corpus:context=16,count=1000", corpus(16, 1_000));
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
            ("corpus:", "`` is neither context=N nor count=M"),
            ("corpus:context=17", "context is not a number from 1 to 16"),
            ("corpus:count=0", "count is not a number from 1 to 1000"),
            ("corpus:words=3", "`words=3` is neither context=N nor count=M"),
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
        assert!(matches!(kind("corpus"), Err(Failure::NoRecords { .. })));
        assert!(matches!(kind("gguf:/nowhere.gguf"), Err(Failure::File { .. })));
        assert!(matches!(kind("embed:/nowhere"), Err(Failure::File { .. })));
    }
}
