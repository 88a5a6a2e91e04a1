//! The words between gateways and serving nodes, in the compact encoding.
//!
//! A request is an [`Errand`] or a [`SignRequest`]; an answer to an errand is a row of frames, each
//! four bytes of length, most significant first, and a [`Frame`]. Both nodes are of one version:
//! the path names it. What the words mean to an engine is in `convert.rs`; this file sees nothing
//! beyond `base` and `receipt`, so that `fuzz/` can compile it as it is.
//!
//! **Invariant**: frames do not depend on how the bytes were cut, and no more than one frame of
//! bounded length is held.

use ambar_base::codec::{self, DecodeError};
use ambar_base::{Digest, Encode, Signature, choice, record};
use ambar_receipt::{NodeLines, ServedLine, SignedOneCall};

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
        /// Find where the words of an answer follow in the records.
        Replay(Replay) = 5,
    }
}

record! {
    /// A job to generate as it is sent.
    pub struct Generate {
        /// Roles and texts; one without a role is a text to continue.
        pub prompt: Vec<(Option<u16>, String)>,
        /// Most tokens of each choice.
        pub max_tokens: u32,
        /// The bits of the temperature.
        pub temperature: u32,
        /// The bits of the nucleus.
        pub top_p: u32,
        /// Repeatability.
        pub seed: Option<u64>,
        /// Texts that end the answer.
        pub stop: Vec<String>,
        /// Answers to the one prompt.
        pub choices: u32,
        /// Whether pieces are wanted as they come.
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
    /// A job to embed as it is sent.
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

record! {
    /// What is read again as a model that is the records would have written it.
    pub struct Replay {
        /// The last words of what was asked.
        pub prompt: String,
        /// The answer.
        pub output: Vec<u8>,
        /// What stands for what was asked in the evidence.
        pub prompt_digest: Digest,
        /// What stands for the answer.
        pub output_digest: Digest,
        /// Longest context, words.
        pub context_words_max: u32,
        /// How often a context must stand in the records.
        pub count_min: u32,
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
        /// Evidence of a trace or replay.
        Traced(Vec<u8>) = 6,
        /// The work is over, and durable here.
        Done(Done) = 7,
        /// The work failed.
        Failed(Failed) = 8,
    }
}

record! {
    /// A piece of an answer as it is sent.
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

record! {
    /// What a gateway wants signed.
    pub struct SignRequest {
        /// The gateway, by node number.
        pub gateway: u64,
        /// Its batch.
        pub batch: u64,
        /// The node, how many lines, and their root.
        pub lines: NodeLines,
        /// The lines in the order of their tree.
        pub served: Vec<ServedLine>,
    }
}

choice! {
    /// What the node says.
    pub enum SignAnswer {
        /// Its signature.
        Signed(Signature) = 1,
        /// It does not know these lines, or served less: (channel, number).
        Unknown(Vec<(u64, u64)>) = 2,
        /// It does not sign, for another reason.
        Refused(String) = 3,
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
