//! `ambar show`, `ambar search` and `ambar lineage`: what is published.

use crate::context::Context;
use crate::draw::{dot, tree};
use crate::failure::Outcome;
use crate::paint::{line, short};
use crate::progress::look::counted;
use crate::table::{Side, Table, pairs};
use ambar_capsule::Kind;
use ambar_node::api::dto::{Capsule, LineageGraph, SearchAnswer};
use ambar_node::client::Client;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::collections::BTreeSet;

/// Most capsules whose plans `lineage` asks for.
const PLANS_MAX: usize = 64;
/// Longest name or description in a table, characters.
const NAME_CHARS_MAX: usize = 36;

/// A capsule.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ambar show bafyrei…")]
pub struct ShowArgs {
    /// The capsule, by id or registered name
    id: String,
}

/// What to search for.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ambar search state of the union --kind dataset")]
pub struct SearchArgs {
    /// Words of name or description
    #[arg(required = true)]
    words: Vec<String>,
    /// Only capsules of this kind: dataset, model, code, prompt or agent
    #[arg(long, value_name = "K")]
    kind: Option<Kind>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

/// A lineage and how to draw it.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ambar lineage bafyrei… --format dot | dot -Tsvg > lineage.svg")]
pub struct LineageArgs {
    /// The capsule, by id or registered name
    id: String,
    /// How to draw it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How a lineage is drawn.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A tree, and who gets how much of one credit
    Text,
    /// The language of Graphviz
    Dot,
    /// One JSON document
    Json,
}

/// Shows a capsule.
pub async fn show(context: &Context, args: &ShowArgs) -> Outcome {
    let capsule = context.client()?.capsule(&args.id).await?;
    context.print(&capsule, || describe(&capsule))
}

fn describe(capsule: &Capsule) -> String {
    let edges = |list: Vec<String>| if list.is_empty() { "-".to_owned() } else { list.join(", ") };
    let parents =
        capsule.derived_from.iter().map(|p| format!("{} ({})", short(&p.version), p.share));
    let uses = capsule.uses.iter().map(|c| format!("{} as {}", short(&c.version), c.role));
    let previous = capsule.previous.iter().map(|id| short(id));
    let content = &capsule.content;
    let mut out = pairs(&[
        ("id", capsule.id.clone()),
        ("kind", capsule.kind.clone()),
        ("name", line(&capsule.name, usize::MAX)),
        ("creator", capsule.creator.clone()),
        ("owner", capsule.owner.clone()),
        ("height", capsule.height.to_string()),
        (
            "content",
            format!(
                "{}, {} bytes{}",
                counted(content.files, "file", "files"),
                content.bytes,
                if content.sealed { ", sealed" } else { "" }
            ),
        ),
        ("continues", edges(previous.collect())),
        ("derived from", edges(parents.collect())),
        ("uses", edges(uses.collect())),
        ("served here", if capsule.served { "yes" } else { "no" }.to_owned()),
        ("terms", capsule.terms.id.clone()),
    ]);
    for sentence in &capsule.terms.explain {
        out += &format!("  {sentence}\n");
    }
    out
}

/// Searches the catalogue.
pub async fn search(context: &Context, args: &SearchArgs) -> Outcome {
    let words = args.words.join(" ");
    let kind = args.kind.map(Kind::text);
    let answer = context.client()?.search(&words, kind, Some(args.limit)).await?;
    context.print(&answer, || found(&answer))
}

fn found(answer: &SearchAnswer) -> String {
    let columns = [("id", Side::Left), ("kind", Side::Left), ("name", Side::Left)];
    let mut table = Table::new(&columns);
    for hit in &answer.hits {
        let capsule = &hit.capsule;
        table.row([capsule.id.clone(), capsule.kind.clone(), line(&capsule.name, NAME_CHARS_MAX)]);
    }
    table.print("nothing found")
}

/// Draws a lineage.
pub async fn lineage(context: &Context, args: &LineageArgs) -> Outcome {
    let client = context.client()?;
    let graph = client.lineage(&args.id).await?;
    let format = if context.json { Format::Json } else { args.format };
    match format {
        Format::Dot => context.write(&dot::dot(&graph)),
        Format::Text => {
            let capsules = charged(&client, &graph).await?;
            context.write(&format!("{}\n{}", tree::tree(&graph), tree::royalty(&capsules)))
        }
        Format::Json => {
            let capsules = charged(&client, &graph).await?;
            let plan = |capsule: &Capsule| json!({ "capsule": capsule.id, "plan": capsule.plan });
            let plans: Vec<_> = capsules.iter().map(plan).collect();
            let Ok(mut document) = serde_json::to_value(&graph) else { return Ok(()) };
            document["plans"] = plans.into();
            context.write_json(&document)
        }
    }
}

/// The capsules that a call is charged for: the root and whatever it uses.
async fn charged(client: &Client, graph: &LineageGraph) -> Outcome<Vec<Capsule>> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![graph.root.as_str()]);
    let mut capsules = Vec::new();
    while let Some(id) = left.pop() {
        if !seen.insert(id) || capsules.len() == PLANS_MAX {
            continue;
        }
        capsules.push(client.capsule(id).await?);
        let used = graph.edges.iter().filter(|edge| edge.from == id && edge.kind == "uses");
        left.extend(used.map(|edge| edge.to.as_str()));
    }
    Ok(capsules)
}
