use super::*;
use crate::limits::EMBED_INPUTS_MAX;

async fn run(
    options: NullOptions,
    job: GenerateJob,
    cancel_after: usize,
) -> (String, Result<Generation, EngineError>) {
    let (events, mut incoming) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    let listener = cancel.clone();
    let reading = tokio::spawn(async move {
        let mut text = String::new();
        let mut seen = 0;
        while let Some(Event::Text(piece)) = incoming.recv().await {
            text.push_str(&piece);
            seen += 1;
            if seen == cancel_after {
                listener.cancel();
            }
        }
        text
    });
    let result = NullEngine::new(options).generate(job, events, cancel).await;
    (reading.await.unwrap(), result)
}

async fn check(tokens: u32, max_tokens: u32, stop: &[&str], text: &str, out: u64, finish: Finish) {
    let mut job = GenerateJob::greedy(Prompt::user("one two  three"), max_tokens);
    job.stop = stop.iter().map(ToString::to_string).collect();
    let (got, result) = run(NullOptions { tokens, delay_ms: 0 }, job, usize::MAX).await;
    assert_eq!(got, text);
    let usage = Usage::told(Some(3), Some(out), text.len() as u64);
    assert_eq!(result.unwrap(), Generation { usage, finish });
}

#[tokio::test]
async fn answers_are_numbered_words() {
    check(3, 10, &[], "w0 w1 w2", 3, Finish::Stop).await;
    check(3, 3, &[], "w0 w1 w2", 3, Finish::Stop).await;
    check(3, 2, &[], "w0 w1", 2, Finish::Length).await;
    check(9, 9, &["w2"], "w0 w1 ", 3, Finish::Stop).await;
    check(3, 9, &["w2 w3"], "w0 w1 w2", 3, Finish::Stop).await;
}

#[tokio::test]
async fn cancelling_ends_the_answer_and_counts_it() {
    let job = GenerateJob::greedy(Prompt::user("x"), 1000);
    let (text, result) = run(NullOptions { tokens: 1000, delay_ms: 1 }, job, 3).await;
    let generation = result.unwrap();
    assert_eq!(generation.finish, Finish::Cancelled);
    assert_eq!(generation.usage.bytes_out, text.len() as u64);
    assert!((3..1000).contains(&generation.usage.tokens_out.unwrap()));
}

#[tokio::test]
async fn a_gone_receiver_is_a_cancellation() {
    let (events, incoming) = mpsc::channel(1);
    drop(incoming);
    let job = GenerateJob::greedy(Prompt::user("x"), 5);
    let generation = NullEngine::default().generate(job, events, CancellationToken::new()).await;
    let usage = Usage::told(Some(1), Some(0), 0);
    assert_eq!(generation.unwrap(), Generation { usage, finish: Finish::Cancelled });
}

#[tokio::test]
async fn embeddings_are_unit_vectors_of_the_text_alone() {
    let embed = |inputs: Vec<&str>| {
        let inputs = inputs.into_iter().map(str::to_owned).collect();
        let job = EmbedJob::of(inputs);
        async move { NullEngine::default().embed(job, CancellationToken::new()).await }
    };
    let both = embed(vec!["a b", "c"]).await.unwrap();
    assert_eq!(both.tokens, Some(3));
    assert_ne!(both.vectors[0], both.vectors[1]);
    assert_eq!(embed(vec!["c"]).await.unwrap().vectors[0], both.vectors[1]);
    for vector in &both.vectors {
        assert_eq!(vector.len(), NULL_EMBEDDING_WIDTH as usize);
        assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let mut job = EmbedJob::of(vec!["c".into()]);
    job.extras.fields.insert("dimensions".into(), NULL_EMBEDDING_WIDTH.into());
    let engine = NullEngine::default();
    let same = engine.embed(job.clone(), CancellationToken::new()).await.unwrap();
    assert_eq!(same.vectors[0], both.vectors[1]);
    job.extras.fields.insert("task".into(), "query".into());
    let refused = engine.embed(job, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(refused.failure, Failure::UnsupportedField { field, .. } if field == "task"));
    for count in [0, EMBED_INPUTS_MAX + 1] {
        let refused = embed(vec!["x"; count]).await.unwrap_err();
        assert!(matches!(refused.failure, Failure::InvalidJob { .. }));
    }
}
