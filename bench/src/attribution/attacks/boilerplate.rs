//! A header of what everybody says, on many records.

use super::super::library::{record, text};
use super::super::money::Rule;
use super::super::page::Page;
use super::trial::{HEAD, Scene};
use super::{Field, SEED};
use crate::trace::Random;
use ambar_attribution::SpanParameters;
use ambar_attribution::span::COUNT_MAX;
use ambar_corpus::Document;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

/// Words of a phrase, phrases of a header, and words of the rest of a record.
const PHRASE_WORDS: usize = 6;
const PHRASES: usize = 40;
const REST_WORDS: usize = 60;

/// Measures and tells.
pub fn run(field: &Field<'_>, page: &mut Page) -> Result<()> {
    let phrases = phrases(field);
    let scene = field.scene();
    let records = |count| headed(field, &phrases, count);
    let counts = [field.lab.arguments.pick(40, 3), field.lab.arguments.pick(1_200, 8)];
    let mut rows = Vec::new();
    for count in counts {
        rows.push(scene.row(&format!("{count} records"), &records(count))?);
    }
    page.part("Boilerplate header");
    page.text(&format!(
        "The {PHRASES} commonest phrases of {PHRASE_WORDS} words in the speeches that are long \
         enough to be spans, in an order drawn for each record, before words drawn by chance."
    ));
    page.table(&HEAD, &rows);
    page.text(&bound(&scene, &records(counts[1]))?);
    Ok(())
}

fn bound(scene: &Scene<'_>, added: &[Document]) -> Result<String> {
    let limit = SpanParameters::default().count_max;
    let listed = SpanParameters::default().occurrences_max;
    let unlimited = SpanParameters { count_max: COUNT_MAX, ..SpanParameters::default() };
    let unlimited = Rule { spans: unlimited, ..Rule::default() };
    let first = |rule: &Rule| scene.told(added, true, rule);
    Ok(format!(
        "Bound: a phrase that stands in {listed} earlier records pays later ones nothing, and one \
         that occurs more than {limit} times pays nobody. If these {} records stood before the \
         speeches, they would get {} %, and {} % if no phrase were too common.",
        added.len(),
        first(&Rule::default())?,
        first(&unlimited)?,
    ))
}

/// The phrases that stand in most speeches.
fn phrases(field: &Field<'_>) -> Vec<String> {
    let mut holders = BTreeMap::<String, u32>::new();
    for speech in &field.lab.library.speeches {
        let words: Vec<&str> = text(speech).split_whitespace().collect();
        let own: BTreeSet<String> =
            words.windows(PHRASE_WORDS).map(|some| some.join(" ")).collect();
        let long =
            |phrase: &String| phrase.len() >= SpanParameters::default().span_bytes_min as usize;
        own.into_iter().filter(long).for_each(|phrase| *holders.entry(phrase).or_default() += 1);
    }
    let mut order: Vec<(String, u32)> = holders.into_iter().collect();
    order.sort_by_key(|(phrase, count)| (std::cmp::Reverse(*count), phrase.clone()));
    order.into_iter().take(PHRASES).map(|(phrase, _)| phrase).collect()
}

fn headed(field: &Field<'_>, phrases: &[String], count: usize) -> Vec<Document> {
    let (mut random, stranger) = (Random(SEED), field.lab.library.stranger());
    let telling: Vec<&str> = field.vocabulary.telling().collect();
    let one = |number: usize| {
        let mut header = phrases.to_vec();
        for at in (1..header.len()).rev() {
            header.swap(at, random.below(at + 1));
        }
        let rest: Vec<&str> =
            (0..REST_WORDS).map(|_| telling[random.below(telling.len())]).collect();
        let text = format!("{}.\n\n{}.", header.join("; "), rest.join(" "));
        record(format!("header {number}"), stranger, text)
    };
    (0..count).map(one).collect()
}
