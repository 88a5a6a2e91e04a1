//! From jobs, pieces and counts to the words that are sent of them, and back.
//!
//! **Invariant**: whatever is sent comes back as it was; words that say no job and no piece are
//! none, and become nothing.

use super::wire::{Done, Embed, Generate, Replay, WirePiece};
use crate::record::Answer;
use ambar_attribution::CorpusModelParameters;
use ambar_compute::{EmbedJob, Extras, Finish, GenerateJob, Message, Piece, Prompt, Role, Usage};
use serde_json::{Map, Value};

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

impl Replay {
    /// How far the model looks back.
    #[must_use]
    pub fn parameters(&self) -> CorpusModelParameters {
        let Self { context_words_max, count_min, .. } = *self;
        CorpusModelParameters { context_words_max, count_min }
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
            finish: Answer::finish_number(finish),
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
        Answer { finish: self.finish, ..Default::default() }.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Encode as _, codec};
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
}
