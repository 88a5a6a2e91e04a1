//! The bytes between gateways and serving nodes, in the compact encoding.
//!
//! A request is an [`Errand`]; an answer is a row of frames, each four bytes of length, most
//! significant first, and a [`Frame`]. Both nodes are of one version: the path names it.
//!
//! **Invariant**: frames do not depend on how the bytes were cut, and no more than one frame of
//! bounded length is held.

use ambar_base::codec::{self, DecodeError};
use ambar_base::{Digest, Encode, choice, record};
use ambar_compute::{EmbedJob, Extras, Finish, GenerateJob, Message, Piece, Prompt, Role, Usage};
use ambar_receipt::SignedOneCall;
use serde_json::{Map, Value};

/// Longest frame, bytes: passages, vectors and evidence come whole.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

record! {
    /// What a serving node is asked.
    pub struct Errand {
        /// The gateway's word for it.
        pub certificate: SignedOneCall,
        /// The [`Work`], whose digest the certificate has.
        pub work: Vec<u8>,
        /// How long the answer is worth having, milliseconds; nothing: as long as it takes.
        pub patience_ms: Option<u64>,
    }
}

choice! {
    /// The work.
    pub enum Work {
        /// Answer a prompt.
        Generate(Generate) = 1,
        /// Turn texts into vectors.
        Embed(Embed) = 2,
        /// Find passages for a question.
        Retrieve(Retrieve) = 3,
        /// Find what an answer quotes.
        Trace(Trace) = 4,
    }
}

record! {
    /// A [`GenerateJob`] as it is sent.
    pub struct Generate {
        /// Roles and texts; one without a role is a text to continue.
        pub prompt: Vec<(Option<u16>, String)>,
        /// See [`GenerateJob::max_tokens`].
        pub max_tokens: u32,
        /// The bits of the temperature.
        pub temperature: u32,
        /// The bits of the nucleus.
        pub top_p: u32,
        /// See [`GenerateJob::seed`].
        pub seed: Option<u64>,
        /// See [`GenerateJob::stop`].
        pub stop: Vec<String>,
        /// See [`GenerateJob::choices`].
        pub choices: u32,
        /// See [`GenerateJob::stream`].
        pub stream: bool,
        /// Messages as they were written: JSON.
        pub messages: Option<String>,
        /// Other fields that change the answer: JSON.
        pub fields: String,
        /// Fields that do not: JSON.
        pub hints: String,
    }
}

record! {
    /// An [`EmbedJob`] as it is sent.
    pub struct Embed {
        /// The texts.
        pub inputs: Vec<String>,
        /// Fields that change the vectors: JSON.
        pub fields: String,
        /// Fields that do not: JSON.
        pub hints: String,
    }
}

record! {
    /// What is looked for.
    pub struct Retrieve {
        /// The question.
        pub question: String,
        /// What stands for it in the evidence.
        pub digest: Digest,
        /// Most passages.
        pub passages_max: u32,
        /// Most bytes of all passages.
        pub context_bytes_max: u32,
    }
}

record! {
    /// What is traced.
    pub struct Trace {
        /// The answer.
        pub output: Vec<u8>,
        /// What stands for it in the evidence.
        pub digest: Digest,
    }
}

choice! {
    /// A piece of the answer.
    pub enum Frame {
        /// The work has begun; the prompt has so many tokens, if they were counted.
        Began(Option<u64>) = 1,
        /// Text of the only or first choice.
        Text(String) = 2,
        /// Anything else of an answer.
        Piece(WirePiece) = 3,
        /// Vectors as little-endian 32-bit floats.
        Vectors(Vec<Vec<u8>>) = 4,
        /// Evidence of a retrieval, and the passages.
        Retrieved(Retrieved) = 5,
        /// Evidence of a trace.
        Traced(Vec<u8>) = 6,
        /// The work is over, and durable here.
        Done(Done) = 7,
        /// The work failed.
        Failed(Failed) = 8,
    }
}

record! {
    /// A [`Piece`] as it is sent.
    pub struct WirePiece {
        /// Which choice.
        pub choice: u32,
        /// Its text.
        pub text: String,
        /// What else it says: JSON.
        pub rest: String,
        /// Log probabilities: JSON.
        pub logprobs: Option<String>,
        /// Why the choice ended.
        pub finish_reason: Option<String>,
    }
}

record! {
    /// What was found.
    pub struct Retrieved {
        /// The evidence, encoded.
        pub evidence: Vec<u8>,
        /// The passages, best first.
        pub passages: Vec<String>,
    }
}

