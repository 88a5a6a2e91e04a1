//! The gateway's side: it asks another node for one call's work, hands on what comes, and knows
//! in the end what to bill.
//!
//! **Invariant**: whatever ends the answer, the counts that are billed are within what the node
//! has counted itself, so that it signs them.

use super::wire::{
    Cancel, Done, Embed, Errand, Failed, Frame, Frames, Generate, Replay, Retrieve, Trace, Work,
};
use super::{CANCEL_PATH, WORK_PATH};
use crate::answers::AnswerBody;
use crate::call::{CallError, CallEvent};
use crate::peers::{Peer, PeerBody, Peers};
use crate::routing::Outlet;
use crate::transcript::{Product, Transcript};
use ambar_attribution::Evidence;
use ambar_base::{Digest, Encode, ErrorCode, NetworkId, SecretKey};
use ambar_compute::{EmbedJob, Finish, GenerateJob, Usage};
use ambar_receipt::OneCall;
use bytes::Bytes;
use futures::StreamExt;
use std::time::{Duration, Instant};

/// How long a node may take to say what it had used, once it was told to end.
const CANCEL_WAIT: Duration = Duration::from_secs(5);

/// Another node, asked for the work of one line.
pub(crate) struct Remote<'a> {
    pub peers: &'a dyn Peers,
    pub peer: &'a Peer,
    pub network: NetworkId,
    pub key: &'a SecretKey,
    /// What is asked, but for the work.
    pub call: OneCall,
    /// How long the answer is worth having.
    pub patience: Option<Duration>,
}

/// An answer that is being read.
struct Reading {
    body: PeerBody,
    frames: Frames,
}

fn broken(message: String) -> CallError {
    CallError::new(ErrorCode::BadGateway, message)
}

impl Reading {
    async fn next(&mut self) -> Result<Frame, CallError> {
        loop {
            let frame = self.frames.pop().map_err(|error| broken(error.to_string()))?;
            if let Some(frame) = frame {
                return Ok(frame);
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.frames.push(&bytes),
                Some(Err(error)) => return Err(broken(error.message)),
                None => return Err(broken("the serving node closed too early".into())),
            }
        }
    }
}

/// Why another node failed, and whether another could do better.
pub(crate) struct Trouble {
    pub error: CallError,
    pub elsewhere: bool,
}

impl From<CallError> for Trouble {
    /// What a node did not say itself is its own trouble.
    fn from(error: CallError) -> Self {
        Self { error, elsewhere: true }
    }
}

/// What the caller is told of a node's refusal. An errand that comes too late, or from a clock
/// that differs, is the two nodes' affair: the caller's own time is not wrong.
fn trouble(failed: Failed) -> Trouble {
    let Failed { code, message, param, retry, elsewhere, .. } = failed;
    let code = ErrorCode::ALL.iter().copied().find(|known| known.text() == code);
    let code = code.filter(|code| *code != ErrorCode::ClockSkew);
    let error = CallError {
        param,
        retry: retry.is_some(),
        retry_after_ms: retry.filter(|ms| *ms > 0),
        ..CallError::new(code.unwrap_or(ErrorCode::BadGateway), message)
    };
    Trouble { error, elsewhere }
}

impl Remote<'_> {
    async fn ask(&self, work: Work) -> Result<Reading, CallError> {
        let work = work.to_bytes();
        let call = OneCall { work: Digest::of(&work), ..self.call.clone() };
        let certificate = call.sign(self.network, self.key);
        let patience_ms =
            self.patience.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let errand = Errand { certificate, work, patience_ms };
        let body = Bytes::from(errand.to_bytes());
        let body = self.peers.post(self.peer, WORK_PATH, body).await;
        let body = body.map_err(|error| broken(error.message))?;
        Ok(Reading { body, frames: Frames::default() })
    }

    /// Lets the node write, and hands each piece on.
    pub(crate) async fn generate(&self, job: &GenerateJob, outlet: Outlet<'_>) -> (Product, bool) {
        self.run(Work::Generate(Generate::of(job)), outlet).await
    }

    /// Lets the node embed.
    pub(crate) async fn embed(&self, job: &EmbedJob, outlet: Outlet<'_>) -> (Product, bool) {
        self.run(Work::Embed(Embed::of(job)), outlet).await
    }

    /// What the node brought forth, and whether another could do better if it is nothing.
    async fn run(&self, work: Work, outlet: Outlet<'_>) -> (Product, bool) {
        let asked = tokio::select! {
            asked = self.ask(work) => asked,
            () = outlet.cancel.cancelled() => return (Product::cancelled(), false),
            () = outlet.closed() => return (Product::cancelled(), false),
        };
        let mut reading = match asked {
            Ok(reading) => reading,
            Err(error) => return (Product::failed(error), true),
        };
        let mut taken = Taken::default();
        loop {
            let frame = tokio::select! {
                biased;
                () = outlet.cancel.cancelled() => break,
                () = outlet.closed() => break,
                frame = reading.next() => frame,
            };
            match frame {
                Ok(frame) => {
                    if let Some(end) = taken.take(frame, Some(outlet)).await {
                        return end;
                    }
                }
                Err(error) => return taken.broken(error),
            }
        }
        self.give_up(reading, taken).await
    }

    /// Tells the node to end, and waits a little for what it had used.
    async fn give_up(&self, mut reading: Reading, mut taken: Taken) -> (Product, bool) {
        let OneCall { channel, n, line, .. } = self.call;
        let cancel = Bytes::from(Cancel { channel, n, line }.to_bytes());
        let ended = async {
            // If it does not hear this, it notices that nobody reads.
            let _ = self.peers.post(self.peer, CANCEL_PATH, cancel).await;
            while let Ok(frame) = reading.next().await {
                if let Some(end) = taken.take(frame, None).await {
                    return Some(end);
                }
            }
            None
        };
        let ended = tokio::time::timeout(CANCEL_WAIT, ended).await.ok().flatten();
        ended.unwrap_or_else(|| (taken.ended(Finish::Cancelled, None), false))
    }

    /// Lets the node search its records.
    pub(crate) async fn retrieve(
        &self,
        asked: Retrieve,
    ) -> Result<(Evidence, Vec<String>), Trouble> {
        let mut reading = self.ask(Work::Retrieve(asked)).await?;
        let mut found = None;
        loop {
            match reading.next().await? {
                Frame::Retrieved(retrieved) => found = Some(retrieved),
                Frame::Done(_) => break,
                Frame::Failed(failed) => return Err(trouble(failed)),
                _ => return Err(unexpected().into()),
            }
        }
        let found = found.ok_or_else(unexpected)?;
        let evidence = Evidence::decode(&found.evidence);
        let evidence = evidence.map_err(|error| broken(error.to_string()))?;
        Ok((evidence, found.passages))
    }

    /// Lets the node look for what an answer quotes.
    pub(crate) async fn trace(&self, output: Vec<u8>, digest: Digest) -> Result<Evidence, Trouble> {
        self.evidence(Work::Trace(Trace { output, digest })).await
    }

    /// Lets the node look for where the words of an answer follow in its records.
    pub(crate) async fn replay(&self, asked: Replay) -> Result<Evidence, Trouble> {
        self.evidence(Work::Replay(asked)).await
    }

    async fn evidence(&self, work: Work) -> Result<Evidence, Trouble> {
        let mut reading = self.ask(work).await?;
        match reading.next().await? {
            Frame::Traced(evidence) => {
                Ok(Evidence::decode(&evidence).map_err(|error| broken(error.to_string()))?)
            }
            Frame::Failed(failed) => Err(trouble(failed)),
            _ => Err(unexpected().into()),
        }
    }
}

