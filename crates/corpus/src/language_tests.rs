use super::*;
use crate::record::Listed;
use crate::{Corpus, Said};
use ambar_attribution::corpus_model::TOKEN;
use ambar_attribution::{CorpusModelEvidence, Evidence, Step, Tally};
use ambar_base::Digest;
use proptest::prelude::*;
use tempfile::TempDir;

type Record = (u32, String);

/// A word and what stands before it; the last of a document has none and stands for its end.
type Token = (Vec<u8>, Option<Vec<u8>>);

/// What the model is, written apart from it: documents as rows of tokens.
struct Brute {
    documents: Vec<(u32, Vec<Token>)>,
    parameters: CorpusModelParameters,
}

fn tokens(text: &[u8]) -> Vec<Token> {
    let (mut all, mut end) = (Vec::new(), 0);
    for word in words(text) {
        all.push((text[end..word.start].to_vec(), Some(text[word.start..word.end].to_vec())));
        end = word.end;
    }
    all.push((text[end..].to_vec(), None));
    all
}

impl Brute {
    fn of(records: &[Record], parameters: CorpusModelParameters) -> Self {
        let document = |(who, text): &Record| (*who, tokens(text.as_bytes()));
        Self { documents: records.iter().map(document).collect(), parameters }
    }

    /// Whose what stands behind this row of words is, and what it is.
    fn behind(&self, context: &[Token]) -> Vec<(u32, Token)> {
        let mut all = Vec::new();
        for (who, document) in &self.documents {
            for at in 0..document.len().saturating_sub(context.len()) {
                let here = &document[at..at + context.len()];
                // What stands before the first word is no part of the context.
                let same = |(index, (one, other)): (usize, (&Token, &Token))| {
                    one.1 == other.1 && (index == 0 || one.0 == other.0)
                };
                if here.iter().zip(context).enumerate().all(same) {
                    all.push((*who, document[at + context.len()].clone()));
                }
            }
        }
        all
    }

    /// Words of the context that is used, and all that may come next.
    fn next(&self, before: &[Token]) -> (usize, Vec<(u32, Token)>) {
        let longest = before.len().min(self.parameters.context_words_max as usize);
        for words in (1..=longest).rev() {
            let all = self.behind(&before[before.len() - words..]);
            if all.len() >= self.parameters.count_min as usize {
                return (words, all);
            }
        }
        let bare = |(who, (_, word)): (u32, Token)| Some((who, (Vec::new(), Some(word?))));
        (
            0,
            self.documents
                .iter()
                .flat_map(|(who, document)| {
                    document.iter().filter_map(move |token| bare((*who, token.clone())))
                })
                .collect(),
        )
    }

    fn distribution(&self, text: &str) -> Distribution {
        let (context_words, all) = self.next(&words_of(text.as_bytes()));
        let mut next = BTreeMap::new();
        for (_, (gap, word)) in &all {
            let text = |bytes: &[&[u8]]| String::from_utf8(bytes.concat()).unwrap();
            let one = match word {
                Some(word) => Next::Word(text(&[gap, word])),
                None => Next::End(text(&[gap])),
            };
            *next.entry(one).or_default() += 1;
        }
        Distribution { context_words, count: all.len() as u64, next }
    }

    fn replay(&self, prompt: &str, output: &str) -> (Vec<Step>, BTreeMap<u32, u64>) {
        let (mut before, mut steps) = (words_of(prompt.as_bytes()), Vec::new());
        let mut credits = BTreeMap::new();
        for (gap, word) in tokens(output.as_bytes()).into_iter().filter(|token| token.1.is_some()) {
            if gap.is_empty() || gap.contains(&0) {
                before.clear();
            }
            let (context, all) = self.next(&before);
            let wanted = (if context == 0 { Vec::new() } else { gap.clone() }, word.clone());
            let mut whose: Vec<u32> =
                all.iter().filter(|(_, token)| *token == wanted).map(|(who, _)| *who).collect();
            whose.sort_unstable();
            let (count, token) = (whose.len() as u64, u128::from(TOKEN));
            for (at, who) in (0u128..).zip(&whose) {
                let until = |places: u128| token * places / u128::from(count);
                *credits.entry(*who).or_default() += (until(at + 1) - until(at)) as u64;
            }
            steps.push(Step {
                context_words: context as u32,
                context_count: all.len() as u64,
                word_count: count,
            });
            before.push((gap, word));
        }
        (steps, credits)
    }
}

