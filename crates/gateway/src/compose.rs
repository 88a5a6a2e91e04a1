//! Composed calls: what each kind of capsule does with its components.
//!
//! A prompt retrieves from its datanet, puts the passages between its own words, and lets
//! its model answer. Each component is a line of the bill.

use crate::call::CallError;
use crate::route::Route;
use ambar_attribution::RetrievalEvidence;
use ambar_attribution::retrieval::RetrievalParameters;
use ambar_base::ErrorCode;
use ambar_capsule::Body;
use ambar_capsule::body::PromptBody;
use ambar_compute::{Message, Prompt, Role};
use ambar_receipt::{Counter, Counters};

/// The role of a prompt's model.
pub const MODEL: &str = "model";
/// The role of a prompt's datanet.
pub const DATANET: &str = "datanet";

/// What a call does, once its route is known.
pub enum Work {
    /// A model answers or embeds.
    Model {
        /// Its part of the route.
        part: usize,
    },
    /// A prompt's model answers, after retrieval if the prompt retrieves.
    Prompt {
        /// The prompt.
        body: PromptBody,
        /// The model's part.
        model: usize,
        /// The datanet's part.
        datanet: Option<usize>,
    },
    /// A datanet answers with its passages.
    Datanet {
        /// Its part of the route.
        part: usize,
    },
}

/// What was retrieved for a call.
pub struct Retrieved {
    /// The datanet's part of the route.
    pub part: usize,
    /// What was found.
    pub evidence: RetrievalEvidence,
    /// The passages, best first.
    pub passages: Vec<String>,
}

impl Retrieved {
    /// Bytes of all passages.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.passages.iter().map(|passage| passage.len() as u64).sum()
    }
}

fn unavailable(message: impl Into<String>) -> CallError {
    CallError::new(ErrorCode::Unavailable, message)
}

impl Work {
    /// What the called capsule does.
    pub fn of(route: &Route) -> Result<Self, CallError> {
        let missing = |role: &str| unavailable(format!("the prompt has no {role}"));
        match &route.parts[0].manifest.body {
            Body::Model(_) => Ok(Self::Model { part: 0 }),
            Body::Dataset(_) => Ok(Self::Datanet { part: 0 }),
            Body::Prompt(body) => {
                let model = route.component(0, MODEL).ok_or_else(|| missing(MODEL))?;
                let datanet = match body.passages_max {
                    0 => None,
                    _ => Some(route.component(0, DATANET).ok_or_else(|| missing(DATANET))?),
                };
                Ok(Self::Prompt { body: body.clone(), model, datanet })
            }
            Body::Code(_) | Body::Agent(_) => {
                let kind = route.parts[0].manifest.kind();
                Err(unavailable(format!("this node has no runtime for {kind} capsules")))
            }
        }
    }

    /// The model's part, if a model works.
    #[must_use]
    pub fn model(&self) -> Option<usize> {
        match self {
            Self::Model { part } | Self::Prompt { model: part, .. } => Some(*part),
            Self::Datanet { .. } => None,
        }
    }

    /// The datanet's part, if something is retrieved, and within which limits.
    #[must_use]
    pub fn datanet(&self) -> Option<(usize, RetrievalParameters)> {
        let standard = RetrievalParameters::default();
        match self {
            Self::Prompt { body, datanet: Some(part), .. } => {
                let (passages_max, context_bytes_max) = (body.passages_max, body.context_bytes_max);
                Some((*part, RetrievalParameters { passages_max, context_bytes_max, ..standard }))
            }
            Self::Datanet { part } => Some((*part, standard)),
            Self::Model { .. } | Self::Prompt { datanet: None, .. } => None,
        }
    }

    /// What the model is asked.
    #[must_use]
    pub fn prompt(&self, asked: &Prompt, retrieved: Option<&Retrieved>) -> Prompt {
        match self {
            Self::Prompt { body, .. } => {
                let passages = retrieved.map_or(&[][..], |retrieved| &retrieved.passages);
                render(body, question(asked), passages)
            }
            Self::Model { .. } | Self::Datanet { .. } => asked.clone(),
        }
    }

