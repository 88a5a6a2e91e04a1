//! `ambar publish`: publishes a capsule and, from the home of the node's operator, has the
//! node serve it.

use crate::commands::terms;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::progress::{Progress, watch};
use crate::publish::{Published, Request, publish};
use crate::quality;
use crate::sharing::SharingArgs;
use crate::signer::Signer;
use ambar_attribution::Method;
use ambar_base::{Cid, Weight};
use ambar_capsule::Kind;
use ambar_capsule::manifest::Parent;
use ambar_compute::EngineSpec;
use ambar_node::api::dto::ServingRequest;
use ambar_quality::Rules;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// What is published, and how.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ambar publish speeches/ --kind dataset --name Speeches --terms data.toml
  ambar publish model.gguf --kind model --name Small --terms model.toml
  ambar publish cases/ --kind dataset --name Cases --terms cases.toml --sealed
  ambar publish card.md --kind model --name Big --terms model.toml \\
      --engine upstream:http://127.0.0.1:8000/v1#big --engine-key key.txt
  ambar publish card.md --kind model --name Echo --terms model.toml \\
      --engine corpus --from bafyrei…data=20%
  ambar publish ask/ --kind prompt --name Ask --terms ask.toml \\
      --uses bafyrei…model --uses bafyrei…data

A directory of records may hold contributors.toml, whose [[record]] entries have a path
and either did or name; without it the publisher is the one contributor. A prompt is a
prompt.toml; code in a directory needs a code.toml (code = 1, runtime, entry), an agent
an agent.toml (agent = 1, instructions, steps_max, [roles]).

With --sealed every file is encrypted here before it leaves: whoever stores it sees nothing
but lengths and paths. The node that publishes keeps the key and gives it to the owner and to
grants that include fetch.")]
pub struct PublishArgs {
    /// A directory or a file
    path: PathBuf,
    /// dataset, model, code, prompt or agent
    #[arg(long)]
    kind: Kind,
    /// What people call it
    #[arg(long)]
    name: String,
    /// The terms, a TOML file
    #[arg(long, value_name = "FILE")]
    terms: PathBuf,
    /// The key whose account publishes
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
    /// What people read about it
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// The version that this one continues
    #[arg(long, value_name = "ID")]
    previous: Option<Cid>,
    /// A parent and its share of the royalty, such as bafyrei…=15%; may be repeated
    #[arg(long = "from", value_name = "ID=SHARE", value_parser = parent)]
    parents: Vec<Parent>,
    /// A component, by id or name, with its role where its kind leaves a choice
    /// (ROLE=ID); may be repeated
    #[arg(long = "uses", value_name = "ID", value_parser = component)]
    uses: Vec<Used>,
    /// The part of a dataset's royalty that goes to its contributors
    #[arg(long, value_name = "SHARE", default_value = "90%")]
    contributors_share: Weight,
    /// How much a method of attribution counts for a dataset: retrieval, verbatim-span or
    /// corpus-model; may be repeated, and all must sum to 100%. Without it the first two count
    /// a half each
    #[arg(long = "method", value_name = "NAME=WEIGHT", value_parser = method)]
    methods: Vec<(Method, Weight)>,
    #[command(flatten)]
    sharing: SharingArgs,
    /// What the node serves a model with: gguf:PATH, embed:DIR, upstream:URL[#model], corpus
    /// (the records of the datasets that it is built on) or null; without it, a model that is
    /// files here is served from them
    #[arg(long, value_name = "SPEC")]
    engine: Option<EngineSpec>,
    #[command(flatten)]
    engine_key: EngineKeyArgs,
    /// Encrypt the files: only those whose grant includes fetch can read them
    #[arg(long)]
    sealed: bool,
    /// The node that keeps the key of sealed files, if it is not the one that stores them
    #[arg(long, value_name = "URL", requires = "sealed")]
    key_node: Option<String>,
}

/// The secret of an upstream engine, which is never written on a command line.
#[derive(Args, Debug)]
pub struct EngineKeyArgs {
    /// The API key of an upstream engine, kept sealed by the node; `-` for standard input
    /// [env: AMBAR_ENGINE_KEY, the key itself]
    #[arg(long, value_name = "FILE", requires = "engine")]
    engine_key: Option<PathBuf>,
}

/// Where a key is read from when no file is named.
const ENGINE_KEY_VARIABLE: &str = "AMBAR_ENGINE_KEY";
/// Longest file of a key, bytes.
const ENGINE_KEY_FILE_BYTES_MAX: u64 = 8192;

