//! Running one admitted call: retrieve, let the model work, deliver, meter, make the
//! receipt durable, and only then say that the call is done.

use crate::answers::{AnswerBody, Sealer};
use crate::attribute::Attribution;
use crate::call::{CallError, CallEvent, Job, ReceiptId, Summary};
use crate::compose::{Retrieved, Work, question};
use crate::counted::{Counted, check, counted};
use crate::flow::{Place, Priority};
use crate::gateway::Inner;
use crate::local::party;
use crate::meter;
use crate::record::{Answer, Metered, Record};
use crate::reservation::Reservation;
use crate::route::Route;
use crate::routing::Dispatch;
use crate::serving::Offer;
use crate::telemetry::{self, CallSpan, Stage};
use crate::transcript::{Product, Transcript};
use crate::view::LedgerView;
use ambar_attribution::CorpusModelParameters;
use ambar_base::{Digest, Encode, ErrorCode, Price};
use ambar_compute::{Finish, Usage};
use ambar_corpus::last_words;
use ambar_licence::{DecisionRecord, Purpose, Territory};
use ambar_receipt::{CountCheck, Counter, Counters, Details, Leaf, Voucher, opening};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long to wait before a receipt that could not be written is tried again.
const WRITE_RETRY_DELAY: Duration = Duration::from_millis(500);

/// What came of a call's work.
struct Done<'a> {
    product: &'a Product,
    /// It, as the receipt hashes it.
    output: Vec<u8>,
    /// What each part used.
    counters: Vec<Counters>,
    retrieved: Option<&'a Retrieved>,
}

/// An admitted call.
pub(crate) struct Running {
    pub view: LedgerView,
    pub route: Arc<Route>,
    pub work: Work,
    pub bound: Vec<Counters>,
    /// What is set aside for it: engines are had for this only.
    pub reservation: Reservation,
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
    /// How long the answer is worth having.
    pub patience: Option<Duration>,
    /// How urgent it is among its payer's.
    pub urgency: Priority,
    /// What is told of it.
    pub told: Option<CallSpan>,
}

impl Running {
    pub(crate) fn receipt(&self) -> ReceiptId {
        self.reservation.receipt
    }

    /// Runs the call to its end.
    ///
    /// Boxed, because it is large and would be moved on the way to its task.
    pub(crate) async fn run(
        self: Box<Self>,
        gateway: Arc<Inner>,
        place: Option<Place>,
        client: mpsc::Sender<CallEvent>,
    ) {
        let metered = {
            let metered = std::pin::pin!(self.metered(&gateway, place, &client));
            self.within_patience(metered).await
        };
        match metered {
            Ok((metered, product)) => self.finish(&gateway, product, metered, &client).await,
            Err(product) => self.deliver_nothing(product, &client).await,
        }
    }

