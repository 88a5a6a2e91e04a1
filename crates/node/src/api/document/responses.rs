//! What an operation answers: bytes as bytes, and each failure with its status and codes.

use super::{Operation, dialect, errors, is_dialect};
use ambar_base::ErrorCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Contents that are bytes.
const OCTETS: [&str; 2] = ["application/cose", "application/octet-stream"];

/// Completes the responses of an operation.
pub(super) fn describe(operation: &mut Operation, id: &str) {
    let shape = if is_dialect(operation) { dialect::FAILURE } else { "ErrorBody" };
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in errors::of(id).unwrap_or_default() {
        by_status.entry(code.http_status()).or_default().push(code);
    }
    let failures = by_status.into_iter();
    let failures = failures.map(|(status, codes)| (status.to_string(), failure(shape, &codes)));
    if let Some(Value::Object(responses)) = operation.get_mut("responses") {
        responses.values_mut().for_each(success);
        responses.extend(failures);
    }
    if let Some(body) = operation.get_mut("requestBody") {
        bytes(body);
    }
}

fn success(response: &mut Value) {
    bytes(response);
    if response["description"].as_str().is_none_or(str::is_empty) {
        response["description"] = "As asked.".into();
    }
}

/// Bytes are no list of numbers.
fn bytes(of: &mut Value) {
    for kind in OCTETS {
        if of["content"].get(kind).is_some() {
            of["content"][kind]["schema"] = json!({ "type": "string", "format": "binary" });
        }
    }
}

fn failure(shape: &str, codes: &[ErrorCode]) -> Value {
    let line = |code: &ErrorCode| format!("`{}`: {}", code.text(), code.help());
    let lines: Vec<_> = codes.iter().map(line).collect();
    let texts: Vec<_> = codes.iter().map(|code| code.text()).collect();
    let one_of_these = json!({ "type": "object", "properties": {
        "error": { "type": "object", "properties": { "code": { "enum": texts } } },
    }});
    let shape = json!({ "$ref": format!("#/components/schemas/{shape}") });
    let mut failure = json!({
        "description": lines.join("\n"),
        "content": { "application/json": { "schema": { "allOf": [shape, one_of_these] } } },
    });
    if codes.iter().any(|code| code.http_status() == 401) {
        failure["headers"] = json!({ "WWW-Authenticate": {
            "description": "How to say who asks.", "required": true,
            "schema": { "type": "string" },
        }});
    }
    failure
}
