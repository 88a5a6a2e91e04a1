//! Sending one part of a call to a node that serves it: this one or another, the best first,
//! the next only while nothing of the answer has come.
//!
//! **Invariant**: what a client has seen a byte of is never asked of a second node.

use super::rank::{Offered, Ranked, rank};
use crate::call::{CallError, CallEvent};
use crate::compose::Retrieved;
use crate::enter::refused;
use crate::errand::remote::{Remote, Trouble};
use crate::errand::wire::Retrieve;
use crate::flow::{self, Priority, Turn};
use crate::gateway::Inner;
use crate::local::{embed, generate};
use crate::meter::ServedBy;
use crate::peers::Peer;
use crate::reservation::Reservation;
use crate::route::{Part, Place, Route, Server};
use crate::serving::Offer;
use crate::supply::{Answers, Supply};
use crate::telemetry::Stage;
use crate::transcript::Product;
use ambar_attribution::retrieval::RetrievalParameters;
use ambar_attribution::{Evidence, SpanEvidence, SpanParameters};
use ambar_base::{Digest, ErrorCode, Price};
use ambar_compute::{EmbedJob, GenerateJob};
use ambar_receipt::routing::{CANDIDATES_MAX, REASON_BYTES_MAX};
use ambar_receipt::{Candidate, Counters, OneCall, Routing, Verdict, bill};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What a part's work is about to use, and who has served which part.
pub(crate) struct Dispatch<'a> {
    gateway: &'a Inner,
    route: &'a Route,
    bound: &'a [Counters],
    reservation: &'a Reservation,
    /// How long the answer is worth having.
    patience: Option<Duration>,
    urgency: Priority,
    /// The place before this node's engine that was taken before anything was held.
    place: Mutex<Option<flow::Place>>,
    /// Whether there was none.
    full: bool,
    chosen: Mutex<Chosen>,
}

struct Chosen {
    served: Vec<ServedBy>,
    routings: Vec<Routing>,
}

/// The work of a model.
#[derive(Clone)]
enum Asked {
    Generate(GenerateJob),
    Embed(EmbedJob),
}

/// One work on a part: who is asked in which order, and what became of them.
struct Turns<'a> {
    part: usize,
    servers: Vec<&'a Server>,
    /// What is told of each, where there is a choice.
    candidates: Vec<Candidate>,
}

impl Turns<'_> {
    fn judge(&mut self, turn: usize, verdict: Verdict) {
        if let Some(told) = self.candidates.get_mut(turn) {
            told.verdict = verdict;
        }
    }
}

impl<'a> Dispatch<'a> {
    pub(crate) fn new(
        gateway: &'a Inner,
        route: &'a Route,
        bound: &'a [Counters],
        reservation: &'a Reservation,
        (patience, urgency): (Option<Duration>, Priority),
        place: Option<flow::Place>,
    ) -> Self {
        let first = |part: &Part| match part.servers.first() {
            Some(server) => ServedBy { node: server.node, ask: server.ask },
            None => ServedBy { node: gateway.node, ask: Price::ZERO },
        };
        let served = route.parts.iter().map(first).collect();
        let chosen = Mutex::new(Chosen { served, routings: Vec::new() });
        let (full, place) = (place.is_none(), Mutex::new(place));
        Self { gateway, route, bound, reservation, patience, urgency, place, full, chosen }
    }

    /// Who has served each part.
    pub(crate) fn served(&self) -> Vec<ServedBy> {
        self.chosen().served.clone()
    }

    /// Why, where there was a choice.
    pub(crate) fn into_routings(self) -> Vec<Routing> {
        self.chosen.into_inner().unwrap_or_else(PoisonError::into_inner).routings
    }

