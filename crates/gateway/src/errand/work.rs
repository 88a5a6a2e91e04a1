//! Doing an errand that may run: the engine or the records work, frames go out, and what was
//! used is kept before the last one.

use super::served::Served;
use super::service::Admitted;
use super::wire::{Done, Failed, Frame, Replay, Retrieve, Retrieved, Trace, WirePiece, Work};
use crate::answers::AnswerBody;
use crate::call::{CallError, CallEvent};
use crate::counted::{Counted, counted};
use crate::enter::refused;
use crate::flow::{Priority, Turn};
use crate::local::{embed, failed, generate, party};
use crate::route::refuse;
use crate::routing::Outlet;
use crate::serving::Offer;
use crate::supply::{Answers, Supply};
use crate::transcript::Product;
use ambar_attribution::{Evidence, RetrievalParameters, SpanParameters};
use ambar_base::ErrorCode;
use ambar_compute::{EmbedJob, Finish, GenerateJob, Prompt};
use ambar_corpus::Corpus;
use ambar_receipt::{Counter, Counters};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Pieces that wait between an engine and the frames.
const PIECES_MAX: usize = 256;

/// What a gateway is told of a failure.
pub(super) fn refusal(error: &CallError, used: Done) -> Frame {
    let own = [
        ErrorCode::ContextTooLong,
        ErrorCode::LimitExceeded,
        ErrorCode::RequestInvalid,
        ErrorCode::RequestTooLarge,
    ];
    Frame::Failed(Failed {
        code: error.code.text().to_owned(),
        message: error.message.clone(),
        param: error.param.clone(),
        retry: error.retry.then(|| error.retry_after_ms.unwrap_or_default()),
        elsewhere: !own.contains(&error.code),
        used,
    })
}

impl Admitted {
    /// Works; what is sent last.
    pub(super) async fn work(self, work: Work, frames: &mpsc::Sender<Bytes>) -> Frame {
        let impatient = self.patience.map(|patience| {
            let cancel = self.cancel.clone();
            tokio::spawn(async move {
                tokio::time::sleep(patience).await;
                cancel.cancel();
            })
        });
        let offer = self.part.here().cloned();
        let last = match (work, offer) {
            (Work::Generate(job), Some(Offer::Engine(supply))) => match job.job() {
                Some(job) => {
                    let job = GenerateJob { party: party(self.payer), ..job };
                    self.generate(&supply, job, frames).await
                }
                None => Err(unread()),
            },
            (Work::Embed(job), Some(Offer::Engine(supply))) => match job.job() {
                Some(job) => self.embed(&supply, job, frames).await,
                None => Err(unread()),
            },
            (Work::Retrieve(asked), Some(Offer::Datanet(corpus))) => {
                self.retrieve(corpus, asked, frames).await
            }
            (Work::Trace(asked), Some(Offer::Datanet(corpus))) => trace(corpus, asked).await,
            (Work::Replay(asked), Some(Offer::Datanet(corpus))) => replay(corpus, asked).await,
            _ => refuse(ErrorCode::Unavailable, "this node has nothing to do that work with"),
        };
        if let Some(task) = impatient {
            task.abort();
        }
        last.unwrap_or_else(|error| refusal(&error, Done::default()))
    }

    async fn generate(
        &self,
        supply: &Supply,
        job: GenerateJob,
        frames: &mpsc::Sender<Bytes>,
    ) -> Result<Frame, CallError> {
        let bound = &self.certificate.call.bound;
        if job.tokens_out_max() > bound.get(Counter::TokensOut) {
            return refuse(ErrorCode::PriceAboveLimit, "the job may write more than is paid for");
        }
        supply.check(&job).map_err(|failure| failed(&failure))?;
        let tokens = self.counted(supply, &job.prompt).await?;
        let _turn = self.turn(supply).await?;
        // Whoever went away is noticed at the next frame.
        let _ = frames.send(Frame::Began(tokens).packed().into()).await;
        let engine = Arc::clone(supply.engine(self.permit()));
        let product = forwarded(frames, &self.cancel, |client, cancel| async move {
            generate(&engine, job, Outlet::alone(&client, &cancel)).await
        });
        let product = product.await;
        let Counted { tokens_in, tokens_out } = counted(&product.usage);
        let counters =
            Counters::new([(Counter::TokensIn, tokens_in), (Counter::TokensOut, tokens_out)]);
        self.end(product, counters).await
    }

    /// Waits for the engine, beside this node's own calls.
    async fn turn(&self, supply: &Supply) -> Result<Turn, CallError> {
        let place = supply.turnstile().place(self.payer, Priority::Normal).map_err(refused)?;
        tokio::select! {
            turn = place.turn() => Ok(turn),
            () = self.cancel.cancelled() => {
                refuse(ErrorCode::EngineBusy, "the call ended before it was its turn")
            }
        }
    }

    /// The prompt's tokens, if this node can count them; no more than is paid for.
    async fn counted(&self, supply: &Supply, prompt: &Prompt) -> Result<Option<u64>, CallError> {
        let counted = supply.count(prompt).await.map_err(|error| failed(&error.failure))?;
        match counted {
            ambar_compute::Count::Exact(tokens) => {
                if tokens > self.certificate.call.bound.get(Counter::TokensIn) {
                    let message = "the prompt is longer than is paid for";
                    return refuse(ErrorCode::PriceAboveLimit, message);
                }
                Ok(Some(tokens))
            }
            ambar_compute::Count::UpperBound(_) => Ok(None),
        }
    }

