//! Several jobs of one GGUF engine at a time, and several engines in one budget of
//! memory, with a real model.

#[path = "model_streams/loaded.rs"]
mod loaded;
#[path = "model_streams/pool.rs"]
mod pool;

use ambar_compute::{Engine, Finish, GenerateJob, Prompt};
use loaded::{Call, answer, counting, engine, four};

/// Tokens of an answer.
const TOKENS: u32 = 32;

fn of(party: u64, job: GenerateJob) -> GenerateJob {
    GenerateJob { party, ..job }
}

#[tokio::test]
async fn answers_written_together_are_those_that_each_gets_alone() {
    let (one, many) = (engine(1), engine(4));
    let mut alone = Vec::new();
    for job in four(TOKENS) {
        alone.push(answer(&one, job).await);
    }
    let calls = four(TOKENS).map(|job| Call::start(&many, job, 64));
    for (call, alone) in calls.into_iter().zip(&alone) {
        assert_eq!(call.rest().await, *alone);
    }
    // One after the other in a queue of one sequence they are the same too.
    let calls = four(TOKENS).map(|job| Call::start(&one, job, 64));
    for (call, alone) in calls.into_iter().zip(&alone) {
        assert_eq!(call.rest().await, *alone);
    }
}

#[tokio::test]
async fn a_short_job_does_not_wait_for_the_end_of_a_long_one() {
    let engine = engine(2);
    let mut long = Call::start(&engine, counting(1500), 4096);
    assert!(long.piece().await.is_some());
    let (text, generation) = answer(&engine, counting(4)).await;
    assert_eq!(generation.usage.tokens_out, Some(4), "{text}");
    assert!(!long.running.is_finished(), "the long one ended first");
    long.cancel.cancel();
    assert_eq!(long.rest().await.1.finish, Finish::Cancelled);
}

#[tokio::test]
async fn who_writes_goes_on_while_a_long_prompt_is_read() {
    let engine = engine(2);
    let mut writing = Call::start(&engine, counting(1500), 4096);
    assert!(writing.piece().await.is_some());
    let words = Prompt::Text("The ships passed in the night. ".repeat(200));
    let read = engine.count(&words).await.unwrap().at_most();
    let mut reading = Call::start(&engine, GenerateJob::greedy(words, 2), 64);
    let mut pieces = 0;
    loop {
        tokio::select! {
            biased;
            piece = reading.piece() => break assert!(piece.is_some()),
            piece = writing.piece() => pieces += usize::from(piece.is_some()),
        }
    }
    // The prompt is read in many steps, and a token is written in each.
    assert!(read > 1_000 && pieces >= 10, "{pieces} pieces beside {read} tokens");
    drop(writing.incoming);
    assert_eq!(writing.running.await.unwrap().unwrap().finish, Finish::Cancelled);
    assert_eq!(reading.rest().await.1.usage.tokens_in, Some(read));
}

#[tokio::test]
async fn cancelling_one_leaves_the_others_whole() {
    let engine = engine(4);
    let mut alone = Vec::new();
    for job in four(TOKENS) {
        alone.push(answer(&engine, job).await);
    }
    let mut cancelled = Call::start(&engine, counting(1500), 4096);
    assert!(cancelled.piece().await.is_some());
    let [a, b, c, _] = four(TOKENS).map(|job| Call::start(&engine, job, 64));
    cancelled.cancel.cancel();
    let generation = cancelled.rest().await.1;
    assert_eq!(generation.finish, Finish::Cancelled);
    assert!(generation.usage.tokens_out < Some(1500), "{generation:?}");
    for (call, alone) in [a, b, c].into_iter().zip(&alone) {
        assert_eq!(call.rest().await, *alone);
    }
}

#[tokio::test]
async fn whoever_does_not_read_stops_nobody_and_loses_nothing() {
    for streams in [1, 2] {
        let engine = engine(streams);
        let (whole, generation) = answer(&engine, counting(160)).await;
        let slow = Call::start(&engine, counting(160), 1);
        // With one sequence these get it only if the slow one gives it up; with two
        // they run beside it.
        for job in four(8) {
            assert_eq!(answer(&engine, job).await.1.usage.tokens_out, Some(8));
        }
        assert!(!slow.running.is_finished(), "it waits for its reader");
        assert_eq!(slow.rest().await, (whole, generation), "{streams} streams");
    }
}

#[tokio::test]
async fn readers_that_never_read_can_all_be_cancelled() {
    let engine = engine(2);
    let calls: Vec<Call> = (0..4).map(|_| Call::start(&engine, counting(1500), 1)).collect();
    assert_eq!(answer(&engine, counting(4)).await.1.usage.tokens_out, Some(4));
    for call in calls {
        call.cancel.cancel();
        let generation = call.running.await.unwrap().unwrap();
        assert_eq!(generation.finish, Finish::Cancelled);
        assert!(generation.usage.tokens_out < Some(1500), "{generation:?}");
    }
}

#[tokio::test]
async fn parties_take_turns() {
    let engine = engine(1);
    engine.load().await.unwrap();
    let crowd: Vec<Call> = (0..20).map(|_| Call::start(&engine, of(7, counting(8)), 64)).collect();
    let (_, generation) = answer(&engine, of(8, counting(4))).await;
    assert_eq!(generation.usage.tokens_out, Some(4));
    let done = crowd.iter().filter(|call| call.running.is_finished()).count();
    assert!(done < 10, "{done} jobs of another party went before");
    for call in crowd {
        assert_eq!(call.rest().await.1.usage.tokens_out, Some(8));
    }
}

#[tokio::test]
async fn a_beginning_is_read_once_for_a_party_and_never_for_another() {
    let engine = engine(4);
    let text = "The lighthouse keeper counted the ships that passed in the night. ".repeat(8);
    let asked =
        |party, end: &str| of(party, GenerateJob::greedy(Prompt::Text(format!("{text}{end}")), 16));
    let (first, generation) = answer(&engine, asked(7, "Then he")).await;
    let read = generation.usage.tokens_in.unwrap();
    assert_eq!(generation.usage.tokens_cached, Some(0));

    let (again, generation) = answer(&engine, asked(7, "Then he")).await;
    assert_eq!((again, generation.usage.tokens_in), (first.clone(), Some(read)));
    assert_eq!(generation.usage.tokens_cached, Some(read - 1), "all but the last token");

    // Another end of the same beginning; what follows the beginning is read.
    let (_, generation) = answer(&engine, asked(7, "In the morning")).await;
    let cached = generation.usage.tokens_cached.unwrap();
    assert!(cached > read / 2 && cached < read, "{generation:?}");

    for stranger in [8, 0, 0] {
        let (same, generation) = answer(&engine, asked(stranger, "Then he")).await;
        assert_eq!((same, generation.usage.tokens_in), (first.clone(), Some(read)));
        assert_eq!(generation.usage.tokens_cached, Some(0), "party {stranger}");
    }
}