fn words_of(text: &[u8]) -> Vec<Token> {
    let begin = text.iter().rposition(|byte| *byte == 0).map_or(0, |zero| zero + 1);
    tokens(&text[begin..]).into_iter().filter(|token| token.1.is_some()).collect()
}

/// A corpus of the records that stay, to which they came in parts; with those that went meanwhile.
fn grown(records: &[(Record, bool)], parts: usize, merge: bool) -> (TempDir, Corpus) {
    let place = tempfile::tempdir().unwrap();
    let (mut corpus, all) = (None, records.len());
    for part in 1..=parts {
        let last = part == parts;
        let until = if last { all } else { (all * part / parts).max(1) };
        let here: Vec<(usize, &Record)> = (0..until)
            .filter(|at| records[*at].1 || !last)
            .map(|at| (at, &records[at].0))
            .collect();
        corpus = Some(updated(&place, corpus.as_ref(), &here));
    }
    let mut corpus = corpus.unwrap();
    while let Some(merged) = merge.then(|| corpus.merge(&mut |_| ()).unwrap()).flatten() {
        corpus = merged;
    }
    (place, corpus)
}

fn updated(place: &TempDir, base: Option<&Corpus>, here: &[(usize, &Record)]) -> Corpus {
    let listed = |(at, (contributor, text)): &(usize, &Record)| Listed {
        title: at.to_string(),
        contributor: *contributor,
        source: Digest::of(text.as_bytes()),
    };
    let listed: Vec<Listed> = here.iter().map(listed).collect();
    let text = |index: usize| Ok::<_, CorpusError>(here[index].1.1.clone().into_bytes());
    Corpus::update(place.path(), base, &listed, text, &mut |_| ()).unwrap()
}

fn staying(records: &[(Record, bool)]) -> Vec<Record> {
    records.iter().filter(|(_, stays)| *stays).map(|(record, _)| record.clone()).collect()
}

fn written(
    corpora: Vec<&Corpus>,
    parameters: CorpusModelParameters,
    prompt: &str,
    choice: Choice,
) -> Vec<Next> {
    let together = Together::of(corpora).unwrap();
    let language = Language::of(&together, parameters).unwrap();
    language
        .write(prompt, choice)
        .take(40)
        .collect::<Vec<_>>()
        .into_iter()
        .scan(false, |over, next| {
            let shown = !*over;
            *over |= matches!(next, Next::End(_));
            shown.then_some(next)
        })
        .collect()
}

#[test]
fn of_a_prompt_the_last_words_matter() {
    let check = |prompt: &str, expect: &str| assert_eq!(last_words(prompt), expect, "{prompt:?}");
    check("", "");
    check("?!", "");
    check("“One, two!” ", "One, two");
    check("one\0two\0", "");
    check("one\0two three", "two three");
    let many = "é ".repeat(20);
    check(&many, "é ".repeat(CONTEXT_WORDS_MAX as usize).trim());
}

fn said(all: &[Next]) -> String {
    all.iter()
        .map(|next| match next {
            Next::Word(text) | Next::End(text) => text.as_str(),
        })
        .collect()
}

const DIGESTS: (Digest, Digest) = (Digest::ZERO, Digest([1; 32]));

fn replayed(
    corpus: &Corpus,
    parameters: CorpusModelParameters,
    prompt: &str,
    output: &str,
) -> CorpusModelEvidence {
    let texts = (prompt, output.as_bytes());
    let evidence = corpus.replay(texts, DIGESTS, &parameters).unwrap();
    assert_eq!(evidence.check(), Ok(()), "{prompt:?} {output:?} {evidence:?}");
    evidence
}