    /// Most that each part can use: `tokens_in` and `tokens_out` bound the model.
    #[must_use]
    pub fn bound(&self, route: &Route, tokens_in: u64, tokens_out: u64) -> Vec<Counters> {
        let mut bound = vec![Counters::default(); route.parts.len()];
        let model = [(Counter::TokensIn, tokens_in), (Counter::TokensOut, tokens_out)];
        match self {
            Self::Model { part } => bound[*part] = Counters::new(model),
            Self::Prompt { body, model: part, datanet, .. } => {
                bound[*part] = Counters::new(model);
                if let Some(part) = datanet {
                    let bytes = u64::from(body.context_bytes_max);
                    bound[*part] = Counters::new([(Counter::RetrievedBytes, bytes)]);
                }
            }
            Self::Datanet { part } => {
                let bytes = u64::from(RetrievalParameters::default().context_bytes_max);
                bound[*part] = Counters::new([(Counter::RetrievedBytes, bytes)]);
            }
        }
        bound
    }

    /// Bytes that retrieval can add to what the model is asked.
    #[must_use]
    pub fn context_bytes_max(&self) -> u64 {
        match self {
            Self::Prompt { body, .. } => {
                // Each passage comes with quotes and a blank line.
                u64::from(body.context_bytes_max) + 4 * u64::from(body.passages_max)
            }
            Self::Model { .. } | Self::Datanet { .. } => 0,
        }
    }
}

/// The question in a prompt: the last thing that a user says.
#[must_use]
pub fn question(asked: &Prompt) -> &str {
    match asked {
        Prompt::Text(text) => text,
        Prompt::Chat(messages) => {
            let user = messages.iter().rev().find(|message| message.role == Role::User);
            user.map_or("", |message| message.content.as_str())
        }
    }
}

/// A prompt's own words around question and passages. Passages stand in quotation marks
/// and are put in last, so that nothing in them is taken for a slot of the template.
fn render(body: &PromptBody, question: &str, passages: &[String]) -> Prompt {
    let passages: Vec<String> = passages.iter().map(|passage| format!("\"{passage}\"")).collect();
    let passages = passages.join("\n\n");
    let mut user = String::with_capacity(body.template.len() + question.len() + passages.len());
    let mut rest = body.template.as_str();
    while let Some(start) = rest.find("{{") {
        user.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix(PromptBody::QUESTION) {
            user.push_str(question);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(PromptBody::PASSAGES) {
            user.push_str(&passages);
            rest = after;
        } else {
            user.push_str("{{");
            rest = &rest[2..];
        }
    }
    user.push_str(rest);
    let mut messages = Vec::new();
    if !body.system.trim().is_empty() {
        messages.push(Message::new(Role::System, body.system.clone()));
    }
    messages.push(Message::new(Role::User, user));
    Prompt::Chat(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str, question: &str, passages: &[&str]) -> String {
        let body = PromptBody {
            context_bytes_max: 10,
            passages_max: 1,
            system: String::new(),
            template: template.into(),
        };
        let passages: Vec<String> = passages.iter().map(|text| (*text).to_owned()).collect();
        match render(&body, question, &passages) {
            Prompt::Chat(messages) => messages[0].content.clone(),
            Prompt::Text(text) => text,
        }
    }

    #[test]
    fn slots_in_what_is_put_in_stay() {
        let check = |template, question, passages: &[&str], expect: &str| {
            assert_eq!(rendered(template, question, passages), expect);
        };
        check("{{question}}|{{passages}}", "q", &["a", "b"], "q|\"a\"\n\n\"b\"");
        check("{{question}}|{{passages}}", "{{passages}}", &["x"], "{{passages}}|\"x\"");
        check("{{passages}}{{question}}", "q", &["{{question}}"], "\"{{question}}\"q");
        check("{{other}} {{question}}", "q", &[], "{{other}} q");
    }

    #[test]
    fn the_question_is_what_the_user_said_last() {
        let chat = Prompt::Chat(vec![
            Message::new(Role::User, "first"),
            Message::new(Role::Assistant, "answer"),
            Message::new(Role::User, "second"),
        ]);
        assert_eq!(question(&chat), "second");
        assert_eq!(question(&Prompt::Text("text".into())), "text");
    }
}
