//! What the demo is made of: the example of the presidents, inside the binary, so that it
//! runs wherever the binary does.

use crate::failure::{Failure, OrFail, Outcome};
use ambar_base::ErrorCode;
use ambar_licence::Terms;
use std::fs;
use std::path::Path;

/// The records, as `examples/presidents/make.py` packs them.
const RECORDS: &[u8] = include_bytes!("../../../../examples/presidents/presidents.tar.zst");
/// The prompt capsule.
const PROMPT: &str = include_str!("../../../../examples/presidents/prompt/prompt.toml");
/// One question per line.
const QUESTIONS: &str = include_str!("../../../../examples/presidents/questions.txt");
const DATASET_TERMS: &str = include_str!("../../../../examples/presidents/terms/dataset.toml");
const MODEL_TERMS: &str = include_str!("../../../../examples/presidents/terms/model.toml");
const PROMPT_TERMS: &str = include_str!("../../../../examples/presidents/terms/prompt.toml");

/// The demo's terms.
#[derive(Clone, Debug)]
pub struct DemoTerms {
    /// Of the records.
    pub dataset: Terms,
    /// Of both models.
    pub model: Terms,
    /// Of the prompt.
    pub prompt: Terms,
}

/// The terms, read.
pub fn terms() -> Outcome<DemoTerms> {
    Ok(DemoTerms {
        dataset: Terms::parse(DATASET_TERMS)?,
        model: Terms::parse(MODEL_TERMS)?,
        prompt: Terms::parse(PROMPT_TERMS)?,
    })
}

/// The first `count` questions; after the last comes the first again.
pub fn questions(count: usize) -> Vec<&'static str> {
    QUESTIONS.lines().filter(|line| !line.trim().is_empty()).cycle().take(count).collect()
}

/// Unpacks the records into a new directory.
pub fn unpack_records(dir: &Path) -> Outcome {
    let plain = zstd::stream::read::Decoder::new(RECORDS).or_fail(ErrorCode::Internal)?;
    tar::Archive::new(plain).unpack(dir).map_err(|error| Failure::file(dir, &error))
}

/// Writes the prompt into a new directory.
pub fn write_prompt(dir: &Path) -> Outcome {
    fs::create_dir_all(dir).map_err(|error| Failure::file(dir, &error))?;
    let path = dir.join(crate::publish::prompt::PROMPT_FILE);
    fs::write(&path, PROMPT).map_err(|error| Failure::file(&path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::records::declared;
    use crate::publish::tree;
    use std::collections::BTreeSet;

    #[test]
    fn the_archive_holds_what_its_readme_says() {
        let dir = tempfile::tempdir().unwrap();
        unpack_records(dir.path()).unwrap();
        let files = tree::files(dir.path()).unwrap();
        let publisher = ambar_base::AccountId::reserved("publisher");
        let paths = files.iter().map(|file| file.name.as_str());
        let by_record = declared(&files).unwrap().by_path(paths, publisher, |_| None).unwrap();
        assert_eq!(by_record.len(), 233);
        assert_eq!(by_record.into_values().collect::<BTreeSet<_>>().len(), 43);
    }

    #[test]
    fn terms_read_and_questions_go_round() {
        assert!(terms().is_ok());
        let questions = questions(25);
        assert_eq!(questions.len(), 25);
        assert_eq!(questions[0], questions[24]);
    }
}
