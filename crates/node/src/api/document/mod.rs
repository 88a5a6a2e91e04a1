//! The description of everything that the port answers, OpenAPI 3.1.
//!
//! The handlers describe the own API, [`dialect`] the foreign one; here both get what is said
//! once for all: parameters, failures, who may ask.
//!
//! **Invariant**: every operation is a row of [`errors`], and every route an operation.

mod dialect;
mod errors;
mod own;
mod parameters;
mod responses;
mod schemas;

use axum::Json;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::OpenApi as _;

/// Methods that have operations here.
const METHODS: [&str; 3] = ["get", "post", "put"];
/// Operations that a certificate may ask as well as a signature.
const EITHER: [&str; 4] = ["channel", "list_receipts", "receipt", "receipt_proof"];
/// Operations that a signature alone may ask.
const SIGNED: [&str; 8] = [
    "blob",
    "keep_key",
    "list_channels",
    "list_grants",
    "put_blob",
    "serve",
    "statement",
    "submission_content",
];

/// An operation of a document.
type Operation = Map<String, Value>;

static DOCUMENT: LazyLock<Value> = LazyLock::new(assemble);

/// The description.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json",
    operation_id = "openapi", tag = "operation",
    responses((status = 200, body = Value)))]
pub(super) async fn serve() -> Json<&'static Value> {
    Json(document())
}

fn assemble() -> Value {
    // Texts, numbers and lists: nothing in it is foreign to JSON.
    let mut document = serde_json::to_value(own::Own::openapi()).unwrap_or_default();
    merge(&mut document["paths"], dialect::paths());
    merge(&mut document["components"]["schemas"], schemas::schemas());
    document["components"]["securitySchemes"] = schemes();
    document["tags"] = tags();
    document["servers"] = json!([{ "url": "/" }]);
    for operation in operations_mut(&mut document) {
        let id = text(operation, "operationId");
        parameters::describe(operation, &id);
        responses::describe(operation, &id);
        secure(operation, &id);
    }
    document
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

fn text(operation: &Operation, member: &str) -> String {
    operation.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn operations_mut(document: &mut Value) -> Vec<&mut Operation> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let items = paths.filter_map(Value::as_object_mut);
    let methods = items.flat_map(|item| item.iter_mut());
    let methods = methods.filter(|(method, _)| METHODS.contains(&method.as_str()));
    methods.filter_map(|(_, operation)| operation.as_object_mut()).collect()
}

/// Who may ask.
fn secure(operation: &mut Operation, id: &str) {
    let certificate = json!({ "certificate": [] });
    let signature = json!({ "key": [], "time": [], "digest": [], "signature": [] });
    let wanted = match id {
        // The public ones of their answers need nobody's word.
        "blob" | "trace" => vec![json!({}), signature],
        _ if SIGNED.contains(&id) => vec![signature],
        _ if EITHER.contains(&id) => vec![certificate, signature],
        _ if is_dialect(operation) => vec![certificate],
        _ => vec![json!({})],
    };
    operation.insert("security".into(), wanted.into());
}

/// Whether the operation belongs to the foreign dialect.
fn is_dialect(operation: &Operation) -> bool {
    operation.get("tags").is_some_and(|tags| tags[0] == dialect::TAG)
}

fn schemes() -> Value {
    let header = |name: &str, what: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": what });
    json!({
        "certificate": {
            "type": "http", "scheme": "bearer", "bearerFormat": "Biscuit",
            "description": "A certificate, as `ambar cert mint` and `ambar cert narrow` make it.",
        },
        "key": header("ambar-key", "The did:key of the key that signs."),
        "time": header("ambar-time", "When it was signed, milliseconds since 1970; good for 30 s."),
        "digest": header("ambar-digest", "SHA-256 of the body, hexadecimal; none without a body."),
        "signature": header("ambar-signature", "The key's signature, 128 hexadecimal digits."),
    })
}

fn tags() -> Value {
    let tag = |(name, what): (&str, &str)| json!({ "name": name, "description": what });
    let tags = [
        ("accounts", "Accounts, their grants, channels, royalties and statements."),
        ("catalogue", "Capsules, their terms, and what is offered."),
        ("content", "Blobs, and keys of sealed content."),
        ("datanets", "Datasets with contributors, and whose words a text has."),
        ("ledger", "Blocks, transactions, validators, and the audit of all of it."),
        ("node", "How the node is, and what it serves."),
        (dialect::TAG, "The OpenAI dialect: what OpenAI's clients send and read."),
        ("operation", "What operators and their tools ask."),
        ("receipts", "Receipts, certificates and disputes."),
    ];
    tags.map(tag).to_vec().into()
}

#[cfg(test)]
mod tests;
