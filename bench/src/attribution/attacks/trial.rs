//! One attack tried: records are added, calls are made, and what share of the money goes to the
//! attacker is read from the shares, with the records that the checks refuse and without them.

use super::super::Lab;
use super::super::calls::{Found, evidence, retrieve};
use super::super::money::Rule;
use super::super::page::per_cent;
use ambar_attribution::RetrievalParameters;
use ambar_base::Digest;
use ambar_corpus::{Corpus, Document};
use ambar_quality::{Print, Rules, Seen, Verdict, assess};
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::collections::HashMap;

/// What answers a question from passages.
pub type Answer<'a> = dyn Fn(&str, &Found) -> Result<String> + 'a;

/// Calls to a datanet, and who attacks it.
pub struct Scene<'a> {
    /// What everything is made with.
    pub lab: &'a Lab,
    /// The records of the others.
    pub honest: &'a [Document],
    /// What is asked.
    pub questions: &'a [String],
    /// Within which limits passages are retrieved.
    pub parameters: RetrievalParameters,
    /// What answers.
    pub answer: &'a Answer<'a>,
    /// The first number that is the attacker's; all above are, too.
    pub attacker: u32,
}

/// What the checks say of records that are added.
pub struct Judged {
    verdicts: Vec<Verdict>,
}

/// The columns of a trial.
pub const HEAD: [&str; 7] =
    ["case", "records", "rejected", "reviewed", "all in, %", "rejected out, %", "reviewed out, %"];

impl Scene<'_> {
    /// A row: the attacker's share if all records are in, if those that are rejected are not, and
    /// if reviewers take none of those that they are asked about.
    pub fn row(&self, case: &str, added: &[Document]) -> Result<Vec<String>> {
        self.row_by(case, added, &Rule::default())
    }

    /// The same by another rule of money.
    pub fn row_by(&self, case: &str, added: &[Document], rule: &Rule) -> Result<Vec<String>> {
        let judged = self.judge(added)?;
        let rejected = judged.count(|verdict| matches!(verdict, Verdict::Reject(_)));
        let reviewed = judged.count(|verdict| matches!(verdict, Verdict::Review(_)));
        let kept = |keep: fn(&Verdict) -> bool| judged.kept(added, keep);
        let worlds = [
            added.to_vec(),
            kept(|verdict| !matches!(verdict, Verdict::Reject(_))),
            kept(|verdict| matches!(verdict, Verdict::Accept)),
        ];
        let mut row = vec![case.to_owned()];
        row.extend([added.len(), rejected, reviewed].map(|count| count.to_string()));
        let mut last: Option<(usize, String)> = None;
        for world in &worlds {
            // Of the same records the same comes out.
            let share = match &last {
                Some((count, share)) if *count == world.len() => share.clone(),
                _ => self.told(world, false, rule)?,
            };
            last = Some((world.len(), share.clone()));
            row.push(share);
        }
        self.lab.tell(case, 1, 1);
        Ok(row)
    }

    /// The attacker's share if its records stand behind those of the others, or before them.
    pub fn told(&self, added: &[Document], first: bool, rule: &Rule) -> Result<String> {
        Ok(per_cent(self.share(added, first, rule)?, 1.0))
    }

    /// The same as a number, of the money of all calls that pay anybody.
    pub fn share(&self, added: &[Document], first: bool, rule: &Rule) -> Result<f64> {
        let order = if first { [added, self.honest] } else { [self.honest, added] };
        let corpus = self.lab.library.corpus(&order.concat())?;
        let (mut theirs, mut all) = (0.0, 0.0);
        for (number, question) in self.questions.iter().enumerate() {
            let (share, sum) = self.call(&corpus, question, number as u64, rule)?;
            theirs += share;
            all += sum;
        }
        Ok(if all > 0.0 { theirs / all } else { 0.0 })
    }

    /// What the attacker gets in one call, and what is paid.
    fn call(
        &self,
        corpus: &Corpus,
        question: &str,
        number: u64,
        rule: &Rule,
    ) -> Result<(f64, f64)> {
        let (found, answer) = self.asked(corpus, question)?;
        let evidence = evidence(corpus, &found.evidence, &answer, &rule.spans)?;
        let paid = self.lab.till.divide(&evidence, number, rule)?;
        Ok((paid.to(|who| who >= self.attacker), paid.to(|_| true)))
    }

    fn asked(&self, corpus: &Corpus, question: &str) -> Result<(Found, String)> {
        let found = retrieve(corpus, question, &self.parameters)?;
        let answer = (self.answer)(question, &found)?;
        Ok((found, answer))
    }

    /// The answers to all questions with records added.
    pub fn answers(&self, added: &[Document]) -> Result<Vec<String>> {
        let corpus = self.lab.library.corpus(&[self.honest, added].concat())?;
        let answer = |question: &String| Ok(self.asked(&corpus, question)?.1);
        self.questions.iter().map(answer).collect()
    }

    /// Checks records in order, as `ambar datanet check` does over a datanet that has them last:
    /// each beside the others' records and those of the attacker before it.
    pub fn judge(&self, added: &[Document]) -> Result<Judged> {
        let rules = Rules::default();
        let mut seen = seen(self.honest, &rules)?;
        let mut whole = seen.clone();
        let first = self.honest.len() as u32;
        for (number, document) in (first..).zip(added) {
            let print = Print::of_record(&document.text, &rules);
            print.into_iter().try_for_each(|print| whole.add(number, print))?;
        }
        let mut verdicts = Vec::new();
        for (number, document) in (first..).zip(added) {
            let assessed = assess(&document.text, &rules, &seen, &whole);
            let stays = !matches!(assessed.verdict, Verdict::Reject(_));
            let print = assessed.print.filter(|_| stays);
            print.into_iter().try_for_each(|print| seen.add(number, print))?;
            verdicts.push(assessed.verdict);
        }
        Ok(Judged { verdicts })
    }
}

impl Judged {
    /// How many have such a verdict.
    pub fn count(&self, which: impl Fn(&Verdict) -> bool) -> usize {
        self.verdicts.iter().filter(|verdict| which(verdict)).count()
    }

    fn kept(&self, added: &[Document], keep: impl Fn(&Verdict) -> bool) -> Vec<Document> {
        let both = added.iter().zip(&self.verdicts);
        both.filter(|(_, verdict)| keep(verdict)).map(|(document, _)| document.clone()).collect()
    }
}

thread_local! {
    /// Prints by the digest of the text: the speeches are judged many times.
    static PRINTS: RefCell<HashMap<Digest, Print>> = RefCell::default();
}

fn seen(documents: &[Document], rules: &Rules) -> Result<Seen> {
    let mut seen = Seen::default();
    for (number, document) in (0..).zip(documents) {
        let digest = Digest::of(&document.text);
        let known = PRINTS.with_borrow(|prints| prints.get(&digest).cloned());
        let made = || Print::of_record(&document.text, rules).context("a speech is text");
        let print = known.map_or_else(made, Ok)?;
        PRINTS.with_borrow_mut(|prints| prints.insert(digest, print.clone()));
        seen.add(number, print)?;
    }
    Ok(seen)
}
