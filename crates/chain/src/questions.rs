//! What a node that begins asks its peers, and what they answer.
//!
//! **Invariant**: an answer is believed only after it was checked against a committee that is
//! trusted, or against a state root that such a committee made final.

use ambar_base::codec::{self, DecodeError};
use ambar_base::finality::{FinalHeader, Handover};
use ambar_base::{Encode, choice, record};
use bytes::Bytes;

/// Longest question, bytes.
const QUESTION_BYTES_MAX: usize = 256;

choice! {
    /// A question.
    pub(crate) enum Question {
        /// How far the peer's chain is, and how its committees gave way to one another from
        /// this epoch on.
        Tip(u64) = 0,
        /// Operations of the state's log: the engine's own form of a request.
        State(Vec<u8>) = 1,
    }
}

choice! {
    /// An answer.
    pub(crate) enum Answer {
        /// The peer cannot say.
        Nothing = 0,
        /// How far it is: an encoded [`Tip`].
        Tip(Vec<u8>) = 1,
        /// Operations: the engine's own form of a response.
        State(Vec<u8>) = 2,
    }
}

record! {
    /// How far a chain is.
    pub(crate) struct Tip {
        pub(crate) block: FinalHeader,
        /// The ends of epochs from the one asked for, as many as fit.
        pub(crate) handovers: Vec<Handover>,
    }
}

choice! {
    /// What travels.
    pub(crate) enum Letter {
        /// A question and its number.
        Question(Asked) = 0,
        /// The answer to the question of this number.
        Answer(Answered) = 1,
    }
}

record! {
    pub(crate) struct Asked {
        pub(crate) number: u64,
        pub(crate) question: Question,
    }
}

record! {
    pub(crate) struct Answered {
        pub(crate) number: u64,
        pub(crate) answer: Answer,
    }
}

impl Letter {
    /// As it travels.
    pub(crate) fn seal(&self) -> Bytes {
        Bytes::from(self.to_bytes())
    }

    /// Reads what a peer sent.
    pub(crate) fn open(bytes: &[u8]) -> Result<Self, DecodeError> {
        let letter = codec::decode(bytes)?;
        match &letter {
            Self::Question(_) if bytes.len() > QUESTION_BYTES_MAX => {
                Err(DecodeError::Rule("a question is short"))
            }
            _ => Ok(letter),
        }
    }
}
