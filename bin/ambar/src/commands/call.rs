//! `ambar call`: one call with a certificate. The answer goes to standard output as it
//! comes, the receipt to standard error.

use crate::commands::cert;
use crate::context::Context;
use crate::failure::Outcome;
use crate::openai::{Answer, Dialect, Question};
use crate::progress::look;
use ambar_base::Price;
use ambar_node::client::Credential;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

/// What to ask whom.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ambar call bafyrei… --cert app.cert \"What did Monroe say?\"
  ambar call bafyrei… --cert agent.cert --agent bot --price-max 0.01 \"What next?\"")]
pub struct CallArgs {
    /// The capsule, by id or registered name
    id: String,
    /// The certificate, a file; `-` for standard input
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// What the call is made for
    #[arg(long, value_name = "P")]
    purpose: Option<String>,
    /// Refuse if it may cost more, credits
    #[arg(long, value_name = "C")]
    price_max: Option<Price>,
    /// The key of this home that signs the call, for a certificate that is bound to it
    #[arg(long, value_name = "KEY")]
    agent: Option<String>,
    /// Most tokens of answer
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// What is asked
    prompt: String,
}

/// Makes the call.
pub async fn run(context: &Context, args: &CallArgs) -> Outcome {
    let certificate = cert::read(&args.cert)?;
    let dialect = Dialect::new(context.node(), &certificate, &context.trust())?;
    let agent =
        args.agent.as_deref().map(|name| context.keys().load(name, context.passphrase().as_ref()));
    let question = Question {
        model: args.id.clone(),
        text: args.prompt.clone(),
        purpose: args.purpose.clone(),
        price_max: args.price_max,
        agent: agent.transpose()?,
        max_tokens: args.max_tokens,
        temperature: None,
    };
    let answer = if context.json {
        dialect.ask(&question).await?
    } else {
        told(context, &dialect, &question).await?
    };
    // A stream does not say its price, its receipt does.
    let client = context.client()?.with(Credential::Certificate(certificate));
    let (price, mu) = match (answer.price, answer.mu) {
        (Some(price), Some(mu)) => (price, mu),
        _ => {
            let receipt = client.receipt(&answer.receipt).await?;
            (receipt.price, receipt.mu)
        }
    };
    let receipt = answer.receipt;
    if context.json {
        let text = answer.text;
        let document = json!({ "text": text, "receipt": receipt, "price": price, "mu": mu });
        return context.write_json(&document);
    }
    context.note(&format!("receipt {receipt}: {price} credits for {mu} MU"));
    Ok(())
}

/// Writes the answer as it comes, and then how long it took.
async fn told(context: &Context, dialect: &Dialect, question: &Question) -> Outcome<Answer> {
    let began = Instant::now();
    let mut waiting = Some(context.progress().spinner("waiting for a token"));
    let mut first = None;
    let answer = dialect.stream(question, |piece| {
        if let Some(phase) = waiting.take() {
            // Taken away before the first letter stands where it was.
            phase.clear();
            first = Some(began.elapsed());
        }
        context.write(piece)
    });
    let answer = answer.await?;
    if let Some(phase) = waiting {
        phase.clear();
    }
    context.write("\n")?;
    if let Some(first) = first {
        let all = look::time(began.elapsed());
        context.note(&format!("first token after {}, all after {all}", look::time(first)));
    }
    Ok(answer)
}
