//! One text as many records, and one person as many contributors.

use super::super::library::{record, text};
use super::super::page::{Page, per_cent};
use super::trial::{HEAD, Scene};
use super::{Field, SEED};
use ambar_base::Price;
use ambar_corpus::Document;
use ambar_ledger::Genesis;
use anyhow::Result;

/// Words of the pieces.
const PIECES: [usize; 3] = [1_000, 200, 60];
/// Accounts among which pieces are dealt out.
const ACCOUNTS: usize = 20;

/// Measures and tells.
pub fn run(field: &Field<'_>, page: &mut Page) -> Result<()> {
    let lab = field.lab;
    let owner = owner(field);
    let (own, others): (Vec<Document>, Vec<Document>) =
        lab.library.speeches.iter().cloned().partition(|speech| speech.contributor == owner);
    let count = lab.arguments.pick(300, 6);
    let questions = field.vocabulary.questions(&lab.library.speeches, SEED, count);
    let scene = Scene { honest: &others, questions: &questions, ..field.scene() };
    let stranger = lab.library.stranger();
    let mut rows = vec![scene.row("as it is", &pieces(&own, usize::MAX, stranger, 1))?];
    for words in PIECES {
        let cut = pieces(&own, words, stranger, 1);
        rows.push(scene.row(&format!("pieces of {words} words"), &cut)?);
    }
    let dealt = pieces(&own, PIECES[1], stranger, ACCOUNTS);
    let case = format!("pieces of {} words, {ACCOUNTS} accounts", PIECES[1]);
    rows.push(scene.row(&case, &dealt)?);
    let bytes: usize = own.iter().map(|speech| speech.text.len()).sum();
    let all: usize = lab.library.speeches.iter().map(|speech| speech.text.len()).sum();
    page.part("Sybil split");
    page.text(&format!(
        "A contributor with {} speeches, {} % of all bytes, cuts them into pieces, and deals the \
         pieces out among accounts. The questions are about all speeches.",
        own.len(),
        per_cent(bytes as f64, all as f64),
    ));
    page.table(&HEAD, &rows);
    page.text(&bound(dealt.len()));
    Ok(())
}

fn bound(pieces: usize) -> String {
    let deposit = Genesis::development(crate::world::key("anybody").public(), [0; 32]);
    let deposit = deposit.parameters.deposit;
    let sum = Price(deposit.0.saturating_mul(pieces as u64));
    format!(
        "Bound: none. One passage of a record is taken, so many records can fill a prompt that \
         one cannot; the quality of the text is the same, and it is nobody else's, so no check \
         finds it. Accounts change nothing, because shares are summed over records. In a pool \
         each piece sets a deposit aside until it is decided, {sum} credits for all {pieces} by the \
         network's least."
    )
}

/// The contributor whose speeches are cut: of those with four to eight, the one with the most
/// bytes.
fn owner(field: &Field<'_>) -> u32 {
    let own = |who: u32| field.lab.library.speeches.iter().filter(move |s| s.contributor == who);
    let bytes = |who: &u32| own(*who).map(|speech| speech.text.len()).sum::<usize>();
    let all = 0..field.lab.library.stranger();
    let some = all.filter(|who| (4..=8).contains(&own(*who).count()));
    some.max_by_key(bytes).unwrap_or_default()
}

/// The records in pieces of so many words, dealt out among so many accounts.
fn pieces(own: &[Document], words: usize, first: u32, accounts: usize) -> Vec<Document> {
    let mut cut = Vec::new();
    for speech in own {
        let text = text(speech);
        let ends: Vec<usize> = text
            .split_whitespace()
            .map(|word| word.as_ptr() as usize - text.as_ptr() as usize + word.len())
            .collect();
        let mut start = 0;
        for piece in ends.chunks(words.min(ends.len())) {
            let end = piece[piece.len() - 1];
            let who = first + (cut.len() % accounts) as u32;
            let title = format!("{}_{}", speech.title, cut.len());
            cut.push(record(title, who, text[start..end].trim_start()));
            start = end;
        }
    }
    cut
}
