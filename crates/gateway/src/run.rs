//! Running one admitted call: retrieve, let the model work, deliver, meter, make the
//! receipt durable, and only then say that the call is done.

use crate::answers::{AnswerBody, Sealer};
use crate::attribute::Attribution;
use crate::books::Hold;
use crate::call::{CallError, CallEvent, Job, ReceiptId, Summary};
use crate::compose::{Retrieved, Work};
use crate::gateway::Inner;
use crate::meter;
use crate::pending::UnderWay;
use crate::recall::Recallable;
use crate::record::{Answer, Metered, Record};
use crate::route::Route;
use crate::transcript::{Product, Transcript};
use crate::view::LedgerView;
use ambar_base::{Digest, Encode, ErrorCode, Moment, Price};
use ambar_compute::{Engine, EngineError, Event, Failure, Finish, GenerateJob, Usage};
use ambar_licence::{DecisionRecord, Purpose, Territory};
use ambar_receipt::{Counter, Counters, Details, Leaf, Voucher, opening};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Pieces of an answer that wait between engine and client.
const ENGINE_EVENTS_MAX: usize = 64;
/// How long to wait before a receipt that could not be written is tried again.
const WRITE_RETRY_DELAY: Duration = Duration::from_millis(500);

/// An admitted call.
pub(crate) struct Running {
    pub view: LedgerView,
    pub route: Route,
    pub work: Work,
    pub bound: Vec<Counters>,
    pub hold: Hold,
    pub purpose: Option<Purpose>,
    pub territory: Option<Territory>,
    pub decision: DecisionRecord,
    /// The voucher that covers the call.
    pub voucher: Option<Voucher>,
    /// The salt of input and output, if the calling side has drawn one.
    pub salt: Option<Digest>,
    pub holder: Digest,
    pub call: Digest,
    /// Seals the answer, if it can be asked for again.
    pub sealer: Option<Sealer>,
    pub fingerprint: Digest,
    pub job: Job,
    pub max_tokens: u32,
    pub now: Moment,
    /// Ends the call if what it rests on is revoked.
    pub recall: Recallable,
    /// Wakes those who wait for this call's answer when it is dropped.
    pub under_way: UnderWay,
}

impl Running {
    pub(crate) fn receipt(&self) -> ReceiptId {
        self.hold.receipt
    }

    /// Runs the call to its end.
    pub(crate) async fn run(self, gateway: Arc<Inner>, client: mpsc::Sender<CallEvent>) {
        let started = Instant::now();
        let own = || gateway.salts.of(self.receipt().channel, self.receipt().n);
        let salt = self.salt.map_or_else(own, |salt| salt.0);
        let input = self.job.input();
        let retrieved = self.work.retrieve(&input, opening(&salt, input.as_bytes()));
        let (product, retrieved) = match retrieved {
            Ok(retrieved) => (self.produce(retrieved.as_ref(), &client).await, retrieved),
            Err(error) => {
                self.void(&gateway).await;
                let _ = client.send(CallEvent::Failed(error)).await;
                return;
            }
        };
        let wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !product.delivered() {
            self.deliver_nothing(&gateway, product, &client).await;
            return;
        }
        let details = Details {
            holder: self.holder,
            input: opening(&salt, input.as_bytes()),
            output: opening(&salt, &product.output()),
            decision: self.decision.digest(),
            wall_ms,
            routing: Vec::new(),
        };
        match self.metered(&gateway, &product, retrieved.as_ref(), details) {
            Ok(metered) => self.finish(&gateway, product, metered, &client).await,
            Err(error) => {
                self.void(&gateway).await;
                let _ = client.send(CallEvent::Failed(error)).await;
            }
        }
    }

