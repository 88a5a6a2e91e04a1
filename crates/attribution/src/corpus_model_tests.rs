use super::*;

fn step(context_words: u32, context_count: u64, word_count: u64) -> Step {
    Step { context_words, context_count, word_count }
}

fn tally(contributor: u32, credit: u64) -> Tally {
    Tally { contributor, credit }
}

/// Four words, of which the last stands nowhere behind its context.
pub(crate) fn sample() -> CorpusModelEvidence {
    CorpusModelEvidence {
        corpus: Digest::of(b"corpus"),
        together: Digest::of(b"together"),
        corpus_bytes: 1 << 20,
        prompt: Digest::of(b"prompt"),
        output: Digest::of(b"output"),
        parameters: CorpusModelParameters::default(),
        steps: vec![step(2, 9, 3), step(3, 3, 2), step(4, 2, 2), step(1, 70, 0)],
        tallies: vec![tally(2, TOKEN + 1), tally(5, TOKEN - 1)],
        unlisted: 0,
        elsewhere: TOKEN,
    }
}

#[test]
fn claims_are_the_tallies() {
    let claim = |contributor, raw| Claim { contributor, raw };
    let token = u128::from(TOKEN);
    assert_eq!(sample().claims(), [claim(2, token + 1), claim(5, token - 1)]);
    assert_eq!((sample().check(), sample().words_found()), (Ok(()), 3));
    let nothing =
        CorpusModelEvidence { steps: Vec::new(), tallies: Vec::new(), elsewhere: 0, ..sample() };
    assert_eq!((nothing.check(), nothing.claims()), (Ok(()), Vec::new()));
}

#[test]
fn refuses_what_no_replay_gives() {
    let check = |change: &dyn Fn(&mut CorpusModelEvidence), word: &str| {
        let mut evidence = sample();
        change(&mut evidence);
        let error = evidence.check().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    check(&|e| e.parameters.context_words_max = 17, "1 to 16");
    check(&|e| e.parameters.count_min = 0, "1 to 1000");
    check(&|e| e.parameters.context_words_max = 3, "at most context_words_max");
    check(&|e| e.parameters.count_min = 3, "at least count_min");
    check(&|e| e.steps[3].word_count = 71, "behind its context");
    check(&|e| e.corpus_bytes = 69, "in the records");
    check(&|e| e.steps = vec![step(0, 9, 1), step(0, 8, 1)], "one number of words");
    // A context grows by one word, which is the word before.
    check(&|e| e.steps[2].context_words = 5, "at most context_words_max");
    check(&|e| e.steps[1].context_words = 4, "that of the word before");
    check(&|e| e.steps[1].context_count = 4, "that of the word before");
    check(&|e| e.steps = vec![step(2, 9, 3), step(2, 2, 2)], "that of the word before");
    check(&|e| e.steps = vec![step(0, 9, 0); STEPS_MAX as usize + 1], "8192 words");
    check(&|e| e.tallies.swap(0, 1), "ascend");
    check(&|e| e.tallies[1].contributor = 2, "ascend");
    check(&|e| e.tallies.push(tally(9, 0)), "has credit");
    check(&|e| (e.unlisted, e.elsewhere) = (e.elsewhere, 0), "past the limit");
    check(&|e| e.together = e.corpus, "records there are");
    check(&|e| e.elsewhere -= 1, "sum to the words");
    check(&|e| e.tallies[0].credit += 1, "sum to the words");
    check(&|e| e.steps[3].word_count = 1, "sum to the words");
}
