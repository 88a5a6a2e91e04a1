//! Texts of which it is known exactly where each word comes from, and whom the methods pay.

mod chain;

use super::Lab;
use super::calls::{evidence, retrieve};
use super::money::Rule;
use super::page::Page;
use super::statistics::{spearman, told};
use crate::trace::Random;
use ambar_attribution::{Method, RetrievalParameters};
use anyhow::Result;
use chain::{CONTEXT_WORDS, COUNT_MIN, Chain};
use std::collections::BTreeMap;

/// The seed of prompts and texts.
const SEED: u64 = 15;
/// Words that are given, and most words that are made.
const PROMPT_WORDS: usize = 12;
const MADE_WORDS: usize = 64;
/// Texts of fewer words say little.
const MADE_WORDS_MIN: usize = 16;

const TEXT: &str = "\
A model without weights goes on from a few words of a speech as the speeches do: it takes the
longest end of what was said that stands in them, of at most four words, and at least twice, and
then the word that follows at one of these places. So it is known of each word at which places of
the records it could have been drawn, and whose they are: the *exact* shares. The model is the
bench's own, written apart from the house's code. The figures compare the exact shares with those
that the methods give for the same text; for the search the given words are the question, though
this model never sees a passage. *Agreement* is the part of the money that goes where the exact
shares send it; *correlation* is Spearman's, over all contributors. Beside them stands what needs
no evidence: shares by how many bytes somebody has in the datanet, and the same for all.

What it means: how much of the money follows the words' origin where the origin is known. What it
does not mean: that a language model with weights owes its words in this way, or that whoever has a
common phrase first is owed more than those who also have it.";

/// Measures and tells.
pub fn run(lab: &Lab, page: &mut Page) -> Result<()> {
    let chain = Chain::of(&lab.library.speeches);
    let mut random = Random(SEED);
    let wanted = lab.arguments.pick(300, 3);
    let names = ["`verbatim-span` alone", "`retrieval` alone", "default mix", "by bytes", "equal"];
    let mut found: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); names.len()];
    let (mut texts, mut words) = (0, 0);
    while texts < wanted {
        let (prompt, question) = chain.prompt(PROMPT_WORDS, &mut random);
        let made = chain.made(&prompt, MADE_WORDS, &mut random);
        if made.words < MADE_WORDS_MIN {
            continue;
        }
        lab.tell("corpus model", texts, wanted);
        let scale = made.words as f64;
        let exact = made.from.iter().map(|(who, part)| (*who, part / scale)).collect();
        let shares = shares(lab, &question, &made.text, texts as u64)?;
        for (of, shares) in found.iter_mut().zip(&shares) {
            of.0.push(agreement(&exact, shares));
            of.1.push(correlation(lab, &exact, shares));
        }
        texts += 1;
        words += made.words;
    }
    page.section("Exact attribution of a corpus model");
    page.text(TEXT);
    let row = |(name, (agreement, rho)): (&&str, &(Vec<f64>, Vec<f64>))| {
        vec![(*name).to_owned(), told(agreement), told(rho)]
    };
    let rows: Vec<_> = names.iter().zip(&found).map(row).collect();
    page.table(&["shares", "agreement (95 %)", "correlation (95 %)"], &rows);
    page.text(&format!(
        "{texts} texts of {:.1} words on average, contexts of at most {CONTEXT_WORDS} words that \
         stand in at least {COUNT_MIN} places, seed {SEED}.",
        words as f64 / texts as f64,
    ));
    Ok(())
}

type Shares = BTreeMap<u32, f64>;

/// What each way of sharing gives for a text.
fn shares(lab: &Lab, question: &str, text: &str, number: u64) -> Result<[Shares; 5]> {
    let corpus = lab.library.base();
    let found = retrieve(corpus, question, &RetrievalParameters::default())?;
    let evidence = evidence(corpus, &found.evidence, text, &Rule::default().spans)?;
    let paid = |rule: &Rule| -> Result<Shares> {
        Ok(lab.till.divide(&evidence, number, rule)?.by_contributor())
    };
    let (mut by_bytes, mut equal) = (Shares::new(), Shares::new());
    let all = corpus.text_bytes() as f64;
    for speech in &lab.library.speeches {
        *by_bytes.entry(speech.contributor).or_default() += speech.text.len() as f64 / all;
        equal.insert(speech.contributor, 1.0 / lab.library.names.len() as f64);
    }
    let (spans, search) = (Rule::only(Method::VerbatimSpan), Rule::only(Method::Retrieval));
    Ok([paid(&spans)?, paid(&search)?, paid(&Rule::default())?, by_bytes, equal])
}

/// The part of the one that is also in the other.
fn agreement(exact: &Shares, shares: &Shares) -> f64 {
    let both = exact.iter().map(|(who, part)| part.min(*shares.get(who).unwrap_or(&0.0)));
    both.sum()
}

fn correlation(lab: &Lab, exact: &Shares, shares: &Shares) -> f64 {
    let all = 0..lab.library.stranger();
    let of = |shares: &Shares| -> Vec<f64> {
        all.clone().map(|who| *shares.get(&who).unwrap_or(&0.0)).collect()
    };
    spearman(&of(exact), &of(shares)).unwrap_or(0.0)
}
