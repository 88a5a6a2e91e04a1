//! The same records again, byte for byte or with words changed.

use super::super::library::{record, text};
use super::super::money::Rule;
use super::super::page::Page;
use super::trial::{HEAD, Scene};
use super::{Field, SEED, bound_of_copies};
use crate::quality::cases::edited;
use crate::trace::Random;
use ambar_attribution::{RetrievalParameters, SpanParameters};
use ambar_corpus::Document;
use anyhow::Result;

/// Copies of each record.
const COPIES: [usize; 4] = [1, 3, 7, 15];
/// How many per cent of the words of a copy are changed.
const EDITS: [u8; 7] = [2, 5, 10, 15, 20, 30, 45];

/// Copies under other names.
pub fn flood(field: &Field<'_>, page: &mut Page) -> Result<()> {
    let (scene, mut rows) = (field.scene(), Vec::new());
    for copies in COPIES {
        let added = copied(field, copies, 0);
        rows.push(scene.row(&format!("{copies} of each"), &added)?);
    }
    page.part("Duplicate flood");
    page.text(
        "Every speech that is asked about is published again, so many times, under names that \
         hold its speaker's.",
    );
    page.table(&HEAD, &rows);
    page.text(&order(&scene, &copied(field, 7, 0))?);
    Ok(())
}

fn order(scene: &Scene<'_>, added: &[Document]) -> Result<String> {
    let first = scene.told(added, true, &Rule::default())?;
    let (listed, passages) =
        (SpanParameters::default().occurrences_max, RetrievalParameters::default().passages_max);
    Ok(format!(
        "Bound: of a span the first {listed} records that hold it are paid and of passages the \
         best {passages}, so later copies that are not better found than the original get at most \
         {}/{listed} of the one half and {}/{passages} of the other, {:.1} %, of a call that one \
         record answers. If the seven copies stood before the speeches instead of after them, \
         they would get {first} %.",
        listed - 1,
        passages - 1,
        bound_of_copies(),
    ))
}

/// Copies with words changed.
pub fn paraphrase(field: &Field<'_>, page: &mut Page) -> Result<()> {
    let (scene, mut rows) = (field.scene(), Vec::new());
    for edits in EDITS {
        let added = copied(field, 1, edits);
        rows.push(scene.row(&format!("{edits} % of the words"), &added)?);
    }
    page.part("Paraphrase");
    page.text(
        "One copy of each of them, in which so many of a hundred words are dropped, replaced or \
         moved by chance. That is no paraphrase that a person would write; it shows from how much \
         changing on a copy is not found, and what it still earns.",
    );
    page.table(&HEAD, &rows);
    page.text(
        "Bound: none. What is not found counts as somebody's own words, and paraphrases that are \
         better found than the original can take its place among the passages. What is quoted \
         from the paraphrase is the paraphraser's; the more is changed, the less of the speech's \
         own spans it shares.",
    );
    Ok(())
}

/// So many copies of each target with so many per cent of its words changed.
pub fn copied(field: &Field<'_>, copies: usize, edits: u8) -> Vec<Document> {
    let (mut random, stranger) = (Random(SEED), field.lab.library.stranger());
    let mut added = Vec::new();
    for target in &field.targets {
        let words: Vec<&str> = text(target).split_whitespace().collect();
        for copy in 0..copies {
            let title = format!("{}_again_{copy}", target.title);
            let text = match edits {
                0 => text(target).to_owned(),
                edits => edited(&words, edits, &mut random),
            };
            added.push(record(title, stranger, text));
        }
    }
    added
}
