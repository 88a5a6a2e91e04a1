//! Fetching the authenticated state from peers, and serving it to them.
//!
//! One actor reads the channel. It answers peers' questions one after another, so that
//! whoever asks much waits, and hands answers to whoever asked.
//!
//! **Invariant**: an answer counts only if it comes from the peer that was asked; a peer whose
//! operations do not prove against the state's root is not asked again.

use crate::questions::{Answer, Answered, Asked, Letter, Question, Tip};
use crate::state::{StateDb, StateOp, Storing, op_lengths};
use crate::states::States;
use crate::types::{Key, Sha};
use ambar_base::Encode;
use ambar_consensus::core::Core;
use bytes::Bytes;
use commonware_codec::{Decode as _, DecodeExt as _, Encode as _};
use commonware_glue::stateful::db::{AttachableResolverSet, Shared};
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Handle;
use commonware_storage::merkle::mmr;
use commonware_storage::qmdb::sync::source::{Feedback, Response};
use commonware_storage::qmdb::sync::{Request, Source, source};
use commonware_utils::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Operations that one answer may hold.
pub(super) const OPERATIONS_MAX: u64 = 256;
/// How long a peer may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait before asking when there is nobody to ask.
const NOBODY_PAUSE: Duration = Duration::from_millis(200);
/// Ends of epochs in one answer: some 1 kB each.
const HANDOVERS_SHOWN: u64 = 512;

type StateResponse = Response<mmr::Family, StateOp, Sha>;

/// What the actor and those who ask share.
struct Desk<E: Storing> {
    database: Option<Shared<StateDb<E>>>,
    /// In order, so that those who wait hear of the end in the order in which they asked.
    asked: BTreeMap<u64, (Key, oneshot::Sender<Answer>)>,
    next: u64,
    /// Peers that say that they are further, in the order in which they are asked.
    ahead: Vec<Key>,
    /// Answers with a part of the state that proved.
    taken: u64,
}

/// The way to peers' state. Clones share it.
pub(crate) struct PeerState<E: Storing> {
    runtime: Arc<E>,
    desk: Arc<Mutex<Desk<E>>>,
    outbox: mpsc::UnboundedSender<(Recipients<Key>, Bytes)>,
}

impl<E: Storing> Clone for PeerState<E> {
    fn clone(&self) -> Self {
        let (runtime, desk) = (Arc::clone(&self.runtime), Arc::clone(&self.desk));
        Self { runtime, desk, outbox: self.outbox.clone() }
    }
}

fn locked<E: Storing>(desk: &Mutex<Desk<E>>) -> MutexGuard<'_, Desk<E>> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the actor.
pub(crate) fn start<E, S, R>(
    runtime: E,
    core: Arc<Core>,
    (mut sender, mut receiver): (S, R),
) -> (PeerState<E>, Handle<()>)
where
    E: Storing,
    S: Sender<PublicKey = Key>,
    R: Receiver<PublicKey = Key>,
{
    let desk =
        Desk { database: None, asked: BTreeMap::new(), next: 0, ahead: Vec::new(), taken: 0 };
    let desk = Arc::new(Mutex::new(desk));
    let (outbox, mut letters) = mpsc::unbounded_channel();
    let asking = Arc::new(runtime.child("asking"));
    let state = PeerState { runtime: asking, desk: Arc::clone(&desk), outbox };
    let task = runtime.spawn(move |_| async move {
        loop {
            let received = {
                let out = pin!(letters.recv());
                let heard = pin!(receiver.recv());
                match select(out, heard).await {
                    Either::Left((Some((to, letter)), _)) => {
                        sender.send(to, letter, false);
                        continue;
                    }
                    Either::Right((Ok(received), _)) => received,
                    Either::Left((None, _)) | Either::Right((Err(_), _)) => return,
                }
            };
            let (from, message) = received;
            match Letter::open(&Bytes::from(message)) {
                Ok(Letter::Question(Asked { number, question })) => {
                    let answer = answer(&core, &desk, question).await;
                    let letter = Letter::Answer(Answered { number, answer }).seal();
                    sender.send(Recipients::One(from), letter, false);
                }
                Ok(Letter::Answer(answered)) => deliver(&desk, &from, answered),
                Err(error) => tracing::debug!(%error, "a peer's letter is refused"),
            }
        }
    });
    (state, task)
}

fn deliver<E: Storing>(desk: &Mutex<Desk<E>>, from: &Key, answered: Answered) {
    let mut desk = locked(desk);
    if desk.asked.get(&answered.number).is_some_and(|(asked, _)| asked == from)
        && let Some((_, waits)) = desk.asked.remove(&answered.number)
    {
        // Whoever asked may have gone.
        let _ = waits.send(answered.answer);
    }
}

async fn answer<E: Storing>(core: &Core, desk: &Mutex<Desk<E>>, question: Question) -> Answer {
    match question {
        Question::Tip(since) => tip(core, since).map_or(Answer::Nothing, Answer::Tip),
        Question::State(request) => {
            let database = locked(desk).database.clone();
            let served = serve(database, &request).await;
            served.map_or(Answer::Nothing, Answer::State)
        }
    }
}

