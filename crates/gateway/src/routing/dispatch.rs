//! Which node serves each part of a call: who could be asked in which order, who was chosen, and
//! what is looked up in records at a node.

use super::rank::{Offered, Ranked, rank};
use crate::call::CallError;
use crate::compose::Retrieved;
use crate::errand::remote::{Remote, Trouble};
use crate::errand::wire::{Replay, Retrieve};
use crate::flow::{self, Priority};
use crate::gateway::Inner;
use crate::meter::ServedBy;
use crate::peers::Peer;
use crate::reservation::Reservation;
use crate::route::{Part, Place, Route, Server};
use crate::serving::Offer;
use ambar_attribution::retrieval::RetrievalParameters;
use ambar_attribution::{CorpusModelEvidence, Evidence, SpanEvidence, SpanParameters};
use ambar_base::{Digest, ErrorCode, Price};
use ambar_corpus::Corpus;
use ambar_receipt::routing::{CANDIDATES_MAX, REASON_BYTES_MAX};
use ambar_receipt::{Candidate, Counters, OneCall, Routing, Verdict, bill};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a part's work is about to use, and who has served which part.
pub(crate) struct Dispatch<'a> {
    pub(super) gateway: &'a Inner,
    pub(super) route: &'a Route,
    bound: &'a [Counters],
    pub(super) reservation: &'a Reservation,
    /// How long the answer is worth having.
    patience: Option<Duration>,
    pub(super) urgency: Priority,
    /// The place before this node's engine that was taken before anything was held.
    pub(super) place: Mutex<Option<flow::Place>>,
    /// Whether there was none.
    full: bool,
    chosen: Mutex<Chosen>,
}

struct Chosen {
    served: Vec<ServedBy>,
    routings: Vec<Routing>,
}

/// One work on a part: who is asked in which order, and what became of them.
pub(super) struct Turns<'a> {
    pub(super) part: usize,
    pub(super) servers: Vec<&'a Server>,
    /// What is told of each, where there is a choice.
    pub(super) candidates: Vec<Candidate>,
}

impl Turns<'_> {
    pub(super) fn judge(&mut self, turn: usize, verdict: Verdict) {
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

    pub(super) fn now_ms(&self) -> u64 {
        (self.gateway.clock)().0
    }

    /// The nodes for a part, in the order in which they are asked.
    pub(super) fn turns(&self, part: usize) -> Turns<'a> {
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

    pub(super) fn remote<'s>(&'s self, part: usize, server: &Server, peer: &'s Peer) -> Remote<'s> {
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

    /// Whether nobody waits any more.
    pub(super) fn is_over(&self) -> bool {
        self.reservation.recall.cancel.is_cancelled()
    }

    pub(super) fn seen(&self, node: u64, failed: bool, first: Option<Duration>) {
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
    pub(super) fn chose(&self, turns: &Turns<'_>, turn: usize) {
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

    /// Who has served a part.
    fn server(&self, part: usize) -> Option<&Server> {
        let node = self.chosen().served[part].node;
        self.route.parts[part].servers.iter().find(|server| server.node == node)
    }

    /// The records of a datanet on the route, if this node has served it.
    pub(crate) fn corpus(&self, part: usize) -> Option<Arc<Corpus>> {
        match &self.server(part)?.place {
            Place::Here(Offer::Datanet(corpus)) => Some(Arc::clone(corpus)),
            Place::Here(_) | Place::There(_) => None,
        }
    }

    /// Where the words of an answer follow in the records of a datanet on the route, by the other
    /// node that has served it.
    pub(crate) async fn replay(&self, part: usize, asked: Replay) -> Option<CorpusModelEvidence> {
        let server = self.server(part)?;
        let Place::There(peer) = &server.place else { return None };
        let (prompt, output) = (asked.prompt_digest, asked.output_digest);
        let parameters = asked.parameters();
        match self.remote(part, server, peer).replay(asked).await.ok()? {
            Evidence::CorpusModel(found)
                if (found.prompt, found.output, found.parameters)
                    == (prompt, output, parameters) =>
            {
                Some(found)
            }
            _ => None,
        }
    }

    /// What an answer quotes of a datanet on the route, by the node that has served it.
    pub(crate) async fn trace(
        &self,
        part: usize,
        output: &str,
        digest: Digest,
    ) -> Option<SpanEvidence> {
        let server = self.server(part)?;
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

pub(super) fn reason(code: Option<ErrorCode>) -> String {
    let text = code.map_or("", ErrorCode::text);
    text.chars().take(REASON_BYTES_MAX).collect()
}

fn misplaced() -> CallError {
    CallError::new(ErrorCode::BadGateway, "the serving node's evidence is for something else")
}

pub(super) fn nothing_to_serve_with() -> CallError {
    CallError::new(ErrorCode::Unavailable, "nobody has anything to serve the capsule with")
}
