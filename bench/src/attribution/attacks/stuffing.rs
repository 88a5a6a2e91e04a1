//! Records made of the words that questions are made of.

use super::super::calls::words;
use super::super::library::{record, text};
use super::super::page::Page;
use super::trial::HEAD;
use super::{Field, SEED};
use crate::trace::Random;
use ambar_corpus::Document;
use anyhow::Result;

/// Words of a stuffed record of words drawn by chance, and how many such records.
const WORDS: usize = 60;
const RECORDS: usize = 400;
/// Words of a place of a speech that become one record, and how often they are said.
const PLACE_WORDS: usize = 60;
const REPEATS: [usize; 2] = [1, 4];

/// Measures and tells.
pub fn run(field: &Field<'_>, page: &mut Page) -> Result<()> {
    let scene = field.scene();
    let drawn = drawn(field, field.lab.arguments.pick(RECORDS, 4));
    let mut rows = vec![scene.row("words drawn by chance", &drawn)?];
    for repeats in REPEATS {
        let listed = listed(field, repeats);
        rows.push(scene.row(&format!("words of each place, {repeats} times"), &listed)?);
    }
    page.part("Keyword stuffing");
    page.text(
        "Records without a sentence: words that tell speeches apart, drawn by chance; or the \
         telling words of each place of the speeches that are asked about, without the words \
         between.",
    );
    page.table(&HEAD, &rows);
    page.text(
        "Bound: none by the rules of shares; with the best passages of all calls and what is \
         quoted of them an attacker gets everything. Words said once are no filler and no copy to \
         the checks: that nothing is said there is for a reviewer to see.",
    );
    Ok(())
}

fn drawn(field: &Field<'_>, count: usize) -> Vec<Document> {
    let telling: Vec<&str> = field.vocabulary.telling().collect();
    let mut random = Random(SEED);
    let mut one = |number: usize| {
        let words: Vec<&str> = (0..WORDS).map(|_| telling[random.below(telling.len())]).collect();
        record(format!("words {number}"), field.lab.library.stranger(), words.join(" "))
    };
    (0..count).map(&mut one).collect()
}

/// The telling words of each place of the targets.
fn listed(field: &Field<'_>, repeats: usize) -> Vec<Document> {
    let mut listed = Vec::new();
    for target in &field.targets {
        let all: Vec<String> = words(text(target)).collect();
        for place in all.chunks(PLACE_WORDS) {
            let mut telling: Vec<&str> = place.iter().map(String::as_str).collect();
            telling.retain(|word| field.vocabulary.tells(word));
            if !telling.is_empty() {
                let text = vec![telling.join(" "); repeats].join(" ");
                let title = format!("list {}", listed.len());
                listed.push(record(title, field.lab.library.stranger(), text));
            }
        }
    }
    listed
}