record! {
    /// How work ended.
    #[derive(Copy, Default)]
    pub struct Done {
        /// Prompt tokens, if they are known.
        pub tokens_in: Option<u64>,
        /// Of these, those that were not read again, if that is known.
        pub tokens_cached: Option<u64>,
        /// Answer tokens, if they are known.
        pub tokens_out: Option<u64>,
        /// Prompt tokens by the node's own tokenizer, beside an upstream's claim.
        pub counted_in: Option<u64>,
        /// Answer tokens likewise.
        pub counted_out: Option<u64>,
        /// Prompt tokens at most that a template adds, which that tokenizer does not count.
        pub template_in: u64,
        /// Pieces of answer; each is at least a token.
        pub pieces_out: u64,
        /// Why the answer ended, as receipts write it.
        pub finish: u16,
    }
}

record! {
    /// Why work failed.
    pub struct Failed {
        /// A public error code.
        pub code: String,
        /// What happened, for people.
        pub message: String,
        /// The parameter that is wrong.
        pub param: Option<String>,
        /// Whether it may be asked again, and when, milliseconds from now.
        pub retry: Option<u64>,
        /// Whether another node could do better: it is this node's trouble, not the job's.
        pub elsewhere: bool,
        /// What was used before.
        pub used: Done,
    }
}

record! {
    /// Which work is to end.
    #[derive(Copy)]
    pub struct Cancel {
        /// The channel.
        pub channel: u64,
        /// The call's number on it.
        pub n: u64,
        /// The line.
        pub line: u64,
    }
}

const ROLES: [Role; 4] = [Role::System, Role::User, Role::Assistant, Role::Tool];

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("JSON values serialise")
}

/// A value that does not read is none: the other side checks what it does with it.
fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

impl Generate {
    /// A job as it is sent.
    #[must_use]
    pub fn of(job: &GenerateJob) -> Self {
        let role = |role: Role| ROLES.iter().zip(0..).find(|(r, _)| **r == role).map(|(_, n)| n);
        let prompt = match &job.prompt {
            Prompt::Text(text) => vec![(None, text.clone())],
            Prompt::Chat(messages) => messages
                .iter()
                .map(|message| (role(message.role), message.content.clone()))
                .collect(),
        };
        let Extras { messages, fields, hints } = &job.extras;
        Self {
            prompt,
            max_tokens: job.max_tokens,
            temperature: job.temperature.to_bits(),
            top_p: job.top_p.to_bits(),
            seed: job.seed,
            stop: job.stop.clone(),
            choices: job.choices,
            stream: job.stream,
            messages: messages.as_ref().map(json),
            fields: json(fields),
            hints: json(hints),
        }
    }

    /// The job; nothing if it is none.
    #[must_use]
    pub fn job(self) -> Option<GenerateJob> {
        let role = |number: u16| ROLES.get(usize::from(number)).copied();
        let prompt = match &self.prompt[..] {
            [(None, text)] => Prompt::Text(text.clone()),
            turns => {
                let turn = |(number, text): &(Option<u16>, String)| {
                    Some(Message::new(role((*number)?)?, text.clone()))
                };
                Prompt::Chat(turns.iter().map(turn).collect::<Option<_>>()?)
            }
        };
        let messages = self.messages.map(|text| serde_json::from_str(&text).ok());
        let messages = match messages {
            Some(None) => return None,
            Some(read) => read,
            None => None,
        };
        let (fields, hints) = (object(&self.fields)?, object(&self.hints)?);
        Some(GenerateJob {
            max_tokens: self.max_tokens,
            temperature: f32::from_bits(self.temperature),
            top_p: f32::from_bits(self.top_p),
            seed: self.seed,
            stop: self.stop,
            choices: self.choices,
            stream: self.stream,
            extras: Extras { messages, fields, hints },
            ..GenerateJob::greedy(prompt, 1)
        })
    }
}

impl Embed {
    /// A job as it is sent.
    #[must_use]
    pub fn of(job: &EmbedJob) -> Self {
        let Extras { fields, hints, .. } = &job.extras;
        Self { inputs: job.inputs.clone(), fields: json(fields), hints: json(hints) }
    }

    /// The job; nothing if it is none.
    #[must_use]
    pub fn job(self) -> Option<EmbedJob> {
        let (fields, hints) = (object(&self.fields)?, object(&self.hints)?);
        Some(EmbedJob { inputs: self.inputs, extras: Extras { messages: None, fields, hints } })
    }
}

impl WirePiece {
    /// A piece as it is sent.
    #[must_use]
    pub fn of(piece: &Piece) -> Self {
        Self {
            choice: piece.choice,
            text: piece.text.clone(),
            rest: json(&piece.rest),
            logprobs: piece.logprobs.as_ref().map(json),
            finish_reason: piece.finish_reason.clone(),
        }
    }

    /// The piece; nothing if it is none.
    #[must_use]
    pub fn piece(self) -> Option<Piece> {
        let logprobs = match self.logprobs {
            None => None,
            Some(text) => Some(serde_json::from_str(&text).ok()?),
        };
        Some(Piece {
            choice: self.choice,
            text: self.text,
            rest: object(&self.rest)?,
            logprobs,
            finish_reason: self.finish_reason,
        })
    }
}

