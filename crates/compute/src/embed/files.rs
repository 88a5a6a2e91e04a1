//! The files of an embedding model's directory, each read within a limit.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use candle_transformers::models::bert;

use crate::error::Failure;
use crate::limits::EMBED_JSON_BYTES_MAX;

/// The architecture that this engine runs.
pub(super) const ARCHITECTURE: &str = "bert";

/// What `config.json` says.
#[derive(Debug, Clone)]
pub(super) struct Config {
    /// The name that the model was trained from, or the directory's.
    pub(super) name: String,
    /// The encoder's shape.
    pub(super) bert: bert::Config,
}

#[derive(serde::Deserialize)]
struct Names {
    model_type: Option<String>,
    #[serde(rename = "_name_or_path")]
    name: Option<String>,
}

/// Reads and checks `config.json`.
pub(super) fn read_config(dir: &Path) -> Result<Config, Failure> {
    let path = dir.join("config.json");
    let bytes = read(&path, EMBED_JSON_BYTES_MAX)?;
    let refused = |reason: String| Failure::ModelRefused { path: path.clone(), reason };
    let names: Names = serde_json::from_slice(&bytes).map_err(|e| refused(e.to_string()))?;
    if let Some(other) = names.model_type.filter(|kind| kind != ARCHITECTURE) {
        return Err(refused(format!("architecture `{other}`, known is `{ARCHITECTURE}`")));
    }
    let bert = serde_json::from_slice(&bytes).map_err(|e| refused(e.to_string()))?;
    let stem = || dir.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Config { name: names.name.or_else(stem).unwrap_or_default(), bert })
}

/// The whole file, if it is no longer than `bytes_max`.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let file_error = |source| Failure::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(file_error)?;
    let bytes = file.metadata().map_err(file_error)?.len();
    if bytes > bytes_max {
        return Err(Failure::FileTooLarge { path: path.to_owned(), bytes, bytes_max });
    }
    let mut contents = Vec::new();
    file.take(bytes_max).read_to_end(&mut contents).map_err(file_error)?;
    Ok(contents)
}
