//! The calls of the demo, made through HTTP as any OpenAI client makes them.

use super::market::{Market, not_refused};
use crate::failure::{Failure, Outcome};
use crate::openai::{Answer, Dialect, Question};
use crate::paint::line;
use crate::progress::{Phase, Progress};
use ambar_base::ErrorCode;
use ambar_gateway::certificate;
use ambar_licence::Narrowing;
use ambar_node::client::{Client, Trust};
use std::time::{Duration, Instant};

/// Most tokens of an answer: what fits the demo into a minute on two cores.
const ANSWER_TOKENS_MAX: u32 = 40;
/// Longest part of an answer that is shown, characters: with its price it fits a terminal.
const ANSWER_CHARS_MAX: usize = 58;
/// Longest part of a question that is shown, characters.
const QUESTION_CHARS_MAX: usize = 74;
/// Longest wait for a settlement.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Wait between two looks at a receipt.
const SETTLE_POLL: Duration = Duration::from_millis(50);

/// Calls that were made.
pub struct Calls {
    url: String,
    trust: Trust,
    model: String,
    certificate: String,
    answers: Vec<Answer>,
}

/// The call that was refused.
pub struct Excess {
    /// The public code.
    pub code: ErrorCode,
    /// What the gateway said.
    pub message: String,
}

impl Calls {
    /// None yet.
    pub fn new(market: &Market, url: &str, trust: Trust) -> Self {
        Self {
            url: url.to_owned(),
            trust,
            model: market.prompt.clone(),
            certificate: market.certificate.clone(),
            answers: Vec::new(),
        }
    }

    /// The ids of the receipts.
    pub fn receipts(&self) -> impl Iterator<Item = &str> {
        self.answers.iter().map(|answer| answer.receipt.as_str())
    }

    /// Asks all questions; the last one with a certificate that allows one call.
    pub async fn ask(&mut self, progress: &Progress, questions: &[&str]) -> Outcome {
        let phase = progress.steps("calling the prompt", questions.len() as u64, "calls");
        let dialect = Dialect::new(&self.url, &self.certificate, &self.trust)?;
        let narrowed = self.narrowed()?;
        let last = Dialect::new(&self.url, &narrowed, &self.trust)?;
        for (at, question) in questions.iter().enumerate() {
            let asked = if at + 1 == questions.len() { &last } else { &dialect };
            let answer = asked.ask(&self.question(question)).await?;
            show(&phase, at, question, &answer);
            phase.advance(1);
            self.answers.push(answer);
        }
        phase.finish(&format!("{} calls", questions.len()));
        self.certificate = narrowed;
        Ok(())
    }

    /// One call more than the narrowed certificate allows.
    pub async fn excess(&self, progress: &Progress) -> Outcome<Excess> {
        let phase = progress.spinner("one call too many");
        let dialect = Dialect::new(&self.url, &self.certificate, &self.trust)?;
        match dialect.ask(&self.question("May I ask once more?")).await {
            Ok(_) => Err(not_refused()),
            Err(Failure { code, message, .. }) if code == ErrorCode::CallLimitExceeded => {
                phase.finish(&format!("refused: {code}"));
                Ok(Excess { code, message })
            }
            Err(failure) => Err(failure),
        }
    }

    fn narrowed(&self) -> Outcome<String> {
        let narrowing = Narrowing { calls: Some(1), ..Narrowing::default() };
        Ok(certificate::narrow(&self.certificate, &narrowing)?)
    }

    fn question(&self, text: &str) -> Question {
        Question {
            model: self.model.clone(),
            text: text.to_owned(),
            max_tokens: Some(ANSWER_TOKENS_MAX),
            // The same answers, and so the same payouts, every time.
            temperature: Some(0.0),
            ..Question::default()
        }
    }
}

fn show(phase: &Phase, at: usize, question: &str, answer: &Answer) {
    let price = answer.price.as_deref().unwrap_or("?");
    phase.note(&format!("{:3}. {}", at + 1, line(question, QUESTION_CHARS_MAX)));
    phase.note(&format!("     “{}” {price}", line(&answer.text, ANSWER_CHARS_MAX)));
}

/// Waits until a call is settled.
pub async fn wait_settled(client: &Client, receipt: &str) -> Outcome {
    let began = Instant::now();
    loop {
        if client.receipt(receipt).await?.settled.is_some() {
            return Ok(());
        }
        if began.elapsed() > SETTLE_TIMEOUT {
            let message = format!("receipt {receipt} has not settled in time");
            return Err(Failure::new(ErrorCode::Unavailable, message));
        }
        tokio::time::sleep(SETTLE_POLL).await;
    }
}
