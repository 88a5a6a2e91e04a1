//! Records that wait to be decided in a pool, copied by somebody who sees them.
//!
//! The ledger decides who has a record; the checks say what a reviewer rejects.

use super::super::library::{record, text};
use super::super::money::Rule;
use super::super::page::Page;
use super::Field;
use super::trial::Scene;
use crate::world::World;
use ambar_attribution::Sharing;
use ambar_base::{Amount, Digest, ErrorCode, Price};
use ambar_corpus::Document;
use ambar_ledger::object::{
    PoolRecord, PoolRules, REVEAL_MS, Source, Submission, SubmissionState, commitment,
};
use ambar_ledger::query::State;
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{
    CreatePool, JoinPool, RevealRecord, ReviewRecord, SubmitRecord, Verdict,
};
use ambar_ledger::{Key, Operation, Refusal};
use ambar_quality::Verdict as Finding;
use anyhow::{Context, Result, bail, ensure};

/// Set aside for a submission.
const DEPOSIT: Price = Price(10_000_000);
/// Who submits, who copies, who decides.
const AUTHOR: &str = "author";
const COPIER: &str = "copier";
const REVIEWER: &str = "reviewer";

/// Measures and tells.
pub fn run(field: &Field<'_>, page: &mut Page) -> Result<()> {
    let (targets, count) = (&field.targets, field.targets.len().to_string());
    let row = |case: &str, refused: usize, rejected: usize, stand: usize, share: String| {
        let counts = [refused, rejected, stand].map(|count| count.to_string());
        [&[case.to_owned(), count.clone()][..], &counts[..], &[share][..]].concat()
    };
    let taken = share(field, targets, &[])?;
    let without = row("whoever is written first has it", 0, 0, targets.len(), taken);
    let same = copied(field, |target| text(target).to_owned(), targets)?;
    let copies = row("the same bytes", same.refused, same.rejected, same.stand, same.share);
    let changed = copied(field, one_changed, targets)?;
    let near =
        row("one word changed", changed.refused, changed.rejected, changed.stand, changed.share);
    page.part("A queued submission copied");
    page.text(
        "The speeches that are asked about are submitted to a pool by their author and copied by \
         somebody who sees every transaction. In the first line there is no commitment, and the \
         copier's transaction is written first. The others are lived through on the ledger with \
         commitments: the copier knows a record when it is revealed, commits to it and reveals \
         it.",
    );
    page.table(
        &["copied", "records", "refused", "rejected", "stand", "share, %"],
        &[without, copies, near],
    );
    let burned = changed.burned;
    page.text(&format!(
        "Bound: nothing of what has the same bytes, because the older commitment has them whoever \
         reveals first, in all pools. A changed record is another for the ledger: there the \
         checks bound it as they do every copy. Rejecting {} of them burned {burned} credits of \
         the copier's deposits.",
        changed.rejected,
    ));
    Ok(())
}

/// What became of copies.
struct Copied {
    refused: usize,
    rejected: usize,
    stand: usize,
    share: String,
    burned: Amount,
}

/// Every target is submitted, seen, copied with a change, and decided.
fn copied(
    field: &Field<'_>,
    change: impl Fn(&Document) -> String,
    targets: &[Document],
) -> Result<Copied> {
    let mut pool = Pool::open()?;
    let (mut refused, mut rejected, mut standing) = (0, 0, Vec::new());
    let mut burned = Amount::default();
    for target in targets {
        let copy = record(
            format!("{}_copied", target.title),
            field.lab.library.stranger(),
            change(target),
        );
        let authors = pool.commit(AUTHOR, target)?;
        pool.world.block(1);
        pool.reveal(AUTHOR, authors, target)?.map_err(|refusal| told(&refusal))?;
        let copiers = pool.commit(COPIER, &copy)?;
        let revealed = pool.reveal(COPIER, copiers, &copy)?;
        pool.world.block(REVEAL_MS + 1);
        pool.review(authors, Verdict::Accept)?;
        ensure!(pool.stands(authors)?, "the author's own record stands");
        match revealed {
            Err(refusal) if refusal.code == ErrorCode::ContentKnown => refused += 1,
            Err(refusal) => bail!(told(&refusal)),
            Ok(()) => {
                let judged = field.scene().judge(std::slice::from_ref(&copy))?;
                let bad = judged.count(|verdict| !matches!(verdict, Finding::Accept)) > 0;
                let held = pool.submission(copiers)?.deposit;
                let why = || Verdict::Reject("resembles a record that stands".to_owned());
                pool.review(copiers, if bad { why() } else { Verdict::Accept })?;
                if pool.stands(copiers)? {
                    standing.push(copy);
                } else {
                    rejected += 1;
                    burned = burned.checked_add(held).context("deposits fit an amount")?;
                }
            }
        }
    }
    let share = share(field, &[], &standing)?;
    Ok(Copied { refused, rejected, stand: standing.len(), share, burned })
}