    async fn produce(
        &self,
        retrieved: Option<&Retrieved>,
        client: &mpsc::Sender<CallEvent>,
    ) -> Product {
        match (&self.job, self.work.engine()) {
            (Job::Generate(options), Some(engine)) => {
                let prompt = self.work.prompt(&options.prompt, retrieved);
                let job = options.job(prompt, self.max_tokens);
                generate(engine, job, client, &self.recall.cancel).await
            }
            (Job::Embed { inputs, .. }, Some(engine)) => {
                embed(engine, inputs.clone(), client, &self.recall.cancel).await
            }
            (_, None) => {
                let passages = retrieved.map(|retrieved| retrieved.passages.join("\n\n"));
                let text = passages.unwrap_or_default();
                let gone = client.send(CallEvent::Text(text.clone())).await.is_err();
                let finish = if gone { Finish::Cancelled } else { Finish::Stop };
                let transcript = Transcript::of(&text);
                Product { transcript, finish: Some(finish), ..Product::default() }
            }
        }
    }

    /// What the parts used, never more than was held for.
    fn counters(&self, product: &Product, retrieved: Option<&Retrieved>) -> Vec<Counters> {
        let mut counters = vec![Counters::default(); self.route.parts.len()];
        let tokens = |count: Option<u64>| count.unwrap_or_default();
        let model = match &self.work {
            Work::Model { part, .. } | Work::Prompt { model: part, .. } => Some(*part),
            Work::Datanet { .. } => None,
        };
        if let Some(part) = model {
            let Usage { tokens_in, tokens_out, .. } = product.usage;
            counters[part] = match self.job {
                Job::Embed { .. } => Counters::new([(Counter::EmbeddingTokens, tokens(tokens_in))]),
                Job::Generate(_) => Counters::new([
                    (Counter::TokensIn, tokens(tokens_in)),
                    (Counter::TokensOut, tokens(tokens_out)),
                ]),
            };
        }
        if let Some(retrieved) = retrieved {
            counters[retrieved.part] =
                Counters::new([(Counter::RetrievedBytes, retrieved.bytes())]);
        }
        let capped = |(used, bound): (&Counters, &Counters)| {
            Counters::new(used.iter().map(|(counter, n)| (counter, n.min(bound.get(counter)))))
        };
        counters.iter().zip(&self.bound).map(capped).collect()
    }

    fn metered(
        &self,
        gateway: &Inner,
        product: &Product,
        retrieved: Option<&Retrieved>,
        details: Details,
    ) -> Result<Metered, CallError> {
        let counters = self.counters(product, retrieved);
        let mut lines = meter::lines(&self.route, gateway.node, &counters)?;
        let (_, network_fee) = meter::price(&self.route, &lines)?;
        let attribution = Attribution {
            view: &self.view,
            serving: &gateway.serving,
            route: &self.route,
            call: self.call,
            retrieved,
            output: &product.transcript.text(),
            output_digest: details.output,
        };
        let evidence = attribution.attribute(&mut lines);
        let ReceiptId { channel, n } = self.receipt();
        let leaf = Leaf {
            call: self.call,
            outcome: product.outcome(),
            purpose: self.purpose.as_ref().map(ToString::to_string),
            territory: self.territory.map(|territory| territory.as_str().to_owned()),
            lines,
            network_fee,
            details: details.digest(),
            ..Leaf::void(channel, n, self.route.head.height, self.now)
        };
        let claim = self.hold.claim();
        Ok(Metered {
            leaf,
            details: Some(details),
            decision: Some(self.decision.to_bytes()),
            evidence,
            blocks: claim.blocks.clone(),
            quotas: claim.quotas.iter().map(|quota| (quota.grant, quota.period)).collect(),
            fingerprint: self.fingerprint,
            voucher: self.voucher,
            capsule: self.route.parts[0].version.id.to_string(),
            answer: self.answer(product, &counters),
        })
    }

    fn answer(&self, product: &Product, counters: &[Counters]) -> Answer {
        let sum = |counter| counters.iter().map(|counters| counters.get(counter)).sum::<u64>();
        let body = self.sealer.as_ref().and_then(|sealer| {
            sealer.seal(self.receipt(), &AnswerBody::of(&product.transcript, &product.vectors))
        });
        Answer {
            body,
            finish: Answer::finish_number(product.finish.unwrap_or(Finish::Cancelled)),
            tokens_in: sum(Counter::TokensIn) + sum(Counter::EmbeddingTokens),
            tokens_out: sum(Counter::TokensOut),
        }
    }

