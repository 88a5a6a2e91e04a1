//! Letting a model work: at this node or another, the best first, the next only while nothing
//! of the answer has come.
//!
//! **Invariant**: what a client has seen a byte of is never asked of a second node. Two nodes
//! are under way at once only until the first piece comes from one of them.

use super::dispatch::{Dispatch, Turns, nothing_to_serve_with, reason};
use super::outlet::{Outlet, Race};
use crate::call::{CallError, CallEvent};
use crate::enter::refused;
use crate::flow::Turn;
use crate::local::{embed, generate};
use crate::route::{Place, Server};
use crate::serving::Offer;
use crate::supply::{Answers, Supply};
use crate::telemetry::Stage;
use crate::transcript::Product;
use ambar_base::ErrorCode;
use ambar_compute::{EmbedJob, GenerateJob};
use ambar_receipt::Verdict;
use futures::FutureExt as _;
use futures::future::select;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The work of a model.
#[derive(Clone)]
enum Asked {
    Generate(GenerateJob),
    Embed(EmbedJob),
}

/// What came of asking one node.
struct Ended {
    turn: usize,
    product: Product,
    /// Whether another could do better, if it is nothing.
    elsewhere: bool,
    asked: Instant,
}

impl Ended {
    /// Why another node could do better.
    fn trouble(&self) -> Option<&CallError> {
        self.product.failure.as_ref().filter(|_| self.elsewhere && !self.product.delivered())
    }
}