fn unexpected() -> CallError {
    broken("the serving node's answer is not what was asked for".into())
}

/// What has come so far.
#[derive(Default)]
struct Taken {
    transcript: Transcript,
    vectors: Vec<Vec<f32>>,
    prompt: Option<u64>,
    pieces: u64,
    first: Option<Instant>,
}

impl Taken {
    /// Takes a frame; the end, if it is one.
    async fn take(&mut self, frame: Frame, outlet: Option<Outlet<'_>>) -> Option<(Product, bool)> {
        let event = match frame {
            Frame::Began(tokens) => {
                self.prompt = tokens;
                return None;
            }
            Frame::Text(text) => CallEvent::Text(text),
            Frame::Piece(piece) => match piece.piece() {
                Some(piece) => CallEvent::Piece(Box::new(piece)),
                None => return Some(self.broken(unexpected())),
            },
            Frame::Vectors(vectors) => {
                let vectors = AnswerBody { vectors, ..AnswerBody::default() }.floats();
                CallEvent::Vectors(vectors)
            }
            Frame::Done(done) => return Some((self.done(&done), false)),
            Frame::Failed(failed) => return Some(self.fail(failed)),
            Frame::Retrieved(_) | Frame::Traced(_) => return Some(self.broken(unexpected())),
        };
        if let Some(outlet) = outlet.filter(Outlet::is_heard) {
            self.first.get_or_insert_with(Instant::now);
            self.note(&event);
            // Whoever left is noticed before the next frame.
            outlet.send(event).await;
        }
        None
    }

    fn note(&mut self, event: &CallEvent) {
        self.pieces += 1;
        match event {
            CallEvent::Text(text) => self.transcript.say(text),
            CallEvent::Piece(piece) => self.transcript.add(piece),
            CallEvent::Vectors(vectors) => self.vectors.clone_from(vectors),
            CallEvent::Done(_) | CallEvent::Failed(_) => {}
        }
    }

    fn done(&mut self, done: &Done) -> Product {
        let usage = done.usage();
        Product { usage, ..self.ended(done.finish(), None) }
    }

    fn fail(&mut self, failed: Failed) -> (Product, bool) {
        let used = failed.used;
        let Trouble { error, elsewhere } = trouble(failed);
        let ended = self.ended(used.finish(), Some(error));
        (Product { usage: used.usage(), finish: None, ..ended }, elsewhere)
    }

    /// The connection broke: what came is counted, a piece as one token.
    fn broken(&mut self, error: CallError) -> (Product, bool) {
        let product = self.ended(Finish::Cancelled, Some(error));
        (Product { finish: None, ..product }, true)
    }

    fn ended(&mut self, finish: Finish, failure: Option<CallError>) -> Product {
        Product {
            transcript: std::mem::take(&mut self.transcript),
            vectors: std::mem::take(&mut self.vectors),
            usage: Usage::told(self.prompt, Some(self.pieces), 0),
            finish: Some(finish),
            failure,
            first: self.first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_says_is_told_but_for_clocks_that_differ() {
        let check = |code: &str, expect| {
            let failed = Failed {
                code: code.to_owned(),
                message: "no".into(),
                param: None,
                retry: Some(20),
                elsewhere: true,
                used: Done::default(),
            };
            let Trouble { error, elsewhere } = trouble(failed);
            assert_eq!((error.code, error.retry_after_ms), (expect, Some(20)), "{code}");
            assert!(elsewhere);
        };
        check("engine_busy", ErrorCode::EngineBusy);
        check("context_length_exceeded", ErrorCode::ContextTooLong);
        check("clock_skew", ErrorCode::BadGateway);
        check("from_a_later_version", ErrorCode::BadGateway);
    }
}