fn tallies(credits: &BTreeMap<u32, u64>) -> Vec<Tally> {
    let tally =
        |(contributor, credit): (&u32, &u64)| Tally { contributor: *contributor, credit: *credit };
    credits.iter().filter(|(_, credit)| **credit > 0).map(tally).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn all_is_as_by_looking_everywhere(
        records in proptest::collection::vec(((0u32..3, "[ab] ?[ab .’é]{1,30}"), any::<bool>()), 1..7),
        (parts, merge) in (1usize..4, any::<bool>()),
        (context_words_max, count_min) in (1u32..5, 1u32..4),
        prompt in "[abc .’é\0]{0,16}",
        output in "[abc .’é\0]{0,30}",
        seed: u64,
    ) {
        let mut records = records;
        records[0].1 = true;
        let parameters = CorpusModelParameters { context_words_max, count_min };
        let stay = staying(&records);
        let (_here, corpus) = grown(&records, parts, merge);
        let plain: Vec<_> = stay.iter().map(|record| (record.clone(), true)).collect();
        let (_elsewhere, alone) = grown(&plain, 1, false);
        let brute = Brute::of(&stay, parameters);

        let together = Together::of(vec![&corpus]).unwrap();
        let language = Language::of(&together, parameters).unwrap();
        prop_assert_eq!(language.distribution(&prompt), brute.distribution(&prompt));

        let (steps, credits) = brute.replay(&prompt, &output);
        let evidence = replayed(&corpus, parameters, &prompt, &output);
        prop_assert_eq!((&evidence.steps, &evidence.tallies), (&steps, &tallies(&credits)));
        // The order of titles is not that of the records; so the roots may differ, nothing else.
        let (corpus_root, other) = (evidence.corpus, replayed(&alone, parameters, &prompt, &output));
        let same = CorpusModelEvidence { corpus: corpus_root, together: corpus_root, ..other };
        prop_assert_eq!(&evidence, &same);

        // What it writes is the same however the documents lie, is all found, and in each step it
        // was drawn from the context that the replay finds.
        for choice in [Choice::Drawn(Random::of(seed)), Choice::MostFrequent] {
            let text = written(vec![&corpus], parameters, &prompt, choice.clone());
            prop_assert_eq!(&text, &written(vec![&alone], parameters, &prompt, choice));
            let words = text.iter().filter(|next| matches!(next, Next::Word(_))).count();
            let text = said(&text);
            let evidence = replayed(&corpus, parameters, &prompt, &text);
            prop_assert_eq!(evidence.steps.len(), words, "{}", text);
            prop_assert!(evidence.steps.iter().all(|step| step.word_count > 0), "{:?} {:?}", evidence, text);
            let credits = brute.replay(&prompt, &text).1;
            prop_assert_eq!(credits.values().sum::<u64>(), TOKEN * words as u64);
            prop_assert_eq!(evidence.tallies, tallies(&credits));
        }
    }
}

fn record(contributor: u32, text: &str) -> Record {
    (contributor, text.to_owned())
}

/// Over several segments, some of whose documents are dead.
fn mills() -> Vec<(Record, bool)> {
    [
        (0, "by the old mill, by the river and by the road", true),
        (1, "by the sea. By the sea by the sea", true),
        (1, "by the by, by the old oak", false),
        (2, "by the river by the old mill", true),
        (0, "by the old mill by the moor by the sea", false),
        (3, "by the fire", true),
    ]
    .map(|(who, text, stays)| (record(who, text), stays))
    .to_vec()
}

#[test]
fn draws_are_as_frequent_as_places() {
    const DRAWS: u64 = 20_000;
    let (_place, corpus) = grown(&mills(), 3, false);
    assert!(corpus.segments() > 1 && corpus.parts.iter().any(crate::part::Part::has_dead));
    let parameters = CorpusModelParameters::default();
    let together = Together::of(vec![&corpus]).unwrap();
    let language = Language::of(&together, parameters).unwrap();
    for (prompt, context_words) in [("by the", 2), ("unheard of", 0), ("the old", 2), ("x old", 1)]
    {
        let exact = language.distribution(prompt);
        assert_eq!(exact, Brute::of(&staying(&mills()), parameters).distribution(prompt));
        assert_eq!(exact.context_words, context_words, "{prompt}");
        let (mut random, mut seen) = (Random::of(11), BTreeMap::<Next, u64>::new());
        for _ in 0..DRAWS {
            let choice = Choice::Drawn(Random::of(random.below(u64::MAX)));
            let next = language.write(prompt, choice).next().unwrap();
            *seen.entry(next).or_default() += 1;
        }
        assert!(seen.keys().eq(exact.next.keys()), "{prompt}: {seen:?}");
        let part = |(next, count): (&Next, &u64)| {
            let expect = DRAWS as f64 * *count as f64 / exact.count as f64;
            (seen[next] as f64 - expect).powi(2) / expect
        };
        let chi_square: f64 = exact.next.iter().map(part).sum();
        // 99.9% of fair samples are below: degrees of freedom, and 3.1 of their deviations.
        let freedom = (exact.next.len() - 1).max(1) as f64;
        let most = freedom + 3.1 * (2.0 * freedom).sqrt() + 5.0;
        assert!(chi_square < most, "{prompt}: {chi_square} of at most {most}");
    }
}