impl Done {
    /// What a job used, and why it ended.
    #[must_use]
    pub fn of(usage: &Usage, finish: Finish) -> Self {
        Self {
            tokens_in: usage.tokens_in,
            tokens_cached: usage.tokens_cached,
            tokens_out: usage.tokens_out,
            counted_in: usage.counted_in,
            counted_out: usage.counted_out,
            template_in: usage.template_in,
            pieces_out: usage.pieces_out,
            finish: crate::record::Answer::finish_number(finish),
        }
    }

    /// What was used.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            tokens_cached: self.tokens_cached,
            counted_in: self.counted_in,
            counted_out: self.counted_out,
            template_in: self.template_in,
            pieces_out: self.pieces_out,
            ..Usage::told(self.tokens_in, self.tokens_out, 0)
        }
    }

    /// Why it ended.
    #[must_use]
    pub fn finish(&self) -> Finish {
        crate::record::Answer { finish: self.finish, ..Default::default() }.finish()
    }
}

/// Why an answer of another node cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame is too long.
    #[error("the other node sent a frame of {0} bytes, at most {FRAME_BYTES_MAX}")]
    Length(usize),
    /// A frame is none.
    #[error("the other node sent a frame that does not read: {0}")]
    Form(#[from] DecodeError),
}

impl Frame {
    /// The frame with its length.
    #[must_use]
    pub fn packed(&self) -> Vec<u8> {
        let frame = self.to_bytes();
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes()[..], &frame].concat()
    }
}

/// Turns bytes into frames.
#[derive(Debug, Default)]
pub struct Frames {
    held: Vec<u8>,
}

impl Frames {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next frame, if it is whole.
    ///
    /// # Errors
    /// `Length` and `Form`; nothing after it can be read.
    pub fn pop(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((length, rest)) = self.held.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(FrameError::Length(length));
        }
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        let frame = codec::decode(frame)?;
        self.held.drain(..LENGTH_BYTES + length);
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn jobs_come_over_whole() {
        let check = |job: GenerateJob| {
            let sent = Generate::of(&job).to_bytes();
            let read: Generate = codec::decode(&sent).unwrap();
            assert_eq!(read.job(), Some(job));
        };
        let chat = Prompt::Chat(ROLES.iter().map(|role| Message::new(*role, "é")).collect());
        check(GenerateJob::greedy(Prompt::Text("a".into()), 7));
        let mut job = GenerateJob::greedy(chat, 7);
        job.temperature = 0.7;
        job.seed = Some(u64::MAX);
        job.stop = vec!["\n".into()];
        (job.choices, job.stream) = (3, false);
        job.extras.messages = Some(vec![json!({"role": "user", "content": [{"type": "x"}]})]);
        job.extras.fields.insert("tools".into(), json!([1]));
        job.extras.hints.insert("user".into(), json!("u"));
        check(job);
        let mut bad = Generate::of(&GenerateJob::greedy(Prompt::Text("a".into()), 7));
        bad.fields = "[".into();
        assert_eq!(bad.job(), None);
        let mut texts = EmbedJob::of(vec!["é".into(), String::new()]);
        texts.extras.fields.insert("dimensions".into(), json!(2));
        texts.extras.hints.insert("user".into(), json!("u"));
        assert_eq!(Embed::of(&texts).job(), Some(texts.clone()));
        let bad = Embed { hints: "[".into(), ..Embed::of(&texts) };
        assert_eq!(bad.job(), None);
    }

    #[test]
    fn what_was_used_comes_over_whole() {
        let usage = Usage {
            tokens_cached: Some(4),
            counted_in: Some(6),
            counted_out: Some(2),
            template_in: 9,
            pieces_out: 3,
            ..Usage::told(Some(7), Some(3), 0)
        };
        let done = Done::of(&usage, Finish::Length);
        assert_eq!((done.usage(), done.finish()), (usage, Finish::Length));
    }

    #[test]
    fn too_long_a_frame_is_refused_before_it_is_held() {
        let mut frames = Frames::default();
        frames.push(&u32::MAX.to_be_bytes());
        assert_eq!(frames.pop(), Err(FrameError::Length(u32::MAX as usize)));
        let mut frames = Frames::default();
        frames.push(&[0, 0, 0, 1, 99]);
        assert!(matches!(frames.pop(), Err(FrameError::Form(_))));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_frames(
            texts in proptest::collection::vec("[a-zé]{0,9}", 0..6),
            cut in 1usize..7,
        ) {
            let sent: Vec<Frame> = texts.into_iter().map(Frame::Text).collect();
            let bytes: Vec<u8> = sent.iter().flat_map(Frame::packed).collect();
            let (mut frames, mut read) = (Frames::default(), Vec::new());
            for piece in bytes.chunks(cut) {
                frames.push(piece);
                while let Some(frame) = frames.pop().unwrap() {
                    read.push(frame);
                }
            }
            prop_assert_eq!(read, sent);
        }
    }
}
