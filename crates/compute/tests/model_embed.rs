//! The embedding engine with a real model: `AMBAR_MODEL_EMBED` names a
//! directory with all-MiniLM-L6-v2.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use ambar_compute::embed::EmbedEngine;
use ambar_compute::limits::EMBED_INPUT_TOKENS_MAX;
use ambar_compute::{Count, EmbedJob, Embeddings, Engine, Failure, GenerateJob, Prompt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn engine() -> EmbedEngine {
    let dir = std::env::var_os("AMBAR_MODEL_EMBED")
        .expect("AMBAR_MODEL_EMBED must name a model directory, as ./check sets it");
    EmbedEngine::open(std::path::PathBuf::from(dir)).unwrap()
}

async fn embed(engine: &EmbedEngine, inputs: &[&str]) -> Embeddings {
    let inputs = inputs.iter().map(ToString::to_string).collect();
    engine.embed(EmbedJob::of(inputs), CancellationToken::new()).await.unwrap()
}

/// Cosine of two vectors of length one.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[tokio::test]
async fn related_texts_are_near_and_vectors_have_length_one() {
    let engine = engine();
    let texts =
        ["A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose again."];
    let vectors = embed(&engine, &texts).await.vectors;
    let (related, unrelated) = (cosine(&vectors[0], &vectors[1]), cosine(&vectors[0], &vectors[2]));
    assert!(related > 0.5 && unrelated < 0.2, "{related} {unrelated}");
    for vector in &vectors {
        assert_eq!(vector.len(), 384);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-4);
    }
    assert_eq!(engine.describe().embedding_width, Some(384));
}

#[tokio::test]
async fn a_vector_does_not_depend_on_its_neighbours() {
    let engine = engine();
    // More than one batch, of many lengths, in no order.
    let texts: Vec<String> = (0..40).map(|i| "word ".repeat(1 + i * 7 % 40)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = embed(&engine, &texts).await;
    let mut tokens = 0;
    for index in [0, 13, 39] {
        let alone = embed(&engine, &texts[index..=index]).await;
        let near = cosine(&alone.vectors[0], &together.vectors[index]);
        assert!((near - 1.0).abs() < 1e-4, "{index}: {near}");
        tokens += alone.tokens.unwrap();
    }
    assert!(together.tokens.unwrap() > tokens);
}

#[tokio::test]
async fn tokens_are_counted_and_long_texts_cut() {
    let engine = engine();
    let count = |text: &str| Prompt::Text(text.to_owned());
    // Beginning and end of the text are a token each.
    assert_eq!(engine.count(&count("hello world")).await.unwrap(), Count::Exact(4));
    assert_eq!(embed(&engine, &["hello world", "hello"]).await.tokens, Some(7));
    let long = "word ".repeat(EMBED_INPUT_TOKENS_MAX * 2);
    let longer = format!("{long} and more");
    let cut = embed(&engine, &[&long, &longer]).await;
    assert_eq!(cut.tokens, Some(2 * EMBED_INPUT_TOKENS_MAX as u64));
    assert!((cosine(&cut.vectors[0], &cut.vectors[1]) - 1.0).abs() < 1e-4);
    assert_eq!(embed(&engine, &[""]).await.tokens, Some(2));
}

#[tokio::test]
async fn what_cannot_be_done_is_refused() {
    let engine = engine();
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let mut job = EmbedJob::of(vec!["x".into()]);
    let refused = engine.embed(job.clone(), cancelled).await.unwrap_err();
    assert!(matches!(refused.failure, Failure::Cancelled));
    let empty = EmbedJob::of(vec![]);
    let refused = engine.embed(empty, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(refused.failure, Failure::InvalidJob { .. }));
    job.extras.fields.insert("dimensions".into(), 384.into());
    assert!(engine.check_embed(&job).is_ok());
    job.extras.fields.insert("input_type".into(), "query".into());
    let refused = engine.embed(job, CancellationToken::new()).await.unwrap_err();
    assert!(
        matches!(refused.failure, Failure::UnsupportedField { field, .. } if field == "input_type")
    );
    let (events, _incoming) = mpsc::channel(1);
    let job = GenerateJob::greedy(Prompt::user("x"), 1);
    let refused = engine.generate(job, events, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(refused.failure, Failure::Unsupported { operation: "generate", .. }));
}