    fn chosen(&self) -> MutexGuard<'_, Chosen> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        (self.gateway.clock)().0
    }

    /// The nodes for a part, in the order in which they are asked.
    fn turns(&self, part: usize) -> Turns<'a> {
        let Part { servers, too_dear, .. } = &self.route.parts[part];
        if let ([server], []) = (&servers[..], &too_dear[..]) {
            // Without a choice there is nothing to weigh, and nothing to tell of it.
            return Turns { part, servers: vec![server], candidates: Vec::new() };
        }
        let offered: Vec<Offered> =
            servers.iter().map(|server| self.offered(part, server)).collect();
        let order: Vec<Ranked> = rank(&offered);
        let candidate = |ranked: &Ranked| {
            let Offered { node, seen, .. } = offered[ranked.index];
            Candidate {
                node,
                ask: servers[ranked.index].ask,
                first_ms: seen.first_ms,
                succeeded: seen.succeeded,
                calls: seen.calls,
                verdict: if seen.resting { Verdict::Resting } else { Verdict::Spare },
            }
        };
        Turns {
            part,
            candidates: order.iter().map(candidate).collect(),
            servers: order.iter().map(|ranked| &servers[ranked.index]).collect(),
        }
    }

    fn offered(&self, part: usize, server: &Server) -> Offered {
        let price = bill::line_bill(
            &self.bound[part],
            &self.route.parts[part].price,
            &self.route.tariff,
            server.ask,
        );
        let price = price.ok().and_then(|bill| bill.royalty.checked_add(bill.node_fee));
        let mut seen = self.gateway.health.seen(server.node, self.now_ms());
        // Who has no place before an engine asks it last.
        seen.resting |= self.full && matches!(server.place, Place::Here(Offer::Engine(_)));
        Offered {
            node: server.node,
            own: matches!(server.place, Place::Here(_)),
            price: price.unwrap_or(Price(u64::MAX)),
            seen,
        }
    }

    fn remote<'s>(&'s self, part: usize, server: &Server, peer: &'s Peer) -> Remote<'s> {
        let Route { channel_number, parts, tariff, .. } = self.route;
        let line = bill::line_bill(&self.bound[part], &parts[part].price, tariff, server.ask).ok();
        let price_max = line.and_then(|bill| bill.royalty.checked_add(bill.node_fee));
        let (admitted, time) = self.reservation.admitted;
        Remote {
            peers: &*self.gateway.peers,
            peer,
            network: self.gateway.network,
            key: &self.gateway.key,
            patience: self.patience,
            call: OneCall {
                gateway: self.gateway.node,
                node: server.node,
                channel: *channel_number,
                n: self.reservation.receipt.n,
                line: part as u64,
                version: parts[part].number,
                grant: parts[part].grant_number,
                admitted,
                time,
                bound: self.bound[part].clone(),
                price_max: price_max.unwrap_or_default(),
                work: Digest::ZERO,
            },
        }
    }

    /// Lets a model answer.
    pub(crate) async fn generate(
        &self,
        part: usize,
        job: GenerateJob,
        client: &mpsc::Sender<CallEvent>,
    ) -> Product {
        self.produce(part, Asked::Generate(job), client).await
    }

    /// Lets a model embed.
    pub(crate) async fn embed(
        &self,
        part: usize,
        job: EmbedJob,
        client: &mpsc::Sender<CallEvent>,
    ) -> Product {
        self.produce(part, Asked::Embed(job), client).await
    }

    /// Asks one node; what came of it, and whether another could do better if it is nothing.
    async fn ask(
        &self,
        server: &Server,
        part: usize,
        asked: Asked,
        client: &mpsc::Sender<CallEvent>,
    ) -> (Product, bool) {
        let cancel = &self.reservation.recall.cancel;
        match (&server.place, asked) {
            (Place::Here(Offer::Engine(supply)), asked) => {
                let queued = self.gateway.figures.telemetry().stages.begin(Stage::Queue);
                let _turn = match self.turn(supply, client).await {
                    Ok(turn) => turn,
                    Err(ended) => return *ended,
                };
                queued.stop();
                let engine = supply.engine(self.reservation.permit());
                let product = match asked {
                    Asked::Generate(job) => generate(engine, job, client, cancel).await,
                    Asked::Embed(job) => embed(engine, job, client, cancel).await,
                };
                let elsewhere = is_own_trouble(product.failure.as_ref());
                (product, elsewhere)
            }
            (Place::Here(_), _) => (Product::failed(nothing_to_serve_with()), true),
            (Place::There(peer), Asked::Generate(job)) => {
                self.remote(part, server, peer).generate(&job, client, cancel).await
            }
            (Place::There(peer), Asked::Embed(job)) => {
                self.remote(part, server, peer).embed(&job, client, cancel).await
            }
        }
    }

    /// Waits for this node's engine; how the work ends if the wait does.
    async fn turn(
        &self,
        supply: &Supply,
        client: &mpsc::Sender<CallEvent>,
    ) -> Result<Turn, Box<(Product, bool)>> {
        let taken = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        let place = match taken {
            Some(place) => Ok(place),
            None => supply.turnstile().place(self.route.channel.payer, self.urgency),
        };
        let place = place.map_err(|full| Box::new((Product::failed(refused(full)), true)))?;
        let ended = || Err(Box::new((Product::cancelled(), false)));
        tokio::select! {
            turn = place.turn() => Ok(turn),
            () = self.reservation.recall.cancel.cancelled() => ended(),
            () = client.closed() => ended(),
        }
    }

    /// Asks one node after another, until one has brought forth something, or nobody is left.
    async fn produce(
        &self,
        part: usize,
        asked: Asked,
        client: &mpsc::Sender<CallEvent>,
    ) -> Product {
        let (mut turns, mut asked) = (self.turns(part), Some(asked));
        let mut last = Product::failed(nothing_to_serve_with());
        for turn in 0..turns.servers.len() {
            let (server, started) = (turns.servers[turn], Instant::now());
            self.gateway.health.asked(server.node, self.now_ms());
            // The last that can be asked takes the work itself.
            let last_turn = turn + 1 == turns.servers.len();
            let Some(work) = (if last_turn { asked.take() } else { asked.clone() }) else { break };
            let (product, elsewhere) = self.ask(server, part, work, client).await;
            let first = product.first.map_or_else(|| started.elapsed(), |first| first - started);
            let failed = product.failure.as_ref().filter(|_| elsewhere);
            self.seen(server.node, failed.is_some(), product.delivered().then_some(first));
            let ended = product.delivered() || failed.is_none() || self.is_over();
            let why = failed.map(|error| error.code);
            last = product;
            if ended {
                turns.judge(turn, Verdict::Served);
                self.chose(&turns, turn);
                return last;
            }
            turns.judge(turn, Verdict::Failed(reason(why)));
            tracing::info!(node = server.node, part, code = ?why, "another node is asked");
        }
        last
    }

    /// Whether nobody waits any more.
    fn is_over(&self) -> bool {
        self.reservation.recall.cancel.is_cancelled()
    }

    fn seen(&self, node: u64, failed: bool, first: Option<Duration>) {
        let (health, now) = (&self.gateway.health, self.now_ms());
        match first {
            Some(first) => {
                health.well(node, u64::try_from(first.as_millis()).unwrap_or(u64::MAX), now);
            }
            None if failed && !self.is_over() => health.failed(node, now),
            None => health.given_up(node),
        }
    }

    /// Notes who has served a part, and who else could have.
    fn chose(&self, turns: &Turns<'_>, turn: usize) {
        let server = turns.servers[turn];
        let served = ServedBy { node: server.node, ask: server.ask };
        let dear = self.route.parts[turns.part].too_dear.iter().map(|(node, ask)| {
            let seen = self.gateway.health.seen(*node, self.now_ms());
            Candidate {
                node: *node,
                ask: *ask,
                first_ms: seen.first_ms,
                succeeded: seen.succeeded,
                calls: seen.calls,
                verdict: Verdict::TooDear,
            }
        });
        let candidates: Vec<Candidate> =
            turns.candidates.iter().cloned().chain(dear).take(CANDIDATES_MAX).collect();
        let mut chosen = self.chosen();
        chosen.served[turns.part] = served;
        // Where there was one, there was no choice.
        if candidates.len() > 1 {
            chosen.routings.push(Routing { part: turns.part as u64, candidates });
        }
    }

    /// What is retrieved for a question. `digest` stands for the question in the evidence.
    pub(crate) async fn retrieve(
        &self,
        part: usize,
        parameters: RetrievalParameters,
        question: &str,
        digest: Digest,
    ) -> Result<Retrieved, CallError> {
        let mut turns = self.turns(part);
        let mut last = nothing_to_serve_with();
        for turn in 0..turns.servers.len() {
            let (server, started) = (turns.servers[turn], Instant::now());
            self.gateway.health.asked(server.node, self.now_ms());
            let found = self.retrieve_at(server, part, parameters, question, digest).await;
            let first = found.is_ok().then(|| started.elapsed());
            self.seen(server.node, found.as_ref().is_err_and(|e| e.elsewhere), first);
            match found {
                Ok(retrieved) => {
                    turns.judge(turn, Verdict::Served);
                    self.chose(&turns, turn);
                    return Ok(retrieved);
                }
                Err(Trouble { error, elsewhere }) => {
                    if !elsewhere {
                        return Err(error);
                    }
                    turns.judge(turn, Verdict::Failed(reason(Some(error.code))));
                    last = error;
                }
            }
        }
        Err(last)
    }

    async fn retrieve_at(
        &self,
        server: &Server,
        part: usize,
        parameters: RetrievalParameters,
        question: &str,
        digest: Digest,
    ) -> Result<Retrieved, Trouble> {
        match &server.place {
            Place::Here(Offer::Datanet(corpus)) => {
                let found = corpus.retrieve(question.as_bytes(), digest, &parameters);
                let (evidence, passages) = found
                    .map_err(|error| Trouble { error: CallError::of(&error), elsewhere: false })?;
                let passages = passages.into_iter().map(str::to_owned).collect();
                Ok(Retrieved { part, evidence, passages })
            }
            Place::Here(_) => Err(nothing_to_serve_with().into()),
            Place::There(peer) => {
                let asked = Retrieve {
                    question: question.to_owned(),
                    digest,
                    passages_max: parameters.passages_max,
                    context_bytes_max: parameters.context_bytes_max,
                };
                let (evidence, passages) = self.remote(part, server, peer).retrieve(asked).await?;
                let Evidence::Retrieval(evidence) = evidence else {
                    return Err(misplaced().into());
                };
                let bytes: usize = passages.iter().map(String::len).sum();
                if bytes > parameters.context_bytes_max as usize || evidence.query != digest {
                    return Err(misplaced().into());
                }
                Ok(Retrieved { part, evidence, passages })
            }
        }
    }

    /// What an answer quotes of a datanet on the route, by the node that has served it.
    pub(crate) async fn trace(
        &self,
        part: usize,
        output: &str,
        digest: Digest,
    ) -> Option<SpanEvidence> {
        let node = self.chosen().served[part].node;
        let server = self.route.parts[part].servers.iter().find(|server| server.node == node)?;
        match &server.place {
            Place::Here(Offer::Datanet(corpus)) => {
                corpus.trace(output.as_bytes(), digest, &SpanParameters::default()).ok()
            }
            Place::Here(_) => None,
            Place::There(peer) => {
                let remote = self.remote(part, server, peer);
                match remote.trace(output.as_bytes().to_vec(), digest).await.ok()? {
                    Evidence::VerbatimSpan(evidence) if evidence.output == digest => Some(evidence),
                    _ => None,
                }
            }
        }
    }
}

fn reason(code: Option<ErrorCode>) -> String {
    let text = code.map_or("", ErrorCode::text);
    text.chars().take(REASON_BYTES_MAX).collect()
}

fn misplaced() -> CallError {
    CallError::new(ErrorCode::BadGateway, "the serving node's evidence is for something else")
}

fn nothing_to_serve_with() -> CallError {
    CallError::new(ErrorCode::Unavailable, "nobody has anything to serve the capsule with")
}

/// Whether a failure of this node's engine is its own, so that another could do better.
fn is_own_trouble(failure: Option<&CallError>) -> bool {
    let own = [ErrorCode::EngineBusy, ErrorCode::EngineFailed, ErrorCode::BadGateway];
    failure.is_some_and(|error| own.contains(&error.code))
}