    async fn embed(
        &self,
        supply: &Supply,
        job: EmbedJob,
        frames: &mpsc::Sender<Bytes>,
    ) -> Result<Frame, CallError> {
        supply.check_embed(&job).map_err(|failure| failed(&failure))?;
        let _turn = self.turn(supply).await?;
        let engine = Arc::clone(supply.engine(self.permit()));
        let product = forwarded(frames, &self.cancel, |client, cancel| async move {
            embed(&engine, job, Outlet::alone(&client, &cancel)).await
        });
        let product = product.await;
        let tokens = product.usage.tokens_in.unwrap_or_default();
        let counters = Counters::new([(Counter::EmbeddingTokens, tokens)]);
        self.end(product, counters).await
    }

    async fn retrieve(
        &self,
        corpus: Arc<Corpus>,
        asked: Retrieve,
        frames: &mpsc::Sender<Bytes>,
    ) -> Result<Frame, CallError> {
        let bytes_max = self.certificate.call.bound.get(Counter::RetrievedBytes);
        if u64::from(asked.context_bytes_max) > bytes_max {
            return refuse(ErrorCode::PriceAboveLimit, "more may be found than is paid for");
        }
        let found = tokio::task::spawn_blocking(move || retrieved(&corpus, &asked)).await;
        let found =
            found.unwrap_or_else(|_| refuse(ErrorCode::EngineFailed, "the search failed"))?;
        let bytes = found.passages.iter().map(|passage| passage.len() as u64).sum();
        self.keep(Counters::new([(Counter::RetrievedBytes, bytes)])).await?;
        let _ = frames.send(Frame::Retrieved(found).packed().into()).await;
        Ok(Frame::Done(Done::default()))
    }

    /// Keeps what was used; what is sent last.
    async fn end(&self, product: Product, counters: Counters) -> Result<Frame, CallError> {
        let finish = product.finish.unwrap_or(Finish::Cancelled);
        let used = Done::of(&product.usage, finish);
        if product.delivered() {
            self.keep(counters).await?;
        }
        Ok(match product.failure {
            Some(error) => refusal(&error, used),
            None => Frame::Done(used),
        })
    }

    async fn keep(&self, counters: Counters) -> Result<(), CallError> {
        let bound = &self.certificate.call.bound;
        let capped = counters.iter().map(|(counter, n)| (counter, n.min(bound.get(counter))));
        let served =
            Served { certificate: self.certificate.clone(), counters: Counters::new(capped) };
        self.errands.log().keep(served).await.map_err(|error| CallError::of(&error))
    }
}

fn unread() -> CallError {
    CallError::new(ErrorCode::RequestInvalid, "the job does not read")
}

/// Runs work whose events go out as frames; a gateway that leaves cancels it.
async fn forwarded<W: Future<Output = Product>>(
    frames: &mpsc::Sender<Bytes>,
    cancel: &CancellationToken,
    work: impl FnOnce(mpsc::Sender<CallEvent>, CancellationToken) -> W,
) -> Product {
    let (client, mut events) = mpsc::channel(PIECES_MAX);
    let work = work(client, cancel.clone());
    let forward = async {
        while let Some(event) = events.recv().await {
            let Some(frame) = frame(event) else { continue };
            if frames.send(frame.packed().into()).await.is_err() {
                cancel.cancel();
            }
        }
    };
    tokio::join!(work, forward).0
}

fn frame(event: CallEvent) -> Option<Frame> {
    match event {
        CallEvent::Text(text) => Some(Frame::Text(text)),
        CallEvent::Piece(piece) => Some(Frame::Piece(WirePiece::of(&piece))),
        CallEvent::Vectors(vectors) => Some(Frame::Vectors(AnswerBody::float_bytes(&vectors))),
        CallEvent::Done(_) | CallEvent::Failed(_) => None,
    }
}

fn retrieved(corpus: &Corpus, asked: &Retrieve) -> Result<Retrieved, CallError> {
    let parameters = RetrievalParameters {
        passages_max: asked.passages_max,
        context_bytes_max: asked.context_bytes_max,
        ..RetrievalParameters::default()
    };
    let found = corpus.retrieve(asked.question.as_bytes(), asked.digest, &parameters);
    let (evidence, passages) = found.map_err(|error| CallError::of(&error))?;
    let evidence = Evidence::Retrieval(evidence).encode();
    Ok(Retrieved { evidence, passages: passages.into_iter().map(str::to_owned).collect() })
}

async fn trace(corpus: Arc<Corpus>, asked: Trace) -> Result<Frame, CallError> {
    let traced = tokio::task::spawn_blocking(move || {
        corpus.trace(&asked.output, asked.digest, &SpanParameters::default())
    });
    let traced = traced
        .await
        .map_err(|_| CallError::new(ErrorCode::EngineFailed, "the search for quotations failed"))?;
    let evidence = traced.map_err(|error| CallError::of(&error))?;
    Ok(Frame::Traced(Evidence::VerbatimSpan(evidence).encode()))
}

async fn replay(corpus: Arc<Corpus>, asked: Replay) -> Result<Frame, CallError> {
    let replayed = tokio::task::spawn_blocking(move || {
        let digests = (asked.prompt_digest, asked.output_digest);
        corpus.replay((&asked.prompt, &asked.output), digests, &asked.parameters())
    });
    let replayed = replayed
        .await
        .map_err(|_| CallError::new(ErrorCode::EngineFailed, "the answer was not read again"))?;
    let evidence = replayed.map_err(|error| CallError::of(&error))?;
    Ok(Frame::Traced(Evidence::CorpusModel(evidence).encode()))
}