    /// Makes the receipt durable, tells the client, and hands the receipt to settlement.
    async fn finish(
        self,
        gateway: &Arc<Inner>,
        product: Product,
        metered: Metered,
        client: &mpsc::Sender<CallEvent>,
    ) {
        let price = metered.price();
        let error = self.error(&product);
        let summary = summary(&metered, self.receipt(), price);
        self.hold.charge(&metered.claim(), price);
        gateway.figures.charged(&metered, price);
        let written = keep(gateway, metered, client).await;
        drop(self.under_way);
        if !written {
            return;
        }
        let last = match error {
            None => CallEvent::Done(summary),
            Some(error) => {
                let retry = false;
                CallEvent::Failed(CallError { receipt: Some(summary.receipt), retry, ..error })
            }
        };
        let _ = client.send(last).await;
    }

    /// The call delivered nothing: nothing is charged.
    async fn deliver_nothing(
        self,
        gateway: &Arc<Inner>,
        product: Product,
        client: &mpsc::Sender<CallEvent>,
    ) {
        let receipt = self.receipt();
        let error = self.error(&product);
        self.void(gateway).await;
        let last = match error {
            Some(error) => CallEvent::Failed(error),
            None => CallEvent::Done(Summary {
                finish: product.finish.unwrap_or(Finish::Cancelled),
                tokens_in: product.usage.tokens_in.unwrap_or_default(),
                tokens_out: product.usage.tokens_out.unwrap_or_default(),
                mu: ambar_base::Mu::ZERO,
                price: Price::ZERO,
                receipt,
            }),
        };
        let _ = client.send(last).await;
    }

    /// Why the answer is not whole, if somebody else than the client ended it.
    fn error(&self, product: &Product) -> Option<CallError> {
        let recalled = self.recall.why().filter(|_| !product.is_whole()).cloned();
        recalled.or_else(|| product.failure.as_ref().map(failed))
    }

    /// Fills the sequence number with a void leaf; the hold ends with the call.
    async fn void(self, gateway: &Arc<Inner>) {
        let ReceiptId { channel, n } = self.receipt();
        let void = Metered::void(channel, n, self.route.head.height, self.now);
        drop(self.hold);
        drop(self.under_way);
        let (nobody, _) = mpsc::channel(1);
        keep(gateway, void, &nobody).await;
    }
}

fn summary(metered: &Metered, receipt: ReceiptId, price: Price) -> Summary {
    Summary {
        finish: metered.answer.finish(),
        tokens_in: metered.answer.tokens_in,
        tokens_out: metered.answer.tokens_out,
        mu: metered.leaf.mu().unwrap_or_default(),
        price,
        receipt,
    }
}

/// The summary of a receipt that was written before.
pub(crate) fn replayed(metered: &Metered) -> Summary {
    summary(metered, metered.receipt(), metered.price())
}

/// Writes a receipt until it is durable, then hands it to settlement. A full disk is told
/// to the client at once; the charge stays, so writing goes on. False if the client has
/// been told of a failure, or the gateway stops.
async fn keep(gateway: &Arc<Inner>, metered: Metered, client: &mpsc::Sender<CallEvent>) -> bool {
    let record = Record::Metered(metered.clone()).to_bytes();
    let mut told = false;
    while let Err(error) = gateway.journal.commit(vec![record.clone()]).await {
        tracing::error!(%error, receipt = %metered.receipt(), "a receipt cannot be written");
        if !told {
            let receipt = Some(metered.receipt());
            let failure = CallError { receipt, retry: false, ..CallError::of(&error) };
            let _ = client.send(CallEvent::Failed(failure)).await;
            told = true;
        }
        tokio::select! {
            () = tokio::time::sleep(WRITE_RETRY_DELAY) => {}
            () = gateway.stop.cancelled() => return false,
        }
    }
    let metered = Arc::new(metered);
    gateway.pending.add(&metered);
    // The channel closes only when the gateway stops: recovery finds the receipt then.
    let _ = gateway.settling.send(metered).await;
    !told
}

