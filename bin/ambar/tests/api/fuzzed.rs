//! Schemathesis, a program of other people that reads the document and asks whatever it allows,
//! and what it does not, as a stranger and as the holder of a certificate.
//!
//! It leaves nothing to chance, so that a failure comes again.

use crate::parties::sample;
use crate::world::{CALLS, RECORD, World, call};
use ambar_capsule::chunks::ContentRoot;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// What is looked at in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,unsupported_method,allow_header_conformance";
/// Requests of each operation beside those that cover its parameters.
const EXAMPLES: &str = "8";
/// Requests whose bodies name a model.
const REQUESTS: [&str; 4] =
    ["ChatRequest", "CompletionRequest", "EmbeddingRequest", "ResponseRequest"];

#[test]
fn whatever_is_asked_is_answered_as_the_document_says() {
    let world = World::open();
    let answer = world.send(&call(CALLS[0], &world.model).bearer(&world.certificate));
    let receipt = answer.header("ambar-receipt").unwrap();
    let written = prepared(&world, receipt).to_string();
    let document = world.market.write("openapi.json", written);
    let certificate = format!("Authorization: Bearer {}", world.certificate);
    for identity in [&[][..], &["--header", &certificate]] {
        run(&world, &document, identity);
    }
    let (_, strays) = world.witness.seen();
    assert!(strays.is_empty(), "answers that the document does not have: {strays:#?}");
    // The node is as well as before.
    world.send(&sample(&world, "list_models", receipt).bearer(&world.certificate)).ok();
}

/// Runs it to its end.
fn run(world: &World, document: &str, identity: &[&str]) {
    let python = std::env::var_os("AMBAR_PYTHON")
        .expect("set AMBAR_PYTHON to a Python interpreter with schemathesis; ./check does so");
    let output = Command::new(&python)
        .args(["-m", "schemathesis.cli", "run", document, "--url", world.url()])
        .args(["--checks", CHECKS, "--phases", "coverage,fuzzing"])
        .args(["--max-examples", EXAMPLES, "--generation-deterministic"])
        .args(["--suppress-health-check", "all", "--warnings", "off", "--no-color"])
        .args(identity)
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(Path::new(document).parent().unwrap())
        .output()
        .unwrap_or_else(|error| panic!("AMBAR_PYTHON {}: {error}", python.display()));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The document with things that are there among what may be asked for: chance alone finds none.
fn prepared(world: &World, receipt: &str) -> Value {
    let mut document = world.witness.document().json.clone();
    let World { model, dataset, channel, .. } = world;
    let root = ContentRoot::of(format!("records: {RECORD}").as_bytes()).to_string();
    let app = world.account(&world.key("app")).to_string();
    let known = [
        ("account", json!([app])),
        ("capsule", json!([model, dataset])),
        ("channel", json!([channel])),
        ("datanet", json!([dataset, model])),
        ("height", json!([1, 2])),
        ("receipt", json!([receipt])),
        ("root", json!([root])),
        ("royalty", json!(["0", "1"])),
    ];
    for item in document["paths"].as_object_mut().unwrap().values_mut() {
        for operation in item.as_object_mut().unwrap().values_mut() {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                let own = known.iter().find(|(name, _)| parameter["name"] == *name);
                if let Some((_, there)) = own {
                    let schema = parameter["schema"].take();
                    parameter["schema"] = json!({ "anyOf": [{ "enum": there }, schema] });
                }
            }
        }
    }
    let schemas = &mut document["components"]["schemas"];
    for request in REQUESTS {
        schemas[request]["properties"]["model"] = json!({ "enum": [model] });
    }
    schemas["TraceRequest"]["properties"]["datanet"] = json!({ "enum": [dataset, model] });
    document
}
