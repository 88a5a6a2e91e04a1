//! What a model capsule says of itself, read from the files that its engine runs.

use crate::failure::{Failure, OrFail, Outcome};
use crate::publish::tree::SourceFile;
use ambar_base::ErrorCode;
use ambar_capsule::body::{Modality, ModelBody};
use ambar_compute::gguf::read_header;
use ambar_compute::{EngineOptions, EngineSpec};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Context of a service or embedding model that does not say its own, tokens.
const CONTEXT_TOKENS_UNSAID: u32 = 512;
/// Longest `config.json`, bytes.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
/// Where an embedding model says what it is.
const CONFIG_FILE: &str = "config.json";

/// The body of a model published from these files and served by this engine.
pub fn body(files: &[SourceFile], engine: Option<&EngineSpec>) -> Outcome<ModelBody> {
    let ends = |end: &str| files.iter().find(|file| file.name.ends_with(end));
    if let Some(weights) = ends(".gguf") {
        return gguf(&weights.path);
    }
    if ends(".safetensors").is_some() {
        let config = files.iter().find(|file| file.name == CONFIG_FILE);
        return embedding(config.map(|file| file.path.as_path()));
    }
    match engine {
        Some(EngineSpec::Upstream { .. } | EngineSpec::Corpus(_) | EngineSpec::Null(_)) => {
            Ok(service())
        }
        _ => {
            Err(Failure::new(ErrorCode::ModelUnsupported, "no .gguf or .safetensors file is there")
                .helping("publish the weights, or a model card with --engine upstream:URL"))
        }
    }
}

fn gguf(path: &Path) -> Outcome<ModelBody> {
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let bytes = file.metadata().map_err(|error| Failure::file(path, &error))?.len();
    let header = read_header(BufReader::new(file), bytes)
        .or_fail(ErrorCode::ModelUnsupported)
        .map_err(|failure| failure.about(path.display()))?;
    // Refused here, before anything is published: a model that no engine runs.
    let opened = EngineSpec::Gguf(path.to_owned()).open(&EngineOptions::default());
    opened.or_fail(ErrorCode::ModelUnsupported)?;
    Ok(ModelBody {
        architecture: header.architecture,
        context_tokens: header.context_tokens.unwrap_or(CONTEXT_TOKENS_UNSAID),
        format: "gguf".into(),
        modality: Modality::Text,
    })
}

fn embedding(config: Option<&Path>) -> Outcome<ModelBody> {
    let config = config.ok_or_else(|| {
        Failure::new(ErrorCode::ModelUnsupported, "no config.json beside the safetensors file")
    })?;
    let text = crate::files::read_text(config, CONFIG_BYTES_MAX)?;
    let said: serde_json::Value = serde_json::from_str(&text)
        .or_fail(ErrorCode::ModelUnsupported)
        .map_err(|failure| failure.about(config.display()))?;
    let context = said["max_position_embeddings"].as_u64().and_then(|n| u32::try_from(n).ok());
    Ok(ModelBody {
        architecture: said["model_type"].as_str().unwrap_or("unknown").to_owned(),
        context_tokens: context.unwrap_or(CONTEXT_TOKENS_UNSAID),
        format: "safetensors".into(),
        modality: Modality::Embedding,
    })
}

fn service() -> ModelBody {
    ModelBody {
        architecture: "service".into(),
        context_tokens: CONTEXT_TOKENS_UNSAID,
        format: "service".into(),
        modality: Modality::Text,
    }
}

/// The engine that these files ask for, if they are weights.
pub fn engine_of(path: &Path, body: &ModelBody) -> Option<EngineSpec> {
    match body.format.as_str() {
        "gguf" if path.is_file() => Some(EngineSpec::Gguf(path.to_owned())),
        "safetensors" if path.is_dir() => Some(EngineSpec::Embed(path.to_owned())),
        _ => None,
    }
}

/// The engine with its files named for whatever directory the node runs in.
pub fn absolute(engine: EngineSpec) -> EngineSpec {
    let whole = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    match engine {
        EngineSpec::Gguf(path) => EngineSpec::Gguf(whole(path)),
        EngineSpec::Embed(path) => EngineSpec::Embed(whole(path)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn files(dir: &Path) -> Vec<SourceFile> {
        crate::publish::tree::files(dir).unwrap()
    }

    #[test]
    fn services_need_an_engine() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("README.md"), "a service").unwrap();
        let files = files(dir.path());
        let null: EngineSpec = "null".parse().unwrap();
        assert_eq!(body(&files, Some(&null)).unwrap().format, "service");
        assert_eq!(body(&files, None).unwrap_err().code, ErrorCode::ModelUnsupported);
    }

    #[test]
    fn embedding_models_say_what_they_are() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("model.safetensors"), "x").unwrap();
        let config = r#"{"model_type":"bert","max_position_embeddings":256}"#;
        fs::write(dir.path().join(CONFIG_FILE), config).unwrap();
        let body = body(&files(dir.path()), None).unwrap();
        assert_eq!((body.architecture.as_str(), body.context_tokens), ("bert", 256));
        assert_eq!(engine_of(dir.path(), &body), Some(EngineSpec::Embed(dir.path().into())));
    }

    #[test]
    fn a_broken_gguf_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("m.gguf"), "GGUF").unwrap();
        let error = body(&files(dir.path()), None).unwrap_err();
        assert_eq!(error.code, ErrorCode::ModelUnsupported);
        assert!(error.message.contains("truncated"), "{error}");
    }
}