impl Dispatch<'_> {
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

    /// Asks one node after another, until one has brought forth something, or nobody is left.
    async fn produce(
        &self,
        part: usize,
        asked: Asked,
        client: &mpsc::Sender<CallEvent>,
    ) -> Product {
        let (mut turns, mut asked) = (self.turns(part), Some(asked));
        let (mut last, mut turn) = (Product::failed(nothing_to_serve_with()), 0);
        while turn < turns.servers.len() {
            // The last that can be asked takes the work itself.
            let last_turn = turn + 1 == turns.servers.len();
            let Some(work) = (if last_turn { asked.take() } else { asked.clone() }) else { break };
            let (ended, next) = match self.patience_with(&turns, turn) {
                Some(patience) => self.race(&mut turns, turn, (work, patience), client).await,
                None => {
                    let outlet = Outlet::alone(client, &self.reservation.recall.cancel);
                    (self.attempt(&turns, turn, work, outlet).await, turn + 1)
                }
            };
            if ended.trouble().is_none() || self.is_over() {
                self.note(&turns, &ended);
                turns.judge(ended.turn, Verdict::Served);
                self.chose(&turns, ended.turn);
                return ended.product;
            }
            last = self.failed(&mut turns, ended);
            turn = next;
        }
        last
    }

    /// How long the node whose turn it is may take before the next is asked as well; for ever
    /// if there is none, nobody wants that, or too little is known.
    fn patience_with(&self, turns: &Turns<'_>, turn: usize) -> Option<Duration> {
        let percentile = self.gateway.hedging.call()?;
        let next = turns.candidates.get(turn + 1)?;
        if next.verdict == Verdict::Resting {
            return None;
        }
        let node = turns.servers[turn].node;
        let slow_ms = self.gateway.health.slow(node, percentile, self.now_ms())?;
        Some(Duration::from_millis(slow_ms.max(1)))
    }

    /// Asks the node whose turn it is, and the next too if it is slow; what came of the one that
    /// is heard, or of the last to fail, and whose turn it is then.
    async fn race(
        &self,
        turns: &mut Turns<'_>,
        turn: usize,
        (work, patience): (Asked, Duration),
        client: &mpsc::Sender<CallEvent>,
    ) -> (Ended, usize) {
        let race = Race::under(&self.reservation.recall.cancel);
        let attempt = |runner: usize, work| {
            self.attempt(turns, turn + runner, work, race.outlet(runner, client)).boxed()
        };
        let mut first = attempt(0, work.clone());
        tokio::select! {
            ended = &mut first => return (ended, turn + 1),
            () = tokio::time::sleep(patience) => {}
        }
        if race.winner().is_some() || !self.gateway.hedging.spend() {
            return (first.await, turn + 1);
        }
        self.gateway.figures.hedged();
        let began = Instant::now();
        let (ended, other) = select(first, attempt(1, work)).await.factor_first();
        let heard = race.winner().map(|runner| turn + runner);
        if heard.map_or(ended.trouble().is_none(), |heard| heard == ended.turn) {
            // The other was cancelled with the first piece of this one, if there was any.
            drop(other);
            let slower = 2 * turn + 1 - ended.turn;
            let waited = began.elapsed() + if slower == turn { patience } else { Duration::ZERO };
            self.overtaken(turns, slower, waited);
            return (ended, turn + 2);
        }
        let other = other.into_inner().await;
        match heard {
            Some(_) => self.overtaken(turns, ended.turn, ended.asked.elapsed()),
            None => drop(self.failed(turns, ended)),
        }
        (other, turn + 2)
    }

    /// Asks one node.
    async fn attempt(
        &self,
        turns: &Turns<'_>,
        turn: usize,
        work: Asked,
        outlet: Outlet<'_>,
    ) -> Ended {
        let (server, asked) = (turns.servers[turn], Instant::now());
        self.gateway.health.asked(server.node, self.now_ms());
        let (product, elsewhere) = self.ask(server, turns.part, work, outlet).await;
        Ended { turn, product, elsewhere, asked }
    }

    /// Another was faster: this one took at least so long.
    fn overtaken(&self, turns: &mut Turns<'_>, turn: usize, waited: Duration) {
        self.seen(turns.servers[turn].node, false, Some(waited));
        turns.judge(turn, Verdict::Overtaken);
    }

    /// Notes how it went with a node whose answer stays.
    fn note(&self, turns: &Turns<'_>, ended: &Ended) {
        let Ended { product, asked, .. } = ended;
        let first = product.first.map_or_else(|| asked.elapsed(), |first| first - *asked);
        let failed = ended.elsewhere && product.failure.is_some();
        let node = turns.servers[ended.turn].node;
        self.seen(node, failed, product.delivered().then_some(first));
    }

    /// Notes that a node failed and another is asked; what came of it.
    fn failed(&self, turns: &mut Turns<'_>, ended: Ended) -> Product {
        let (node, part) = (turns.servers[ended.turn].node, turns.part);
        self.note(turns, &ended);
        let code = ended.trouble().map(|error| error.code);
        turns.judge(ended.turn, Verdict::Failed(reason(code)));
        tracing::info!(node, part, ?code, "another node is asked");
        ended.product
    }

    /// Asks one node; what came of it, and whether another could do better if it is nothing.
    async fn ask(
        &self,
        server: &Server,
        part: usize,
        asked: Asked,
        outlet: Outlet<'_>,
    ) -> (Product, bool) {
        match (&server.place, asked) {
            (Place::Here(Offer::Engine(supply)), asked) => {
                let queued = self.gateway.figures.telemetry().stages.begin(Stage::Queue);
                let _turn = match self.turn(supply, outlet).await {
                    Ok(turn) => turn,
                    Err(ended) => return *ended,
                };
                queued.stop();
                let engine = supply.engine(self.reservation.permit());
                let product = match asked {
                    Asked::Generate(job) => generate(engine, job, outlet).await,
                    Asked::Embed(job) => embed(engine, job, outlet).await,
                };
                let elsewhere = is_own_trouble(product.failure.as_ref());
                (product, elsewhere)
            }
            (Place::Here(_), _) => (Product::failed(nothing_to_serve_with()), true),
            (Place::There(peer), Asked::Generate(job)) => {
                self.remote(part, server, peer).generate(&job, outlet).await
            }
            (Place::There(peer), Asked::Embed(job)) => {
                self.remote(part, server, peer).embed(&job, outlet).await
            }
        }
    }

    /// Waits for this node's engine; how the work ends if the wait does.
    async fn turn(
        &self,
        supply: &Supply,
        outlet: Outlet<'_>,
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
            () = outlet.cancel.cancelled() => ended(),
            () = outlet.closed() => ended(),
        }
    }
}

/// Whether a failure of this node's engine is its own, so that another could do better.
fn is_own_trouble(failure: Option<&CallError>) -> bool {
    let own = [ErrorCode::EngineBusy, ErrorCode::EngineFailed, ErrorCode::BadGateway];
    failure.is_some_and(|error| own.contains(&error.code))
}