impl EngineKeyArgs {
    /// The key for an engine, if one is given: the variable counts for upstream engines only.
    pub fn read(&self, engine: Option<&EngineSpec>) -> Outcome<Option<String>> {
        let upstream = matches!(engine, Some(EngineSpec::Upstream { .. }));
        let text = match &self.engine_key {
            Some(_) if !upstream => {
                return Err(Failure::input("only an upstream engine has a key"));
            }
            Some(file) => Some(files::read_text(file, ENGINE_KEY_FILE_BYTES_MAX)?),
            None => std::env::var(ENGINE_KEY_VARIABLE).ok().filter(|_| upstream),
        };
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }
}

#[derive(Clone, Debug)]
struct Used(Option<String>, String);

fn parent(text: &str) -> Result<Parent, String> {
    let (version, share) = text.split_once('=').ok_or("expected ID=SHARE, such as bafyrei…=15%")?;
    let version = version.parse().map_err(|error: ambar_base::cid::CidError| error.to_string())?;
    let share =
        share.parse().map_err(|error: ambar_base::weight::WeightError| error.to_string())?;
    Ok(Parent { share, version })
}

fn method(text: &str) -> Result<(Method, Weight), String> {
    let (name, weight) =
        text.split_once('=').ok_or("expected NAME=WEIGHT, such as retrieval=50%")?;
    let names = || Method::ALL.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ");
    let method = Method::named(name).ok_or_else(|| format!("`{name}` is none of {}", names()))?;
    let weight = weight.parse().map_err(|error: ambar_base::weight::WeightError| error.to_string());
    Ok((method, weight?))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that clap asks for")]
fn component(text: &str) -> Result<Used, String> {
    Ok(match text.split_once('=') {
        Some((role, id)) => Used(Some(role.to_owned()), id.to_owned()),
        None => Used(None, text.to_owned()),
    })
}

/// Runs the command.
pub async fn run(context: &Context, args: &PublishArgs) -> Outcome {
    if args.kind != Kind::Dataset && args.sharing.are_said() {
        return Err(Failure::input("only a dataset has rules of sharing"));
    }
    let request = Request {
        path: args.path.clone(),
        kind: args.kind,
        name: args.name.clone(),
        description: args.description.clone(),
        terms: terms::read_enforced(&args.terms)?,
        previous: args.previous,
        parents: args.parents.clone(),
        uses: args.uses.iter().map(|Used(role, id)| (role.clone(), id.clone())).collect(),
        contributors_share: args.contributors_share,
        methods: args.methods.clone(),
        sharing: args.sharing,
        engine: args.engine.clone(),
        sealed: args.sealed,
        key_node: args.key_node.clone(),
    };
    let engine_key = args.engine_key.read(args.engine.as_ref())?;
    let signer = context.signer(args.key.as_deref()).await?;
    let progress = context.progress();
    if args.kind == Kind::Dataset {
        warn(context, args).await;
    }
    let published = publish(&signer, &request, progress).await?;
    let served = match context.operator().await? {
        Some(operator) => {
            serve_with(&operator, args.kind, &published, engine_key, progress).await?
        }
        None => None,
    };
    let Published { id, height, .. } = published;
    let document = json!({ "id": id, "height": height, "served": served });
    context.print(&document, || {
        let served = match &served {
            Some(offer) => format!("the node serves its {offer}"),
            None => "it is not served: that is up to the node's operator".to_owned(),
        };
        format!("{id}\npublished in block {height}; {served}\n")
    })
}

/// Says how many records reviewers would look at. It blocks nothing: what cannot be read fails
/// where it is published.
async fn warn(context: &Context, args: &PublishArgs) {
    let phase = context.progress().spinner("checking the records");
    let report = quality::check(&args.path, Rules::default()).await;
    phase.finish("");
    if let Ok(Some(warning)) = report.map(|report| report.warning(&args.path)) {
        context.note(&warning);
    }
}

/// Has the operator's node serve a capsule: with an engine, a datanet or a template.
/// Capsules that are fetched and not called are not served.
pub async fn serve(
    operator: &Signer,
    kind: Kind,
    published: &Published,
    progress: &Progress,
) -> Outcome<Option<String>> {
    serve_with(operator, kind, published, None, progress).await
}

/// The same, with the secret of an upstream engine.
pub async fn serve_with(
    operator: &Signer,
    kind: Kind,
    published: &Published,
    engine_key: Option<String>,
    progress: &Progress,
) -> Outcome<Option<String>> {
    if matches!(kind, Kind::Code | Kind::Agent) {
        return Ok(None);
    }
    let engine = published.engine.as_ref().map(ToString::to_string);
    if kind == Kind::Model && engine.is_none() {
        return Err(Failure::input("a model needs an engine").helping("name it with --engine"));
    }
    let request = ServingRequest { engine, engine_key };
    let (client, id) = (operator.client(), &published.id);
    let serving = client.serve(id, &request);
    let answer =
        watch::asking(progress, "waiting for the node", serving, || client.build(id)).await?;
    Ok(Some(answer.offer))
}
