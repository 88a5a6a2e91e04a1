//! Texts in which sentences of known records stand among words of others: who is paid?

use super::Lab;
use super::library::text;
use super::money::Rule;
use super::page::{Page, per_cent};
use crate::trace::Random;
use ambar_attribution::{Evidence, Method};
use ambar_base::Digest;
use anyhow::Result;
use std::collections::BTreeSet;

/// The seed of all texts.
const SEED: u64 = 12;
/// Lengths of what is planted, words.
const LENGTHS: [usize; 7] = [3, 4, 6, 8, 12, 16, 24];
/// How many per cent of its words are changed.
const EDITS: [usize; 6] = [0, 5, 10, 15, 20, 30];
/// The length at which edits are told, and the share of edits at which lengths are.
const EDITED_LENGTH: usize = 16;
/// Planted in one text, each of another contributor's record.
const PLANTED: usize = 4;
/// Words of others after each of them.
const GLUE_WORDS: usize = 10;

const TEXT: &str = "\
A text is made of four stretches of the speeches, each of another contributor, with ten single
words of speeches drawn at random after each. The records are known, so it is known who should be
paid. *Precision* is the part of the paid contributors whose words were planted, *recall* the part
of those planted who are paid, and *share* the part of the money that goes to them. An edit
replaces a word by one drawn at random. The other method is left out: there is no question. A
stretch may stand in another contributor's records as well, who is then paid with good reason, and
counts against precision here; so may a chance phrase of the words between.";

#[derive(Default)]
struct Tally {
    paid: usize,
    planted: usize,
    both: usize,
    share: f64,
    texts: usize,
}

impl Tally {
    fn row(&self, what: String) -> Vec<String> {
        vec![
            what,
            self.texts.to_string(),
            per_cent(self.both as f64, self.paid as f64),
            per_cent(self.both as f64, self.planted as f64),
            per_cent(self.share, self.texts as f64),
        ]
    }
}

/// Measures and tells.
pub fn run(lab: &Lab, page: &mut Page) -> Result<()> {
    page.section("Planted sentences");
    page.text(TEXT);
    let head = |what| [what, "texts", "precision, %", "recall, %", "share, %"];
    let row = |length, edits, what: String| Ok(tally(lab, length, edits)?.row(what));
    let lengths = LENGTHS.iter().map(|length| row(*length, 0, format!("{length} words")));
    page.part("By length, unchanged");
    page.table(&head("planted"), &lengths.collect::<Result<Vec<_>>>()?);
    let edits = EDITS.iter().map(|edits| row(EDITED_LENGTH, *edits, format!("{edits} %")));
    page.part("By changed words, of 16");
    page.table(&head("changed"), &edits.collect::<Result<Vec<_>>>()?);
    page.text(&format!("Seed {SEED}. Shortest span: 24 bytes, about four words."));
    Ok(())
}

fn tally(lab: &Lab, length: usize, edits: usize) -> Result<Tally> {
    let mut random = Random(SEED);
    let (mut tally, texts) = (Tally::default(), lab.arguments.pick(200, 4));
    for number in 0..texts {
        lab.tell(&format!("planted, {length} words, {edits} % changed"), number, texts);
        let (text, planted) = text_of(lab, length, edits, &mut random);
        let rule = Rule::only(Method::VerbatimSpan);
        let spans = lab.library.base().trace(text.as_bytes(), Digest::ZERO, &rule.spans)?;
        let paid = lab.till.divide(&[Evidence::VerbatimSpan(spans)], number as u64, &rule)?;
        let names: BTreeSet<u32> = paid.by_contributor().into_keys().collect();
        tally.texts += 1;
        tally.paid += names.len();
        tally.planted += planted.len();
        tally.both += names.intersection(&planted).count();
        tally.share += paid.to(|who| planted.contains(&who));
    }
    Ok(tally)
}

/// A text, and whose stretches stand in it.
fn text_of(lab: &Lab, length: usize, edits: usize, random: &mut Random) -> (String, BTreeSet<u32>) {
    let speeches = &lab.library.speeches;
    let (mut parts, mut planted) = (Vec::new(), BTreeSet::new());
    while planted.len() < PLANTED {
        let speech = &speeches[random.below(speeches.len())];
        if !planted.insert(speech.contributor) {
            continue;
        }
        parts.push(stretch(text(speech), length, edits, lab, random));
        parts.extend((0..GLUE_WORDS).map(|_| word(lab, random)));
    }
    (parts.join(" "), planted)
}

/// So many words after one another as they stand there, of which some are replaced.
fn stretch(text: &str, length: usize, edits: usize, lab: &Lab, random: &mut Random) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let start = random.below(words.len().saturating_sub(length).max(1));
    let words = &words[start..words.len().min(start + length)];
    let (first, last) = (words[0], words[words.len() - 1]);
    let from = first.as_ptr() as usize - text.as_ptr() as usize;
    let to = last.as_ptr() as usize - text.as_ptr() as usize + last.len();
    if edits == 0 {
        return text[from..to].to_owned();
    }
    let edited = |word: &&str| match random.below(100) < edits {
        true => self::word(lab, random),
        false => (*word).to_owned(),
    };
    words.iter().map(edited).collect::<Vec<_>>().join(" ")
}

fn word(lab: &Lab, random: &mut Random) -> String {
    let speeches = &lab.library.speeches;
    let text = text(&speeches[random.below(speeches.len())]);
    let mut at = random.below(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text[at..].split_ascii_whitespace().nth(1).unwrap_or("and").to_owned()
}