#[test]
fn several_corpora_are_as_one_and_each_has_its_part() {
    let all = staying(&mills());
    let plain = |records: &[Record]| {
        grown(&records.iter().map(|record| (record.clone(), true)).collect::<Vec<_>>(), 1, false)
    };
    let (_one, one) = plain(&all[..2]);
    let (_two, two) = plain(&all[2..]);
    let (_all, whole) = plain(&all);
    let parameters = CorpusModelParameters { context_words_max: 3, count_min: 2 };
    let choice = || Choice::Drawn(Random::of(5));
    let text = written(vec![&one, &two], parameters, "by", choice());
    assert_eq!(text, written(vec![&whole], parameters, "by", choice()));
    let text = said(&text);
    let together = Together::of(vec![&one, &two]).unwrap();
    let evidence = together.replay(("by", text.as_bytes()), DIGESTS, &parameters).unwrap();
    let expect = replayed(&whole, parameters, "by", &text);
    let (mut sum, mut own) = (0, 0);
    for (piece, corpus) in evidence.iter().zip([&one, &two]) {
        assert_eq!(piece.check(), Ok(()));
        assert_eq!((piece.corpus, piece.together), (corpus.root(), together.root()));
        assert_eq!((&piece.steps, piece.corpus_bytes), (&expect.steps, expect.corpus_bytes));
        let credit: u64 = piece.tallies.iter().map(|tally| tally.credit).sum();
        assert_eq!(credit + piece.elsewhere, TOKEN * expect.words_found());
        (sum, own) = (sum + credit, own + piece.tallies.len());
    }
    assert_eq!((sum, own > 2), (TOKEN * expect.words_found(), true));
}

#[test]
fn answers_read_on_from_their_prompt() {
    let texts = [record(0, "One fish. Two fish."), record(1, "One fish. Two fish, red")];
    let (_place, corpus) = grown(&texts.map(|record| (record, true)), 1, false);
    let parameters = CorpusModelParameters { context_words_max: 2, count_min: 2 };
    let greedy = |prompt| written(vec![&corpus], parameters, prompt, Choice::MostFrequent);
    // What separates the prompt's end from nothing is left out; equal ones go by their bytes.
    let expect = [". Two", " fish"].map(|text| Next::Word(text.into())).to_vec();
    assert_eq!(greedy("one  One fish !")[..2], expect);
    assert_eq!(greedy("One fish")[2], Next::Word(", red".into()));
    // Behind nothing, a word has a space before it unless it is the first.
    assert_eq!(greedy("")[..2], ["fish", ". Two"].map(|text| Next::Word(text.into())));
    let once = CorpusModelParameters { count_min: 1, ..parameters };
    let text = written(vec![&corpus], once, "fish, red", Choice::MostFrequent);
    assert_eq!(text, [Next::End(String::new())]);
    let evidence = replayed(&corpus, once, "fish, red", "fish  red Two fish.");
    let step = |context_words, context_count, word_count| Step {
        context_words,
        context_count,
        word_count,
    };
    // No space before the first word: it does not go on with the prompt. "fish  red" stands nowhere.
    assert_eq!(evidence.steps, [step(0, 9, 4), step(1, 4, 0), step(1, 1, 0), step(1, 2, 2)]);
    let tally = |contributor, credit| Tally { contributor, credit };
    assert_eq!(evidence.tallies, [tally(0, TOKEN), tally(1, TOKEN)]);
    let evidence = Evidence::CorpusModel(evidence);
    let said = |answer| Said { question: "fish, red", answer };
    assert!(corpus.confirms(&evidence, said(b"fish  red Two fish.")).unwrap());
    assert!(!corpus.confirms(&evidence, said(b"fish  red Two")).unwrap());
    let (_none, silent) = grown(&[(record(0, "?!"), true)], 1, false);
    assert!(written(vec![&silent], parameters, "One", Choice::MostFrequent).is_empty());
    assert!(replayed(&silent, parameters, "One", "One").tallies.is_empty());
}

/// Evidence is signed into receipts and recomputed by others, and a seed is to give the same text
/// again: a change here is a new version of the method.
#[test]
fn evidence_and_text_are_pinned() {
    let (_place, corpus) = grown(&mills(), 2, false);
    let parameters = CorpusModelParameters::default();
    let text = said(&written(vec![&corpus], parameters, "by", Choice::Drawn(Random::of(1))));
    let evidence = Evidence::CorpusModel(replayed(&corpus, parameters, "by", &text));
    assert_eq!(text, " the road the river and the sea by the sea");
    let root = "67a7eb03f14d714636b4dd58740c74b325aa41a5f495c57cf6f6951a42ccb5ce";
    assert_eq!(evidence.root().to_string(), root);
}