/// Lets an engine write, and hands each piece on. A client that leaves cancels it.
async fn generate(
    engine: &Arc<dyn Engine>,
    job: GenerateJob,
    client: &mpsc::Sender<CallEvent>,
    cancel: &CancellationToken,
) -> Product {
    let (events, mut pieces) = mpsc::channel(ENGINE_EVENTS_MAX);
    let mut transcript = Transcript::default();
    let forward = async {
        while let Some(event) = pieces.recv().await {
            let event = match event {
                Event::Text(text) => {
                    transcript.say(&text);
                    CallEvent::Text(text)
                }
                Event::Piece(piece) => {
                    transcript.add(&piece);
                    CallEvent::Piece(piece)
                }
            };
            if client.send(event).await.is_err() {
                cancel.cancel();
            }
        }
    };
    let working = async { tokio::join!(engine.generate(job, events, cancel.clone()), forward).0 };
    let generated = until_left(working, client, cancel).await;
    match generated {
        Ok(generation) => Product {
            transcript,
            usage: generation.usage,
            finish: Some(generation.finish),
            ..Product::default()
        },
        Err(EngineError { failure, usage }) => {
            Product { transcript, usage, failure: Some(failure), ..Product::default() }
        }
    }
}

async fn embed(
    engine: &Arc<dyn Engine>,
    inputs: Vec<String>,
    client: &mpsc::Sender<CallEvent>,
    cancel: &CancellationToken,
) -> Product {
    let embedded = until_left(engine.embed(inputs, cancel.clone()), client, cancel).await;
    match embedded {
        Ok(embeddings) => {
            let vectors = embeddings.vectors;
            let gone = client.send(CallEvent::Vectors(vectors.clone())).await.is_err();
            let usage = Usage { tokens_in: embeddings.tokens, ..Usage::default() };
            // A vector that nobody took was not delivered.
            let vectors = if gone { Vec::new() } else { vectors };
            Product { vectors, usage, finish: Some(Finish::Stop), ..Product::default() }
        }
        Err(EngineError { failure, usage }) => {
            Product { usage, failure: Some(failure), ..Product::default() }
        }
    }
}

/// Works until done; cancels when the client leaves, and then still waits for the end.
async fn until_left<T>(
    working: impl Future<Output = T>,
    client: &mpsc::Sender<CallEvent>,
    cancel: &CancellationToken,
) -> T {
    tokio::pin!(working);
    tokio::select! {
        done = &mut working => return done,
        () = client.closed() => cancel.cancel(),
    }
    working.await
}

/// The public error of an engine's failure.
pub(crate) fn failed(failure: &Failure) -> CallError {
    if let Failure::UnsupportedField { field, .. } = failure {
        return CallError::new(ErrorCode::RequestInvalid, failure.to_string()).at(field);
    }
    let code = match failure {
        Failure::InvalidJob { .. } | Failure::Unsupported { .. } => ErrorCode::RequestInvalid,
        Failure::Busy { .. } => ErrorCode::EngineBusy,
        Failure::ContextTooLong { .. } => ErrorCode::ContextTooLong,
        Failure::UnsupportedArchitecture { .. } => ErrorCode::ModelUnsupported,
        Failure::UpstreamConfig { .. }
        | Failure::UpstreamUnreachable { .. }
        | Failure::UpstreamTimeout
        | Failure::UpstreamStatus { .. }
        | Failure::UpstreamReported { .. }
        | Failure::UpstreamForm { .. }
        | Failure::UpstreamTooLong { .. }
        | Failure::UpstreamClosed => ErrorCode::BadGateway,
        _ => ErrorCode::EngineFailed,
    };
    CallError::new(code, failure.to_string())
}