/// How far this node is; nothing at genesis, which everybody has.
fn tip(core: &Core, since: u64) -> Option<Vec<u8>> {
    let snapshot = core.snapshot().ok()?;
    let head = snapshot.head().height;
    let block = snapshot.final_header(head).ok().flatten().filter(|_| head.0 > 0)?;
    let until = block.certificate.epoch.min(since.saturating_add(HANDOVERS_SHOWN));
    let handovers = Core::handovers(&snapshot, since, until).ok()?;
    Some(Tip { block, handovers }.to_bytes())
}

async fn serve<E: Storing>(
    database: Option<Shared<StateDb<E>>>,
    request: &[u8],
) -> Option<Vec<u8>> {
    let request = Request::<mmr::Family>::decode(Bytes::copy_from_slice(request)).ok()?;
    if request.max_ops().get() > OPERATIONS_MAX {
        return None;
    }
    let (response, _) = database?.serve(request).await.ok()?;
    Some(response.encode().to_vec())
}

impl<E: Storing> PeerState<E> {
    /// Asks one peer.
    async fn ask(&self, peer: &Key, question: Question, within: Duration) -> Option<Answer> {
        let (waits, answer) = oneshot::channel();
        let number = {
            let mut desk = locked(&self.desk);
            desk.next += 1;
            let number = desk.next;
            desk.asked.insert(number, (peer.clone(), waits));
            number
        };
        let letter = Letter::Question(Asked { number, question }).seal();
        self.outbox.send((Recipients::One(peer.clone()), letter)).ok()?;
        let late = self.runtime.sleep(within);
        let answered = match select(pin!(answer), pin!(late)).await {
            Either::Left((answer, _)) => answer.ok(),
            Either::Right(_) => None,
        };
        locked(&self.desk).asked.remove(&number);
        answered
    }

    /// Asks a peer how far it is, and remembers it as one to ask for state. The outer nothing
    /// means that it did not answer.
    pub(super) async fn tip(
        &self,
        peer: &Key,
        since: u64,
        within: Duration,
    ) -> Option<Option<Tip>> {
        let tip = match self.ask(peer, Question::Tip(since), within).await? {
            Answer::Tip(bytes) => ambar_base::codec::decode::<Tip>(&bytes).ok()?,
            _ => return Some(None),
        };
        let mut desk = locked(&self.desk);
        if !desk.ahead.contains(peer) {
            desk.ahead.push(peer.clone());
        }
        Some(Some(tip))
    }

    /// The next peer to ask for state.
    fn next_ahead(&self) -> Option<Key> {
        let mut desk = locked(&self.desk);
        let peer = desk.ahead.first().cloned()?;
        desk.ahead.rotate_left(1);
        Some(peer)
    }

    /// How many parts of the state were taken from peers since the start.
    pub(super) fn taken(&self) -> u64 {
        locked(&self.desk).taken
    }

    fn forsake(&self, peer: &Key) {
        tracing::warn!(?peer, "a peer's state does not prove: it is not asked again");
        locked(&self.desk).ahead.retain(|other| other != peer);
    }

    /// Operations from whoever has them first.
    async fn fetch(&self, request: Request<mmr::Family>) -> (Key, StateResponse) {
        let max = usize::try_from(request.max_ops().get()).unwrap_or(usize::MAX);
        loop {
            let Some(peer) = self.next_ahead() else {
                self.runtime.sleep(NOBODY_PAUSE).await;
                continue;
            };
            let question = Question::State(request.encode().to_vec());
            match self.ask(&peer, question, ANSWER_WITHIN).await {
                Some(Answer::State(bytes)) => {
                    let read = StateResponse::decode_cfg(Bytes::from(bytes), &(max, op_lengths()));
                    match read {
                        Ok(response) => return (peer, response),
                        Err(_) => self.forsake(&peer),
                    }
                }
                // It may have pruned what is asked for, or have nothing yet.
                _ => self.runtime.sleep(NOBODY_PAUSE).await,
            }
        }
    }
}

impl<E: Storing> Source for PeerState<E> {
    type Family = mmr::Family;
    type Digest = Sha;
    type Op = StateOp;
    type Error = Infallible;

    async fn serve(&self, request: Request<mmr::Family>) -> source::Result<Self> {
        let (peer, response) = self.fetch(request).await;
        let (verdict, judged) = oneshot::channel();
        let (candidates, more) = mpsc::channel(1);
        let again = self.clone();
        // Ends when the response is accepted or nobody wants another.
        self.runtime.child("judgement").spawn(move |_| async move {
            let (mut peer, mut judged) = (peer, judged);
            while let Ok(proved) = judged.await {
                if proved {
                    locked(&again.desk).taken += 1;
                    return;
                }
                again.forsake(&peer);
                let (next, response) = again.fetch(request).await;
                let (verdict, waits) = oneshot::channel();
                if candidates.send((response, verdict)).await.is_err() {
                    return;
                }
                (peer, judged) = (next, waits);
            }
        });
        Ok((response, Some(Feedback::new(verdict, more))))
    }
}

impl<E: Storing> AttachableResolverSet<States<E>> for PeerState<E> {
    async fn attach_databases(&self, states: States<E>) {
        locked(&self.desk).database = Some(states.database());
    }
}
