use super::*;
use ambar_compute::EmbedJob;
use ambar_corpus::Document;
use ambar_gateway::QueueLimits;
use tempfile::TempDir;

const RECORDS: [&str; 3] = [
    "the old mill by the river turned by day",
    "the old mill by the road turned by night",
    "the old oak by the river stood by the mill.",
];

struct Stand {
    _place: TempDir,
    serving: Arc<Serving>,
    dataset: Cid,
}

impl Stand {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let document = |(at, text): (usize, &&str)| Document {
            title: at.to_string(),
            contributor: at as u32,
            text: text.as_bytes().to_vec(),
        };
        let documents = RECORDS.iter().enumerate().map(document);
        let corpus = Corpus::build(place.path(), documents, &mut |_| ()).unwrap();
        let serving = Arc::new(Serving::with(QueueLimits::default()));
        let dataset = Cid::of(b"dataset");
        serving.insert(dataset, Offer::Datanet(Arc::new(corpus)));
        Self { _place: place, serving, dataset }
    }

    fn engine(&self) -> CorpusEngine {
        CorpusEngine::new(&self.serving, vec![self.dataset], parameters(CorpusOptions::default()))
    }
}

async fn answer(
    engine: &CorpusEngine,
    job: GenerateJob,
    leave_after: usize,
) -> (Vec<String>, Generation) {
    let (events, mut incoming) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    let leave = cancel.clone();
    let reading = async {
        let mut pieces = Vec::new();
        while let Some(Event::Text(piece)) = incoming.recv().await {
            pieces.push(piece);
            if pieces.len() == leave_after {
                leave.cancel();
            }
        }
        pieces
    };
    let (pieces, generation) = tokio::join!(reading, engine.generate(job, events, cancel));
    (pieces, generation.unwrap())
}

fn job(prompt: &str, max_tokens: u32) -> GenerateJob {
    GenerateJob::greedy(Prompt::user(prompt), max_tokens)
}

#[test]
fn parameters_are_those_of_the_method() {
    assert_eq!(parameters(CorpusOptions::default()), CorpusModelParameters::default());
    let most = CorpusOptions {
        context: ambar_compute::limits::CORPUS_CONTEXT_WORDS_MAX,
        count: ambar_compute::limits::CORPUS_COUNT_MAX,
    };
    assert_eq!(parameters(most).check(), Ok(()));
    let more = CorpusOptions { context: most.context + 1, ..most };
    assert!(parameters(more).check().is_err());
    let more = CorpusOptions { count: most.count + 1, ..most };
    assert!(parameters(more).check().is_err());
}

#[tokio::test]
async fn words_come_one_by_one_and_are_counted() {
    let stand = Stand::new();
    let engine = stand.engine();
    let (pieces, generation) = answer(&engine, job("Where is the old", 4), usize::MAX).await;
    assert_eq!(pieces, [" mill", " by", " the", " river"]);
    let usage = Usage::told(Some(4), Some(4), 18);
    assert_eq!(generation, Generation { usage, finish: Finish::Length });
    assert_eq!(engine.count(&Prompt::user("Where is, the")).await.unwrap(), Count::Exact(3));

    let mut stopped = job("Where is the old", 99);
    stopped.stop = vec!["y the".into()];
    let (pieces, generation) = answer(&engine, stopped, usize::MAX).await;
    assert_eq!((pieces.concat().as_str(), generation.finish), (" mill b", Finish::Stop));

    // The end of a record ends the answer, with what stands there.
    let once = CorpusEngine {
        parameters: CorpusModelParameters { context_words_max: 4, count_min: 1 },
        ..stand.engine()
    };
    let (pieces, generation) = answer(&once, job("stood by", 99), usize::MAX).await;
    assert_eq!(pieces, [" the", " mill", "."]);
    assert_eq!((generation.usage.tokens_out, generation.finish), (Some(2), Finish::Stop));
    engine.load().await.unwrap();
}

#[tokio::test]
async fn a_seed_gives_the_same_text_and_others_give_others() {
    let stand = Stand::new();
    let engine = stand.engine();
    let mut texts = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let drawn = GenerateJob { temperature: 1.0, seed: Some(seed), ..job("the", 6) };
        let (once, _) = answer(&engine, drawn.clone(), usize::MAX).await;
        let (again, _) = answer(&engine, drawn, usize::MAX).await;
        assert_eq!(once, again);
        texts.insert(once.concat());
    }
    assert!(texts.len() > 5, "{texts:?}");
}

#[tokio::test]
async fn whoever_leaves_ends_it_within_a_word() {
    let stand = Stand::new();
    let endless = GenerateJob { temperature: 1.0, seed: Some(1), ..job("the", u32::MAX) };
    let (pieces, generation) = answer(&stand.engine(), endless.clone(), 3).await;
    assert_eq!(generation.finish, Finish::Cancelled);
    assert!((3..=5).contains(&pieces.len()), "{pieces:?}");
    assert_eq!(generation.usage.bytes_out, pieces.concat().len() as u64);
    let (events, incoming) = mpsc::channel(1);
    drop(incoming);
    let engine = stand.engine();
    let generation = engine.generate(endless, events, CancellationToken::new()).await.unwrap();
    assert_eq!(generation.finish, Finish::Cancelled);
}

#[tokio::test]
async fn what_it_cannot_do_is_refused_by_name() {
    let stand = Stand::new();
    let engine = stand.engine();
    let check = |change: &dyn Fn(&mut GenerateJob), expect: Option<&str>| {
        let mut job = GenerateJob { temperature: 1.0, ..job("the", 1) };
        change(&mut job);
        let refused = match engine.check(&job) {
            Err(Failure::UnsupportedField { field, .. }) => Some(field),
            other => {
                other.unwrap();
                None
            }
        };
        assert_eq!(refused.as_deref(), expect);
    };
    check(&|_| (), None);
    check(&|job| job.temperature = 0.7, Some("temperature"));
    check(&|job| job.top_p = 0.9, Some("top_p"));
    check(&|job| (job.temperature, job.top_p) = (0.0, 0.9), None);
    check(&|job| job.choices = 2, Some("n"));
    let refused = engine.embed(EmbedJob::of(vec!["x".into()]), CancellationToken::new()).await;
    assert!(matches!(refused.unwrap_err().failure, Failure::Unsupported { .. }));
    // Records that are not served any more.
    stand.serving.remove(&stand.dataset);
    let (events, _incoming) = mpsc::channel(1);
    let refused = engine.generate(job("the", 1), events, CancellationToken::new()).await;
    assert!(matches!(refused.unwrap_err().failure, Failure::NoRecords { .. }));
}