    /// Ends the work when nobody waits for it any more, and then still waits for the end.
    async fn within_patience<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        let Some(patience) = self.patience else { return work.await };
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(patience) => {
                let message = format!("the answer took longer than {} s", patience.as_secs_f32());
                self.reservation.recall.end(CallError::new(ErrorCode::DeadlineExceeded, message));
            }
        }
        work.await
    }

    /// Works, and meters what came of it; what there is of it, if it is nothing to charge.
    async fn metered(
        &self,
        gateway: &Arc<Inner>,
        place: Option<Place>,
        client: &mpsc::Sender<CallEvent>,
    ) -> Result<(Metered, Product), Product> {
        let started = Instant::now();
        let own = || gateway.salts.of(self.receipt().channel, self.receipt().n);
        let salt = self.salt.map_or_else(own, |salt| salt.0);
        let input = self.job.input();
        let dispatch = Dispatch::new(
            gateway,
            &self.route,
            &self.bound,
            &self.reservation,
            (self.patience, self.urgency),
            place,
        );
        let digest = opening(&salt, input.as_bytes());
        let retrieved = match self.work.datanet() {
            Some((part, parameters)) => {
                let asked = self.job.question();
                let found = dispatch.retrieve(part, parameters, &asked, digest).await;
                Some(found.map_err(Product::failed)?)
            }
            None => None,
        };
        let stages = &gateway.figures.telemetry().stages;
        let producing = stages.begin(Stage::Produce);
        let product = self.produce(&dispatch, retrieved.as_ref(), client).await;
        producing.stop();
        if !product.delivered() {
            return Err(product);
        }
        let (output, decision) = (product.output(), self.decision.to_bytes());
        let details = Details {
            holder: self.holder,
            input: digest,
            output: opening(&salt, &output),
            decision: DecisionRecord::digest_of(&decision),
            wall_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            routing: Vec::new(),
            counts: self.count_check(&product),
        };
        let _metering = stages.begin(Stage::Meter);
        let counters = self.counters(&product, retrieved.as_ref());
        let done = Done { product: &product, output, counters, retrieved: retrieved.as_ref() };
        match self.leaf(gateway, dispatch, done, (details, decision)).await {
            Ok(metered) => Ok((metered, product)),
            Err(error) => Err(Product::failed(error)),
        }
    }

    async fn produce(
        &self,
        dispatch: &Dispatch<'_>,
        retrieved: Option<&Retrieved>,
        client: &mpsc::Sender<CallEvent>,
    ) -> Product {
        match (&self.job, self.work.model()) {
            (Job::Generate(options), Some(part)) => {
                let prompt = self.work.prompt(&options.prompt, retrieved);
                let mut job = options.job(prompt, self.max_tokens);
                job.party = party(self.route.channel.payer);
                dispatch.generate(part, job, client).await
            }
            (Job::Embed(job), Some(part)) => dispatch.embed(part, job.clone(), client).await,
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
        if let Some(part) = self.work.model() {
            let Counted { tokens_in, tokens_out } = counted(&product.usage);
            counters[part] = match self.job {
                Job::Embed(_) => Counters::new([(Counter::EmbeddingTokens, tokens_in)]),
                Job::Generate(_) => Counters::new([
                    (Counter::TokensIn, tokens_in),
                    (Counter::TokensOut, tokens_out),
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

    /// What the receipt says of an engine's counts.
    fn count_check(&self, product: &Product) -> Option<CountCheck> {
        let held = &self.bound[self.work.model()?];
        match self.job {
            Job::Embed(_) => None,
            Job::Generate(_) => {
                let held = (held.get(Counter::TokensIn), held.get(Counter::TokensOut));
                check(&product.usage, held)
            }
        }
    }

    /// The call as it settles.
    async fn leaf(
        &self,
        gateway: &Inner,
        dispatch: Dispatch<'_>,
        Done { product, output, counters, retrieved }: Done<'_>,
        (details, decision): (Details, Vec<u8>),
    ) -> Result<Metered, CallError> {
        // The very bytes that the receipt hashes, so that whoever opens them finds the same.
        let said = if product.vectors.is_empty() { &output[..] } else { &[] };
        let said = String::from_utf8_lossy(said);
        let prompt = self.asked(retrieved);
        let attribution = Attribution {
            view: &self.view,
            serving: &gateway.serving,
            parts: &self.route.parts,
            call: self.call,
            retrieved,
            output: &said,
            output_digest: details.output,
            prompt: last_words(&prompt),
            prompt_digest: details.input,
            model: self.drawing(),
        };
        let mut lines = meter::lines(&self.route, &dispatch.served(), &counters)?;
        let (_, network_fee) = meter::price(&self.route, &lines)?;
        let evidence = attribution.attribute(&dispatch, &mut lines).await;
        let details = Details { routing: dispatch.into_routings(), ..details };
        let ReceiptId { channel, n } = self.receipt();
        let (height, time) = self.reservation.admitted;
        let leaf = Leaf {
            call: self.call,
            outcome: product.outcome(),
            purpose: self.purpose.as_ref().map(ToString::to_string),
            territory: self.territory.map(|territory| territory.as_str().to_owned()),
            lines,
            network_fee,
            details: details.digest(),
            ..Leaf::void(channel, n, height, time)
        };
        let claim = self.reservation.claim();
        Ok(Metered {
            leaf,
            details: Some(details),
            decision: Some(decision),
            evidence,
            quotas: claim.quotas.iter().map(|quota| (quota.grant, quota.period)).collect(),
            blocks: claim.blocks,
            fingerprint: self.fingerprint,
            voucher: self.voucher,
            capsule: self.route.parts[0].id.clone(),
            answer: self.answer(product, &counters),
        })
    }

    /// What the model was to go on from.
    fn asked(&self, retrieved: Option<&Retrieved>) -> String {
        match &self.job {
            Job::Generate(options) => {
                question(&self.work.prompt(&options.prompt, retrieved)).to_owned()
            }
            Job::Embed(_) => String::new(),
        }
    }

    /// How the model that answers looks back in records, if it is here and is records; otherwise
    /// how such a model looks back unless told.
    fn drawing(&self) -> CorpusModelParameters {
        let offer = self.work.model().and_then(|part| self.route.parts[part].here());
        match offer {
            Some(Offer::Engine(supply)) => supply.records().unwrap_or_default(),
            _ => CorpusModelParameters::default(),
        }
    }

    fn answer(&self, product: &Product, counters: &[Counters]) -> Answer {
        let sum = |counter| counters.iter().map(|counters| counters.get(counter)).sum::<u64>();
        let body = self.sealer.as_ref().and_then(|sealer| {
            sealer.seal(self.receipt(), &AnswerBody::of(&product.transcript, &product.vectors))
        });
        let tokens_in = sum(Counter::TokensIn) + sum(Counter::EmbeddingTokens);
        Answer {
            body,
            finish: Answer::finish_number(product.finish.unwrap_or(Finish::Cancelled)),
            tokens_in,
            tokens_cached: cached(&product.usage, tokens_in),
            tokens_out: sum(Counter::TokensOut),
        }
    }

    /// Makes the receipt durable, tells the client, and hands the receipt to settlement.
    async fn finish(
        mut self: Box<Self>,
        gateway: &Arc<Inner>,
        product: Product,
        metered: Metered,
        client: &mpsc::Sender<CallEvent>,
    ) {
        let price = metered.price();
        let error = self.error(&product);
        let summary = summary(&metered, self.receipt(), price);
        let told = self.told.take().map(|mut told| {
            let node = metered.leaf.lines.first().map_or(gateway.node, |line| line.node);
            told.routed(metered.capsule.clone(), node);
            product.first.into_iter().for_each(|first| told.first(first));
            told
        });
        let under_way = self.reservation.charge(&metered, price);
        gateway.figures.charged(&metered, price);
        let durable = gateway.figures.telemetry().stages.begin(Stage::Durable);
        let written = keep(gateway, Arc::new(metered), client).await;
        durable.stop();
        drop(under_way);
        tell(told, &summary, error.as_ref());
        if !written {
            return;
        }
        let last = match error {
            None => CallEvent::Done(summary.into()),
            Some(error) => {
                let retry = false;
                CallEvent::Failed(Box::new(CallError {
                    receipt: Some(summary.receipt),
                    retry,
                    ..error
                }))
            }
        };
        let _ = client.send(last).await;
    }

    /// The call delivered nothing: nothing is charged.
    async fn deliver_nothing(
        mut self: Box<Self>,
        product: Product,
        client: &mpsc::Sender<CallEvent>,
    ) {
        let receipt = self.receipt();
        let error = self.error(&product);
        let told = self.told.take();
        self.reservation.void().await;
        if let Some(told) = told {
            match &error {
                Some(error) => told.failed(error.code, None),
                None => told.done(&telemetry::Usage::default()),
            }
        }
        let last = match error {
            Some(error) => CallEvent::Failed(error.into()),
            None => CallEvent::Done(Box::new(Summary {
                finish: product.finish.unwrap_or(Finish::Cancelled),
                tokens_in: product.usage.tokens_in.unwrap_or_default(),
                tokens_cached: cached(&product.usage, product.usage.tokens_in.unwrap_or_default()),
                tokens_out: product.usage.tokens_out.unwrap_or_default(),
                mu: ambar_base::Mu::ZERO,
                price: Price::ZERO,
                receipt,
            })),
        };
        let _ = client.send(last).await;
    }

    /// Why the answer is not whole, if somebody else than the client ended it.
    fn error(&self, product: &Product) -> Option<CallError> {
        let recalled = self.reservation.recall.why().filter(|_| !product.is_whole()).cloned();
        recalled.or_else(|| product.failure.clone())
    }
}

/// Tells of a call that is over.
fn tell(told: Option<CallSpan>, summary: &Summary, error: Option<&CallError>) {
    let Some(told) = told else { return };
    let usage = telemetry::Usage {
        input_tokens: summary.tokens_in,
        output_tokens: summary.tokens_out,
        cached_tokens: summary.tokens_cached,
        finish_reason: Some(summary.finish.label()),
        price: summary.price,
    };
    match error {
        None => told.done(&usage),
        Some(error) => told.failed(error.code, Some(&usage)),
    }
}

/// What an engine says that it had read before, unless it is more than the prompt as it is charged:
/// then the two were not counted alike, and it says nothing.
fn cached(usage: &Usage, tokens_in: u64) -> Option<u64> {
    usage.tokens_cached.filter(|cached| *cached <= tokens_in)
}

fn summary(metered: &Metered, receipt: ReceiptId, price: Price) -> Summary {
    Summary {
        finish: metered.answer.finish(),
        tokens_in: metered.answer.tokens_in,
        tokens_cached: metered.answer.tokens_cached,
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
pub(crate) async fn keep(
    gateway: &Arc<Inner>,
    metered: Arc<Metered>,
    client: &mpsc::Sender<CallEvent>,
) -> bool {
    let record = || Record::Metered(Arc::clone(&metered)).to_bytes();
    let mut told = false;
    while let Err(error) = gateway.journal.commit(vec![record()]).await {
        tracing::error!(%error, receipt = %metered.receipt(), "a receipt cannot be written");
        if !told {
            let receipt = Some(metered.receipt());
            let failure = CallError { receipt, retry: false, ..CallError::of(&error) };
            let _ = client.send(CallEvent::Failed(failure.into())).await;
            told = true;
        }
        tokio::select! {
            () = tokio::time::sleep(WRITE_RETRY_DELAY) => {}
            () = gateway.stop.cancelled() => return false,
        }
    }
    gateway.pending.add(&metered);
    // The channel closes only when the gateway stops: recovery finds the receipt then.
    let _ = gateway.settling.send(metered).await;
    !told
}