fn told(refusal: &Refusal) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", refusal.code, refusal.message)
}

fn one_changed(target: &Document) -> String {
    let text = text(target);
    let at = text.find(". ").map_or(0, |at| at + 2);
    format!("{}Indeed {}", &text[..at], &text[at..])
}

/// The copier's share if some speeches are the copier's, and some copies stand beside them.
fn share(field: &Field<'_>, taken: &[Document], copies: &[Document]) -> Result<String> {
    let mut honest = field.lab.library.speeches.clone();
    for speech in &mut honest {
        if taken.iter().any(|other| other.title == speech.title) {
            speech.contributor = field.lab.library.stranger();
        }
    }
    let scene = Scene { honest: &honest, ..field.scene() };
    scene.told(copies, false, &Rule::default())
}

/// A pool with an author, a copier and a reviewer.
struct Pool {
    world: World,
}

impl Pool {
    fn open() -> Result<Self> {
        let mut world = World::new();
        for name in ["steward", AUTHOR, COPIER, REVIEWER] {
            world.person(name);
        }
        let rules = PoolRules {
            open: true,
            agreeing: 1,
            deposit: DEPOSIT,
            bytes_max: 1 << 20,
            licences: Vec::new(),
            quality: Digest::ZERO,
            sharing: Sharing::OF_POOLS,
        };
        let (name, theme) = ("speeches".to_owned(), "What presidents said".to_owned());
        let reviewers = vec![world.id(REVIEWER)];
        let create = CreatePool { name, theme, rules, reviewers, forked_from: None };
        let mut pool = Self { world };
        pool.act("steward", Operation::CreatePool(create))?.map_err(|refusal| told(&refusal))?;
        for name in [AUTHOR, COPIER] {
            let join = JoinPool { pool: 0, member: None };
            pool.act(name, Operation::JoinPool(join))?.map_err(|refusal| told(&refusal))?;
        }
        Ok(pool)
    }

    fn act(&mut self, who: &str, operation: Operation) -> Result<Result<OperationResult, Refusal>> {
        let done = self.world.act(who, vec![operation]);
        Ok(match done {
            Ok(mut results) => Ok(results.pop().ok_or_else(|| anyhow::anyhow!("no result"))?),
            Err(refusal) => Err(refusal),
        })
    }

    fn commit(&mut self, who: &str, document: &Document) -> Result<u64> {
        let id = self.world.id(who).to_string();
        let number = self.world.ledger.account_number(&id).map_err(|refusal| told(&refusal))?;
        let commitment = commitment(0, number, &record_of(document), &salt(who));
        let submit = Operation::SubmitRecord(SubmitRecord { pool: 0, commitment });
        match self.act(who, submit)?.map_err(|refusal| told(&refusal))? {
            OperationResult::Submission(number) => Ok(number),
            other => bail!("no submission: {other:?}"),
        }
    }

    fn reveal(
        &mut self,
        who: &str,
        submission: u64,
        document: &Document,
    ) -> Result<Result<(), Refusal>> {
        let (record, salt) = (record_of(document), salt(who));
        let reveal = RevealRecord { pool: 0, submission, record, salt };
        Ok(self.act(who, Operation::RevealRecord(reveal))?.map(drop))
    }

    fn review(&mut self, submission: u64, verdict: Verdict) -> Result<()> {
        let review = ReviewRecord { pool: 0, submission, verdict };
        let done = self.act(REVIEWER, Operation::ReviewRecord(review))?;
        done.map(drop).map_err(|refusal| told(&refusal))
    }

    fn submission(&self, number: u64) -> Result<Submission> {
        let key = Key::Submission((0, number));
        let found: Result<Submission, Refusal> = self.world.ledger.must("submission", number, &key);
        found.map_err(|refusal| told(&refusal))
    }

    fn stands(&self, submission: u64) -> Result<bool> {
        Ok(matches!(self.submission(submission)?.state, SubmissionState::Accepted(_)))
    }
}

fn salt(who: &str) -> Digest {
    Digest::of(format!("salt of {who}").as_bytes())
}

fn record_of(document: &Document) -> PoolRecord {
    PoolRecord {
        content: Digest::of(&document.text),
        bytes: document.text.len() as u64,
        title: document.title.clone(),
        licence: "CC0-1.0".into(),
        source: Source::Own,
    }
}
