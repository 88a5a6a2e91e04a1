//! The GGUF engine with a real model: `AMBAR_MODEL_GGUF` names an instruction
//! tuned one that knows the capital of France.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::path::PathBuf;
use std::sync::Arc;

use ambar_compute::gguf::{GgufEngine, GgufOptions, Likelihood};
use ambar_compute::limits::{CONTINUATIONS_MAX, GENERATE_JOBS_QUEUED_MAX};
use ambar_compute::{
    Count, EmbedJob, Engine, EngineError, Event, Failure, Finish, GenerateJob, Generation, Message,
    Prompt, Role,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn model_path() -> PathBuf {
    std::env::var_os("AMBAR_MODEL_GGUF")
        .expect("AMBAR_MODEL_GGUF must name a GGUF file, as ./check sets it")
        .into()
}

fn engine() -> Arc<GgufEngine> {
    Arc::new(GgufEngine::open(model_path(), GgufOptions::default()).unwrap())
}

fn capital(max_tokens: u32) -> GenerateJob {
    GenerateJob::greedy(Prompt::user("What is the capital of France?"), max_tokens)
}

/// Runs a job, cancelling after so many events; what was received, and the end.
async fn run(
    engine: &Arc<GgufEngine>,
    job: GenerateJob,
    cancel_after: usize,
) -> (Vec<String>, Result<Generation, EngineError>) {
    let (events, mut incoming) = mpsc::channel(64);
    let cancel = CancellationToken::new();
    let running = tokio::spawn({
        let (engine, cancel) = (Arc::clone(engine), cancel.clone());
        async move { engine.generate(job, events, cancel).await }
    });
    let mut received = Vec::new();
    while let Some(Event::Text(text)) = incoming.recv().await {
        assert!(!text.is_empty());
        received.push(text);
        if received.len() == cancel_after {
            cancel.cancel();
        }
    }
    (received, running.await.unwrap())
}

async fn answer(engine: &Arc<GgufEngine>, job: GenerateJob) -> (String, Generation) {
    let (received, result) = run(engine, job, usize::MAX).await;
    (received.concat(), result.unwrap())
}

#[tokio::test]
async fn a_question_is_answered_and_every_token_is_counted() {
    let engine = engine();
    let job = capital(32);
    let Count::Exact(counted) = engine.count(&job.prompt).await.unwrap() else {
        panic!("a GGUF model counts exactly");
    };
    let (pieces, result) = run(&engine, job.clone(), usize::MAX).await;
    let (text, generation) = (pieces.concat(), result.unwrap());
    assert!(text.contains("Paris"), "{text}");
    assert!(pieces.len() > 1, "it is streamed: {pieces:?}");
    assert_eq!(generation.usage.tokens_in, Some(counted));
    assert_eq!(generation.usage.bytes_out, text.len() as u64);
    assert_eq!(generation.finish, Finish::Stop);

    // The answer's own length in tokens is what was counted.
    let plain = Prompt::Text(text.clone());
    let own = engine.count(&plain).await.unwrap().at_most();
    assert_eq!(generation.usage.tokens_out, Some(own), "{text}");

    // A second job on the same context gives the same; a limit cuts it.
    assert_eq!(answer(&engine, job).await, (text.clone(), generation));
    let (cut, generation) = answer(&engine, capital(3)).await;
    assert!(text.starts_with(&cut) && cut.len() < text.len(), "{cut}");
    assert_eq!((generation.finish, generation.usage.tokens_out), (Finish::Length, Some(3)));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_text() {
    let engine = engine();
    let story = |seed| GenerateJob {
        temperature: 1.5,
        top_p: 0.95,
        seed: Some(seed),
        ..GenerateJob::greedy(Prompt::Text("Once upon a time".into()), 16)
    };
    let first = answer(&engine, story(7)).await;
    assert_eq!(answer(&engine, story(7)).await, first);
    assert_ne!(answer(&engine, story(8)).await.0, first.0);
}

#[tokio::test]
async fn a_stop_string_ends_the_answer_before_it() {
    let engine = engine();
    let (whole, _) = answer(&engine, capital(32)).await;
    let stop = "Paris";
    let job = GenerateJob { stop: vec![stop.to_owned()], ..capital(32) };
    let (text, generation) = answer(&engine, job).await;
    assert_eq!(Some(text.as_str()), whole.split(stop).next());
    assert_eq!(generation.finish, Finish::Stop);
}

#[tokio::test]
async fn cancelling_stops_the_engine_and_counts_what_was_produced() {
    let engine = engine();
    let prompt = || Prompt::Text("1, 2, 3, 4, 5, 6, 7, 8,".into());
    let max = 1000;
    let (received, result) = run(&engine, GenerateJob::greedy(prompt(), max), 3).await;
    let generation = result.unwrap();
    assert_eq!(generation.finish, Finish::Cancelled);
    let produced = generation.usage.tokens_out.unwrap();
    assert!((3..u64::from(max)).contains(&produced), "{produced}");
    assert_eq!(generation.usage.bytes_out, received.concat().len() as u64);

    // A receiver that is gone is a cancellation too; the next job is whole.
    let (events, incoming) = mpsc::channel(1);
    drop(incoming);
    let job = GenerateJob::greedy(prompt(), max);
    let gone = engine.generate(job, events, CancellationToken::new()).await.unwrap();
    assert_eq!((gone.finish, gone.usage.tokens_out), (Finish::Cancelled, Some(0)));
    let (text, _) = answer(&engine, GenerateJob::greedy(prompt(), 8)).await;
    assert!(text.contains('9'), "{text}");
}

#[tokio::test]
async fn jobs_beyond_the_limits_are_refused() {
    let engine = engine();
    let words = "word ".repeat(engine.describe().context_tokens.unwrap() as usize);
    let (_, result) = run(&engine, GenerateJob::greedy(Prompt::Text(words), 1), usize::MAX).await;
    assert!(matches!(result.unwrap_err().failure, Failure::ContextTooLong { .. }));

    let (_, result) = run(&engine, capital(0), usize::MAX).await;
    assert!(matches!(result.unwrap_err().failure, Failure::InvalidJob { .. }));

    let nul = Prompt::Chat(vec![Message::new(Role::User, "a\0b")]);
    let refused = engine.count(&nul).await.unwrap_err();
    assert!(matches!(refused.failure, Failure::InvalidJob { .. }), "{refused:?}");

    let refused =
        engine.embed(EmbedJob::of(vec!["x".into()]), CancellationToken::new()).await.unwrap_err();
    assert!(matches!(refused.failure, Failure::Unsupported { operation: "embed", .. }));
}

#[tokio::test]
async fn a_full_queue_is_busy_and_dropped_jobs_leave_it() {
    let engine = engine();
    engine.load().await.unwrap();
    let cancel = CancellationToken::new();
    let mut running = tokio::task::JoinSet::new();
    let beyond = 8;
    // Each would run for many seconds, so none ends before all have asked.
    for _ in 0..GENERATE_JOBS_QUEUED_MAX + beyond {
        let (engine, cancel) = (Arc::clone(&engine), cancel.clone());
        let (events, incoming) = mpsc::channel(1);
        let prompt = Prompt::Text("1, 2, 3, 4, 5, 6, 7, 8,".into());
        running.spawn(async move {
            let _incoming = incoming;
            engine.generate(GenerateJob::greedy(prompt, 1500), events, cancel).await
        });
    }
    let mut busy = 0;
    while let Some(ended) = running.join_next().await {
        match ended.unwrap() {
            Err(EngineError { failure: Failure::Busy { queued_max }, .. }) => {
                assert_eq!(queued_max, GENERATE_JOBS_QUEUED_MAX);
                busy += 1;
                if busy == beyond {
                    cancel.cancel();
                }
            }
            other => assert_eq!(other.unwrap().finish, Finish::Cancelled),
        }
    }
    assert_eq!(busy, beyond);
    assert!(answer(&engine, capital(32)).await.0.contains("Paris"));
}

#[tokio::test]
async fn a_job_that_waits_is_cancelled_at_once() {
    let engine = engine();
    let long = GenerateJob::greedy(Prompt::Text("1, 2, 3, 4, 5, 6, 7, 8,".into()), 1500);
    let (events, mut incoming) = mpsc::channel(4096);
    let first = tokio::spawn({
        let (engine, long) = (Arc::clone(&engine), long.clone());
        async move { engine.generate(long, events, CancellationToken::new()).await }
    });
    assert!(incoming.recv().await.is_some(), "the first job runs");
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let (events, _second_incoming) = mpsc::channel(1);
    let second = engine.generate(long, events, cancelled).await.unwrap();
    assert_eq!((second.finish, second.usage.tokens_in), (Finish::Cancelled, Some(0)));
    assert!(!first.is_finished(), "the second did not wait for the first");
    drop(incoming);
    assert_eq!(first.await.unwrap().unwrap().finish, Finish::Cancelled);
}

#[tokio::test]
async fn a_truncated_model_is_refused() {
    let whole = std::fs::read(model_path()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.gguf");
    std::fs::write(&path, &whole[..whole.len() - 1000]).unwrap();
    let refused = GgufEngine::open(&path, GgufOptions::default()).unwrap_err();
    assert!(refused.to_string().contains("truncated"), "{refused}");
}

#[test]
fn the_model_describes_itself() {
    let info = engine().describe();
    assert_eq!((info.kind, info.can_generate, info.can_embed), ("gguf", true, false));
    assert!(!info.model.is_empty() && info.architecture.is_some());
    assert!(info.context_tokens.is_some_and(|tokens| tokens >= 512));
}

async fn scored(engine: &GgufEngine, prompt: &Prompt, texts: &[&str]) -> Vec<Likelihood> {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    engine.log_likelihoods(prompt.clone(), texts, CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn what_is_likelier_scores_higher_in_whichever_company() {
    let engine = engine();
    let prompt = Prompt::user("What is the capital of France?");
    let texts = ["The capital of France is Paris.", "The capital of France is Madrid.", ""];
    let found = scored(&engine, &prompt, &texts).await;
    assert!(found[0].log_likelihood > found[1].log_likelihood + 1.0, "{found:?}");
    assert!(found[0].log_likelihood < 0.0 && found[0].tokens > 3, "{found:?}");
    assert_eq!(found[2], Likelihood { tokens: 0, log_likelihood: 0.0 });
    for (text, expect) in texts.iter().zip(&found) {
        assert_eq!(scored(&engine, &prompt, &[text]).await, [*expect]);
    }
    let turned: Vec<_> = texts.iter().rev().copied().collect();
    let again: Vec<_> = scored(&engine, &prompt, &turned).await.into_iter().rev().collect();
    assert_eq!(again, found);
}

/// The probability of a text is that of its beginning, times that of the rest after it. More
/// tokens than one piece, so that pieces add up.
#[tokio::test]
async fn likelihoods_multiply_along_a_text() {
    let engine = engine();
    let count =
        |range: std::ops::Range<u32>| range.map(|number| format!(" {number},")).collect::<String>();
    let text = |range| Prompt::Text(format!("Count:{}", count(range)));
    let (rest, end) = (count(40..120), count(60..120));
    let whole = scored(&engine, &text(1..40), &[&rest]).await[0];
    let first = scored(&engine, &text(1..40), &[&count(40..60)]).await[0];
    let second = scored(&engine, &text(1..60), &[&end]).await[0];
    assert_eq!(whole.tokens, first.tokens + second.tokens);
    assert!(whole.tokens > 64, "{whole:?}");
    let sum = first.log_likelihood + second.log_likelihood;
    assert!((whole.log_likelihood - sum).abs() < 0.05 * sum.abs(), "{whole:?} {sum}");
}

#[tokio::test]
async fn scoring_is_cancelled_and_kept_within_the_context() {
    let engine = engine();
    let prompt = || Prompt::user("What is the capital of France?");
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let refused = engine.log_likelihoods(prompt(), vec!["Paris".into()], cancelled).await;
    assert!(matches!(refused.unwrap_err(), Failure::Cancelled));
    let words = "word ".repeat(engine.describe().context_tokens.unwrap() as usize);
    let refused = engine.log_likelihoods(prompt(), vec![words], CancellationToken::new()).await;
    assert!(matches!(refused.unwrap_err(), Failure::ContextTooLong { .. }));
    let texts = vec!["x".to_owned(); CONTINUATIONS_MAX + 1];
    let refused = engine.log_likelihoods(prompt(), texts, CancellationToken::new()).await;
    assert!(matches!(refused.unwrap_err(), Failure::InvalidJob { .. }));
}
