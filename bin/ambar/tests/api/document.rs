//! The document as a running node publishes it, and which operation of it a request asks.

use crate::support::http::Request;
use serde_json::Value;
use std::collections::BTreeSet;

/// What an operation is.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: String,
    pub method: String,
    /// The path with parameters in braces.
    pub path: String,
    /// Statuses of failures with their codes.
    pub failures: BTreeSet<(u16, String)>,
    /// Statuses of successes.
    pub successes: BTreeSet<u16>,
}

/// All operations.
#[derive(Clone, Debug)]
pub struct Document {
    pub json: Value,
    pub operations: Vec<Operation>,
}

impl Document {
    /// The document of a node.
    pub fn of(url: &str) -> Self {
        let json = Request::get("/api/v1/openapi.json").send(url).unwrap().ok();
        let mut operations = Vec::new();
        for (path, item) in json["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations.push(read(method, path, operation));
            }
        }
        assert!(operations.len() > 40, "{json}");
        Self { json, operations }
    }

    /// The operation with this id.
    pub fn operation(&self, id: &str) -> &Operation {
        let found = self.operations.iter().find(|operation| operation.id == id);
        found.unwrap_or_else(|| panic!("no operation {id}"))
    }

    /// The operations that can fail with a code.
    pub fn failing_with(&self, code: &str) -> Vec<&Operation> {
        let named = |operation: &&Operation| operation.failures.iter().any(|(_, own)| own == code);
        self.operations.iter().filter(named).collect()
    }

    /// The operation that a request asks, if it is one; literal parts of paths go first.
    pub fn asked(&self, method: &str, path: &str) -> Option<&Operation> {
        let asked = self.operations.iter().filter(|known| known.method == method);
        let fitting = asked.filter(|known| fits(&known.path, path));
        fitting.min_by_key(|known| known.path.matches('{').count())
    }
}

fn read(method: &str, path: &str, operation: &Value) -> Operation {
    let (mut failures, mut successes) = (BTreeSet::new(), BTreeSet::new());
    for (status, response) in operation["responses"].as_object().unwrap() {
        let status: u16 = status.parse().unwrap();
        let shape = &response["content"]["application/json"]["schema"]["allOf"][1];
        let codes = &shape["properties"]["error"]["properties"]["code"]["enum"];
        if status < 400 {
            successes.insert(status);
        }
        let codes = codes.as_array().into_iter().flatten();
        failures.extend(codes.map(|code| (status, code.as_str().unwrap().to_owned())));
    }
    Operation {
        id: operation["operationId"].as_str().unwrap().to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        failures,
        successes,
    }
}

/// Whether a path is one of these. The name of a model may have slashes.
fn fits(template: &str, path: &str) -> bool {
    if let Some(name) = path.strip_prefix("/v1/models/") {
        return template == "/v1/models/{id}" && !name.is_empty();
    }
    let (known, given): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    let fit = |(known, given): (&&str, &&str)| {
        if known.starts_with('{') { !given.is_empty() } else { known == given }
    };
    known.len() == given.len() && known.iter().zip(&given).all(fit)
}
