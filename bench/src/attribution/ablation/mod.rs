//! Does a share say how much an answer owed to a passage? A passage is taken away, and how much
//! less likely the model finds the same answer without it is compared with the passage's share.

mod measures;

use super::Lab;
use super::calls::{TEMPLATES, Vocabulary};
use super::model::{ANSWER_TOKENS, CONTEXT_BYTES, Model, PASSAGES, Sampling};
use super::page::{Page, per_cent};
use super::statistics::{BOOTSTRAP_SEED, mean, spearman, told};
use crate::trace::Random;
use ambar_corpus::{Corpus, Document};
use anyhow::Result;
use measures::{MEASURES, Measured};

/// The seed of questions, and those of answers.
const SEED: u64 = 13;
const ANSWER_SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// The temperature of answers.
const TEMPERATURE: f32 = 0.7;
/// Fewer passages have hardly an order.
const PASSAGES_MIN: usize = 3;

const TEXT: &str = "\
For each question passages are retrieved and put into the example's prompt by the gateway's code,
and the demo's model answers. Then the model is shown the same answer again, after the prompt with
all passages and after the prompt without each of them, and its log-likelihood is read token by
token. The *drop* is how much less likely the answer is without a passage. Every record is a
contributor of its own here, so that a passage has a share of its own. The figure is Spearman's
rank correlation between drops and shares among the passages of a prompt, the mean over questions
with a 95 % interval from resampled questions: 1 if the order of shares is the order of drops, 0 if
they have nothing to do with one another. Where a measure gives all passages of a prompt the same
there is no order, which counts as 0 and is told as *silent*. *First* says how often the passage
with the largest share is the one with the largest drop. How many of the answer's different words a
passage has stands beside the shares as something simple; nobody is paid by it.

What it means: how well shares follow what this model, in this prompt, made of its passages. What
it does not mean: that a drop is the truth about who contributed. Two passages that say the same
cover for each other; a passage may matter by making an answer shorter or another answer likelier;
a model of 135 million parameters follows its passages less than a large one; what the model knows
from its training is owed to nobody here.";

/// One question with its answer.
struct Case {
    /// Which of the seeds drew the answer.
    seed: usize,
    /// For each measure: the correlation, if there is an order, and whether the first is the
    /// first.
    judged: Vec<(Option<f64>, f64)>,
    /// The largest drop for each token of the answer.
    drop: f64,
    passages: usize,
}

/// Measures and tells.
pub fn run(lab: &Lab, model: &Model, page: &mut Page) -> Result<()> {
    let speeches = &lab.library.speeches;
    let own =
        |(at, speech): (usize, &Document)| Document { contributor: at as u32, ..speech.clone() };
    let documents: Vec<Document> = speeches.iter().enumerate().map(own).collect();
    let corpus = lab.library.corpus(&documents)?;
    let vocabulary = Vocabulary::of(speeches);
    let mut random = Random(SEED);
    let wanted = lab.arguments.pick(100, 2);
    let mut cases = Vec::new();
    while cases.len() < wanted {
        let question = vocabulary.question(speeches, &mut random);
        let case = case(lab, model, &corpus, &question, cases.len(), &mut random)?;
        if let Some(case) = case {
            cases.push(case);
            lab.tell("context ablation", cases.len(), wanted);
        }
    }
    tell(&cases, page);
    Ok(())
}

/// Asks, answers and takes passages away; nothing if too little is retrieved or answered. Seeds
/// take turns.
fn case(
    lab: &Lab,
    model: &Model,
    corpus: &Corpus,
    question: &str,
    number: usize,
    random: &mut Random,
) -> Result<Option<Case>> {
    let found = model.retrieve(corpus, question)?;
    let passages = &found.passages;
    if passages.len() < PASSAGES_MIN {
        return Ok(None);
    }
    let seed = number % ANSWER_SEEDS.len();
    let whole = model.prompt(question, &found, passages);
    let answer = model.answer(&whole, Sampling::Seed(ANSWER_SEEDS[seed], TEMPERATURE))?;
    if answer.trim().is_empty() {
        return Ok(None);
    }
    let with = model.likelihood(&whole, &answer)?;
    let mut drops = Vec::new();
    for at in 0..passages.len() {
        let mut left = passages.clone();
        left.remove(at);
        let without = model.likelihood(&model.prompt(question, &found, &left), &answer)?;
        drops.push(with.log_likelihood - without.log_likelihood);
    }
    let most = drops.iter().copied().fold(f64::MIN, f64::max);
    let drop = most / f64::from(with.tokens.max(1));
    let measured = Measured { lab, corpus, found: &found, answer: &answer, number: number as u64 };
    let judge = |values: Vec<f64>| (spearman(&values, &drops), first(&values, &drops));
    let judged = measured.all(random)?.into_iter().map(judge).collect();
    Ok(Some(Case { seed, judged, drop, passages: passages.len() }))
}

/// How often the largest of one side is the largest of the other, ties drawn fairly.
fn first(values: &[f64], drops: &[f64]) -> f64 {
    let most = |values: &[f64]| values.iter().copied().fold(f64::MIN, f64::max);
    let (best, largest) = (most(values), most(drops));
    let tied = values.iter().filter(|value| **value == best).count();
    let both =
        values.iter().zip(drops).filter(|(value, drop)| **value == best && **drop == largest);
    both.count() as f64 / tied.max(1) as f64
}

fn tell(cases: &[Case], page: &mut Page) {
    let mut rows = Vec::new();
    for (at, name) in MEASURES.iter().enumerate() {
        let of = |case: &Case| case.judged[at].0.unwrap_or(0.0);
        let rho: Vec<f64> = cases.iter().map(of).collect();
        let share = |pick: fn(&(Option<f64>, f64)) -> f64| {
            let all: Vec<f64> = cases.iter().map(|case| pick(&case.judged[at])).collect();
            per_cent(mean(&all), 1.0)
        };
        let silent = share(|(rho, _)| f64::from(u8::from(rho.is_none())));
        let first = share(|(_, first)| *first);
        let by_seed = (0..ANSWER_SEEDS.len()).map(|seed| {
            mean(&cases.iter().filter(|case| case.seed == seed).map(of).collect::<Vec<_>>())
        });
        let by_seed: Vec<String> = by_seed.map(|mean| format!("{mean:.2}")).collect();
        rows.push(vec![(*name).to_owned(), told(&rho), by_seed.join(" "), first, silent]);
    }
    page.section("Context ablation");
    page.text(TEXT);
    let head = ["measure", "correlation (95 %)", "means by seed", "first, %", "silent, %"];
    page.table(&head, &rows);
    let drops: Vec<f64> = cases.iter().map(|case| case.drop).collect();
    let passages: Vec<f64> = cases.iter().map(|case| case.passages as f64).collect();
    let templates: Vec<String> = TEMPLATES.iter().map(|one| format!("*{one}*")).collect();
    page.text(&format!(
        "{} questions of seed {SEED}, each with an answer drawn by one of the seeds \
         {ANSWER_SEEDS:?} in turn, at temperature {TEMPERATURE} and of at most {ANSWER_TOKENS} \
         tokens; {:.1} passages on average (at most {PASSAGES} and {CONTEXT_BYTES} bytes). The \
         largest drop is {} nats for each token of an answer. Bootstrap seed {BOOTSTRAP_SEED}. \
         Questions are made by {}",
        cases.len(),
        mean(&passages),
        told(&drops),
        templates.join(", "),
    ));
}
