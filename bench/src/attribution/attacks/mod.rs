//! What somebody gains who works at getting shares: each attack is a module with a world, the
//! attacker's share without the defences and with them, and what the default rules bound it by.
//!
//! Every defence is the house's own code: the checks of records, the division of shares, the
//! pools and the settlement of the ledger.

mod asked;
mod boilerplate;
mod copies;
mod queue;
mod selfcalls;
mod split;
mod stuffing;
mod trial;

use super::Lab;
use super::calls::{Vocabulary, quote};
use super::model::Model;
use super::page::Page;
use crate::trace::Random;
use ambar_attribution::{RetrievalParameters, SpanParameters};
use ambar_corpus::Document;
use anyhow::Result;
use std::collections::BTreeSet;

/// The seed of worlds and questions.
const SEED: u64 = 14;
/// Speeches that are attacked.
const TARGETS: usize = 12;

const TEXT: &str = "\
The datanet is the 233 speeches; the attacker is a contributor of its own, whose records come after
them unless said otherwise. Questions are made of three words of a place in the records that are
attacked, so the figures are shares of the money of *calls about what is attacked*, not of all
money that a datanet earns. Passages are retrieved by the default rules. Unless a model is named,
the answer copies the sentence of each of the two best passages that shares most words with the
question, as the example's prompt asks its model to.

*All in* is the attacker's share of the money if every record is published. *Rejected out*: without
the records that the [checks](quality.md) refuse by the default rules when they look at them beside
all that stand. *Reviewed out*: also without those about which a reviewer is asked, if the
reviewers take none of them. What a person would do with a record that is not flagged is not
measured. The checks are run here over the whole datanet, as `ambar datanet check` runs over a
directory; `ambar datanet submit` sees only what the contributor has.";

/// What attacks gain.
pub fn run(lab: &Lab, model: &Model, page: &mut Page) -> Result<()> {
    page.section("Attacks");
    page.text(TEXT);
    let field = Field::of(lab);
    copies::flood(&field, page)?;
    copies::paraphrase(&field, page)?;
    split::run(&field, page)?;
    boilerplate::run(&field, page)?;
    stuffing::run(&field, page)?;
    asked::run(&field, model, page)?;
    queue::run(&field, page)?;
    selfcalls::run(page)?;
    page.text(&format!("Seed of all attacks: {SEED}."));
    Ok(())
}

/// What is attacked, and what is asked about it.
struct Field<'a> {
    lab: &'a Lab,
    vocabulary: Vocabulary,
    targets: Vec<Document>,
    /// About the targets.
    questions: Vec<String>,
}

impl<'a> Field<'a> {
    fn of(lab: &'a Lab) -> Self {
        let speeches = &lab.library.speeches;
        let vocabulary = Vocabulary::of(speeches);
        let mut random = Random(SEED);
        let mut chosen = BTreeSet::new();
        while chosen.len() < lab.arguments.pick(TARGETS, 2) {
            chosen.insert(random.below(speeches.len()));
        }
        let targets: Vec<Document> = chosen.into_iter().map(|at| speeches[at].clone()).collect();
        let questions = vocabulary.questions(&targets, SEED, lab.arguments.pick(200, 6));
        Self { lab, vocabulary, targets, questions }
    }

    /// The attack of a stranger on the targets, with answers that quote.
    fn scene(&self) -> trial::Scene<'_> {
        trial::Scene {
            lab: self.lab,
            honest: &self.lab.library.speeches,
            questions: &self.questions,
            parameters: RetrievalParameters::default(),
            answer: &|question, found| Ok(quote(question, &found.passages)),
            attacker: self.lab.library.stranger(),
        }
    }
}

/// What a sharing of spans and passages bounds: of a span that one other record holds the most
/// that later records get, and of the passages the most that later records get when one other is
/// taken; both halves together.
fn bound_of_copies() -> f64 {
    let listed = f64::from(SpanParameters::default().occurrences_max);
    let passages = f64::from(RetrievalParameters::default().passages_max);
    50.0 * (listed - 1.0) / listed + 50.0 * (passages - 1.0) / passages
}
